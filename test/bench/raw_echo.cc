// The limit that echo servers are measured against: answers the opening handshake, and from then on
// sends back what it receives, unparsed.  raw_echo [PORT]
//
// Per readiness it makes one recv and one send; a descriptor is registered once. Nothing can use
// epoll with less work. It is no WebSocket server: no frame is looked at, so its clients get their
// own masked frames back (`sockeye bench --raw-echo`).
//
// Output that the socket doesn't take is kept, at most one receive's worth: until it has gone,
// nothing more of that client is read.
//
// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "ws/http/handshake.h"
#include "ws/kernels.h"

namespace {

struct Connection {
  bool is_websocket = false;
  bool is_readable = false;  // epoll said so, and no receive has found the end of it
  bool has_ended = false;    // the client has sent all that it will
  std::string unsent;        // what the socket didn't take yet
};

int epoll = -1;
int listener = -1;
sockeye::crypto::Sha1Kernel* sha1 = sockeye::crypto::sha1_scalar;
std::vector<Connection> connections;  // by descriptor
std::array<char, 256 * 1024> buffer;  // what all of them receive into

[[noreturn]] void fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

void close_connection(int fd) {
  connections[static_cast<std::size_t>(fd)] = Connection();
  ::close(fd);
}

// Sends, and keeps what doesn't go out. False where the client is gone.
bool send_or_keep(int fd, Connection& connection, std::string_view bytes) {
  const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) return false;
  const std::size_t taken = sent < 0 ? 0 : static_cast<std::size_t>(sent);
  if (taken < bytes.size()) connection.unsent = bytes.substr(taken);
  return true;
}

// Goes on with what was kept.
bool send_kept(int fd, Connection& connection) {
  const std::string kept = std::move(connection.unsent);
  connection.unsent.clear();
  return kept.empty() || send_or_keep(fd, connection, kept);
}

// RFC 6455 §4.2.2, for a request that came whole; everything else about it is taken on trust.
bool answer_handshake(int fd, Connection& connection, std::string_view head) {
  constexpr std::string_view name = "\r\nsec-websocket-key:";
  const auto equal = [](char a, char b) { return std::tolower(a) == b; };
  const auto field = std::search(head.begin(), head.end(), name.begin(), name.end(), equal);
  if (field == head.end() || !head.ends_with("\r\n\r\n")) return false;
  std::string_view key(field + name.size(), head.end());
  key.remove_prefix(key.find_first_not_of(" \t"));
  const auto accept =
      sockeye::ws::http::accept_value(key.substr(0, key.find_first_of(" \t\r")), sha1);
  connection.is_websocket = true;
  return send_or_keep(fd, connection,
                      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                      "Connection: Upgrade\r\nSec-WebSocket-Accept: " +
                          std::string(accept.data(), accept.size()) + "\r\n\r\n");
}

// One receive, one send. False where the connection is over.
bool echo_once(int fd, Connection& connection) {
  const ssize_t received = ::recv(fd, buffer.data(), buffer.size(), 0);
  if (received < 0 && errno == EAGAIN) {
    connection.is_readable = false;
    return true;
  }
  if (received <= 0) return false;
  const std::string_view bytes(buffer.data(), static_cast<std::size_t>(received));
  // epoll(7): on a stream, a short read has taken all that there was. The end comes after it.
  if (bytes.size() < buffer.size() && !connection.has_ended) connection.is_readable = false;
  if (!connection.is_websocket) return answer_handshake(fd, connection, bytes);
  return send_or_keep(fd, connection, bytes);
}

void on_events(int fd, std::uint32_t events) {
  Connection& connection = connections[static_cast<std::size_t>(fd)];
  if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) connection.has_ended = true;
  if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) connection.is_readable = true;
  bool is_alive = connection.unsent.empty() || send_kept(fd, connection);
  while (is_alive && connection.is_readable && connection.unsent.empty()) {
    is_alive = echo_once(fd, connection);
  }
  if (!is_alive) close_connection(fd);
}

void watch(int fd, std::uint32_t events) {
  epoll_event event = {};
  event.events = events;
  event.data.fd = fd;
  if (::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll_ctl");
}

void accept_all() {
  while (true) {
    const int fd = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0 && (errno == EAGAIN || errno == ECONNABORTED)) return;
    if (fd < 0) fail("accept");
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const auto index = static_cast<std::size_t>(fd);
    if (connections.size() <= index) connections.resize(2 * index + 1);
    watch(fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
  }
}

// Listens on 127.0.0.1 and returns the port.
std::uint16_t listen_on(std::uint16_t port) {
  listener = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof address;
  if (::bind(listener, any, size) != 0) fail("bind");
  if (::listen(listener, SOMAXCONN) != 0) fail("listen");
  if (::getsockname(listener, any, &size) != 0) fail("getsockname");
  return ntohs(address.sin_port);
}

// Each connection takes a descriptor: as many as the system allows.
void raise_descriptor_limit() {
  rlimit limit;
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int main(int argument_count, char** arguments) {
  std::uint16_t port = 0;
  if (argument_count > 1) {
    const std::string_view text = arguments[1];
    if (std::from_chars(text.data(), text.data() + text.size(), port).ec != std::errc()) {
      std::fputs("usage: raw_echo [PORT]\n", stderr);
      return 2;
    }
  }
  if (const auto kernels = sockeye::ws::system_kernels()) sha1 = kernels->sha1;
  raise_descriptor_limit();
  epoll = ::epoll_create1(EPOLL_CLOEXEC);
  std::printf("listening on 127.0.0.1:%d\n", listen_on(port));
  std::fflush(stdout);
  watch(listener, EPOLLIN | EPOLLET);

  std::array<epoll_event, 1024> events;
  while (true) {
    const int count = ::epoll_wait(epoll, events.data(), events.size(), -1);
    if (count < 0 && errno != EINTR) fail("epoll_wait");
    for (int i = 0; i < count; i++) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      if (event.data.fd == listener) {
        accept_all();
      } else {
        on_events(event.data.fd, event.events);
      }
    }
  }
}
