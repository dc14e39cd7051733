// Counts from within by which calls a server waits, reads and writes. Loaded with LD_PRELOAD, into
// servers that are linked dynamically. A counter takes a nanosecond; a tracer would make each call
// slow, so that more connections were ready at each epoll_wait, and what it counted not what is.
//
// It can also have a server that was written for edges run level-triggered, without a change to it.
// That takes more than leaving EPOLLET out: there is room for output nearly always, and a server
// that stops reading leaves its input unread. So a connection is watched for input, and from
// a send that the socket doesn't take whole until one that it does, for room and nothing else.
//
// From the environment: TRIGGERS_COUNTS, a file as large as Counts, which others map to read along;
// TRIGGERS_LEVEL, set to anything: level-triggered.
//
// SPDX-License-Identifier: MIT
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace {

struct Counts {
  std::uint64_t waits;           // of epoll_wait
  std::uint64_t events;          // that they reported
  std::uint64_t receives;        // of recv and readv
  std::uint64_t received_none;   // of them, those that found nothing there
  std::uint64_t received_bytes;  // all together
  std::uint64_t sends;           // of send and sendmsg
  std::uint64_t sent_short;      // of them, those that the socket didn't take whole
  std::uint64_t controls;        // of epoll_ctl
};

Counts nobody_reads{};
Counts* counts = &nobody_reads;

constexpr int descriptors_max = 65536;

// A connection that was to be watched for edges, and is watched level-triggered.
struct Connection {
  bool is_level;
  bool is_blocked;
  int epoll;
  epoll_data_t data;
};
bool all_level = false;
Connection connections[descriptors_max];  // by descriptor

[[gnu::constructor]] void set_up() {
  all_level = std::getenv("TRIGGERS_LEVEL") != nullptr;
  const char* name = std::getenv("TRIGGERS_COUNTS");
  if (name == nullptr) return;
  const int file = ::open(name, O_RDWR | O_CLOEXEC);
  void* shared = ::mmap(nullptr, sizeof(Counts), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (shared == MAP_FAILED) {
    std::perror(name);
    ::_exit(3);
  }
  ::close(file);
  counts = static_cast<Counts*>(shared);
}

// libc's own function of that name and type.
template <typename Function>
Function* original(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

ssize_t received(ssize_t result) {
  ++counts->receives;
  if (result > 0) counts->received_bytes += static_cast<std::uint64_t>(result);
  if (result < 0) ++counts->received_none;
  return result;
}

// Where all is level-triggered: asks for room from when there is none until there is.
void ask_for_room(Connection& connection, int fd, bool is_blocked) {
  if (!connection.is_level || connection.is_blocked == is_blocked) return;
  connection.is_blocked = is_blocked;
  epoll_event event{};
  event.events = is_blocked ? EPOLLOUT : EPOLLIN;
  event.data = connection.data;
  const int error = errno;
  ::epoll_ctl(connection.epoll, EPOLL_CTL_MOD, fd, &event);
  errno = error;
}

ssize_t sent(int fd, std::size_t size, ssize_t result) {
  ++counts->sends;
  const bool is_short = result < static_cast<ssize_t>(size);
  if (is_short) ++counts->sent_short;
  ask_for_room(connections[fd], fd, is_short);
  return result;
}

}  // namespace

extern "C" {

int epoll_ctl(int epoll, int operation, int fd, epoll_event* event) {
  static auto* const call = original<decltype(epoll_ctl)>("epoll_ctl");
  ++counts->controls;
  // Who asks for room has a connection, not a listening socket.
  constexpr std::uint32_t connection = EPOLLOUT | EPOLLET;
  if (!all_level || operation != EPOLL_CTL_ADD || (event->events & connection) != connection) {
    return call(epoll, operation, fd, event);
  }
  connections[fd] = {true, false, epoll, event->data};
  epoll_event level{};
  level.events = EPOLLIN;
  level.data = event->data;
  return call(epoll, operation, fd, &level);
}

int epoll_wait(int epoll, epoll_event* events, int room, int timeout_ms) {
  static auto* const call = original<decltype(epoll_wait)>("epoll_wait");
  ++counts->waits;
  const int count = call(epoll, events, room, timeout_ms);
  if (count > 0) counts->events += static_cast<std::uint64_t>(count);
  return count;
}

ssize_t recv(int fd, void* buffer, std::size_t size, int flags) {
  static auto* const call = original<decltype(recv)>("recv");
  return received(call(fd, buffer, size, flags));
}

ssize_t readv(int fd, const iovec* pieces, int count) {
  static auto* const call = original<decltype(readv)>("readv");
  return received(call(fd, pieces, count));
}

ssize_t send(int fd, const void* bytes, std::size_t size, int flags) {
  static auto* const call = original<decltype(send)>("send");
  return sent(fd, size, call(fd, bytes, size, flags));
}

ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  static auto* const call = original<decltype(sendmsg)>("sendmsg");
  std::size_t size = 0;
  for (std::size_t i = 0; i < message->msg_iovlen; ++i) size += message->msg_iov[i].iov_len;
  return sent(fd, size, call(fd, message, flags));
}

}  // extern "C"
