// SPDX-License-Identifier: MIT
#include "ws/counts.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "test/support/server_rig.h"
#include "ws/endpoint.h"

namespace sockeye::ws {

using test::close_with;
using test::frame_of;
using test::Peer;
using test::Received;
using test::ServerRig;
using test::text;
using test::text_frame;
using test::upgrade_request;

namespace {

std::size_t refused(const ServerRig& rig, Error error) {
  return rig.server.counts().refused[static_cast<std::size_t>(error)].value();
}

// The count of the slot that begins with `code`.
std::size_t closed(const ServerRig& rig, std::uint16_t code) {
  for (std::size_t slot = 0; slot < CloseCounts::slots; ++slot) {
    if (CloseCounts::first_code(slot) == code) return rig.server.counts().closes.count(slot);
  }
  FAIL("no such slot");
  return 0;
}

}  // namespace

// RFC 6455 §7.4.1, §7.4.2
TEST_CASE("CloseCounts: a slot for each code of the protocol, and one for each range of others") {
  CloseCounts counts;
  for (std::size_t slot = 0; slot < CloseCounts::slots; ++slot) {
    const std::uint16_t first = CloseCounts::first_code(slot);
    CHECK(first == (slot < 16 ? 1000 + slot : slot == 16 ? 3000 : 4000));
    counts.add(first);
    CHECK(counts.count(slot) == 1);
  }
  for (const std::uint16_t code : {3001, 3999}) counts.add(code);
  counts.add(4999);
  CHECK(counts.count(16) == 3);
  CHECK(counts.count(17) == 2);
}

TEST_CASE("Counts: connections, handshakes, messages and closes") {
  ServerRig rig;
  const Counts& counts = rig.server.counts();
  Peer first = rig.open();
  Peer second = rig.open();
  Peer third = rig.connect();
  rig.until([&] { return counts.connections.value() == 3; });
  CHECK(counts.all_connections.value() == 3);
  CHECK(counts.websockets.value() == 2);
  CHECK(counts.handshakes.value() == 2);

  first.send(text("one") + text("two") + frame_of(text_frame, "thr", false) + frame_of(0, "ee"));
  for (const char* message : {"one", "two", "three"}) {
    CHECK(rig.frame(first) == Received{text_frame, message});
  }
  CHECK(counts.messages_received.value() == 3);
  CHECK(counts.messages_sent.value() == 3);

  first.send(close_with(4242));
  rig.rest(first);
  second.send(close_with(1001));
  rig.rest(second);
  REQUIRE(rig.until([&] { return counts.connections.value() == 1; }));
  CHECK(counts.websockets.value() == 0);
  CHECK(closed(rig, 4000) == 1);
  CHECK(closed(rig, 1001) == 1);
  CHECK(closed(rig, 1006) == 0);
  CHECK(counts.all_connections.value() == 3);
  CHECK(counts.handshakes.value() == 2);
}

TEST_CASE("Counts: messages in chunks count once each") {
  ServerRig rig({.in_chunks = true});
  Peer peer = rig.open();
  peer.send(frame_of(text_frame, "one", false) + frame_of(0, " and more") + text("two"));
  REQUIRE(rig.until([&] { return rig.handler.count("chunk") >= 3; }));
  CHECK(rig.server.counts().messages_received.value() == 2);
}

TEST_CASE("Counts: a refusal counts by its reason, whatever it was a refusal of") {
  ServerRig rig({.limits = {.connections = 2}});
  const Counts& counts = rig.server.counts();
  const auto ask = [&rig](const std::string& request) {
    Peer peer = rig.connect();
    peer.send(request);
    rig.head(peer);
  };
  ask(upgrade_request("Origin: http://evil.example\r\n"));
  CHECK(refused(rig, Error::origin_not_allowed) == 1);
  ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(refused(rig, Error::upgrade_required) == 1);
  ask("nonsense\r\n\r\n");
  CHECK(refused(rig, Error::request_line_malformed) == 1);

  rig.handler.upgrade = [](Upgrade& upgrade) { upgrade.refuse(403, "not you"); };
  ask(upgrade_request());
  CHECK(counts.refused_by_program.value() == 1);
  rig.handler.upgrade = nullptr;

  REQUIRE(rig.until([&] { return counts.connections.value() == 0; }));
  const Peer one = rig.open();
  const Peer two = rig.open();
  Peer three = rig.connect();
  CHECK(rig.head(three).starts_with("HTTP/1.1 503 "));
  CHECK(refused(rig, Error::overloaded) == 1);
  CHECK(counts.handshakes.value() == 2);
}

TEST_CASE(
    "Counts: what waits for a peer, until it is read or the peer is gone; and what finds no "
    "room") {
  ServerRig rig({.limits = {.buffered_bytes = 1024 * 1024}});
  const net::Loop::Counts& of_loop = rig.loop.counts();
  for (const bool reads : {true, false}) {
    CAPTURE(reads);
    Peer peer = rig.open();
    const std::string message(100'000, 'x');
    const std::size_t sent_before = rig.server.counts().messages_sent.value();
    const std::size_t dropped_before = rig.server.counts().messages_dropped.value();
    std::size_t sent = 0;
    std::size_t dropped = 0;
    while (dropped < 3) {
      const SendResult result = rig.connection().send_text(message);
      result == SendResult::dropped ? ++dropped : ++sent;
      rig.loop.turn(0);
    }
    CHECK(of_loop.buffered_bytes.value() == rig.connection().buffered_bytes());
    CHECK(of_loop.buffered_bytes.value() > 900'000);
    CHECK(rig.server.counts().messages_sent.value() - sent_before == sent);
    CHECK(rig.server.counts().messages_dropped.value() - dropped_before == dropped);
    if (reads) {
      for (std::size_t i = 0; i < sent; ++i) CHECK(rig.frame(peer).payload.size() == 100'000);
    } else {
      rig.connection().abort();
    }
    REQUIRE(rig.until([&] { return of_loop.buffered_bytes.value() == 0; }));
  }
}

TEST_CASE("Counts: topics, and each message that is sent to a subscriber of one") {
  ServerRig rig({.limits = {.subscriber_bytes = 100'000}});
  const Counts& counts = rig.server.counts();
  Peer first = rig.open();
  Connection& one = rig.connection();
  Peer second = rig.open();
  Connection& two = rig.connection();
  REQUIRE(one.subscribe("a"));
  REQUIRE(one.subscribe("b"));
  REQUIRE(two.subscribe("a"));
  CHECK(counts.topics.value() == 2);

  const auto publish = [&rig](std::string_view topic, std::string_view text) {
    CHECK(rig.server.topics().publish(topic, Opcode::text, as_bytes(text)));
  };
  for (const char* message : {"1", "2", "3"}) publish("a", message);
  publish("b", "4");  // together with those before it, so that the two have different ones
  publish("nobody's", "5");
  rig.settle();
  CHECK(counts.messages_sent.value() == 7);
  publish("a", "6");
  rig.settle();
  CHECK(counts.messages_sent.value() == 9);
  CHECK(counts.messages_received.value() == 0);

  // What finds no room at one that doesn't read.
  REQUIRE(one.unsubscribe("a"));
  const std::size_t sent_before = counts.messages_sent.value();
  std::size_t published = 0;
  while (rig.server.topics().dropped(two) < 3 && published < 10'000) {
    publish("a", std::string(50'000, 'x'));
    ++published;
    rig.settle();
  }
  CHECK(rig.server.topics().dropped(two) == 3);
  CHECK(counts.messages_dropped.value() == 3);
  CHECK(counts.messages_sent.value() - sent_before == published - 3);

  two.abort();
  REQUIRE(one.unsubscribe("b"));
  rig.settle();
  CHECK(counts.topics.value() == 0);
}

TEST_CASE("Counts: bytes, as TCP carries them") {
  ServerRig rig;
  const net::Loop::Counts& counts = rig.loop.counts();
  Peer peer = rig.open();
  const std::size_t received = counts.received_bytes.value();
  CHECK(received == upgrade_request().size());
  const std::size_t sent = counts.sent_bytes.value();
  CHECK(sent > 100);
  // Also where a large one goes past the receive buffer, and is sent from where it lies.
  for (const std::size_t size : {std::size_t{5}, std::size_t{3'000'000}}) {
    const std::size_t received_before = counts.received_bytes.value();
    const std::size_t sent_before = counts.sent_bytes.value();
    const std::string frame = text(std::string(size, 'x'));
    std::string_view rest = frame;
    REQUIRE(rig.until([&] {
      rest.remove_prefix(peer.try_send(rest));
      return rest.empty();
    }));
    CHECK(rig.frame(peer).payload.size() == size);
    CHECK(counts.received_bytes.value() - received_before == frame.size());
    CHECK(counts.sent_bytes.value() - sent_before == frame.size() - 4);  // without a masking key
  }
}

}  // namespace sockeye::ws
