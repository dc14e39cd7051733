// Every limit of ws/limits.h from outside: what is one less, what is just as much, what is one
// more.
//
// The limits differ from each other and from the defaults, so that one which is taken for another
// shows.
//
// SPDX-License-Identifier: MIT
#include "ws/limits.h"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "test/support/server_rig.h"
#include "ws/client.h"

namespace sockeye::ws {
namespace {

using test::binary_frame;
using test::close_frame;
using test::continuation_frame;
using test::frame_of;
using test::Peer;
using test::ping_frame;
using test::Received;
using test::ServerRig;
using test::text;
using test::upgrade_request;

// ── Sizes and counts ─────────────────────────────────────────────────────────────────────────

const Limits& small_limits() {
  static const Limits limits{
      .request_line_bytes = 100,
      .head_bytes = 300,
      .head_fields = 7,
      .request_body_bytes = 50,
      .message_bytes = 1000,
      .message_fragments = 5,
      .buffered_bytes = 2000,
      .connections = 3,
  };
  return limits;
}

struct LimitsRig : ServerRig {
  LimitsRig() : ServerRig({.limits = small_limits()}) {
    handler.request = [](const Handler::Request&, Handler::Reply& reply) {
      reply.send(200, "text/plain", {});
    };
  }

  // The status that `request` is answered with.
  int status(std::string_view request) {
    Peer peer = connect();
    peer.send(request);
    const std::string answer = head(peer);
    CAPTURE(answer);
    REQUIRE(answer.starts_with("HTTP/1.1 "));
    return std::stoi(answer.substr(9, 3));
  }

  // The opcode of the frame that `frames` are answered with, and the code, if it is a Close frame.
  std::string answer(std::string_view frames) {
    Peer peer = open();
    peer.send(frames);
    const Received first = frame(peer);
    if (first.opcode != close_frame) return std::to_string(first.payload.size()) + " bytes";
    REQUIRE(first.payload.size() > 2);  // a code, and a reason
    return "close " + std::to_string(static_cast<std::uint8_t>(first.payload[0]) << 8 |
                                     static_cast<std::uint8_t>(first.payload[1]));
  }
};

std::string padded(std::string_view begin, std::string_view end, std::size_t size) {
  REQUIRE(begin.size() + end.size() <= size);
  return std::string(begin) + std::string(size - begin.size() - end.size(), 'x') + std::string(end);
}

TEST_CASE("Limits: request_line_bytes, with the CRLF: 414 (RFC 9112 §3)") {
  LimitsRig rig;
  for (const auto& [size, status] : {std::pair{99u, 200}, {100u, 200}, {101u, 414}}) {
    const auto given = size;
    CAPTURE(given);
    CHECK(rig.status(padded("GET /", " HTTP/1.1\r\n", size) + "Host: a\r\n\r\n") == status);
  }
}

TEST_CASE("Limits: head_bytes, from the request line to the empty line: 431 (RFC 6585 §5)") {
  LimitsRig rig;
  for (const auto& [size, status] : {std::pair{299u, 200}, {300u, 200}, {301u, 431}}) {
    const auto given = size;
    CAPTURE(given);
    CHECK(rig.status(padded("GET / HTTP/1.1\r\nHost: a\r\nX: ", "\r\n\r\n", size)) == status);
  }
}

TEST_CASE("Limits: head_fields: 431 (RFC 6585 §5)") {
  LimitsRig rig;
  for (const auto& [count, status] : {std::pair{6u, 200}, {7u, 200}, {8u, 431}}) {
    const auto given = count;
    CAPTURE(given);
    std::string request = "GET / HTTP/1.1\r\nHost: a\r\n";
    for (unsigned i = 1; i < count; ++i) request += "X: y\r\n";
    CHECK(rig.status(request + "\r\n") == status);
  }
}

TEST_CASE("Limits: a flood of fields in a handshake is refused, and pushes none of it out") {
  // An Upgrade that comes after more fields than are kept must not be lost without a word.
  LimitsRig rig;
  std::string request = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (int i = 0; i < 20; ++i) request += "A: b\r\n";
  request += upgrade_request().substr(upgrade_request().find("Upgrade:"));
  CHECK(rig.status(request) == 431);
  CHECK(rig.handler.events.empty());
}

TEST_CASE("Limits: request_body_bytes, of known length and in chunks: 413 (RFC 9110 §15.5.14)") {
  LimitsRig rig;
  for (const auto& [size, status] : {std::pair{49u, 200}, {50u, 200}, {51u, 413}}) {
    const auto given = size;
    CAPTURE(given);
    const std::string body(size, 'b');
    CHECK(rig.status("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(size) +
                     "\r\n\r\n" + body) == status);
    std::string chunks;
    for (const char c : body) chunks += std::string("1\r\n") + c + "\r\n";
    CHECK(rig.status("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks +
                     "0\r\n\r\n") == status);
  }
}

TEST_CASE("Limits: message_bytes, in one frame and in fragments: 1009 (RFC 6455 §10.4)") {
  LimitsRig rig;
  CHECK(rig.answer(frame_of(binary_frame, std::string(999, 'm'))) == "999 bytes");
  CHECK(rig.answer(frame_of(binary_frame, std::string(1000, 'm'))) == "1000 bytes");
  CHECK(rig.answer(frame_of(binary_frame, std::string(1001, 'm'))) == "close 1009");
  for (const std::size_t second : {499u, 500u, 501u}) {
    const std::string answer = rig.answer(frame_of(binary_frame, std::string(500, 'm'), false) +
                                          frame_of(continuation_frame, std::string(second, 'n')));
    CHECK(answer == (second <= 500 ? std::to_string(500 + second) + " bytes" : "close 1009"));
  }
}

TEST_CASE("Limits: message_fragments, of any size: 1008 (RFC 6455 §10.4)") {
  LimitsRig rig;
  for (const std::size_t size : {0u, 1u}) {
    for (const std::size_t count : {4u, 5u, 6u}) {
      CAPTURE(size);
      CAPTURE(count);
      const std::string part(size, 'f');
      std::string frames = frame_of(binary_frame, part, false);
      for (std::size_t i = 1; i < count; ++i) {
        frames += frame_of(continuation_frame, part, i + 1 == count);
      }
      CHECK(rig.answer(frames) ==
            (count <= 5 ? std::to_string(size * count) + " bytes" : "close 1008"));
    }
  }
}

TEST_CASE("Limits: buffered_bytes: a message that would exceed it is dropped, and said to be") {
  LimitsRig rig;
  Peer peer = rig.open();
  Connection& connection = rig.connection();
  const std::string bytes(2001, 'b');
  CHECK(connection.send_binary(as_bytes(bytes)) == SendResult::dropped);
  CHECK(connection.send_binary(as_bytes(bytes).first(2000)) == SendResult::sent);
  CHECK(rig.frame(peer).payload.size() == 2000);
  CHECK(connection.send_binary(as_bytes(bytes).first(1999)) == SendResult::sent);
  CHECK(rig.frame(peer).payload.size() == 1999);
}

TEST_CASE("Limits: connections: one too many gets 503") {
  LimitsRig rig;
  std::vector<Peer> peers;
  for (int i = 0; i < 3; ++i) peers.push_back(rig.open());
  CHECK(rig.server.connection_count() == 3);
  CHECK(rig.status(upgrade_request()) == 503);
  CHECK(rig.handler.count("open") == 3);
}

TEST_CASE("Limits: max_subprotocols, of a client's offer: 400") {
  ServerRig rig;
  for (const std::size_t count : {max_subprotocols - 1, max_subprotocols, max_subprotocols + 1}) {
    CAPTURE(count);
    std::string offer = "Sec-WebSocket-Protocol: p0";
    for (std::size_t i = 1; i < count; ++i) offer += ",p" + std::to_string(i);
    Peer peer = rig.connect();
    peer.send(upgrade_request(offer + "\r\n"));
    const std::string expected = count <= max_subprotocols ? "HTTP/1.1 101 " : "HTTP/1.1 400 ";
    CHECK(rig.head(peer).starts_with(expected));
  }
}

// ── Times ────────────────────────────────────────────────────────────────────────────────────

// All times at once, so that each has to be told from the others.
const Limits& distinct_times() {
  static const Limits limits{
      .head_timeout_ms = 3'000,
      .keep_alive_timeout_ms = 5'000,
      .ping_interval_ms = 7'000,
      .idle_timeout_ms = 17'000,
      .message_timeout_ms = 9'000,
      .lifetime_ms = 40'000,
      .close_timeout_ms = 2'000,
      .connect_timeout_ms = 11'000,
      .stop_timeout_ms = 13'000,
  };
  return limits;
}

struct TimesRig : ServerRig {
  TimesRig() : ServerRig({.limits = distinct_times()}) {
    handler.request = [](const Handler::Request&, Handler::Reply& reply) {
      reply.send(200, "text/plain", {});
    };
  }

  // How long it takes until `happened`, in milliseconds, of which the last 200 may be a step of
  // this clock and a tick of the timers.
  template <typename Happened>
  bool takes(std::uint64_t ms, Happened happened) {
    pass(ms - 100);
    if (happened()) return false;
    pass(300);
    return happened();
  }
  auto gone() {
    return [this] { return server.connection_count() == 0; };
  }
};

TEST_CASE("Limits: head_timeout_ms is the time for a request's head") {
  TimesRig rig;
  Peer peer = rig.connect();
  peer.send("GET / HTTP/1.1\r\n");
  CHECK(
      rig.takes(3'000, [&] { return peer.receive(), peer.input().starts_with("HTTP/1.1 408 "); }));
}

TEST_CASE("Limits: keep_alive_timeout_ms is the time between two requests") {
  TimesRig rig;
  Peer peer = rig.connect();
  peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  REQUIRE(rig.head(peer).starts_with("HTTP/1.1 200 "));
  CHECK(rig.takes(5'000, rig.gone()));
}

TEST_CASE("Limits: ping_interval_ms is the silence before a Ping, idle_timeout_ms before the end") {
  TimesRig rig;
  Peer peer = rig.open();
  CHECK(rig.takes(7'000, [&] { return peer.receive(), !peer.input().empty(); }));
  CHECK(rig.frame(peer) == Received{ping_frame, ""});
  // 7,200 ms have passed.
  CHECK(rig.takes(17'000 - 7'200, [&] { return peer.receive(), !peer.input().empty(); }));
  CHECK(rig.frame(peer).opcode == close_frame);
}

TEST_CASE("Limits: message_timeout_ms is the time for a message, however it comes") {
  TimesRig rig;
  Peer peer = rig.open();
  peer.send(frame_of(binary_frame, "a", false));
  for (int i = 0; i < 4; ++i) {
    rig.pass(2'000);
    peer.send(frame_of(continuation_frame, "a", false));
  }
  CHECK(rig.takes(9'000 - 8'000, [&] { return peer.receive(), !peer.input().empty(); }));
  CHECK(rig.frame(peer).payload.starts_with(test::close_payload(1008)));
}

TEST_CASE("Limits: lifetime_ms is the time for a connection, a tenth less at most") {
  TimesRig rig;
  Peer peer = rig.open();
  for (int i = 0; i < 7; ++i) {
    rig.pass(5'000);
    peer.send(text("alive"));
    REQUIRE(rig.frame(peer).payload == "alive");
  }
  // 35,000 ms have passed.
  rig.pass(5'200);
  CHECK(rig.frame(peer).payload.starts_with(test::close_payload(1001)));
}

TEST_CASE("Limits: by default, a silent peer gets a Ping, and counts as gone in the end") {
  ServerRig rig;
  Peer peer = rig.open();
  rig.pass(30'100);
  CHECK(rig.frame(peer) == Received{ping_frame, ""});
  rig.pass(90'100);
  CHECK(rig.frame(peer).opcode == close_frame);
}

TEST_CASE("Limits: close_timeout_ms is the time for the peer's half of the closing handshake") {
  TimesRig rig;
  Peer peer = rig.open();
  rig.connection().close();
  CHECK(rig.takes(2'000, rig.gone()));
}

TEST_CASE("Limits: stop_timeout_ms is the time in which a server stops") {
  // Peers that get their Close frame at once and don't answer are given up after close_timeout_ms;
  // with that turned off, only this is left.
  Limits limits = distinct_times();
  limits.close_timeout_ms = 0;
  ServerRig rig({.limits = limits});
  Peer peer = rig.open();
  rig.server.stop();
  rig.pass(12'900);
  CHECK(rig.server.connection_count() == 1);
  rig.pass(300);
  CHECK(rig.server.connection_count() == 0);
}

TEST_CASE("Limits: connect_timeout_ms is the time for a client's TCP and handshake together") {
  TimesRig rig;
  test::Recorder told;
  Client client(told, {.limits = distinct_times()}, &rig.loop);
  // A listener whose connections nobody accepts.
  net::Fd silent(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const net::Address any = *net::Address::numeric("127.0.0.1", 0);
  REQUIRE(::bind(silent.get(), any.data(), any.size()) == 0);
  REQUIRE(::listen(silent.get(), 1) == 0);
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  REQUIRE(::getsockname(silent.get(), reinterpret_cast<sockaddr*>(&storage), &size) == 0);
  const net::Address address = net::Address::from(reinterpret_cast<sockaddr*>(&storage), size);
  REQUIRE(client.connect("ws://" + address.text() + "/"));
  CHECK(rig.takes(11'000, [&] { return told.has("connect_failure connect_timeout"); }));
}

}  // namespace
}  // namespace sockeye::ws
