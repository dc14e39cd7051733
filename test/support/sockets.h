// Connected sockets for tests of net/, and a loop driven until something holds.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <dirent.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

#include "net/bytes.h"
#include "net/fd.h"
#include "net/loop.h"

namespace sockeye::test {

// How long a test waits for what has to happen before it fails.
inline constexpr std::chrono::seconds patience{20};

class Deadline {
 public:
  bool passed() const { return std::chrono::steady_clock::now() >= at_; }

 private:
  std::chrono::steady_clock::time_point at_ = std::chrono::steady_clock::now() + patience;
};

// Turns `loop` until `done()`; false when it takes too long.
template <typename Done>
bool turn_until(net::Loop& loop, Done done) {
  const Deadline deadline;
  while (!done()) {
    if (deadline.passed()) return false;
    loop.turn(1);
  }
  return true;
}

enum class Transport { tcp, local };

// Two ends of one connection, both non-blocking.
struct SocketPair {
  net::Fd ours;
  net::Fd theirs;
};

inline SocketPair tcp_pair() {
  const net::Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  REQUIRE(::bind(listener.get(), generic, size) == 0);
  REQUIRE(::listen(listener.get(), 1) == 0);
  REQUIRE(::getsockname(listener.get(), generic, &size) == 0);
  net::Fd theirs(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(::connect(theirs.get(), generic, size) == 0);
  net::Fd ours(::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  REQUIRE(ours);
  int on = 1;
  REQUIRE(::ioctl(theirs.get(), FIONBIO, &on) == 0);
  return {std::move(ours), std::move(theirs)};
}

inline SocketPair local_pair() {
  int fds[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
  return {net::Fd(fds[0]), net::Fd(fds[1])};
}

inline SocketPair socket_pair(Transport transport) {
  return transport == Transport::tcp ? tcp_pair() : local_pair();
}

// Has the kernel take less before it refuses more.
inline void shrink_buffers(const SocketPair& pair) {
  const int size = 32 * 1024;
  REQUIRE(::setsockopt(pair.ours.get(), SOL_SOCKET, SO_SNDBUF, &size, sizeof size) == 0);
}

// What has arrived at `fd` and isn't read.
inline std::size_t pending(int fd) {
  int size = 0;
  REQUIRE(::ioctl(fd, FIONREAD, &size) == 0);
  return static_cast<std::size_t>(size);
}

// Waits until poll(2) reports one of `events` at `fd`.
inline bool wait_for(int fd, short events) {
  pollfd entry{fd, events, 0};
  const auto limit_ms = static_cast<int>(std::chrono::milliseconds(patience).count());
  return ::poll(&entry, 1, limit_ms) == 1 && (entry.revents & events) != 0;
}

// Waits until `size` bytes have arrived at `fd`.
inline bool wait_for_bytes(int fd, std::size_t size) {
  const Deadline deadline;
  while (pending(fd) < size) {
    if (deadline.passed()) return false;
    ::poll(nullptr, 0, 1);
  }
  return true;
}

// Reads all that has arrived; `ended` says whether the sender's FIN was there, too.
inline std::string receive_available(int fd, bool* ended = nullptr) {
  static char bytes[256 * 1024];
  std::string text;
  for (;;) {
    const ssize_t size = ::read(fd, bytes, sizeof bytes);
    if (size <= 0) {
      if (ended != nullptr) *ended = size == 0;
      return text;
    }
    text.append(bytes, static_cast<std::size_t>(size));
  }
}

// Sends all of `text`, for which there has to be room.
inline void send_text(int fd, std::string_view text) {
  REQUIRE(::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
}

// close(2) on a TCP socket sends an RST, no FIN.
inline void close_with_reset(net::Fd fd) {
  const linger at_once{1, 0};
  REQUIRE(::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
}

// How many descriptors this process holds.
inline std::size_t open_descriptors() {
  DIR* folder = ::opendir("/proc/self/fd");
  REQUIRE(folder != nullptr);
  std::size_t count = 0;
  while (::readdir(folder) != nullptr) ++count;
  ::closedir(folder);
  return count;
}

}  // namespace sockeye::test
