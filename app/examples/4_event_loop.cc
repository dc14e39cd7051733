// Step 4 of 6: many connections at once, in one thread.
//
// No call may wait for one connection any more. So sockets don't block, and epoll(7) tells which of
// them have something to do. A read then brings what there is, half a header or three frames and a
// half, and what is missing comes later. That is what the library's protocol is made for: bytes in,
// events out, without any I/O (ws/protocol.h; the handshake: ws/http/request_reader.h).
//
//   g++ -std=c++20 -I. app/examples/4_event_loop.cc build/libsockeye.a -o build/4_event_loop
//   build/4_event_loop 9000
//   build/sockeye bench -d 1 -c 100 ws://127.0.0.1:9000/
//
// The last, in another terminal, has a hundred connections exchange messages for a second. What is
// left out: deadlines, an end in order, and fairness, as a peer that sends without pause keeps the
// others waiting. net/loop.h and net/stream.h have these.
//
// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "app/examples/listen_on.h"
#include "crypto/sha1.h"
#include "net/pool.h"
#include "net/text.h"
#include "ws/http/handshake.h"
#include "ws/http/request_reader.h"
#include "ws/http/writer.h"
#include "ws/protocol.h"

namespace ws = sockeye::ws;

sockeye::Pool pool;  // memory for what comes in parts
const ws::Settings settings{.pool = pool, .limits = {}, .kernels = {}};

struct Connection {
  int socket;
  ws::http::RequestReader reader{pool, settings.limits};
  ws::Protocol protocol{settings};
  bool open = false;        // the handshake is over
  bool closing = false;     // ends when the output is sent
  std::string output = {};  // what the kernel hasn't taken yet

  void put(sockeye::Bytes bytes) { output += sockeye::as_text(bytes); }
};

// RFC 6455 §4.2: takes the request off the front of `input`, once it is whole, and answers it.
void shake_hands(Connection& connection, sockeye::MutableBytes& input) {
  sockeye::Bytes rest = input;
  const auto status = connection.reader.read(rest);
  input = input.last(rest.size());
  if (status == ws::http::RequestReader::Status::need_more) return;

  const ws::http::Request& request = connection.reader.request();
  ws::Error error = connection.reader.error();
  if (error == ws::Error::none) error = ws::http::check_upgrade(request);
  connection.closing = error != ws::Error::none;
  if (connection.closing) {
    sockeye::net::Text<ws::http::refusal_bytes> text;
    connection.output = ws::http::refusal(text, error);
  } else {
    sockeye::net::Text<ws::http::response_head_bytes> text;
    connection.output = *upgrade_response(text, request, {}, sockeye::crypto::sha1_scalar);
    connection.open = true;
  }
}

// §6.2: takes frames off the front of `input`. What it ends within is kept by the protocol.
void receive_frames(Connection& connection, sockeye::MutableBytes input) {
  using Kind = ws::Event::Kind;
  ws::Protocol& protocol = connection.protocol;
  while (!input.empty() && !connection.closing) {
    const ws::Event event = protocol.read(input);
    if (event.kind == Kind::message) {
      connection.put(protocol.begin_message(event.opcode, {event.payload}, 0));
      connection.put(event.payload);
    } else if (event.kind == Kind::ping) {  // §5.5.2
      connection.put(protocol.control(ws::Opcode::pong, event.payload, 0));
    } else if (event.kind == Kind::close || event.kind == Kind::failed) {  // §5.5.1, §7.1.7
      const bool failed = event.kind == Kind::failed;
      const std::uint16_t code = failed ? ws::info(event.error).close_code : event.code;
      connection.put(protocol.close(code, {}, 0));
      connection.closing = true;
    }
  }
}

// Sends and receives all that can be now; false when the connection is over. epoll is used
// edge-triggered: it tells that a socket has become readable or writable, once. So each goes on
// until the kernel has no more, and says EAGAIN.
bool serve(Connection& connection) {
  static std::uint8_t buffer[64 * 1024];
  while (true) {
    while (!connection.output.empty()) {
      const ssize_t sent =
          send(connection.socket, connection.output.data(), connection.output.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno != EAGAIN) return false;
      if (sent < 0) break;
      connection.output.erase(0, static_cast<std::size_t>(sent));
    }
    if (connection.closing) return !connection.output.empty();
    if (connection.output.size() > settings.limits.buffered_bytes) return false;  // it doesn't read
    const ssize_t size = recv(connection.socket, buffer, sizeof buffer, 0);
    if (size < 0 && errno == EAGAIN) return true;
    if (size <= 0) return false;
    sockeye::MutableBytes input(buffer, static_cast<std::size_t>(size));
    if (!connection.open) shake_hands(connection, input);
    if (connection.open) receive_frames(connection, input);
  }
}

void watch(int epoll, int socket, std::uint32_t events, Connection* connection) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = connection;  // comes back with each event; null for the listener
  epoll_ctl(epoll, EPOLL_CTL_ADD, socket, &event);
}

int main(int count, char** arguments) {
  const int listener = listen_on(count > 1 ? std::atoi(arguments[1]) : 9000);
  fcntl(listener, F_SETFL, O_NONBLOCK);
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  watch(epoll, listener, EPOLLIN, nullptr);
  while (true) {
    epoll_event events[64];
    const int ready = epoll_wait(epoll, events, 64, -1);
    for (int i = 0; i < ready; ++i) {
      auto* const connection = static_cast<Connection*>(events[i].data.ptr);
      if (connection == nullptr) {
        const int socket = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK);
        if (socket < 0) continue;
        watch(epoll, socket, EPOLLIN | EPOLLOUT | EPOLLET, new Connection{socket});
      } else if (!serve(*connection)) {
        close(connection->socket);
        delete connection;
      }
    }
  }
}
