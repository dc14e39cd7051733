// Rooms: what is kept and for how long, who may join, and that who comes back misses nothing.
//
// SPDX-License-Identifier: MIT
#include "app/hub/rooms.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "test/support/failing_malloc.h"
#include "test/support/server_rig.h"

namespace sockeye::app::hub {
namespace {

using test::Peer;

using Names = std::vector<std::string>;

struct Rig : test::ServerRig {
  explicit Rig(const RoomLimits& limits = {.kept_messages = 100}) : rooms(limits) {}

  std::uint64_t publish(std::string_view name, std::string_view text, ws::Handle except = {}) {
    const auto receipt = rooms.publish(server, name, ws::Opcode::text, as_bytes(text), {}, except);
    CHECK(receipt.outcome == Outcome::done);
    return receipt.id;
  }

  // What a newcomer gets of what was kept; it leaves at once.
  Names kept(const Names& names, std::optional<std::uint64_t> after = {}) {
    Peer peer = open();
    Names got;
    CHECK(join(names, Format::plain, after, got) == Outcome::done);
    rooms.leave(names, Format::plain);
    connection().abort();
    settle();
    return got;
  }

  Outcome join(const Names& names, Format format, std::optional<std::uint64_t> after, Names& got) {
    Array<Replayed> replay;
    const Outcome outcome = rooms.join(connection(), names, format, after, most_bytes, replay);
    for (const Replayed& one : replay) {
      got.push_back(names[one.topic] + ":" + std::string(as_text(one.message->payload())));
      one.message->let_go();
    }
    return outcome;
  }

  Rooms rooms;
  std::size_t most_bytes = 1'000'000;
};

TEST_CASE("hub: the last messages of each topic are kept, for those who come later") {
  Rig rig({.kept_messages = 3});
  for (const char* text : {"1", "2", "3", "4", "5"}) rig.publish("a", text);
  rig.publish("b", "x");
  CHECK(rig.kept({"a"}) == Names{"a:3", "a:4", "a:5"});
  CHECK(rig.kept({"c"}).empty());
  const std::uint64_t id = rig.publish("a", "6");
  rig.publish("b", "y");
  rig.publish("a", "7");
  // In the order of ids, over all topics; and after an id only what came later.
  CHECK(rig.kept({"b", "a"}) == Names{"a:5", "b:x", "a:6", "b:y", "a:7"});
  CHECK(rig.kept({"b", "a"}, id) == Names{"b:y", "a:7"});
  CHECK(rig.kept({"a", "b"}, id + 100).empty());
  const RoomState state = rig.rooms.state("a");
  CHECK(state.published == 7);
  CHECK(state.kept == 3);
  CHECK(state.last_id == id + 2);
  CHECK(state.subscribers == 0);
  CHECK(rig.rooms.state("c").published == 0);
}

TEST_CASE("hub: ids grow, over all topics and from one start to the next") {
  std::uint64_t last = 0;
  for (int start = 0; start < 3; ++start) {
    Rig rig;
    for (const char* topic : {"a", "b", "c"}) {
      const std::uint64_t id = rig.publish(topic, "x");
      CHECK(id > last);
      CHECK(id < std::uint64_t{1} << 53);
      last = id;
    }
  }
}

TEST_CASE("hub: of all topics together so much is kept, and the oldest goes first") {
  Rig rig({.kept_messages = 1000, .kept_bytes = 100'000});
  const std::string payload(10'000, 'x');
  rig.publish("old", "o" + payload);
  for (int i = 0; i < 20; ++i) rig.publish("a", std::to_string(i % 10) + payload);
  CHECK(rig.rooms.state("old").kept == 0);
  CHECK(rig.rooms.size() == 1);
  const Names kept = rig.kept({"a"});
  CHECK(kept.size() == 9);
  CHECK(kept.back() == "a:9" + payload);
}

TEST_CASE("hub: topics nobody listens to make way for others, those with listeners don't") {
  Rig rig({.topics = 3, .kept_messages = 10});
  rig.publish("a", "1");
  rig.publish("b", "2");
  rig.publish("c", "3");
  rig.publish("a", "4");
  rig.publish("d", "5");  // in place of b, the longest silent
  CHECK(rig.rooms.size() == 3);
  CHECK(rig.rooms.state("b").kept == 0);
  CHECK(rig.rooms.state("a").kept == 2);
  Peer peer = rig.open();
  Names got;
  CHECK(rig.join({"a", "x", "y"}, Format::plain, {}, got) == Outcome::done);
  CHECK(rig.rooms.size() == 3);
  CHECK(rig.rooms.may_join(Names{"z"}) == Outcome::too_many_topics);
  CHECK(rig.rooms.may_join(Names{"x"}) == Outcome::done);
  CHECK(rig.rooms.publish(rig.server, "z", ws::Opcode::text, {}, {}, {}).outcome ==
        Outcome::too_many_topics);
  rig.rooms.leave(Names{"a", "x", "y"}, Format::plain);
  CHECK(rig.rooms.size() == 1);
  CHECK(got == Names{"a:1", "a:4"});  // which did not make way for the others
}

TEST_CASE("hub: a topic has so many subscribers, of whatever form, and all or none are joined") {
  Rig rig({.subscribers = 2});
  std::vector<Peer> peers;
  Names got;
  for (const Format format : {Format::plain, Format::json}) {
    peers.push_back(rig.open());
    CHECK(rig.join({"a"}, format, {}, got) == Outcome::done);
  }
  peers.push_back(rig.open());
  CHECK(rig.join({"b", "a"}, Format::plain, {}, got) == Outcome::too_many_subscribers);
  CHECK(rig.rooms.state("b").subscribers == 0);
  CHECK(rig.rooms.size() == 1);
  CHECK(rig.server.topics().size() == 2);
  rig.rooms.leave(Names{"a"}, Format::json);
  CHECK(rig.join({"b", "a"}, Format::plain, {}, got) == Outcome::done);
}

TEST_CASE("hub: each gets messages in its own form, and the sender may be left out") {
  Rig rig;
  Names none;
  Peer plain = rig.open();
  CHECK(rig.join({"a"}, Format::plain, {}, none) == Outcome::done);
  const ws::Handle handle = rig.connection().handle();
  Peer json = rig.open();
  CHECK(rig.join({"a"}, Format::json, {}, none) == Outcome::done);
  const std::uint64_t id = rig.publish("a", "to all");
  rig.publish("a", "not to one", handle);
  CHECK(rig.frame(plain).payload == "to all");
  CHECK(rig.frame(json).payload ==
        "{\"id\":" + std::to_string(id) + ",\"topic\":\"a\",\"text\":\"to all\"}");
  CHECK(rig.frame(json).payload.find("not to one") != std::string::npos);
  rig.settle();
  plain.receive();
  CHECK(!plain.take_frame());
}

TEST_CASE("hub: a newcomer gets what is kept in pieces, and joins with the last of them") {
  Rig rig;
  for (int i = 0; i < 10; ++i) rig.publish(i % 2 == 0 ? "a" : "b", std::to_string(i));
  Peer peer = rig.open();
  rig.most_bytes = 3 * Kept::size_of(1);
  std::optional<std::uint64_t> after;
  Names got;
  for (int pieces = 1;; ++pieces) {
    Array<Replayed> replay;
    const Names names{"a", "b"};
    const Outcome outcome =
        rig.rooms.join(rig.connection(), names, Format::plain, after, rig.most_bytes, replay);
    CHECK(replay.size() <= 3);
    for (const Replayed& one : replay) {
      got.push_back(std::string(as_text(one.message->payload())));
      after = one.message->id;
      one.message->let_go();
    }
    if (outcome == Outcome::done) {
      CHECK(pieces == 4);
      break;
    }
    CHECK(outcome == Outcome::more);
    CHECK(rig.rooms.state("a").subscribers == 0);
    if (pieces == 1) rig.publish("a", "x");  // meanwhile
  }
  CHECK(got == Names{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "x"});
  CHECK(rig.rooms.state("a").subscribers == 1);
  rig.publish("b", "live");
  CHECK(rig.frame(peer).payload == "live");
}

TEST_CASE("hub: one message that is larger than all that may be kept costs nothing that is") {
  Rig rig({.kept_messages = 10, .kept_bytes = 1000});
  rig.publish("a", "1");
  rig.publish("b", std::string(5000, 'x'));
  CHECK(rig.kept({"a", "b"}) == Names{"a:1"});
}

TEST_CASE("hub: a request that is refused makes nobody go") {
  Rig rig({.topics = 2, .kept_messages = 10});
  rig.publish("a", "1");
  rig.publish("b", "2");
  CHECK(rig.rooms.may_join(Names{"x", "y"}) == Outcome::done);
  CHECK(rig.rooms.may_join(Names{"x", "y", "z"}) == Outcome::too_many_topics);
  Peer peer = rig.open();
  Names got;
  CHECK(rig.join({"x", "y", "z"}, Format::plain, {}, got) == Outcome::too_many_topics);
  CHECK(rig.kept({"a", "b"}) == Names{"a:1", "b:2"});
}

TEST_CASE("hub: what is published while somebody joins comes once") {
  Rig rig;
  Names got;
  Peer first = rig.open();
  CHECK(rig.join({"a"}, Format::plain, {}, got) == Outcome::done);
  Peer peer = rig.open();
  rig.publish("a", "before");  // and not delivered yet
  CHECK(rig.join({"a"}, Format::plain, {}, got) == Outcome::done);
  CHECK(got == Names{"a:before"});
  rig.publish("a", "after");
  CHECK(rig.frame(peer).payload == "after");
  CHECK(rig.frame(first).payload == "before");
}

TEST_CASE(
    "hub: where memory is short, one joins all or none, and nothing is lost of what is kept") {
  bool failed = true;
  for (std::size_t failing = 0; failed; ++failing) {
    REQUIRE(failing < 1000);
    Rig rig;
    rig.publish("a", "1");
    rig.publish("b", "2");
    Peer peer = rig.open();
    Names got;
    ws::Connection& connection = rig.connection();
    const Names names{"a", "b", "c"};
    Array<Replayed> replay;
    Outcome outcome;
    {
      test::MallocWatch watch(failing);
      outcome = rig.rooms.join(connection, names, Format::plain, {}, 1'000'000, replay);
      failed = watch.failed();
    }
    for (const Replayed& one : replay) one.message->let_go();
    if (outcome != Outcome::done) {
      CHECK(outcome == Outcome::no_memory);
      CHECK(rig.rooms.size() == 2);
      CHECK(rig.server.topics().size() == 0);
    } else {
      CHECK(replay.size() == 2);
      rig.rooms.leave(names, Format::plain);
    }
    CHECK(rig.kept({"a", "b"}) == Names{"a:1", "b:2"});
  }
}

}  // namespace
}  // namespace sockeye::app::hub
