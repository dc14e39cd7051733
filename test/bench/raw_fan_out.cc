// The limit that publishing to many is measured against: for each message that comes in on any of
// its connections, sends a ready-made frame to all of them, by one send() each.  raw_fan_out [PORT]
//
// Nothing can send each message for itself with less work. It is no WebSocket server: after the
// opening handshake it doesn't look at what it receives, but takes every 70 bytes for a message,
// which is a client's frame with 64 bytes of payload (RFC 6455 §5.2).
//
// A socket that doesn't take a frame whole ends it all: readers have to keep up.
//
// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
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

#include "crypto/sha1.h"
#include "ws/http/handshake.h"

namespace {

constexpr std::size_t payload_bytes = 64;
constexpr std::size_t received_frame_bytes = 2 + 4 + payload_bytes;  // with a masking key
constexpr std::size_t sent_frame_bytes = 2 + payload_bytes;

struct Connection {
  bool is_websocket = false;
  std::size_t received = 0;  // of a message that isn't whole yet
};

int epoll = -1;
int listener = -1;
std::vector<Connection> connections;          // by descriptor
std::vector<int> subscribers;                 // the descriptors of those that are WebSockets
std::array<char, 64 * 1024> buffer;           // what all of them receive into
std::array<char, sent_frame_bytes> prepared;  // what is sent

[[noreturn]] void fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

// FIN, binary, 64 bytes without a mask.
void prepare_frame() {
  prepared.fill('x');
  prepared[0] = '\x82';
  prepared[1] = payload_bytes;
}

void publish() {
  for (const int fd : subscribers) {
    const ssize_t sent = ::send(fd, prepared.data(), prepared.size(), MSG_NOSIGNAL);
    if (sent != static_cast<ssize_t>(prepared.size())) fail("send");
  }
}

void close_connection(int fd) {
  connections[static_cast<std::size_t>(fd)] = Connection();
  std::erase(subscribers, fd);
  ::close(fd);
}

// RFC 6455 §4.2.2, for a request that came whole; everything else about it is taken on trust.
// False where there is no key in it.
bool answer_handshake(int fd, std::string_view head) {
  constexpr std::string_view name = "\r\nsec-websocket-key:";
  const auto equal = [](char a, char b) { return std::tolower(a) == b; };
  const auto field = std::search(head.begin(), head.end(), name.begin(), name.end(), equal);
  if (field == head.end() || !head.ends_with("\r\n\r\n")) return false;
  std::string_view key(field + name.size(), head.end());
  key.remove_prefix(key.find_first_not_of(" \t"));
  const auto accept = sockeye::ws::http::accept_value(key.substr(0, key.find_first_of(" \t\r")),
                                                      sockeye::crypto::sha1_scalar);
  const std::string response =
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
      "Connection: Upgrade\r\nSec-WebSocket-Accept: " +
      std::string(accept.data(), accept.size()) + "\r\n\r\n";
  connections[static_cast<std::size_t>(fd)].is_websocket = true;
  subscribers.push_back(fd);
  return ::send(fd, response.data(), response.size(), MSG_NOSIGNAL) > 0;
}

// epoll(7): on a stream, a short read has taken all that there was, and what it was asked for here
// is more than publishers send at once.
void on_event(int fd) {
  Connection& connection = connections[static_cast<std::size_t>(fd)];
  const ssize_t size = ::recv(fd, buffer.data(), buffer.size(), 0);
  if (size < 0 && errno == EAGAIN) return;
  if (size <= 0) return close_connection(fd);
  const std::string_view bytes(buffer.data(), static_cast<std::size_t>(size));
  if (!connection.is_websocket) {
    if (!answer_handshake(fd, bytes)) close_connection(fd);
    return;
  }
  connection.received += bytes.size();
  for (; connection.received >= received_frame_bytes; connection.received -= received_frame_bytes) {
    publish();
  }
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

}  // namespace

int main(int count, char** arguments) {
  std::uint16_t port = 0;
  if (count > 1) {
    const std::string_view text = arguments[1];
    if (std::from_chars(text.data(), text.data() + text.size(), port).ec != std::errc()) {
      std::fputs("usage: raw_fan_out [PORT]\n", stderr);
      return 2;
    }
  }
  prepare_frame();
  epoll = ::epoll_create1(EPOLL_CLOEXEC);
  std::printf("listening on 127.0.0.1:%d\n", listen_on(port));
  std::fflush(stdout);
  watch(listener, EPOLLIN | EPOLLET);

  std::array<epoll_event, 1024> events;
  while (true) {
    const int ready = ::epoll_wait(epoll, events.data(), events.size(), -1);
    if (ready < 0 && errno != EINTR) fail("epoll_wait");
    for (int i = 0; i < ready; i++) {
      const int fd = events[static_cast<std::size_t>(i)].data.fd;
      fd == listener ? accept_all() : on_event(fd);
    }
  }
}
