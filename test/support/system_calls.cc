// SPDX-License-Identifier: MIT
#undef _FORTIFY_SOURCE  // its inline functions have the names that are defined here
#include "test/support/system_calls.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstddef>
#include <cstdlib>

using sockeye::test::Call;
using sockeye::test::SystemCalls;

namespace {

thread_local SystemCalls* observer = nullptr;

// An argument as syscall(2) wants it: a whole register.
template <typename Integer>
long word(Integer argument) {
  return static_cast<long>(argument);
}
template <typename T>
long word(T* argument) {
  return reinterpret_cast<long>(argument);
}
long word(std::nullptr_t) {
  return 0;
}

template <typename... Arguments>
long ask_kernel(long number, Arguments... arguments) {
  return ::syscall(number, word(arguments)...);
}

// Makes the system call, unless the observer has it fail.
template <typename... Arguments>
long pass(Call call, long number, Arguments... arguments) {
  if (observer != nullptr && !observer->begin(call)) return -1;
  return ask_kernel(number, arguments...);
}

}  // namespace

namespace sockeye::test {

SystemCalls::SystemCalls() {
  if (observer != nullptr) std::abort();
  observer = this;
}

SystemCalls::~SystemCalls() {
  observer = nullptr;
}

void SystemCalls::forget() {
  counts_.fill(0);
  sent_.clear();
}

void SystemCalls::fail(Call call, int error, int times, int after) {
  failing_ = call;
  error_ = error;
  times_ = times;
  after_ = after;
}

bool SystemCalls::begin(Call call) {
  ++counts_[static_cast<std::size_t>(call)];
  if (times_ == 0 || call != failing_ || after_-- > 0) return true;
  after_ = 0;
  --times_;
  errno = error_;
  return false;
}

void SystemCalls::swallow(Limit limit) {
  limit_ = std::move(limit);
  swallow_ = true;
}

std::optional<ssize_t> SystemCalls::begin_sending(Call call, std::vector<iovec>& pieces) {
  sent_.push_back(pieces);
  if (!begin(call)) return -1;
  if (!limit_) return std::nullopt;
  std::size_t asked = 0;
  for (const iovec& piece : pieces) asked += piece.iov_len;
  const std::size_t taken = limit_(asked);
  if (taken == 0) {
    errno = EAGAIN;
    return -1;
  }
  if (swallow_) return static_cast<ssize_t>(taken);
  std::size_t left = taken;
  for (iovec& piece : pieces) {
    piece.iov_len = std::min(piece.iov_len, left);
    left -= piece.iov_len;
  }
  return std::nullopt;
}

}  // namespace sockeye::test

extern "C" {

int socket(int family, int type, int protocol) noexcept {
  return static_cast<int>(pass(Call::socket, SYS_socket, family, type, protocol));
}
int bind(int fd, const sockaddr* address, socklen_t size) noexcept {
  return static_cast<int>(pass(Call::bind, SYS_bind, fd, address, size));
}
int listen(int fd, int backlog) noexcept {
  return static_cast<int>(pass(Call::listen, SYS_listen, fd, backlog));
}
int accept4(int fd, sockaddr* address, socklen_t* size, int flags) {
  return static_cast<int>(pass(Call::accept4, SYS_accept4, fd, address, size, flags));
}
int connect(int fd, const sockaddr* address, socklen_t size) {
  return static_cast<int>(pass(Call::connect, SYS_connect, fd, address, size));
}
int getsockopt(int fd, int level, int name, void* value, socklen_t* size) noexcept {
  return static_cast<int>(pass(Call::getsockopt, SYS_getsockopt, fd, level, name, value, size));
}
int setsockopt(int fd, int level, int name, const void* value, socklen_t size) noexcept {
  return static_cast<int>(pass(Call::setsockopt, SYS_setsockopt, fd, level, name, value, size));
}
int shutdown(int fd, int how) noexcept {
  return static_cast<int>(pass(Call::shutdown, SYS_shutdown, fd, how));
}
ssize_t recv(int fd, void* bytes, size_t size, int flags) {
  return pass(Call::recv, SYS_recvfrom, fd, bytes, size, flags, nullptr, nullptr);
}
ssize_t readv(int fd, const iovec* pieces, int count) {
  return pass(Call::readv, SYS_readv, fd, pieces, count);
}
ssize_t send(int fd, const void* bytes, size_t size, int flags) {
  std::vector<iovec> pieces{{const_cast<void*>(bytes), size}};
  if (observer != nullptr) {
    if (const auto answer = observer->begin_sending(Call::send, pieces)) return *answer;
  }
  return ask_kernel(SYS_sendto, fd, bytes, pieces[0].iov_len, flags, nullptr, 0);
}
ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  std::vector<iovec> pieces(message->msg_iov, message->msg_iov + message->msg_iovlen);
  if (observer != nullptr) {
    if (const auto answer = observer->begin_sending(Call::sendmsg, pieces)) return *answer;
  }
  msghdr cut = *message;
  cut.msg_iov = pieces.data();
  return ask_kernel(SYS_sendmsg, fd, &cut, flags);
}
ssize_t sendfile(int fd, int file, off_t* offset, size_t size) noexcept {
#ifdef SYS_sendfile64
  return pass(Call::sendfile, SYS_sendfile64, fd, file, offset, size);
#else
  return pass(Call::sendfile, SYS_sendfile, fd, file, offset, size);
#endif
}
int epoll_create1(int flags) noexcept {
  return static_cast<int>(pass(Call::epoll_create1, SYS_epoll_create1, flags));
}
int epoll_ctl(int epoll, int operation, int fd, epoll_event* event) noexcept {
  return static_cast<int>(pass(Call::epoll_ctl, SYS_epoll_ctl, epoll, operation, fd, event));
}
int epoll_wait(int epoll, epoll_event* events, int limit, int timeout_ms) {
  return static_cast<int>(
      pass(Call::epoll_wait, SYS_epoll_pwait, epoll, events, limit, timeout_ms, nullptr, 8));
}
int poll(pollfd* entries, nfds_t count, int timeout_ms) {
  const timespec timeout{timeout_ms / 1000, timeout_ms % 1000 * 1'000'000};
  const int ready = ::ppoll(entries, count, timeout_ms < 0 ? nullptr : &timeout, nullptr);
  if (observer != nullptr) observer->end_poll();
  return ready;
}
int eventfd(unsigned int count, int flags) noexcept {
  return static_cast<int>(pass(Call::eventfd, SYS_eventfd2, count, flags));
}
int fcntl(int fd, int command, ...) {
  va_list arguments;
  va_start(arguments, command);
  const long argument = va_arg(arguments, long);
  va_end(arguments);
  return static_cast<int>(pass(Call::fcntl, SYS_fcntl, fd, command, argument));
}

}  // extern "C"
