// SPDX-License-Identifier: MIT
#include "ws/endpoint.h"

#include <doctest/doctest.h>

#include <dirent.h>

#include <string>
#include <vector>

#include "test/support/failing_malloc.h"
#include "test/support/server_rig.h"

namespace sockeye::ws {
namespace {

using test::binary_frame;
using test::close_with;
using test::frame_of;
using test::MallocWatch;
using test::Peer;
using test::Received;
using test::ServerRig;
using test::text;
using test::text_frame;

std::size_t open_descriptors() {
  std::size_t count = 0;
  DIR* folder = ::opendir("/proc/self/fd");
  REQUIRE(folder != nullptr);
  while (::readdir(folder) != nullptr) ++count;
  ::closedir(folder);
  return count;
}

}  // namespace

// ── Handles ──────────────────────────────────────────────────────────────────────────────────

TEST_CASE("a handle finds its connection from on_upgrade on, until on_close is called") {
  ServerRig rig;
  Handle handle;
  const Connection* expected = nullptr;
  rig.handler.upgrade = [&](Upgrade& upgrade) {
    handle = upgrade.connection().handle();
    expected = &upgrade.connection();
    CHECK(handle.get() == expected);
  };
  rig.handler.open = [&](Connection& connection) {
    CHECK(connection.handle() == handle);
    CHECK(handle.get() == expected);
  };
  bool closed = false;
  rig.handler.close = [&](Connection& connection, Closed) {
    closed = true;
    CHECK(&connection == expected);
    // What data() points to may end here, so nobody else is to find it any more.
    CHECK(handle.get() == nullptr);
  };
  Peer peer = rig.open();
  CHECK(handle.get() == expected);

  SUBCASE("closed by the peer") {
    peer.send(close_with(1000));
  }
  SUBCASE("closed by us: still there until the answer comes") {
    handle.get()->close();
    rig.settle();
    CHECK(handle.get() == expected);
    peer.send(close_with(1000));
  }
  SUBCASE("a broken rule: gone, though the connection lingers") {
    peer.send(text("\xff"));
    rig.settle();
    CHECK(rig.server.connection_count() == 1);
  }
  SUBCASE("aborted") {
    handle.get()->abort();
  }
  SUBCASE("half-closed") {
    peer.finish();
  }
  SUBCASE("reset") {
    peer.reset();
  }
  rig.settle();
  CHECK(closed);
  CHECK(handle.get() == nullptr);
}

TEST_CASE("a handle of a refused handshake finds nothing") {
  ServerRig rig;
  Handle handle;
  rig.handler.upgrade = [&](Upgrade& upgrade) {
    handle = upgrade.connection().handle();
    upgrade.refuse(403, "no");
  };
  Peer peer = rig.connect();
  peer.send(test::upgrade_request());
  rig.rest(peer);
  CHECK(handle.get() == nullptr);
}

TEST_CASE("an old handle doesn't find the connection that has moved into the place") {
  ServerRig rig;
  Peer first = rig.open();
  const Handle old = rig.handler.last;
  const Connection* place = old.get();
  first.reset();
  rig.settle();
  CHECK(old.get() == nullptr);
  Peer second = rig.open();
  CHECK(rig.handler.last.get() == place);
  CHECK(old.get() == nullptr);
  CHECK(!(old == rig.handler.last));
}

TEST_CASE("an empty handle finds nothing") {
  CHECK(Handle().get() == nullptr);
  CHECK(Handle() == Handle());
}

// ── The end of an endpoint ───────────────────────────────────────────────────────────────────

TEST_CASE("a server that goes drops its connections, and leaves nothing open") {
  const std::size_t before = open_descriptors();
  {
    ServerRig rig;
    Peer open = rig.open();
    Peer handshaking = rig.connect();
    handshaking.send("GET / HTTP");
    Peer paused = rig.open();
    rig.handler.message = [](Connection& connection, Message) { connection.pause(); };
    paused.send(text("1") + text("2"));
    Peer lingering = rig.open();
    lingering.send(text("\xff"));
    Peer half = rig.open();
    half.send(text(std::string(100'000, 'x')).substr(0, 50'000));
    rig.settle();
    CHECK(rig.server.connection_count() == 5);
  }
  CHECK(open_descriptors() == before);
}

TEST_CASE("two servers on one loop: one stops and goes, the other goes on") {
  ServerRig rig;
  Peer peer = rig.open();
  {
    test::Recorder handler;
    handler.message = test::echo;
    Server second(handler, {}, &rig.loop);
    const auto address = second.listen("127.0.0.1:0");
    REQUIRE(address);
    Peer other(*address);
    other.send(test::upgrade_request() + text("second"));
    CHECK(rig.head(other).starts_with("HTTP/1.1 101 "));
    CHECK(rig.frame(other) == Received{text_frame, "second"});
    second.stop();
    other.send(close_with(1001));
    REQUIRE(rig.until([&] { return second.connection_count() == 0; }));
    peer.send(text("first"));
    CHECK(rig.frame(peer) == Received{text_frame, "first"});
  }
  peer.send(text("first"));
  CHECK(rig.frame(peer) == Received{text_frame, "first"});
}

// ── No memory ────────────────────────────────────────────────────────────────────────────────

namespace {

// A conversation that takes memory in every way a peer can have it taken. Whatever happens to the
// connection, it ends.
void converse(ServerRig& rig, Peer& peer) {
  const auto say = [&](std::string_view bytes) {
    peer.try_send(bytes);
    rig.settle();
    peer.receive();
  };
  say("POST /page HTTP/1.1\r\nHost: a\r\nContent-Le");
  say("ngth: 3000\r\n\r\n" + std::string(1000, 'x'));
  say(std::string(2000, 'x'));
  const std::string request = test::upgrade_request();
  say(request.substr(0, 50));
  say(request.substr(50));
  // Whole, in parts, in fragments, in place; a control frame in between.
  const std::string large = frame_of(binary_frame, std::string(100'000, 'x'));
  say(text("whole") + text("in parts").substr(0, 8));
  say(text("in parts").substr(8) + frame_of(text_frame, "a", false));
  say(frame_of(test::ping_frame, "p").substr(0, 4));
  say(frame_of(test::ping_frame, "p").substr(4) + frame_of(0, "b", true));
  say(large.substr(0, 30'000));
  say(large.substr(30'000));
  // A backlog, and input that a pause keeps.
  if (Connection* connection = rig.handler.last.get()) {
    const std::string payload(1 << 20, 'x');
    for (int i = 0; i < 8; ++i) connection->send_binary(as_bytes(payload));
    rig.settle();
  }
  say(text("pause") + text("kept"));
  if (Connection* connection = rig.handler.last.get()) connection->resume();
  rig.settle();
  say(close_with(1000));
  for (int i = 0; i < 20; ++i) say({});
}

}  // namespace

TEST_CASE("memory that runs out at any point: that connection ends, and the others live on") {
  std::size_t nth = 0;
  for (bool failed = true; failed; ++nth) {
    CAPTURE(nth);
    ServerRig rig;
    rig.handler.request = [](const Handler::Request&, Reply& reply) {
      reply.send(200, "text/plain", as_bytes("ok"));
    };
    rig.handler.message = [](Connection& connection, Message message) {
      if (message.text() == "pause") return connection.pause();
      connection.send(message);
    };
    rig.handler.drain = nullptr;
    Peer other = rig.open();
    rig.handler.last = {};
    Peer peer = rig.connect();
    {
      MallocWatch watch(nth);
      converse(rig, peer);
      failed = watch.failed();
      peer.close();
      rig.settle();
      if (Connection* connection = rig.handler.last.get()) connection->resume();
      rig.settle();
    }
    rig.pass(5100);
    CHECK(rig.server.connection_count() == 1);
    CHECK(rig.handler.count("open") == rig.handler.count("close") + 1);
    other.send(text("still here"));
    REQUIRE(rig.frame(other) == Received{text_frame, "still here"});
  }
  CHECK(nth > 10);  // it did take memory
}

TEST_CASE("§7.4.1: a message for which there is no memory closes with 1011") {
  ServerRig rig;
  Peer peer = rig.open();
  const std::string bytes = frame_of(binary_frame, std::string(100'000, 'x'));
  peer.send(bytes.substr(0, 50'000));
  {
    MallocWatch watch(0);
    rig.settle();
    REQUIRE(watch.failed());
  }
  CHECK(rig.frame(peer) ==
        Received{test::close_frame, test::close_payload(1011, info(Error::out_of_memory).text)});
  CHECK(rig.handler.has("close 1011"));
}

TEST_CASE("what a conversation took is given back: nothing is kept for a closed connection") {
  ServerRig rig;
  Peer first = rig.connect();
  converse(rig, first);
  first.close();
  rig.settle();
  MallocWatch watch;
  for (int i = 0; i < 5; ++i) {
    Peer peer = rig.connect();
    converse(rig, peer);
    peer.close();
    rig.settle();
  }
  // Pools may keep released blocks, but not ever more of them.
  CHECK(watch.live_blocks() <= 0);
}

}  // namespace sockeye::ws
