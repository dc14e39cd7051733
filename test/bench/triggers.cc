// One echo server, written over epoll in the ways in which people write it. What each of them
// costs is measured by triggers.py.   triggers VARIANT [PORT]
//
// epoll keeps a list of the descriptors that something happened to. epoll_wait takes them off one
// by one, asks each socket what is so by now, and reports those of which it is anything that was
// asked for. Then:
//
//   level     the descriptor goes back to the list, and the next epoll_wait asks the socket again:
//             it is reported for as long as there is something to read, or room to write
//   edge      it comes back when something new happens, whatever was left unread (EPOLLET)
//   one-shot  it stays off until epoll_ctl asks for it again (EPOLLONESHOT)
//
// The variants, and what each does when the socket doesn't take an echo whole, so that the rest has
// to wait for room, and nothing more is read meanwhile:
//
//   level         one recv for an event. While output waits, epoll_ctl asks for room in place of
//                 input: two calls each time that a peer reads too slowly.
//   level-drain   the same, but goes on reading until there is no more (EAGAIN).
//   level-always  asks for input and room at once, and leaves it at that. This is the mistake to
//                 make: there is room nearly always, so each epoll_wait reports all connections.
//   edge-drain    asks for both, once and for all. It isn't told twice, so it reads until EAGAIN.
//                 (The event that tells of room tells of unread input, too: it is an edge for
//                 both.)
//   edge          the same, but a recv that brings less than it has room for was the last: epoll(7)
//                 says that a stream is empty then. Where the peer's end was reported too, it reads
//                 on, for no further event tells of that. (net/stream.h does it so.)
//   one-shot      one recv for an event, and one epoll_ctl after it. With it several threads can
//                 wait with one epoll descriptor: none meets another at a connection.
//
// As raw_echo.cc it answers the opening handshake, and then sends back what it receives, unparsed.
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
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "net/bytes.h"
#include "net/pool.h"
#include "net/text.h"
#include "ws/http/handshake.h"
#include "ws/http/parser.h"
#include "ws/http/writer.h"
#include "ws/limits.h"

namespace {

using namespace sockeye;

// When a connection counts as read, for now.
enum class Read { once, until_short, until_empty };

// When epoll_ctl is called for a connection, after it was registered.
enum class Ask { never, when_blocked, every_time };

struct Variant {
  std::string_view name;
  std::uint32_t events;  // what a connection is registered for
  Read read;
  Ask ask;
};

constexpr Variant variants[] = {
    {"level", EPOLLIN, Read::once, Ask::when_blocked},
    {"level-drain", EPOLLIN, Read::until_empty, Ask::when_blocked},
    {"level-always", EPOLLIN | EPOLLOUT, Read::once, Ask::never},
    {"edge-drain", EPOLLIN | EPOLLOUT | EPOLLET, Read::until_empty, Ask::never},
    {"edge", EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, Read::until_short, Ask::never},
    {"one-shot", EPOLLIN | EPOLLONESHOT, Read::once, Ask::every_time},
};

struct Connection {
  bool is_websocket = false;
  std::uint32_t asked = 0;    // what epoll is to report
  std::string unsent;         // what the socket didn't take yet,
  std::size_t unsent_at = 0;  // from here on
};

const Variant* variant = nullptr;
int epoll = -1;
int listener = -1;
std::vector<Connection> connections;  // by descriptor
std::array<char, 256 * 1024> buffer;  // what all of them receive into

[[noreturn]] void fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

// ── epoll ────────────────────────────────────────────────────────────────────────────────────

void control(int operation, int fd, std::uint32_t events) {
  epoll_event event = {};
  event.events = events;
  event.data.fd = fd;
  if (::epoll_ctl(epoll, operation, fd, &event) != 0) fail("epoll_ctl");
}

// After an event: asks for the next one, where the variant has to.
void ask_again(int fd, Connection& connection) {
  if (variant->ask == Ask::never) return;
  const std::uint32_t wanted = connection.unsent.empty() ? EPOLLIN : EPOLLOUT;
  if (variant->ask == Ask::when_blocked && connection.asked == wanted) return;
  connection.asked = wanted;
  control(EPOLL_CTL_MOD, fd, wanted | (variant->events & EPOLLONESHOT));
}

// ── A connection ─────────────────────────────────────────────────────────────────────────────

void close_connection(int fd) {
  connections[static_cast<std::size_t>(fd)] = Connection();
  ::close(fd);
}

// How much of `bytes` the socket takes; -1 where the client is gone.
ssize_t send_some(int fd, std::string_view bytes) {
  const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  return sent < 0 && errno == EAGAIN ? 0 : sent;
}

// Sends, and keeps what doesn't go out. False where the client is gone.
bool send_or_keep(int fd, Connection& connection, std::string_view bytes) {
  const ssize_t sent = send_some(fd, bytes);
  if (sent < 0) return false;
  connection.unsent = bytes.substr(static_cast<std::size_t>(sent));
  connection.unsent_at = 0;
  return true;
}

// Goes on with what was kept, if there is anything.
bool send_kept(int fd, Connection& connection) {
  if (connection.unsent.empty()) return true;
  const auto rest = std::string_view(connection.unsent).substr(connection.unsent_at);
  const ssize_t sent = send_some(fd, rest);
  if (sent < 0) return false;
  connection.unsent_at += static_cast<std::size_t>(sent);
  if (connection.unsent_at == connection.unsent.size()) connection.unsent.clear();
  return true;
}

// RFC 6455 §4.2.2, for a request that came whole.
bool answer_handshake(int fd, Connection& connection, std::string_view request) {
  Pool pool;
  const ws::Limits limits;
  ws::http::RequestParser parser(pool, limits);
  Bytes input = as_bytes(request);
  if (parser.parse(input) != ws::http::HeadParser::Status::complete) return false;
  if (ws::http::check_upgrade(parser.request()) != ws::Error::none) return false;
  net::Text<ws::http::response_head_bytes> text;
  const auto head = ws::http::upgrade_response(text, parser.request(), {}, crypto::sha1_scalar);
  connection.is_websocket = true;
  return head && send_or_keep(fd, connection, *head);
}

bool may_have_more(std::size_t received, bool has_ended) {
  switch (variant->read) {
    case Read::once:
      return false;
    case Read::until_short:
      return received == buffer.size() || has_ended;
    case Read::until_empty:
      return true;
  }
  return false;
}

// What is to be done for a connection next.
enum class Next { read, wait, close };

// One recv, one send.
Next echo_once(int fd, Connection& connection, bool has_ended) {
  const ssize_t received = ::recv(fd, buffer.data(), buffer.size(), 0);
  if (received < 0 && errno == EAGAIN) return Next::wait;
  if (received <= 0) return Next::close;
  const std::string_view bytes(buffer.data(), static_cast<std::size_t>(received));
  const bool is_alive = connection.is_websocket ? send_or_keep(fd, connection, bytes)
                                                : answer_handshake(fd, connection, bytes);
  if (!is_alive) return Next::close;
  return may_have_more(bytes.size(), has_ended) ? Next::read : Next::wait;
}

void on_events(int fd, std::uint32_t events) {
  Connection& connection = connections[static_cast<std::size_t>(fd)];
  const bool has_ended = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
  if (((events & EPOLLOUT) || has_ended) && !send_kept(fd, connection)) {
    return close_connection(fd);
  }
  Next next = (events & EPOLLIN) || has_ended ? Next::read : Next::wait;
  while (next == Next::read && connection.unsent.empty()) {
    next = echo_once(fd, connection, has_ended);
  }
  next == Next::close ? close_connection(fd) : ask_again(fd, connection);
}

// ── The server ───────────────────────────────────────────────────────────────────────────────

void accept_all() {
  while (true) {
    const int fd = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0 && (errno == EAGAIN || errno == ECONNABORTED)) return;
    if (fd < 0) fail("accept");
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const auto index = static_cast<std::size_t>(fd);
    if (connections.size() <= index) connections.resize(2 * index + 1);
    connections[index].asked = variant->events;
    control(EPOLL_CTL_ADD, fd, variant->events);
  }
}

// Listens on 127.0.0.1 and returns the port.
std::uint16_t listen_on(std::uint16_t port) {
  listener = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
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

// False after a mistake in the command line.
bool read_arguments(int count, char** arguments, std::uint16_t& port) {
  if (count < 2) return false;
  const auto found = std::ranges::find(variants, arguments[1], &Variant::name);
  if (found == std::end(variants)) return false;
  variant = found;
  const std::string_view text = count > 2 ? arguments[2] : "0";
  return std::from_chars(text.data(), text.data() + text.size(), port).ec == std::errc();
}

}  // namespace

int main(int argument_count, char** arguments) {
  std::uint16_t port = 0;
  if (!read_arguments(argument_count, arguments, port)) {
    std::fputs("usage: triggers VARIANT [PORT]\n", stderr);
    return 2;
  }
  raise_descriptor_limit();
  epoll = ::epoll_create1(EPOLL_CLOEXEC);
  std::printf("listening on 127.0.0.1:%d\n", listen_on(port));
  std::fflush(stdout);
  control(EPOLL_CTL_ADD, listener, EPOLLIN);

  std::array<epoll_event, 256> events;
  while (true) {
    const int count = ::epoll_wait(epoll, events.data(), events.size(), -1);
    if (count < 0 && errno != EINTR) fail("epoll_wait");
    for (int i = 0; i < count; i++) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      event.data.fd == listener ? accept_all() : on_events(event.data.fd, event.events);
    }
  }
}
