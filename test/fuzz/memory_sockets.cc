// SPDX-License-Identifier: MIT
#undef _FORTIFY_SOURCE  // its inline functions have the names that are defined here
#include "test/fuzz/memory_sockets.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace sockeye::test {

namespace {

// Far above those of the process itself, which must still be able to close its files.
constexpr int first_descriptor = 1'000'000;

MemorySockets* kernel = nullptr;

[[noreturn]] void stop(const char* what) {
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

int refuse(int error) {
  errno = error;
  return -1;
}

}  // namespace

MemorySockets::MemorySockets(bool reuse) : reuse_(reuse) {
  if (kernel != nullptr) stop("two MemorySockets");
  kernel = this;
}

MemorySockets::~MemorySockets() {
  kernel = nullptr;
}

// ── Descriptors ──────────────────────────────────────────────────────────────────────────────

int MemorySockets::add(Descriptor::Kind kind, MemorySocket* socket) {
  auto place = descriptors_.end();
  if (reuse_) {
    place = std::find_if(descriptors_.begin(), descriptors_.end(),
                         [](const Descriptor& one) { return one.kind == Descriptor::Kind::none; });
  }
  if (place == descriptors_.end()) place = descriptors_.insert(place, Descriptor{});
  *place = Descriptor{};
  place->kind = kind;
  place->socket = socket;
  return first_descriptor + static_cast<int>(place - descriptors_.begin());
}

MemorySocket* MemorySockets::add_socket() {
  sockets_.push_back(std::make_unique<MemorySocket>());
  sockets_.back()->number = sockets_.size();
  return sockets_.back().get();
}

bool MemorySockets::owns(int fd) const {
  return fd >= first_descriptor;
}

MemorySockets::Descriptor& MemorySockets::find(int fd) {
  const auto index = static_cast<std::size_t>(fd) - first_descriptor;
  if (fd < first_descriptor || index >= descriptors_.size() ||
      descriptors_[index].kind == Descriptor::Kind::none) {
    stop("a descriptor that isn't open");
  }
  return descriptors_[index];
}

MemorySocket& MemorySockets::find_socket(int fd) {
  const Descriptor& descriptor = find(fd);
  if (descriptor.kind != Descriptor::Kind::socket) stop("not a connection's descriptor");
  return *descriptor.socket;
}

std::size_t MemorySockets::open_descriptors() const {
  return static_cast<std::size_t>(
      std::count_if(descriptors_.begin(), descriptors_.end(),
                    [](const Descriptor& one) { return one.kind != Descriptor::Kind::none; }));
}

int MemorySockets::close(int fd) {
  Descriptor& descriptor = find(fd);
  if (descriptor.socket != nullptr) descriptor.socket->closed = true;
  if (descriptor.kind == Descriptor::Kind::listener) {
    for (MemorySocket* socket : backlog_) socket->closed = true;
    backlog_.clear();
  }
  if (descriptor.ready) ready_.erase(std::find(ready_.begin(), ready_.end(), fd));
  descriptor = Descriptor{};
  return fails(SocketCall::close) ? -1 : 0;
}

int MemorySockets::check(int fd) {
  (void)find(fd);
  return 0;
}

bool MemorySockets::fails(SocketCall call) {
  bool failed = false;
  std::erase_if(failures_, [&](Failure& failure) {
    if (failure.call != call || failed) return false;
    if (failure.after-- > 0) return false;
    errno = failure.error;
    return failed = true;
  });
  return failed;
}

void MemorySockets::fail(SocketCall call, int error, unsigned after) {
  failures_.push_back({call, error, after});
}

// ── epoll ────────────────────────────────────────────────────────────────────────────────────

// What epoll would report now: tcp_poll() of Linux, for the events that net/ asks for.
std::uint32_t MemorySockets::state(const Descriptor& descriptor) const {
  switch (descriptor.kind) {
    case Descriptor::Kind::none:
    case Descriptor::Kind::epoll:
      return 0;
    case Descriptor::Kind::event:
      return descriptor.signalled ? EPOLLIN | EPOLLOUT : EPOLLOUT;
    case Descriptor::Kind::listener:
      return backlog_.empty() ? 0 : EPOLLIN;
    case Descriptor::Kind::socket:
      break;
  }
  const MemorySocket& socket = *descriptor.socket;
  if (socket.connecting) return 0;
  std::uint32_t events = 0;
  if (socket.error != 0) events |= EPOLLERR;
  if (socket.reset || (socket.peer_finished && socket.finished)) events |= EPOLLHUP;
  if (socket.reset || socket.peer_finished) events |= EPOLLIN | EPOLLRDHUP;
  if (!socket.incoming.empty()) events |= EPOLLIN;
  if (socket.room > 0 || socket.reset || socket.finished) events |= EPOLLOUT;
  return events;
}

void MemorySockets::edge(Descriptor& descriptor) {
  if (!descriptor.watched || descriptor.ready || state(descriptor) == 0) return;
  descriptor.ready = true;
  ready_.push_back(first_descriptor + static_cast<int>(&descriptor - descriptors_.data()));
}

void MemorySockets::edge(const MemorySocket& socket) {
  for (Descriptor& descriptor : descriptors_) {
    if (descriptor.socket == &socket) edge(descriptor);
  }
}

int MemorySockets::epoll_create() {
  return add(Descriptor::Kind::epoll);
}

int MemorySockets::epoll_ctl(int operation, int fd, epoll_event* event) {
  Descriptor& descriptor = find(fd);
  if (operation == EPOLL_CTL_DEL) {
    if (!descriptor.watched) return refuse(ENOENT);
    if (descriptor.ready) ready_.erase(std::find(ready_.begin(), ready_.end(), fd));
    descriptor.watched = descriptor.ready = false;
    return 0;
  }
  if (operation != EPOLL_CTL_ADD) stop("only EPOLL_CTL_ADD and EPOLL_CTL_DEL are known here");
  if ((event->events & EPOLLET) == 0) stop("only edge-triggered events are known here");
  if (descriptor.watched) return refuse(EEXIST);
  if (fails(SocketCall::epoll_ctl)) return -1;
  descriptor.watched = true;
  descriptor.event = *event;
  edge(descriptor);
  return 0;
}

int MemorySockets::epoll_wait(epoll_event* events, int limit) {
  if (fails(SocketCall::epoll_wait)) return -1;
  const std::size_t most = std::min(static_cast<std::size_t>(limit), event_limit_);
  std::size_t count = 0;
  while (count < most && !ready_.empty()) {
    Descriptor& descriptor = find(ready_.front());
    ready_.pop_front();
    descriptor.ready = false;
    // Who is told that there is no room hears when there is.
    if (descriptor.socket != nullptr && descriptor.socket->room == 0) {
      descriptor.socket->no_space = true;
    }
    const std::uint32_t always = EPOLLERR | EPOLLHUP;
    const std::uint32_t reported = state(descriptor) & (descriptor.event.events | always);
    if (reported == 0) continue;
    events[count].events = reported;
    events[count++].data = descriptor.event.data;
  }
  return static_cast<int>(count);
}

int MemorySockets::eventfd() {
  return fails(SocketCall::eventfd) ? -1 : add(Descriptor::Kind::event);
}

ssize_t MemorySockets::write(int fd) {
  Descriptor& descriptor = find(fd);
  if (descriptor.kind != Descriptor::Kind::event) stop("write() to something else");
  descriptor.signalled = true;
  edge(descriptor);
  return sizeof(std::uint64_t);
}

// ── Sockets, from this end ───────────────────────────────────────────────────────────────────

int MemorySockets::socket() {
  return fails(SocketCall::socket) ? -1 : add(Descriptor::Kind::socket, add_socket());
}

int MemorySockets::listen(int fd) {
  Descriptor& descriptor = find(fd);
  descriptor.kind = Descriptor::Kind::listener;
  descriptor.socket = nullptr;
  sockets_.pop_back();
  return 0;
}

int MemorySockets::accept4(int fd, sockaddr* address, socklen_t* size) {
  if (find(fd).kind != Descriptor::Kind::listener) stop("accept4() on something else");
  if (fails(SocketCall::accept4)) return -1;
  if (backlog_.empty()) return refuse(EAGAIN);
  MemorySocket* socket = backlog_.front();
  backlog_.pop_front();
  const int accepted = add(Descriptor::Kind::socket, socket);
  if (address != nullptr) getpeername(accepted, address, size);
  return accepted;
}

int MemorySockets::connect(int fd) {
  MemorySocket& socket = find_socket(fd);
  if (fails(SocketCall::connect)) return -1;
  socket.connecting = true;
  return refuse(EINPROGRESS);
}

int MemorySockets::getpeername(int fd, sockaddr* address, socklen_t* size) {
  sockaddr_in peer{};
  peer.sin_family = AF_INET;
  peer.sin_port = htons(static_cast<std::uint16_t>(find_socket(fd).number));
  peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::memcpy(address, &peer, sizeof peer);
  *size = sizeof peer;
  return 0;
}

int MemorySockets::getsockname(int fd, sockaddr* address, socklen_t* size) {
  (void)find(fd);
  sockaddr_in own{};
  own.sin_family = AF_INET;
  own.sin_port = htons(9);
  own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::memcpy(address, &own, sizeof own);
  *size = sizeof own;
  return 0;
}

int MemorySockets::getsockopt(int fd, int name, void* value, socklen_t*) {
  if (name != SO_ERROR) stop("only SO_ERROR is known here");
  const int error = take_error(find_socket(fd));
  std::memcpy(value, &error, sizeof error);
  return 0;
}

int MemorySockets::take_error(MemorySocket& socket) {
  return std::exchange(socket.error, 0);
}

int MemorySockets::shutdown(int fd, int how) {
  MemorySocket& socket = find_socket(fd);
  if (how != SHUT_WR) stop("only SHUT_WR is known here");
  if (fails(SocketCall::shutdown)) return failed(socket);
  if (socket.reset) return refuse(ENOTCONN);
  socket.finished = true;
  if (socket.peer_finished) edge(socket);
  return 0;
}

// A call was made to fail. "Not now" of a kernel that could means that it can right after;
// but for EINTR, everything else ends the connection.
int MemorySockets::failed(MemorySocket& socket) {
  if (errno != EAGAIN && errno != EINTR) socket.reset = true;
  if (errno == EAGAIN) edge(socket);
  return -1;
}

ssize_t MemorySockets::receive(int fd, const iovec* pieces, int count) {
  MemorySocket& socket = find_socket(fd);
  if (fails(SocketCall::recv)) return failed(socket);
  std::size_t received = 0;
  for (int i = 0; i < count; ++i) {
    const std::size_t part = std::min(pieces[i].iov_len, socket.incoming.size() - received);
    std::memcpy(pieces[i].iov_base, socket.incoming.data() + received, part);
    received += part;
  }
  socket.incoming.erase(0, received);
  if (!socket.late.empty()) {
    socket.incoming.append(std::exchange(socket.late, {}));
    edge(socket);
  }
  if (received > 0) return static_cast<ssize_t>(received);
  if (socket.error != 0) return refuse(take_error(socket));
  if (socket.reset || socket.peer_finished) return 0;
  return refuse(EAGAIN);
}

ssize_t MemorySockets::send(int fd, const iovec* pieces, std::size_t count, int flags) {
  MemorySocket& socket = find_socket(fd);
  if ((flags & MSG_NOSIGNAL) == 0) stop("a send that may raise SIGPIPE");
  if (fails(SocketCall::send)) return failed(socket);
  if (socket.error != 0) return refuse(take_error(socket));
  if (socket.reset || socket.finished) return refuse(EPIPE);
  std::size_t taken = 0;
  std::size_t asked = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t part = std::min(pieces[i].iov_len, socket.room);
    socket.sent.append(static_cast<const char*>(pieces[i].iov_base), part);
    if (socket.room != MemorySocket::unlimited) socket.room -= part;
    taken += part;
    asked += pieces[i].iov_len;
  }
  if (asked == 0) stop("a send of nothing");
  if (taken < asked) socket.no_space = true;
  return taken > 0 ? static_cast<ssize_t>(taken) : refuse(EAGAIN);
}

// ── The other end ────────────────────────────────────────────────────────────────────────────

MemorySocket* MemorySockets::arrive() {
  for (Descriptor& descriptor : descriptors_) {
    if (descriptor.kind != Descriptor::Kind::listener) continue;
    backlog_.push_back(add_socket());
    edge(descriptor);
    return backlog_.back();
  }
  return nullptr;
}

void MemorySockets::deliver(MemorySocket& socket, std::string_view bytes) {
  if (socket.closed || socket.reset || socket.peer_finished || bytes.empty()) return;
  socket.incoming.append(std::exchange(socket.late, {})).append(bytes);
  edge(socket);
}

void MemorySockets::deliver_late(MemorySocket& socket, std::string_view bytes) {
  if (socket.closed || socket.reset || socket.peer_finished) return;
  socket.late.append(bytes);
}

void MemorySockets::finish(MemorySocket& socket) {
  if (socket.connecting) return;
  socket.incoming.append(std::exchange(socket.late, {}));
  socket.peer_finished = true;
  edge(socket);
}

void MemorySockets::reset(MemorySocket& socket, int error) {
  if (socket.connecting || socket.reset) return;
  socket.late.clear();
  socket.reset = true;
  socket.error = error;
  edge(socket);
}

void MemorySockets::set_room(MemorySocket& socket, std::size_t size) {
  socket.room = size;
  if (!socket.no_space || size == 0) return;
  socket.no_space = false;
  edge(socket);
}

void MemorySockets::connected(MemorySocket& socket, int error) {
  if (!socket.connecting) return;
  socket.connecting = false;
  socket.error = error;
  socket.reset = error != 0;
  edge(socket);
}

void MemorySockets::wake(MemorySocket& socket) {
  edge(socket);
}

}  // namespace sockeye::test

// ── What the linker takes in place of libc's ─────────────────────────────────────────────────

using sockeye::test::kernel;

extern "C" {

int socket(int, int, int) noexcept {
  return kernel->socket();
}
int bind(int fd, const sockaddr*, socklen_t) noexcept {
  return kernel->check(fd);
}
int listen(int fd, int) noexcept {
  return kernel->listen(fd);
}
int accept4(int fd, sockaddr* address, socklen_t* size, int) {
  return kernel->accept4(fd, address, size);
}
int connect(int fd, const sockaddr*, socklen_t) {
  return kernel->connect(fd);
}
int getpeername(int fd, sockaddr* address, socklen_t* size) noexcept {
  return fd < 0 ? sockeye::test::refuse(EBADF) : kernel->getpeername(fd, address, size);
}
int getsockname(int fd, sockaddr* address, socklen_t* size) noexcept {
  return kernel->getsockname(fd, address, size);
}
int getsockopt(int fd, int, int name, void* value, socklen_t* size) noexcept {
  return kernel->getsockopt(fd, name, value, size);
}
int setsockopt(int fd, int, int, const void*, socklen_t) noexcept {
  return kernel->check(fd);
}
int shutdown(int fd, int how) noexcept {
  return kernel->shutdown(fd, how);
}
ssize_t recv(int fd, void* bytes, size_t size, int) {
  const iovec piece{bytes, size};
  return kernel->receive(fd, &piece, 1);
}
ssize_t readv(int fd, const iovec* pieces, int count) {
  return kernel->receive(fd, pieces, count);
}
ssize_t send(int fd, const void* bytes, size_t size, int flags) {
  const iovec piece{const_cast<void*>(bytes), size};
  return kernel->send(fd, &piece, 1, flags);
}
ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  return kernel->send(fd, message->msg_iov, message->msg_iovlen, flags);
}
int epoll_create1(int) noexcept {
  return kernel->epoll_create();
}
int epoll_ctl(int, int operation, int fd, epoll_event* event) noexcept {
  return kernel->epoll_ctl(operation, fd, event);
}
int epoll_wait(int, epoll_event* events, int limit, int) {
  return kernel->epoll_wait(events, limit);
}
int eventfd(unsigned int, int) noexcept {
  return kernel->eventfd();
}

// The fuzzer has descriptors of its own.
ssize_t write(int fd, const void* bytes, size_t size) {
  if (kernel != nullptr && kernel->owns(fd)) return kernel->write(fd);
  return ::syscall(SYS_write, fd, bytes, size);
}
int close(int fd) {
  if (kernel != nullptr && kernel->owns(fd)) return kernel->close(fd);
  return static_cast<int>(::syscall(SYS_close, fd));
}

}  // extern "C"
