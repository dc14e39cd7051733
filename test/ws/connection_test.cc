// SPDX-License-Identifier: MIT
#include "ws/connection.h"

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "test/support/server_rig.h"

namespace sockeye::ws {
namespace {

using test::close_frame;
using test::close_payload;
using test::close_with;
using test::frame_of;
using test::Peer;
using test::Received;
using test::ServerRig;
using test::text;
using test::text_frame;

constexpr int binary = test::binary_frame;
constexpr int ping = test::ping_frame;
constexpr int pong = test::pong_frame;

constexpr std::size_t mebibyte = 1024 * 1024;

// A payload that differs from others, and within itself.
std::string payload_of(std::size_t size, unsigned seed = 0) {
  std::string payload(size, '\0');
  for (std::size_t i = 0; i < size; ++i) {
    payload[i] = static_cast<char>((i + seed) * 2654435761u >> 13);
  }
  return payload;
}

// Sends all of `bytes`, however often the kernel has no room; what comes back is taken meanwhile.
void send_all(ServerRig& rig, Peer& peer, std::string_view bytes) {
  REQUIRE(rig.until([&] {
    bytes.remove_prefix(peer.try_send(bytes));
    peer.receive();
    return bytes.empty();
  }));
}

// Has the server's program send to a peer that doesn't read, until the kernel takes no more.
// Returns how many messages of 64 KiB that were.
int fill(Connection& connection) {
  const std::string payload = payload_of(64 * 1024);
  for (int count = 1;; ++count) {
    const SendResult result = connection.send_binary(as_bytes(payload));
    if (result == SendResult::queued) return count;
    REQUIRE(result == SendResult::sent);
    REQUIRE(count < 10'000);
  }
}

// The same, as the program's answer to a message.
int fill(ServerRig& rig, Peer& peer) {
  int count = 0;
  const auto before = std::exchange(
      rig.handler.message, [&](Connection& connection, Message) { count = fill(connection); });
  peer.send(text("fill"));
  REQUIRE(rig.until([&] { return count > 0; }));
  rig.handler.message = before;
  return count;
}

Limits without_timers() {
  return {.head_timeout_ms = 0,
          .keep_alive_timeout_ms = 0,
          .ping_interval_ms = 0,
          .idle_timeout_ms = 0};
}

}  // namespace

// ── Messages ─────────────────────────────────────────────────────────────────────────────────

TEST_CASE("a message of any size comes back as it was, over TCP and Unix sockets") {
  for (const std::string_view where : {"127.0.0.1:0", "[::1]:0", "unix:@sockeye-connection-test"}) {
    CAPTURE(where);
    ServerRig rig({}, where);
    Peer peer = rig.open();
    for (const std::size_t size :
         {0u, 1u, 125u, 126u, 127u, 65'535u, 65'536u, 262'144u, 1u << 20}) {
      CAPTURE(size);
      const std::string payload = payload_of(size);
      send_all(rig, peer, frame_of(binary, payload));
      CHECK(rig.frame(peer) == Received{binary, payload});
    }
    peer.send(
        text("Gr\xc3\xbc\xc3\x9f"
             "e"));
    CHECK(rig.frame(peer) == Received{text_frame,
                                      "Gr\xc3\xbc\xc3\x9f"
                                      "e"});
  }
}

TEST_CASE("the largest message comes back, and one byte more closes with 1009") {
  ServerRig rig;
  Peer peer = rig.open();
  const std::string payload = payload_of(16 * mebibyte);
  send_all(rig, peer, frame_of(binary, payload));
  CHECK((rig.frame(peer) == Received{binary, payload}));
  peer.send(frame_of(binary, payload + "+").substr(0, 100));  // the header says it
  CHECK(rig.frame(peer) ==
        Received{close_frame, close_payload(1009, info(Error::message_too_big).text)});
}

TEST_CASE("a batch of 1,000 messages in one segment comes back in order") {
  ServerRig rig;
  Peer peer = rig.open();
  std::string batch;
  for (int i = 0; i < 1000; ++i) batch += text(std::to_string(i));
  peer.send(batch);
  for (int i = 0; i < 1000; ++i) {
    REQUIRE(rig.frame(peer) == Received{text_frame, std::to_string(i)});
  }
}

TEST_CASE("frames may come in the handshake's segment") {
  ServerRig rig;
  Peer peer = rig.connect();
  peer.send(test::upgrade_request() + text("early"));
  CHECK(rig.head(peer).starts_with("HTTP/1.1 101 "));
  CHECK(rig.frame(peer) == Received{text_frame, "early"});
}

TEST_CASE("messages in chunks: the program gets them as they arrive, and all of them") {
  std::string got;
  int firsts = 0;
  int lasts = 0;
  ServerRig rig({.in_chunks = true});
  rig.handler.chunk = [&](Connection&, Chunk chunk) {
    got += as_text(chunk.bytes);
    firsts += chunk.first;
    lasts += chunk.last;
  };
  Peer peer = rig.open();
  const std::string payload = payload_of(3 * mebibyte);
  const std::string bytes = frame_of(binary, payload);
  send_all(rig, peer, std::string_view(bytes).substr(0, mebibyte));
  rig.settle();
  CHECK(got.size() > mebibyte / 2);
  CHECK(lasts == 0);
  send_all(rig, peer, std::string_view(bytes).substr(mebibyte));
  REQUIRE(rig.until([&] { return lasts > 0; }));
  CHECK((got == payload));
  CHECK(firsts == 1);
  CHECK(lasts == 1);
  CHECK(!rig.handler.has("binary"));
}

TEST_CASE("a place for a connection is no larger than it was") {
  // 10,000 idle connections at under 400 bytes each: nothing may creep in.
  CHECK(sizeof(Connection) <= 152);  // with its place in the slab, 160
}

// ── What send() answers ──────────────────────────────────────────────────────────────────────

TEST_CASE("send answers sent, queued, dropped: nothing is lost but what was dropped") {
  ServerRig rig({.limits = {.buffered_bytes = mebibyte}});
  Peer peer = rig.open();
  std::vector<std::string> expected;
  std::size_t dropped = 0;
  rig.handler.message = [&](Connection& connection, Message) {
    SendResult last = SendResult::sent;
    for (int i = 0; last != SendResult::dropped; ++i) {
      const std::string payload = std::to_string(i) + payload_of(50'000);
      const SendResult result = connection.send_binary(as_bytes(payload));
      // From sent by way of queued to dropped, never back: the peer reads nothing.
      CHECK(result >= last);
      last = result;
      if (result != SendResult::dropped) expected.push_back(payload);
      CHECK(connection.buffered_bytes() <= mebibyte + 14);
    }
    // A smaller one still fits, and one of no bytes always does.
    CHECK(connection.send_text("") == SendResult::queued);
    expected.push_back("");
    for (int i = 0; i < 7; ++i) {
      dropped += connection.send_binary(as_bytes(payload_of(mebibyte))) == SendResult::dropped;
    }
  };
  peer.send(text("go"));
  REQUIRE(rig.until([&] { return dropped > 0; }));
  CHECK(dropped == 7);
  CHECK(rig.handler.count("drain") == 0);
  for (const std::string& payload : expected) REQUIRE((rig.frame(peer).payload == payload));
  rig.settle();
  CHECK(rig.handler.count("drain") == 1);
  CHECK(rig.connection().buffered_bytes() == 0);
  peer.receive();
  CHECK(peer.input().empty());
}

TEST_CASE("a message larger than limits.buffered_bytes is dropped, and the next one is sent") {
  ServerRig rig({.limits = {.buffered_bytes = 1000}});
  Peer peer = rig.open();
  CHECK(rig.connection().send_binary(as_bytes(payload_of(1001))) == SendResult::dropped);
  CHECK(rig.connection().send_text("small") == SendResult::sent);
  CHECK(rig.frame(peer) == Received{text_frame, "small"});
}

TEST_CASE("unbounded output: where nothing more fits, an empty message is dropped, too") {
  ServerRig rig({.limits = {.buffered_bytes = mebibyte}});
  Peer peer = rig.open();
  bool done = false;
  rig.handler.message = [&](Connection& connection, Message) {
    const std::string payload = payload_of(1000);
    while (connection.send_binary(as_bytes(payload)) != SendResult::dropped) continue;
    int empty = 0;
    while (empty < 10'000 && connection.send_text("") == SendResult::queued) ++empty;
    CHECK(empty <= 1000 / 2);  // each has a header of two bytes
    CHECK(connection.buffered_bytes() <= mebibyte + 1);
    done = true;
  };
  peer.send(text("go"));
  REQUIRE(rig.until([&] { return done; }));
}

TEST_CASE("every time that the queue fills and empties gives exactly one on_drain") {
  ServerRig rig;
  Peer peer = rig.open();
  for (std::size_t passage = 1; passage <= 5; ++passage) {
    const int messages = fill(rig, peer);
    CHECK(rig.handler.count("drain") == passage - 1);
    for (int i = 0; i < messages; ++i) REQUIRE(rig.frame(peer).payload.size() == 64 * 1024);
    rig.settle();
    CHECK(rig.handler.count("drain") == passage);
  }
}

TEST_CASE("on_drain may fill the queue again") {
  ServerRig rig;
  Peer peer = rig.open();
  int messages = 0;
  int rounds = 0;
  rig.handler.drain = [&](Connection& connection) {
    if (++rounds < 3) messages += fill(connection);
  };
  messages += fill(rig, peer);
  for (int i = 0; i < messages; ++i) REQUIRE(rig.frame(peer).payload.size() == 64 * 1024);
  rig.settle();
  CHECK(rounds == 3);
}

TEST_CASE("send and ping answer closing, once the connection closes") {
  ServerRig rig;
  Peer peer = rig.open();
  Connection& connection = rig.connection();
  connection.close(1000);
  CHECK(connection.send_text("late") == SendResult::closing);
  CHECK(connection.ping() == SendResult::closing);
  CHECK(rig.frame(peer) == Received{close_frame, close_payload(1000)});
  rig.settle();
  peer.receive();
  CHECK(peer.input().empty());
}

TEST_CASE("sending from another connection's callback, and from none") {
  ServerRig rig;
  Peer first = rig.open();
  const Handle handle = rig.handler.last;
  Peer second = rig.open();
  rig.handler.message = [handle](Connection&, Message message) {
    CHECK(handle.get()->send(message) == SendResult::sent);
  };
  second.send(text("to the other one"));
  CHECK(rig.frame(first) == Received{text_frame, "to the other one"});
  CHECK(handle.get()->send_text("from outside") == SendResult::sent);
  CHECK(rig.frame(first) == Received{text_frame, "from outside"});
}

TEST_CASE("a ping's payload is cut at 125 bytes (§5.5)") {
  ServerRig rig;
  Peer peer = rig.open();
  CHECK(rig.connection().ping(as_bytes(payload_of(126))) == SendResult::sent);
  CHECK(rig.frame(peer) == Received{ping, payload_of(125)});
}

// ── Peers that don't read ────────────────────────────────────────────────────────────────────

TEST_CASE("a peer that sends and never reads: bounded memory, and others are served") {
  ServerRig rig({.limits = without_timers()});
  Peer flooder = rig.open();
  const Handle flooded = rig.handler.last;
  Peer other = rig.open();
  const std::string message = frame_of(binary, payload_of(100'000));
  std::string unsent;
  std::size_t messages = 0;
  // Until neither the kernel takes more of it nor the server.
  for (int quiet = 0; quiet < 20;) {
    if (unsent.empty()) {
      unsent = message;
      ++messages;
    }
    const std::size_t sent = flooder.try_send(unsent);
    unsent.erase(0, sent);
    quiet = sent > 0 ? 0 : quiet + 1;
    rig.settle();
  }
  // The echo of one message, of which the kernel took a part.
  CHECK(flooded.get()->buffered_bytes() > 0);
  CHECK(flooded.get()->buffered_bytes() < 2 * 100'100);
  other.send(text("still there?"));
  CHECK(rig.frame(other) == Received{text_frame, "still there?"});

  // When it does read, everything comes, and in order.
  send_all(rig, flooder, unsent);
  for (std::size_t i = 0; i < messages; ++i) {
    REQUIRE((rig.frame(flooder) == Received{binary, payload_of(100'000)}));
  }
}

TEST_CASE("a flood of pings from a peer that doesn't read leaves one pong waiting, the newest") {
  ServerRig rig({.limits = without_timers()});
  Peer peer = rig.open(4096);
  fill(rig, peer);
  const std::size_t before = rig.connection().buffered_bytes();
  std::string flood;
  for (int i = 0; i < 10'000; ++i) flood += frame_of(ping, std::to_string(i));
  std::string_view unsent = flood;
  REQUIRE(rig.until([&] {
    unsent.remove_prefix(peer.try_send(unsent));
    return unsent.empty();
  }));
  rig.settle();
  CHECK(rig.handler.count("ping") == 10'000);
  CHECK(rig.connection().buffered_bytes() <= before + 2 + 4);

  Received received{};
  do {
    received = rig.frame(peer);
  } while (received.opcode == binary);
  CHECK(received == Received{pong, "9999"});
  rig.settle();
  peer.receive();
  CHECK(peer.input().empty());
}

// ── Pauses ───────────────────────────────────────────────────────────────────────────────────

TEST_CASE("a pause in the middle of a batch keeps the rest of it, in order") {
  ServerRig rig;
  Peer peer = rig.open();
  rig.handler.message = [](Connection& connection, Message message) {
    if (message.text() == "2" || message.text() == "4") connection.pause();
  };
  peer.send(text("1") + text("2") + text("3") + text("4") + text("5"));
  rig.settle();
  CHECK(rig.handler.all() == "upgrade, open, text 1, text 2");
  peer.send(text("6"));
  rig.settle();
  CHECK(rig.handler.all() == "upgrade, open, text 1, text 2");
  rig.connection().resume();
  rig.settle();
  CHECK(rig.handler.all() == "upgrade, open, text 1, text 2, text 3, text 4");
  rig.connection().resume();
  rig.settle();
  CHECK(rig.handler.all() == "upgrade, open, text 1, text 2, text 3, text 4, text 5, text 6");
}

TEST_CASE("a pause in on_open holds the frames of the handshake's segment") {
  ServerRig rig;
  rig.handler.open = [](Connection& connection) { connection.pause(); };
  Peer peer = rig.connect();
  peer.send(test::upgrade_request() + text("early"));
  CHECK(rig.head(peer).starts_with("HTTP/1.1 101 "));
  rig.settle();
  CHECK(!rig.handler.has("text"));
  rig.connection().resume();
  CHECK(rig.frame(peer) == Received{text_frame, "early"});
}

TEST_CASE("a connection may be resumed in another one's callback") {
  ServerRig rig;
  Peer held = rig.open();
  const Handle handle = rig.handler.last;
  rig.handler.message = [handle](Connection& connection, Message message) {
    if (message.text() == "hold") connection.pause();
    if (message.text() == "release") handle.get()->resume();
    if (message.text() == "held") connection.send(message);
  };
  held.send(text("hold") + text("held"));
  rig.settle();
  Peer other = rig.open();
  other.send(text("release"));
  CHECK(rig.frame(held) == Received{text_frame, "held"});
}

TEST_CASE("a pause within a large message: it comes whole after resume, and the next after it") {
  ServerRig rig;
  Peer peer = rig.open();
  const std::string payload = payload_of(200'000);
  const std::string bytes = frame_of(binary, payload) + text("after");
  peer.send(std::string_view(bytes).substr(0, 100'000));
  rig.settle();
  rig.connection().pause();
  peer.send(std::string_view(bytes).substr(100'000));
  rig.settle();
  CHECK(rig.handler.all() == "upgrade, open");
  rig.connection().resume();
  CHECK((rig.frame(peer) == Received{binary, payload}));
  CHECK(rig.frame(peer) == Received{text_frame, "after"});
}

TEST_CASE("pause and resume in one callback change nothing") {
  ServerRig rig;
  rig.handler.message = [](Connection& connection, Message message) {
    connection.pause();
    connection.resume();
    connection.send(message);
  };
  Peer peer = rig.open();
  peer.send(text("1") + text("2"));
  CHECK(rig.frame(peer) == Received{text_frame, "1"});
  CHECK(rig.frame(peer) == Received{text_frame, "2"});
  peer.send(text("3"));
  CHECK(rig.frame(peer) == Received{text_frame, "3"});
}

TEST_CASE("a peer that leaves during a pause: what it sent is delivered before on_close") {
  ServerRig rig;
  Peer peer = rig.open();
  rig.handler.message = [](Connection& connection, Message message) {
    if (message.text() == "1") connection.pause();
  };
  peer.send(text("1") + text("2"));
  rig.settle();
  peer.send(text("3"));
  peer.finish();
  rig.settle();
  CHECK(rig.handler.all() == "upgrade, open, text 1");
  rig.connection().resume();
  rig.settle();
  CHECK(rig.handler.all() == "upgrade, open, text 1, text 2, text 3, close 1006  unclean");
}

TEST_CASE("close ends a pause, for the peer's answer has to be read") {
  ServerRig rig;
  Peer peer = rig.open();
  rig.connection().pause();
  rig.connection().close(1000, "bye");
  CHECK(rig.frame(peer) == Received{close_frame, close_payload(1000, "bye")});
  peer.send(close_with(1000));
  CHECK(rig.rest(peer).empty());
  rig.settle();
  CHECK(rig.handler.events.back() == "close 1000  clean");
}

TEST_CASE("a pause after the end of a connection doesn't keep it") {
  ServerRig rig;
  Peer peer = rig.open();
  Connection& connection = rig.connection();
  peer.send(text("\xff"));  // breaks §8.1
  CHECK(rig.frame(peer).opcode == close_frame);
  connection.pause();  // lingers: the peer's FIN is still to come
  peer.close();
  rig.settle();
  CHECK(rig.server.connection_count() == 0);
}

// ── The closing handshake (§7) ───────────────────────────────────────────────────────────────

TEST_CASE("§5.5.1: a Close frame is answered with its own code, and TCP ends with FIN") {
  ServerRig rig;
  Peer peer = rig.open();
  peer.send(close_with(4000, "enough"));
  CHECK(rig.frame(peer) == Received{close_frame, close_payload(4000)});
  CHECK(rig.rest(peer).empty());
  CHECK(rig.handler.all() == "upgrade, open, close 4000 enough clean");
  rig.settle();
  CHECK(rig.server.connection_count() == 0);
}

TEST_CASE("§7.1.5: a Close frame without a code is reported as 1005 and answered without one") {
  ServerRig rig;
  Peer peer = rig.open();
  peer.send(frame_of(close_frame, ""));
  CHECK(rig.frame(peer) == Received{close_frame, ""});
  CHECK(rig.rest(peer).empty());
  CHECK(rig.handler.all() == "upgrade, open, close 1005  clean");
}

TEST_CASE("§7.1.2: our Close frame goes out with code and reason, and the peer's ends it") {
  ServerRig rig;
  Peer peer = rig.open();
  rig.connection().close(3000, "see you");
  CHECK(rig.frame(peer) == Received{close_frame, close_payload(3000, "see you")});
  rig.settle();
  CHECK(rig.handler.all() == "upgrade, open");  // not over yet
  peer.send(close_with(3000, "likewise"));
  CHECK(rig.rest(peer).empty());
  CHECK(rig.handler.all() == "upgrade, open, close 3000 likewise clean");
}

TEST_CASE("close with code 1005 sends none") {
  ServerRig rig;
  Peer peer = rig.open();
  rig.connection().close(close_code::none_received);
  CHECK(rig.frame(peer) == Received{close_frame, ""});
}

TEST_CASE("a second close is nothing") {
  ServerRig rig;
  Peer peer = rig.open();
  rig.connection().close(3000);
  rig.connection().close(3001);
  CHECK(rig.frame(peer) == Received{close_frame, close_payload(3000)});
  rig.settle();
  peer.receive();
  CHECK(peer.input().empty());
}

TEST_CASE("messages that were on their way when we closed are delivered, and pings unanswered") {
  ServerRig rig;
  Peer peer = rig.open();
  rig.connection().close();
  peer.send(text("crossing") + frame_of(ping, "p") + close_with(1000));
  CHECK(rig.frame(peer) == Received{close_frame, close_payload(1000)});
  CHECK(rig.rest(peer).empty());
  CHECK(rig.handler.all() == "upgrade, open, text crossing, ping p, close 1000  clean");
}

TEST_CASE("§5.5.1: what follows the peer's Close frame is nothing") {
  ServerRig rig;
  Peer peer = rig.open();
  peer.send(close_with(1000) + text("too late") + std::string(100'000, 'x'));
  CHECK(rig.frame(peer) == Received{close_frame, close_payload(1000)});
  CHECK(rig.rest(peer).empty());
  CHECK(rig.handler.all() == "upgrade, open, close 1000  clean");
}

TEST_CASE("§5.5.2: a pong on its way behind the peer's Close frame doesn't turn our FIN into RST") {
  ServerRig rig;
  Peer peer = rig.open();
  rig.connection().ping();
  // It arrives when the Close frame has been read, and nobody would read it any more.
  rig.handler.close = [&](Connection&, Handler::Closed) { peer.send(frame_of(pong, "")); };
  peer.send(close_with(1000));
  CHECK(rig.frame(peer) == Received{ping, ""});
  CHECK(rig.frame(peer) == Received{close_frame, close_payload(1000)});
  CHECK(rig.rest(peer).empty());
  peer.finish();
  rig.settle();
  CHECK(rig.server.connection_count() == 0);
}

TEST_CASE("a Close frame and FIN in one go: the answer still goes out") {
  ServerRig rig;
  Peer peer = rig.open();
  peer.send(close_with(1000));
  peer.finish();
  CHECK(rig.frame(peer) == Received{close_frame, close_payload(1000)});
  CHECK(rig.rest(peer).empty());
  rig.settle();
  CHECK(rig.handler.all() == "upgrade, open, close 1000  clean");
  CHECK(rig.server.connection_count() == 0);
}

TEST_CASE("a peer that doesn't answer our Close frame is dropped after close_timeout_ms") {
  ServerRig rig({.limits = {.close_timeout_ms = 5000}});
  Peer peer = rig.open();
  rig.connection().close();
  rig.pass(4900);
  CHECK(rig.handler.all() == "upgrade, open");
  rig.pass(200);
  CHECK(rig.handler.all() == "upgrade, open, close 1006  unclean");
  CHECK(rig.server.connection_count() == 0);
}

TEST_CASE("a peer that answers our Close frame with messages is dropped all the same") {
  ServerRig rig({.limits = {.close_timeout_ms = 5000}});
  Peer peer = rig.open();
  rig.connection().close();
  for (int i = 0; i < 51; ++i) {
    peer.try_send(text("not yet"));
    rig.pass(100);
  }
  CHECK(rig.handler.events.back() == "close 1006  unclean");
  CHECK(rig.server.connection_count() == 0);
}

TEST_CASE("a peer that answers our Close frame with FIN: 1006") {
  ServerRig rig;
  Peer peer = rig.open();
  rig.connection().close(3000);
  rig.settle();
  peer.finish();
  CHECK(rig.frame(peer) == Received{close_frame, close_payload(3000)});
  CHECK(rig.rest(peer).empty());
  CHECK(rig.handler.all() == "upgrade, open, close 1006  unclean");
}

TEST_CASE("close lets go out first what was sent before") {
  ServerRig rig;
  Peer peer = rig.open();
  const int messages = fill(rig, peer);
  rig.connection().close(1000);
  rig.settle();
  for (int i = 0; i < messages; ++i) REQUIRE(rig.frame(peer).opcode == binary);
  CHECK(rig.frame(peer) == Received{close_frame, close_payload(1000)});
  CHECK(!rig.handler.has("drain"));
}

TEST_CASE("abort ends TCP without a word, and on_close comes after the callback") {
  ServerRig rig;
  Peer peer = rig.open();
  rig.handler.message = [&](Connection& connection, Message message) {
    connection.send(message);
    connection.abort();
    CHECK(!rig.handler.has("close"));
    CHECK(connection.send_text("late") == SendResult::closing);
    CHECK(connection.buffered_bytes() == 0);
    CHECK(connection.peer().kind() == net::Address::Kind::none);
  };
  peer.send(text("1") + text("2"));
  REQUIRE(rig.until([&] { return peer.receive(), peer.ended(); }));
  CHECK(peer.input().empty());
  rig.settle();
  CHECK(rig.handler.all() == "upgrade, open, text 1, close 1006  unclean");
}

TEST_CASE("§5.5.1: nothing is sent after a Close frame, not even what on_close sends") {
  ServerRig rig;
  std::vector<SendResult> results;
  rig.handler.close = [&](Connection& connection, Closed) {
    results.push_back(connection.send_text("one more thing"));
    results.push_back(connection.ping());
    connection.close(3000);
  };
  SUBCASE("that answers the peer's") {
    Peer peer = rig.open();
    peer.send(close_with(1000));
    CHECK(rig.frame(peer) == Received{close_frame, close_payload(1000)});
    CHECK(rig.rest(peer).empty());
  }
  SUBCASE("that names a broken rule") {
    Peer peer = rig.open();
    peer.send(std::string(100, '\xff'));
    CHECK(rig.frame(peer).opcode == close_frame);
    CHECK(rig.rest(peer).empty());
  }
  SUBCASE("that never came, as TCP ended before") {
    Peer peer = rig.open();
    peer.finish();
    CHECK(rig.rest(peer).empty());
  }
  rig.settle();
  CHECK(results == std::vector{SendResult::closing, SendResult::closing});
  CHECK(rig.handler.count("close") == 1);
}

// ── Broken rules (§7.1.7) ────────────────────────────────────────────────────────────────────

TEST_CASE("§7.1.7: a broken rule is named in a Close frame, and nothing after it is delivered") {
  struct Row {
    std::string bytes;
    Error error;
  };
  const Row rows[] = {
      {std::string("\xc1\x80\0\0\0\0", 6), Error::reserved_bit_set},
      {std::string("\x83\x80\0\0\0\0", 6), Error::reserved_opcode},
      {std::string("\x81\x01x"), Error::frame_not_masked},
      {frame_of(ping, std::string(126, 'x')), Error::control_frame_too_long},
      {frame_of(test::continuation_frame, "x"), Error::continuation_without_message},
      {frame_of(text_frame, "a", false) + text("b"), Error::message_interrupted},
      {text("\xff"), Error::text_not_utf8},
      {frame_of(close_frame, "x"), Error::close_payload_of_one_byte},
      {close_with(1006), Error::close_code_invalid},
      {close_with(1000, "\xff"), Error::close_reason_not_utf8},
      {frame_of(binary, std::string(1001, 'x')), Error::message_too_big},
  };
  for (const Row& row : rows) {
    for (const std::string_view manner : {"silent", "sending", "leaving"}) {
      const ErrorInfo& rule = info(row.error);
      CAPTURE(rule.name);
      CAPTURE(manner);
      ServerRig rig({.limits = {.message_bytes = 1000}});
      Peer peer = rig.open();
      peer.send(text("fine") + row.bytes + text("not to be seen"));
      if (manner == "leaving") peer.finish();
      // A peer that goes on sending must not be answered with RST: that would make its kernel
      // forget the Close frame.
      if (manner == "sending") {
        for (int i = 0; i < 20; ++i) {
          peer.try_send(std::string(10'000, 'x'));
          rig.settle();
        }
      }
      CHECK(rig.frame(peer) == Received{text_frame, "fine"});
      CHECK(rig.frame(peer) == Received{close_frame, close_payload(rule.close_code, rule.text)});
      CHECK(rig.rest(peer).empty());
      CHECK(rig.handler.all() == "upgrade, open, text fine, close " +
                                     std::to_string(rule.close_code) + " " +
                                     std::string(rule.text) + " unclean");
      peer.close();
      rig.settle();
      CHECK(rig.server.connection_count() == 0);
    }
  }
}

TEST_CASE("a peer that breaks a rule and never leaves is dropped after close_timeout_ms") {
  ServerRig rig({.limits = {.close_timeout_ms = 5000}});
  Peer peer = rig.open();
  peer.send(text("\xff"));
  rig.settle();
  rig.pass(4900);
  CHECK(rig.server.connection_count() == 1);
  for (int i = 0; i < 20; ++i) {
    peer.try_send("noise");
    rig.pass(10);
  }
  CHECK(rig.server.connection_count() == 0);
}

TEST_CASE("a broken rule within a large message, received in place") {
  ServerRig rig;
  Peer peer = rig.open();
  std::string payload(200'000, 'x');
  payload[150'000] = '\xff';
  const std::string bytes = text(payload);
  for (std::size_t i = 0; i < bytes.size(); i += 50'000) {
    peer.try_send(std::string_view(bytes).substr(i, 50'000));
    rig.settle();
  }
  CHECK(rig.frame(peer) ==
        Received{close_frame, close_payload(1007, info(Error::text_not_utf8).text)});
  CHECK(rig.rest(peer).empty());
}

// ── Half-closed and lost connections ─────────────────────────────────────────────────────────

TEST_CASE("messages and FIN in one go: the answers still go out") {
  ServerRig rig;
  Peer peer = rig.open();
  peer.send(text("1") + text("2"));
  peer.finish();
  CHECK(rig.frame(peer) == Received{text_frame, "1"});
  CHECK(rig.frame(peer) == Received{text_frame, "2"});
  CHECK(rig.rest(peer).empty());
  rig.settle();
  CHECK(rig.handler.all() == "upgrade, open, text 1, text 2, close 1006  unclean");
  CHECK(rig.server.connection_count() == 0);
}

TEST_CASE("FIN from a peer with much still to read: all of it goes out") {
  ServerRig rig;
  Peer peer = rig.open();
  const int messages = fill(rig, peer);
  peer.finish();
  rig.settle();
  CHECK(rig.handler.events.back() == "close 1006  unclean");
  for (int i = 0; i < messages; ++i) REQUIRE(rig.frame(peer).opcode == binary);
  CHECK(rig.rest(peer).empty());
  rig.settle();
  CHECK(rig.server.connection_count() == 0);
}

TEST_CASE("FIN from a peer that reads no more: dropped after close_timeout_ms") {
  ServerRig rig({.limits = {.close_timeout_ms = 5000}});
  Peer peer = rig.open();
  fill(rig, peer);
  peer.finish();
  rig.settle();
  rig.pass(4900);
  CHECK(rig.server.connection_count() == 1);
  rig.pass(200);
  CHECK(rig.server.connection_count() == 0);
  CHECK(rig.handler.count("close") == 1);
}

TEST_CASE("RST in every state: the connection goes, and on_close comes once after on_open") {
  ServerRig rig;
  rig.handler.drain = nullptr;
  const auto check = [&rig](Peer& peer) {
    peer.reset();
    rig.settle();
    CHECK(rig.server.connection_count() == 0);
    CHECK(rig.handler.count("open") == rig.handler.count("close"));
  };
  SUBCASE("before the first byte") {
    Peer peer = rig.connect();
    rig.settle();
    check(peer);
  }
  SUBCASE("within the request") {
    Peer peer = rig.connect();
    peer.send("GET / HT");
    rig.settle();
    check(peer);
  }
  SUBCASE("open") {
    Peer peer = rig.open();
    check(peer);
  }
  SUBCASE("within a message") {
    Peer peer = rig.open();
    peer.send(text(std::string(100'000, 'x')).substr(0, 50'000));
    rig.settle();
    check(peer);
  }
  SUBCASE("with answers under way") {
    Peer peer = rig.open();
    peer.send(text("1"));
    check(peer);
  }
  SUBCASE("blocked") {
    Peer peer = rig.open();
    fill(rig, peer);
    check(peer);
  }
  SUBCASE("paused and blocked") {
    Peer peer = rig.open();
    fill(rig, peer);
    rig.connection().pause();
    check(peer);
  }
  SUBCASE("closing") {
    Peer peer = rig.open();
    rig.connection().close();
    rig.settle();
    check(peer);
  }
  SUBCASE("lingering") {
    Peer peer = rig.open();
    peer.send(text("\xff"));
    rig.settle();
    check(peer);
  }
  SUBCASE("closing when written") {
    Peer peer = rig.open();
    fill(rig, peer);
    peer.finish();
    rig.settle();
    check(peer);
  }
  SUBCASE("paused") {
    Peer peer = rig.open();
    rig.connection().pause();
    check(peer);
  }
}

// ── Time ─────────────────────────────────────────────────────────────────────────────────────

TEST_CASE("a ping goes out after every ping_interval_ms of silence, and pongs keep it alive") {
  ServerRig rig({.limits = {.ping_interval_ms = 30'000, .idle_timeout_ms = 120'000}});
  Peer peer = rig.open();
  // Proxies drop what is silent for a minute: there must not be less than one in 30 seconds.
  for (int i = 0; i < 20; ++i) {
    CAPTURE(i);
    rig.pass(29'900);
    peer.receive();
    CHECK(peer.input().empty());
    rig.pass(200);
    CHECK(rig.frame(peer) == Received{ping, ""});
    peer.send(frame_of(pong, ""));
    rig.settle();
  }
  CHECK(rig.handler.count("pong") == 20);
  CHECK(!rig.handler.has("close"));
}

TEST_CASE("whatever the peer sends counts against silence") {
  ServerRig rig({.limits = {.ping_interval_ms = 30'000, .idle_timeout_ms = 60'000}});
  Peer peer = rig.open();
  for (int i = 0; i < 10; ++i) {
    rig.pass(29'000);
    peer.send(text("x"));
    CHECK(rig.frame(peer) == Received{text_frame, "x"});
  }
}

TEST_CASE("a peer that is silent for idle_timeout_ms counts as gone: 1011") {
  ServerRig rig({.limits = {.ping_interval_ms = 30'000, .idle_timeout_ms = 120'000}});
  Peer peer = rig.open();
  rig.pass(119'900);
  CHECK(!rig.handler.has("close"));
  rig.pass(200);
  CHECK(rig.frame(peer) == Received{ping, ""});
  const std::string_view why = info(Error::idle_timeout).text;
  CHECK(rig.frame(peer) == Received{close_frame, close_payload(1011, why)});
  CHECK(rig.handler.events.back() == "close 1011 " + std::string(why) + " unclean");
  rig.pass(5100);
  CHECK(rig.server.connection_count() == 0);
}

TEST_CASE("idle_timeout_ms without pings, and pings without idle_timeout_ms") {
  SUBCASE("no pings") {
    ServerRig rig({.limits = {.ping_interval_ms = 0, .idle_timeout_ms = 10'000}});
    Peer peer = rig.open();
    rig.pass(9'900);
    CHECK(!rig.handler.has("close"));
    rig.pass(200);
    CHECK(rig.frame(peer).opcode == close_frame);
  }
  SUBCASE("pings that could only come after the end") {
    ServerRig rig({.limits = {.ping_interval_ms = 20'000, .idle_timeout_ms = 10'000}});
    Peer peer = rig.open();
    rig.pass(10'100);
    CHECK(rig.frame(peer).opcode == close_frame);
  }
  SUBCASE("no end") {
    ServerRig rig({.limits = {.ping_interval_ms = 10'000, .idle_timeout_ms = 0}});
    Peer peer = rig.open();
    rig.pass(60'000);
    CHECK(!rig.handler.has("close"));
    CHECK(rig.frame(peer) == Received{ping, ""});
  }
  SUBCASE("neither") {
    ServerRig rig({.limits = without_timers()});
    Peer peer = rig.open();
    rig.leap(1'000'000'000);
    peer.receive();
    CHECK(peer.input().empty());
    CHECK(rig.loop.wait_ms() == -1);
  }
}

TEST_CASE("a late loop reads what is pending before it declares a peer gone") {
  ServerRig rig({.limits = {.ping_interval_ms = 30'000, .idle_timeout_ms = 120'000}});
  Peer peer = rig.open();
  rig.pass(30'100);
  CHECK(rig.frame(peer) == Received{ping, ""});
  peer.send(frame_of(pong, ""));
  rig.leap(1'000'000);  // the pong has been there all the time
  CHECK(rig.handler.has("pong"));
  CHECK(!rig.handler.has("close"));
}

TEST_CASE(
    "a late loop with more events than one turn takes: nobody is gone whose answer is there") {
  ServerRig rig({.limits = {.ping_interval_ms = 30'000, .idle_timeout_ms = 120'000}});
  std::vector<Peer> peers;
  for (int i = 0; i < 600; ++i) peers.push_back(rig.open());
  rig.pass(31'000);
  for (Peer& peer : peers) {
    CHECK(rig.frame(peer) == Received{ping, ""});
    peer.send(frame_of(pong, ""));
  }
  rig.leap(1'000'000);
  CHECK(rig.handler.count("pong") == 600);
  CHECK(!rig.handler.has("close"));
}

TEST_CASE("a late loop asks a peer before it declares it gone") {
  ServerRig rig({.limits = {.ping_interval_ms = 30'000, .idle_timeout_ms = 120'000}});
  Peer peer = rig.open();
  rig.leap(1'000'000);  // nobody sent a ping meanwhile, so that the silence says nothing
  CHECK(!rig.handler.has("close"));
  CHECK(rig.frame(peer) == Received{ping, ""});
  SUBCASE("it answers") {
    peer.send(frame_of(pong, ""));
    rig.pass(119'000);
    CHECK(!rig.handler.has("close"));
  }
  SUBCASE("it doesn't") {
    rig.pass(90'200);
    CHECK(rig.handler.has("close 1011"));
  }
}

TEST_CASE("silence during a pause is ours, not the peer's") {
  ServerRig rig({.limits = {.ping_interval_ms = 30'000, .idle_timeout_ms = 120'000}});
  Peer peer = rig.open();
  rig.connection().pause();
  rig.pass(600'000);
  CHECK(!rig.handler.has("close"));
  rig.connection().resume();
  rig.pass(29'000);
  CHECK(!rig.handler.has("close"));
  peer.send(text("x"));
  rig.settle();
  CHECK(rig.handler.events.back() == "text x");
}

TEST_CASE("a peer that doesn't read counts as gone after idle_timeout_ms") {
  ServerRig rig({.limits = {.idle_timeout_ms = 120'000, .close_timeout_ms = 5'000}});
  Peer peer = rig.open();
  fill(rig, peer);
  SUBCASE("nothing of it is read by us either") {
    rig.connection().pause();
  }
  SUBCASE("we listen") {}
  rig.pass(119'000);
  CHECK(!rig.handler.has("close"));
  rig.pass(2'000);
  CHECK(rig.handler.has("close 1011"));
  rig.pass(5'100);
  CHECK(rig.server.connection_count() == 0);
}

TEST_CASE("a peer that reads slowly isn't silent") {
  ServerRig rig({.limits = {.ping_interval_ms = 0, .idle_timeout_ms = 10'000}});
  Peer peer = rig.open();
  const int messages = fill(rig, peer);
  for (int i = 0; i < messages; ++i) {
    REQUIRE(rig.frame(peer).opcode == binary);
    rig.pass(2'000);
    if (rig.connection().buffered_bytes() == 0) break;
  }
  CHECK(!rig.handler.has("close"));
}

TEST_CASE("our ping is answered: on_pong with its payload") {
  ServerRig rig;
  Peer peer = rig.open();
  rig.connection().ping(as_bytes("are you there"));
  CHECK(rig.frame(peer) == Received{ping, "are you there"});
  peer.send(frame_of(pong, "are you there"));
  rig.settle();
  CHECK(rig.handler.events.back() == "pong are you there");
}

TEST_CASE("§5.5.2: a ping is answered with a pong that carries the same payload") {
  ServerRig rig;
  Peer peer = rig.open();
  for (const std::size_t size : {0, 1, 125}) {
    peer.send(frame_of(ping, payload_of(size)));
    CHECK(rig.frame(peer) == Received{pong, payload_of(size)});
  }
  CHECK(rig.handler.count("ping") == 3);
}

}  // namespace sockeye::ws
