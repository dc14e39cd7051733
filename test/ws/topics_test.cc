// Topics: who gets what, when, in what order, and in how many calls of the system.
//
// SPDX-License-Identifier: MIT
#include "ws/topics.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "test/support/failing_malloc.h"
#include "test/support/server_rig.h"
#include "test/support/system_calls.h"
#include "ws/client.h"
#include "ws/server_group.h"

namespace sockeye::ws {
namespace {

using test::MallocWatch;
using test::Peer;
using test::Received;
using test::ServerRig;
using test::SystemCalls;
using test::text_frame;

// A server whose peers say what they want: "+news" subscribes, "-news" unsubscribes, and
// "news:Hello" publishes to all others.
struct Rig : ServerRig {
  explicit Rig(Options options = {}) : ServerRig(std::move(options)) {
    handler.message = [](Connection& connection, Message message) {
      const std::string text(message.text());
      const std::size_t colon = text.find(':');
      if (text[0] == '+') {
        connection.subscribe(text.substr(1));
      } else if (text[0] == '-') {
        connection.unsubscribe(text.substr(1));
      } else {
        std::string payload = text.substr(colon + 1);
        const MutableBytes bytes(reinterpret_cast<std::uint8_t*>(payload.data()), payload.size());
        connection.publish(text.substr(0, colon), Message(message.opcode(), bytes));
      }
    };
  }

  Topics& topics() { return server.topics(); }
  void publish(std::string_view topic, std::string_view text) {
    CHECK(topics().publish(topic, Opcode::text, as_bytes(text)));
  }
  void say(Peer& peer, std::string_view text) {
    peer.send(test::text(text));
    settle();
  }
  Peer subscriber(std::string_view topic) {
    Peer peer = open();
    say(peer, "+" + std::string(topic));
    return peer;
  }
  // All that has come to `peer` by now.
  std::string got(Peer& peer) {
    settle();
    peer.receive();
    std::string all;
    while (const auto frame = peer.take_frame()) {
      CHECK(frame->opcode == text_frame);
      all += frame->payload + " ";
    }
    return all;
  }
};

TEST_CASE("Topics: what is published reaches the subscribers of that topic, and nobody else") {
  Rig rig;
  Peer one = rig.subscriber("news");
  Peer two = rig.subscriber("news");
  Peer other = rig.subscriber("weather");
  Peer none = rig.open();
  rig.publish("news", "Hello");
  CHECK(rig.got(one) == "Hello ");
  CHECK(rig.got(two) == "Hello ");
  CHECK(rig.got(other).empty());
  CHECK(rig.got(none).empty());
  rig.publish("nobody's", "lost");
  rig.say(one, "-news");
  rig.publish("news", "again");
  CHECK(rig.got(one).empty());
  CHECK(rig.got(two) == "again ");
  CHECK(rig.topics().size() == 2);
  rig.say(two, "-news");
  CHECK(rig.topics().size() == 1);
}

TEST_CASE("Topics: the publisher is left out") {
  Rig rig;
  Peer one = rig.subscriber("news");
  Peer two = rig.subscriber("news");
  rig.say(one, "news:mine");
  CHECK(rig.got(one).empty());
  CHECK(rig.got(two) == "mine ");
  // Also where others' come in the same turn, and where it has more than one topic.
  rig.say(one, "+weather");
  rig.publish("news", "a");
  one.send(test::text("news:b") + test::text("weather:c") + test::text("news:d"));
  rig.loop.turn(-1);
  rig.publish("weather", "e");
  CHECK(rig.got(one) == "a e ");
  CHECK(rig.got(two) == "a b d ");
}

TEST_CASE("Topics: a second subscription is none, and a name may have any bytes") {
  Rig rig;
  Peer peer = rig.open();
  Connection& connection = rig.connection();
  const std::string name("\0\xff topic", 8);
  CHECK(connection.subscribe(name));
  CHECK(!connection.subscribe(name));
  CHECK(connection.subscribe(""));
  CHECK(connection.subscribe(std::string(Topics::max_name_bytes, 'x')));
  CHECK(!connection.subscribe(std::string(Topics::max_name_bytes + 1, 'x')));
  CHECK(!rig.topics().publish(std::string(Topics::max_name_bytes + 1, 'x'), Opcode::text, {}));
  CHECK(rig.topics().is_subscribed(connection, name));
  CHECK(!rig.topics().is_subscribed(connection, name.substr(1)));
  CHECK(rig.topics().subscriber_count(name) == 1);
  rig.publish(name, "once");
  rig.publish("", "nameless");
  CHECK(rig.got(peer) == "once nameless ");
  CHECK(connection.unsubscribe(name));
  CHECK(!connection.unsubscribe(name));
  CHECK(rig.topics().subscriber_count(name) == 0);
}

TEST_CASE("Topics: all that a turn has published goes to each subscriber in one send, in order") {
  Rig rig;
  Peer one = rig.subscriber("a");
  Peer both = rig.subscriber("a");
  rig.say(both, "+b");
  Peer other = rig.subscriber("b");
  SystemCalls calls;
  for (const char* text : {"1", "2", "3"}) rig.publish("a", text);
  rig.publish("b", "4");
  rig.publish("a", "5");
  rig.publish("b", "6");
  CHECK(calls.sends() == 0);
  rig.settle();
  CHECK(calls.sends() == 3);
  CHECK(rig.got(one) == "1 2 3 5 ");
  CHECK(rig.got(both) == "1 2 3 4 5 6 ");
  CHECK(rig.got(other) == "4 6 ");
}

TEST_CASE("Topics: large messages go out from where they lie, in order with small ones") {
  Rig rig;
  Peer one = rig.subscriber("a");
  Peer both = rig.subscriber("a");
  rig.say(both, "+b");
  const std::string large(100'000, 'x');
  const std::string larger(20'000, 'y');
  rig.publish("a", "first");
  rig.publish("a", large);
  rig.publish("b", larger);
  rig.publish("a", "last");
  CHECK(rig.got(one) == "first " + large + " last ");
  CHECK(rig.got(both) == "first " + large + " " + larger + " last ");
  rig.publish("a", large);
  CHECK(rig.got(one) == large + " ");
}

TEST_CASE("Topics: who subscribes gets what is published from then on") {
  Rig rig;
  Peer old = rig.subscriber("a");
  Peer fresh = rig.open();
  Connection& connection = rig.connection();
  rig.publish("a", "before");
  CHECK(connection.subscribe("a"));
  rig.publish("a", "after");
  CHECK(rig.topics().subscriber_count("a") == 2);
  CHECK(rig.got(old) == "before after ");
  CHECK(rig.got(fresh) == "after ");
  // One that changes its mind before the turn is over has never been there.
  rig.publish("b", "");
  CHECK(connection.subscribe("c"));
  rig.publish("a", "x");
  CHECK(connection.subscribe("b"));
  CHECK(connection.unsubscribe("b"));
  rig.publish("b", "not for it");
  CHECK(rig.topics().size() == 2);
  CHECK(rig.got(fresh) == "x ");
}

TEST_CASE("Topics: a connection that closes has no subscriptions left, whenever it closes") {
  Rig rig;
  Peer stays = rig.subscriber("a");
  for (const bool at_once : {false, true}) {
    Peer goes = rig.subscriber("a");
    rig.say(goes, "+b");
    Connection& connection = rig.connection();
    CHECK(rig.topics().size() == 2);
    rig.publish("a", "x");
    if (at_once) {
      connection.abort();
    } else {
      goes.send(test::close_with(1000));
    }
    rig.publish("b", "y");
    rig.settle();
    CHECK(rig.topics().size() == 1);
    CHECK(rig.topics().subscriber_count("a") == 1);
    CHECK(rig.got(stays) == "x ");
  }
  // Before it has become a member.
  Peer goes = rig.open();
  rig.publish("a", "x");
  CHECK(rig.connection().subscribe("a"));
  CHECK(rig.connection().subscribe("c"));
  rig.connection().abort();
  CHECK(rig.got(stays) == "x ");
  CHECK(rig.topics().size() == 1);
  CHECK(rig.topics().subscriber_count("a") == 1);
}

TEST_CASE("Topics: what a handler publishes when a connection closes reaches the others") {
  Rig rig;
  Peer stays = rig.subscriber("a");
  Peer goes = rig.subscriber("a");
  rig.handler.close = [&](Connection& connection, Closed) {
    CHECK(rig.topics().is_subscribed(connection, "a"));
    rig.publish("a", "it leaves");
    CHECK(!connection.subscribe("b"));
  };
  goes.send(test::close_with(1000));
  CHECK(rig.got(stays) == "it leaves ");
  CHECK(rig.topics().size() == 1);
}

// Publishes messages to "a", one a turn, until `done`; returns how many.
template <typename Done>
std::size_t publish_until(Rig& rig, std::size_t size, Done done) {
  std::size_t count = 0;
  while (!done()) {
    REQUIRE(count < 10'000);
    rig.publish("a", std::to_string(count++) + ":" + std::string(size, 'x'));
    rig.loop.turn(0);
  }
  return count;
}

TEST_CASE(
    "Unbounded output: a slow subscriber misses what is new, is told how much, and no other") {
  for (const std::size_t size : {1000u, 30'000u}) {
    CAPTURE(size);
    Options options;
    options.limits.subscriber_bytes = 100'000;
    Rig rig(options);
    Peer slow = rig.open(4096);
    Connection& connection = rig.connection();
    CHECK(connection.subscribe("a"));
    Peer fast = rig.subscriber("a");
    std::size_t most = 0;
    std::size_t fast_got = 0;
    const auto read_fast = [&] {
      fast.receive();
      while (fast.take_frame()) ++fast_got;
    };
    const std::size_t count = publish_until(rig, size, [&] {
      most = std::max(most, connection.buffered_bytes());
      read_fast();
      return rig.topics().dropped() == 10;
    });
    CHECK(most > 50'000);
    CHECK(most <= 100'000);
    CHECK(rig.topics().dropped(connection) == 10);
    rig.settle();
    read_fast();
    CHECK(fast_got == count);
    // It reads on, and gets what it didn't miss, whole and in order.
    std::size_t next = 0;
    CHECK(rig.until([&] {
      slow.receive();
      while (const auto frame = slow.take_frame()) {
        CHECK(frame->payload == std::to_string(next++) + ":" + std::string(size, 'x'));
      }
      return next + 10 == count;
    }));
    rig.publish("a", "now");
    CHECK(rig.got(slow) == "now ");
  }
}

TEST_CASE("Unbounded output: or it is closed with 1013, once it reads on") {
  Options options;
  options.limits.subscriber_bytes = 100'000;
  options.slow_subscribers = SlowSubscribers::close;
  Rig rig(options);
  Peer slow = rig.open(4096);
  CHECK(rig.connection().subscribe("a"));
  Connection& connection = rig.connection();
  const std::size_t count = publish_until(rig, 30'000, [&] { return !connection.is_open(); });
  CHECK(rig.topics().dropped() == 1);
  std::size_t next = 0;
  CHECK(rig.frame(slow).payload.starts_with("0:"));
  for (next = 1; next + 1 < count; ++next) {
    CHECK(rig.frame(slow).payload.starts_with(std::to_string(next) + ":"));
  }
  const Received close = rig.frame(slow);
  CHECK(close.opcode == test::close_frame);
  CHECK(close.payload.substr(0, 2) == "\x03\xf5");
  CHECK(rig.topics().size() == 1);
  slow.send(test::close_with(1013));
  rig.settle();
  CHECK(rig.topics().size() == 0);
}

TEST_CASE("Topics: many slow subscribers hold one copy of what waits for them") {
  Rig rig;
  std::vector<Peer> slow;
  for (int i = 0; i < 20; ++i) {
    slow.push_back(rig.open(4096));
    CHECK(rig.connection().subscribe("a"));
  }
  const auto held = [&rig] { return rig.loop.pool().budget()->used_bytes(); };
  publish_until(rig, 30'000, [&] {
    std::size_t waiting = 0;
    rig.server.for_each([&](Connection& one) { waiting += one.buffered_bytes() > 300'000; });
    return waiting == slow.size();
  });
  CHECK(held() < 2'000'000);  // of 6 MB that wait
  rig.server.for_each([](Connection& connection) { connection.abort(); });
  rig.settle();
  CHECK(held() == 0);
}

TEST_CASE("Topics: a message without a limit's room is sent where nothing waits") {
  Options options;
  options.limits.subscriber_bytes = 1000;
  Rig rig(options);
  Peer peer = rig.subscriber("a");
  const std::string large(1'000'000, 'x');
  rig.publish("a", large);
  CHECK(rig.frame(peer).payload == large);
}

// RFC 7692 §7.1.1: who keeps no context gets the same bytes as all others of the same window.
TEST_CASE("Topics: with compression, each gets the message as it was agreed") {
  Options options;
  options.compression = Compression{};
  Rig rig(options);
  Peer plain = rig.subscriber("a");
  const auto compressing = [&rig](std::string_view offer) {
    Peer peer = rig.connect();
    peer.send(test::upgrade_request("Sec-WebSocket-Extensions: " + std::string(offer) + "\r\n"));
    CHECK(rig.head(peer).find("permessage-deflate") != std::string::npos);
    CHECK(rig.connection().subscribe("a"));
    return peer;
  };
  std::vector<Peer> alike;
  for (int i = 0; i < 3; ++i) {
    alike.push_back(compressing("permessage-deflate; server_no_context_takeover"));
  }
  Peer small =
      compressing("permessage-deflate; server_no_context_takeover; server_max_window_bits=9");
  Peer context = compressing("permessage-deflate");
  std::string text;
  std::mt19937 random(1);
  while (text.size() < 2000) text += static_cast<char>('a' + random() % 26);
  rig.publish("a", text);
  rig.publish("a", "short");
  rig.publish("a", text);
  CHECK(rig.got(plain) == text + " short " + text + " ");
  const auto raw = [&rig](Peer& peer) {
    rig.settle();
    peer.receive();
    return peer.take_input();
  };
  const std::string first = raw(alike[0]);
  CHECK(first[0] == '\xc1');  // FIN, RSV1, text
  CHECK(first.size() < 2 * text.size());
  CHECK(first.find("\x81\x05short") != std::string::npos);
  CHECK(raw(alike[1]) == first);
  CHECK(raw(alike[2]) == first);
  CHECK(raw(small)[0] == '\xc1');
  CHECK(raw(context).size() < first.size());  // the second is a reference to the first
}

// ── Streams ──────────────────────────────────────────────────────────────────────────────────

struct StreamRig : Rig {
  explicit StreamRig(Options options = {}) : Rig(std::move(options)) {
    handler.request = [this](const http::Request&, Reply& reply) {
      if (!reply.stream(200, "text/event-stream", {{"Cache-Control", "no-store"}})) return;
      stream = reply.connection().handle();
      CHECK(reply.connection().send_raw(as_bytes(":\n\n")) == SendResult::sent);
      CHECK(reply.connection().subscribe("a"));
    };
  }
  Handle stream;
};

TEST_CASE("Streams: a response that goes on gets what is published as it is, and nothing else") {
  StreamRig rig;
  Peer browser = rig.subscriber("a");
  Peer peer = rig.connect();
  peer.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
  const std::string head = rig.head(peer);
  CHECK(head.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(head.find("Content-Type: text/event-stream\r\n") != std::string::npos);
  CHECK(head.find("Connection: close\r\n") != std::string::npos);
  CHECK(head.find("Content-Length") == std::string::npos);
  CHECK(head.find("Transfer-Encoding") == std::string::npos);
  rig.publish("a", "a message");
  CHECK(rig.topics().publish_raw("a", as_bytes("data: Hello\n\n")));
  rig.publish("a", "another");
  CHECK(rig.topics().publish_raw("a", as_bytes("data: again\n\n")));
  rig.settle();
  peer.receive();
  CHECK(peer.take_input() == ":\n\ndata: Hello\n\ndata: again\n\n");
  CHECK(rig.got(browser) == "a message another ");
  // What it sends is nobody's, and doesn't end it.
  peer.send("GET /b HTTP/1.1\r\nHost: x\r\n\r\n" + test::text("frame"));
  rig.settle();
  CHECK(rig.topics().publish_raw("a", as_bytes("data: still\n\n")));
  rig.settle();
  peer.receive();
  CHECK(peer.take_input() == "data: still\n\n");
  REQUIRE(rig.stream.get() != nullptr);
  CHECK(rig.stream.get()->is_stream());
  CHECK(!rig.stream.get()->is_open());
  CHECK(rig.stream.get()->send_text("no frame") == SendResult::closing);
  CHECK(rig.stream.get()->ping() == SendResult::closing);
  CHECK(rig.topics().subscriber_count("a") == 2);
  peer.finish();
  CHECK(rig.rest(peer).empty());
  CHECK(rig.stream.get() == nullptr);
  CHECK(rig.topics().subscriber_count("a") == 1);
}

TEST_CASE("Streams: nothing may be sent, too, and outside of its own events") {
  StreamRig rig;
  Peer peer = rig.connect();
  peer.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
  rig.head(peer);
  CHECK(rig.stream.get()->send_raw({}) == SendResult::sent);
  CHECK(rig.topics().publish_raw("a", {}));
  rig.settle();
  CHECK(rig.stream.get()->send_raw(as_bytes("x")) == SendResult::sent);
  rig.settle();
  peer.receive();
  CHECK(peer.take_input() == ":\n\nx");
}

TEST_CASE("Streams: HEAD gets the head alone, and the connection ends as it says") {
  StreamRig rig;
  Peer peer = rig.connect();
  peer.send("HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n");
  const std::string all = rig.rest(peer);
  CHECK(all.find("Connection: close\r\n") != std::string::npos);
  CHECK(all.ends_with("\r\n\r\n"));
  CHECK(rig.topics().size() == 0);
}

TEST_CASE("Streams: one who doesn't read is dropped when the time for that is over, others stay") {
  StreamRig rig;
  Peer reads = rig.connect();
  reads.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
  rig.head(reads);
  Peer slow = rig.connect(4096);
  slow.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
  rig.settle();
  Connection& connection = *rig.stream.get();
  const std::string event(30'000, 'x');
  for (int i = 0; connection.buffered_bytes() == 0; ++i) {
    REQUIRE(i < 10'000);
    CHECK(rig.topics().publish_raw("a", as_bytes(event)));
    rig.settle();
    reads.receive();
    reads.take_input();
  }
  rig.pass(120'000);
  CHECK(rig.topics().subscriber_count("a") == 2);
  rig.pass(130'000);
  CHECK(rig.topics().subscriber_count("a") == 1);
  reads.receive();
  CHECK(!reads.ended());
}

TEST_CASE("Streams: the server's end is theirs, too") {
  StreamRig rig;
  Peer peer = rig.connect();
  peer.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
  rig.head(peer);
  CHECK(rig.topics().publish_raw("a", as_bytes("data: last\n\n")));
  rig.server.stop();
  CHECK(rig.rest(peer) == ":\n\ndata: last\n\n");
  rig.settle();
  CHECK(rig.server.stopped());
}

// ── Memory ───────────────────────────────────────────────────────────────────────────────────

TEST_CASE("Topics: where memory is short, some get nothing, and none anything else") {
  bool failed = true;
  for (std::size_t failing = 0; failed; ++failing) {
    REQUIRE(failing < 1000);
    Rig rig;
    std::vector<Peer> peers;
    for (int i = 0; i < 3; ++i) peers.push_back(rig.open());
    std::vector<Connection*> connections;
    rig.server.for_each([&](Connection& one) { connections.push_back(&one); });
    MallocWatch watch(failing);
    for (Connection* connection : connections) {
      connection->subscribe("a");
      connection->subscribe("b");
    }
    rig.topics().publish("a", Opcode::text, as_bytes("1"));
    rig.topics().publish("b", Opcode::text, as_bytes("2"));
    connections[0]->unsubscribe("a");
    connections[0]->subscribe("c");
    rig.topics().publish("a", Opcode::text, as_bytes("3"));
    rig.topics().publish("c", Opcode::text, as_bytes("4"));
    rig.loop.turn(0);
    failed = watch.failed();
    watch.stop_failing();
    rig.settle();
    for (Peer& peer : peers) {
      const std::string got = rig.got(peer);
      std::size_t at = 0;  // in order, and none twice
      for (const char text : got) {
        if (text == ' ') continue;
        at = std::string("1234").find(text, at);
        REQUIRE(at != std::string::npos);
        ++at;
      }
    }
  }
}

// ── Everything at once ───────────────────────────────────────────────────────────────────────

// What a subscriber ought to get, by a model that delivers each message at once.
TEST_CASE("Topics: whoever subscribes, leaves and publishes, in whatever order, a model agrees") {
  for (unsigned seed = 0; seed < 60; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    const auto pick = [&random](std::size_t n) { return random() % n; };
    Rig rig;
    std::vector<Peer> peers;
    std::vector<Connection*> connections;
    std::vector<std::string> expected(8);
    std::vector<std::string> got(8);
    std::vector<std::set<std::string>> subscribed(8);
    for (int i = 0; i < 8; ++i) {
      peers.push_back(rig.open());
      connections.push_back(&rig.connection());
    }
    for (int step = 0; step < 300; ++step) {
      const std::size_t who = pick(8);
      const std::string topic(1, static_cast<char>('a' + pick(5)));
      switch (pick(6)) {
        case 0:
          CHECK(connections[who]->subscribe(topic) == subscribed[who].insert(topic).second);
          break;
        case 1:
          // What has been published to it in this turn may get lost then: so it waits.
          rig.settle();
          CHECK(connections[who]->unsubscribe(topic) == (subscribed[who].erase(topic) == 1));
          break;
        case 2:
          rig.settle();
          break;
        default: {
          const bool excluded = pick(3) == 0;
          const std::string text =
              topic + std::to_string(step) + (pick(9) ? "" : std::string(20'000, '.'));
          CHECK(rig.topics().publish(topic, Opcode::text, as_bytes(text),
                                     excluded ? connections[who]->handle() : Handle()));
          for (std::size_t i = 0; i < 8; ++i) {
            if (subscribed[i].contains(topic) && !(excluded && i == who)) expected[i] += text + " ";
          }
        }
      }
    }
    for (std::size_t i = 0; i < 8; ++i) {
      CHECK(rig.got(peers[i]) == expected[i]);
      CHECK(rig.topics().dropped(*connections[i]) == 0);
    }
  }
}

// ── Threads ──────────────────────────────────────────────────────────────────────────────────

// A member of each loop gets the same as those of all others, in the same order.
TEST_CASE("Topics: what any thread publishes reaches the subscribers of all, in one order") {
  constexpr int threads = 3;
  constexpr int clients = 9;
  constexpr int messages = 200;

  // Each connection subscribes, and what it sends is published to all.
  struct Hub final : Handler {
    void on_open(Connection& connection) override {
      connection.subscribe("a");
      connection.send_text("ready");
    }
    void on_message(Connection& connection, Message message) override {
      connection.endpoint().topics().publish("a", message.opcode(), message.bytes());
    }
  };
  Options options;
  options.stop_on_signals = false;
  ServerGroup group([] { return std::make_unique<Hub>(); }, options, threads);
  const auto bound = group.listen("127.0.0.1:0");
  REQUIRE(bound);
  std::thread server([&group] { group.run(); });

  // Clients that wait for all others, then send, and write down what they get.
  struct Guests final : Handler {
    std::map<Connection*, std::string> got;
    std::map<Connection*, int> counts;
    int ready = 0;
    int done = 0;
    Client* client = nullptr;
    void on_message(Connection& connection, Message message) override {
      if (message.text() == "ready") {
        if (++ready == clients) {
          int number = 0;
          client->for_each([&number](Connection& one) {
            for (int i = 0; i < messages; ++i) {
              one.send_text(std::to_string(number) + "/" + std::to_string(i));
            }
            ++number;
          });
        }
        return;
      }
      got[&connection] += std::string(message.text()) + " ";
      if (++counts[&connection] == clients * messages && ++done == clients) {
        client->for_each([](Connection& one) { one.close(); });
      }
    }
  };
  Guests guests;
  Client client(guests);
  guests.client = &client;
  for (int i = 0; i < clients; ++i) {
    REQUIRE(client.connect("ws://" + bound->text() + "/"));
  }
  client.run();
  group.first().loop().post([&group] { group.first().stop(); });
  server.join();
  REQUIRE(guests.got.size() == clients);
  const std::string& first = guests.got.begin()->second;
  for (const auto& [connection, got] : guests.got) CHECK(got == first);
  // Each client's own come in the order in which it sent them.
  for (int number = 0; number < clients; ++number) {
    std::size_t at = 0;
    for (int i = 0; i < messages; ++i) {
      const std::string text = std::to_string(number) + "/" + std::to_string(i) + " ";
      at = first.find(text, at);
      REQUIRE(at != std::string::npos);
    }
  }
}

}  // namespace
}  // namespace sockeye::ws
