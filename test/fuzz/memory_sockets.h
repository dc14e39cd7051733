// TCP and epoll in memory: what net/ asks of the kernel is answered here, and the other ends of
// its connections are a script's.
//
// memory_sockets.cc defines functions with the names of libc's, which the linker takes in their
// place, as test/support/system_calls.cc does. While a MemorySockets lives, every descriptor that
// net/ gets is one of its own; a mistake with one (closed twice, used after) ends the program.
//
// What it does, Linux does too: epoll reports a descriptor once for each time that something came
// (epoll(7): edge-triggered), with all that holds at the time of the wait; a reset leaves what came
// before it to be read, and its error is told to one call. It never waits and has no clock.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sockeye::test {

// The calls that can be made to fail.
enum class SocketCall : std::uint8_t {
  socket,
  connect,
  accept4,
  recv,  // and readv
  send,  // and sendmsg
  shutdown,
  close,  // which has closed all the same
  epoll_ctl,
  epoll_wait,
  eventfd,
};

// One connection, seen from its other end.
struct MemorySocket {
  static constexpr std::size_t unlimited = std::numeric_limits<std::size_t>::max();

  std::string incoming;          // has arrived here and was not received
  std::string late;              // arrives at the end of the next recv
  std::string sent;              // all that we have sent
  std::size_t room = unlimited;  // how much more of it the kernel takes
  bool peer_finished = false;    // the peer's FIN is behind `incoming`
  bool finished = false;         // our FIN is behind `sent`
  bool reset = false;            // by the peer, or by an error that a call was told
  bool closed = false;           // our descriptor
  bool connecting = false;
  std::size_t number = 0;  // getpeername() tells it as the port

  // What calls of this end see.
  int error = 0;          // SO_ERROR
  bool no_space = false;  // the kernel has refused bytes, and owes an edge
};

class MemorySockets {
 public:
  // `reuse`: closed descriptors' numbers are given out again, the lowest first, as Linux does.
  explicit MemorySockets(bool reuse);
  ~MemorySockets();
  MemorySockets(const MemorySockets&) = delete;
  MemorySockets& operator=(const MemorySockets&) = delete;

  // Somebody connects to the one listening socket. Null where nobody listens.
  MemorySocket* arrive();

  // What the other end does. Nothing comes of it where the connection is over.
  void deliver(MemorySocket& socket, std::string_view bytes);
  void deliver_late(MemorySocket& socket, std::string_view bytes);
  void finish(MemorySocket& socket);
  void reset(MemorySocket& socket, int error);
  void set_room(MemorySocket& socket, std::size_t size);
  // An attempt to connect ends: error 0 where it succeeds.
  void connected(MemorySocket& socket, int error);

  // epoll may report a descriptor for which nothing has changed.
  void wake(MemorySocket& socket);

  // Call number `after` of this kind from now on, counted from 0, fails with `error`.
  void fail(SocketCall call, int error, unsigned after);
  void heal() { failures_.clear(); }

  // How many descriptors one epoll_wait reports at most.
  void limit_events(std::size_t limit) { event_limit_ = limit; }

  // Whether epoll has something to report.
  bool has_events() const { return !ready_.empty(); }

  // Every connection that there was, in the order of its number.
  const std::vector<std::unique_ptr<MemorySocket>>& all() const { return sockets_; }
  std::size_t backlog() const { return backlog_.size(); }
  std::size_t open_descriptors() const;

  // For those functions.
  int socket();
  int listen(int fd);
  int accept4(int fd, sockaddr* address, socklen_t* size);
  int connect(int fd);
  int getpeername(int fd, sockaddr* address, socklen_t* size);
  int getsockname(int fd, sockaddr* address, socklen_t* size);
  int getsockopt(int fd, int name, void* value, socklen_t* size);
  int check(int fd);
  int shutdown(int fd, int how);
  ssize_t receive(int fd, const iovec* pieces, int count);
  ssize_t send(int fd, const iovec* pieces, std::size_t count, int flags);
  int epoll_create();
  int epoll_ctl(int operation, int fd, epoll_event* event);
  int epoll_wait(epoll_event* events, int limit);
  int eventfd();
  ssize_t write(int fd);
  int close(int fd);
  bool owns(int fd) const;

 private:
  struct Descriptor {
    enum class Kind : std::uint8_t { none, socket, listener, epoll, event };
    Kind kind = Kind::none;
    MemorySocket* socket = nullptr;
    bool watched = false;
    bool ready = false;  // stands in ready_
    bool signalled = false;
    epoll_event event{};
  };
  struct Failure {
    SocketCall call;
    int error;
    unsigned after;
  };

  int add(Descriptor::Kind kind, MemorySocket* socket = nullptr);
  MemorySocket* add_socket();
  Descriptor& find(int fd);
  MemorySocket& find_socket(int fd);
  std::uint32_t state(const Descriptor& descriptor) const;
  void edge(Descriptor& descriptor);
  void edge(const MemorySocket& socket);
  // Whether this call is to fail; errno says how.
  bool fails(SocketCall call);
  int failed(MemorySocket& socket);
  static int take_error(MemorySocket& socket);

  const bool reuse_;
  std::vector<Descriptor> descriptors_;  // by number, from first_descriptor on
  std::vector<std::unique_ptr<MemorySocket>> sockets_;
  std::deque<MemorySocket*> backlog_;
  std::deque<int> ready_;
  std::vector<Failure> failures_;
  std::size_t event_limit_ = std::numeric_limits<std::size_t>::max();
};

}  // namespace sockeye::test
