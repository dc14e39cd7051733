// A server, its loop, a clock that stands still until it is told otherwise, and a handler that
// writes down what it is told: everything in the test's own thread.
//
//   ServerRig rig;
//   Peer peer = rig.open();
//   peer.send(text("Hello"));
//   CHECK(rig.frame(peer) == Received{text_frame, "Hello"});
//
// SPDX-License-Identifier: MIT
#pragma once

#include <doctest/doctest.h>
#include <poll.h>

#include <algorithm>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/log.h"
#include "net/loop.h"
#include "test/support/fake_clock.h"
#include "test/support/sockets.h"
#include "test/support/websocket_peer.h"
#include "ws/server.h"

namespace sockeye::test {

// Writes down every call, and then does what the test wants.
struct Recorder final : ws::Handler {
  std::vector<std::string> events;
  ws::Handle last;  // the connection that was opened last

  std::function<void(Upgrade&)> upgrade;
  std::function<void(const Request&, Reply&)> request;
  std::function<void(Connection&)> open;
  std::function<void(Connection&, Message)> message;
  std::function<void(Connection&, Chunk)> chunk;
  std::function<void(Connection&, Bytes)> ping;
  std::function<void(Connection&, Bytes)> pong;
  std::function<void(Connection&)> drain;
  std::function<void(Connection&, Closed)> close;
  std::function<void(const ConnectFailure&)> connect_failure;

  void on_upgrade(Upgrade& what) override {
    events.push_back("upgrade");
    if (upgrade) upgrade(what);
  }
  void on_request(const Request& what, Reply& reply) override {
    events.push_back("request " + std::string(what.method()) + " " + std::string(what.target()));
    if (request) return request(what, reply);
    Handler::on_request(what, reply);
  }
  void on_open(Connection& connection) override {
    events.push_back("open");
    last = connection.handle();
    if (open) open(connection);
  }
  void on_message(Connection& connection, Message what) override {
    events.push_back((what.is_text() ? "text " : "binary ") + shortened(what.bytes()));
    if (message) message(connection, what);
  }
  void on_chunk(Connection& connection, Chunk what) override {
    events.push_back("chunk " + shortened(what.bytes));
    if (chunk) chunk(connection, what);
  }
  void on_ping(Connection& connection, Bytes payload) override {
    events.push_back("ping " + shortened(payload));
    if (ping) ping(connection, payload);
  }
  void on_pong(Connection& connection, Bytes payload) override {
    events.push_back("pong " + shortened(payload));
    if (pong) pong(connection, payload);
  }
  void on_drain(Connection& connection) override {
    events.push_back("drain");
    if (drain) drain(connection);
  }
  void on_close(Connection& connection, Closed what) override {
    events.push_back("close " + std::to_string(what.code) + " " + std::string(what.reason) +
                     (what.clean ? " clean" : " unclean"));
    if (close) close(connection, what);
  }
  void on_connect_failure(const ConnectFailure& what) override {
    events.push_back("connect_failure " + std::string(ws::info(what.error).name) + " " +
                     std::to_string(what.status));
    if (connect_failure) connect_failure(what);
  }

  std::size_t count(std::string_view beginning) const {
    return static_cast<std::size_t>(std::count_if(
        events.begin(), events.end(),
        [beginning](const std::string& event) { return event.starts_with(beginning); }));
  }
  bool has(std::string_view beginning) const { return count(beginning) > 0; }

  // Everything that happened, in one line.
  std::string all() const {
    std::string text;
    for (const std::string& event : events) text += (text.empty() ? "" : ", ") + event;
    return text;
  }

 private:
  static std::string shortened(Bytes bytes) {
    if (bytes.size() <= 40) return std::string(as_text(bytes));
    return "of " + std::to_string(bytes.size()) + " bytes";
  }
};

// Turns `loop` until nothing more happens by itself for `quiet_ms`. (What is sent over a Unix
// socket is there at once, so 0 will do for those.)
inline void settle(net::Loop& loop, int quiet_ms = 1) {
  for (int turns = 0; turns < 10'000; ++turns) {
    loop.turn(0);
    const auto descriptor = loop.descriptor();
    if (!descriptor) continue;  // a call that was made to fail
    pollfd events{*descriptor, POLLIN, 0};
    if (loop.wait_ms() != 0 && ::poll(&events, 1, quiet_ms) == 0) return;
  }
  FAIL("the loop does not come to rest");
}

// Messages go back to where they came from, and a peer that doesn't read isn't read from.
inline void echo(ws::Connection& connection, ws::Message message) {
  if (connection.send(message) == ws::SendResult::queued) connection.pause();
}

// While it lives, nothing is logged: for mistakes that a test makes on purpose.
struct QuietLog {
  QuietLog() { net::configure_log(net::LogLevel::off, net::LogFormat::text); }
  ~QuietLog() { net::configure_log(net::LogLevel::warn, net::LogFormat::text); }
};

struct ServerRig {
  explicit ServerRig(ws::Options options = {}, std::string_view where = "127.0.0.1:0")
      : server(handler, std::move(options), &loop) {
    handler.message = echo;
    handler.drain = [](ws::Connection& connection) { connection.resume(); };
    auto bound = server.listen(where);
    REQUIRE(bound);
    address = *bound;
  }

  template <typename Done>
  bool until(Done done) {
    return turn_until(loop, done);
  }
  void settle() { test::settle(loop); }

  // Lets `ms` pass: in small steps, or in one leap, as for a loop that was late.
  void pass(std::uint64_t ms) {
    settle();
    for (std::uint64_t step; ms > 0; ms -= step) {
      clock.advance(step = std::min<std::uint64_t>(ms, 100));
      loop.turn(0);
    }
    settle();
  }
  void leap(std::uint64_t ms) {
    clock.advance(ms);
    settle();
  }

  Peer connect(int receive_buffer_bytes = 0) { return Peer(address, receive_buffer_bytes); }

  // A connection after its handshake.
  Peer open(int receive_buffer_bytes = 0) {
    Peer peer = connect(receive_buffer_bytes);
    peer.send(upgrade_request());
    REQUIRE(head(peer).starts_with("HTTP/1.1 101 "));
    return peer;
  }

  // The next that `peer` gets. They wait for it; a peer that gets nothing more fails the test.
  std::string head(Peer& peer) {
    std::optional<std::string> head;
    REQUIRE(until([&] { return peer.receive(), (head = peer.take_head()) || peer.ended(); }));
    return head.value_or("nothing: the connection ended");
  }
  Received frame(Peer& peer) {
    std::optional<Received> frame;
    REQUIRE(until([&] { return peer.receive(), (frame = peer.take_frame()) || peer.ended(); }));
    return frame.value_or(Received{-1, "nothing: the connection ended"});
  }
  // All up to the end of the connection, which comes without RST.
  std::string rest(Peer& peer) {
    REQUIRE(until([&] { return peer.receive(), peer.ended(); }));
    CHECK(!peer.was_reset());
    return peer.take_input();
  }

  ws::Connection& connection() {
    ws::Connection* connection = handler.last.get();
    REQUIRE(connection != nullptr);
    return *connection;
  }

  FakeClock clock{1'000'000};
  net::Loop loop{clock};
  Recorder handler;
  ws::Server server;
  net::Address address;
};

}  // namespace sockeye::test
