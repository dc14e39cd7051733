// SPDX-License-Identifier: MIT
#include "ws/server.h"

#include <doctest/doctest.h>

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "test/support/server_rig.h"

namespace sockeye::ws {
namespace {

using test::close_frame;
using test::close_payload;
using test::close_with;
using test::Peer;
using test::Received;
using test::ServerRig;
using test::text;
using test::text_frame;
using test::upgrade_request;

const std::string& going_away() {
  static const std::string payload = close_payload(1001, info(Error::server_stopping).text);
  return payload;
}

bool ended(Peer& peer) {
  peer.receive();
  return peer.ended();
}

}  // namespace

// ── Times of heads ───────────────────────────────────────────────────────────────────────────

TEST_CASE("a connection that says nothing is dropped after head_timeout_ms, without a word") {
  ServerRig rig({.limits = {.head_timeout_ms = 10'000}});
  Peer peer = rig.connect();
  rig.settle();
  rig.pass(9'900);
  CHECK(rig.server.connection_count() == 1);
  rig.pass(200);
  CHECK(rig.rest(peer).empty());
  CHECK(rig.server.connection_count() == 0);
}

TEST_CASE("the deadline of a head is for all of it: a byte a second gets 408") {
  ServerRig rig({.limits = {.head_timeout_ms = 10'000}});
  Peer peer = rig.connect();
  rig.settle();
  const std::string request = upgrade_request();
  for (std::size_t i = 0; i < 9; ++i) {
    peer.send(request.substr(i, 1));
    rig.pass(1'000);
    CHECK(!ended(peer));
  }
  rig.pass(1'100);
  CHECK(rig.rest(peer).starts_with("HTTP/1.1 408 Request Timeout\r\n"));
  CHECK(rig.handler.events.empty());
}

TEST_CASE("the same for each further request, and for a body") {
  ServerRig rig({.limits = {.head_timeout_ms = 10'000, .keep_alive_timeout_ms = 30'000}});
  rig.handler.request = [](const Handler::Request&, Handler::Reply& reply) {
    reply.send(200, "text/plain", {});
  };
  Peer peer = rig.connect();
  peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(rig.head(peer).starts_with("HTTP/1.1 200 "));
  rig.pass(29'000);  // between two requests there is more time
  peer.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n");
  for (int i = 0; i < 9; ++i) {
    peer.send("x");
    rig.pass(1'000);
    CHECK(!ended(peer));
  }
  rig.pass(1'100);
  CHECK(rig.rest(peer).starts_with("HTTP/1.1 408 "));
}

TEST_CASE("a connection without a further request ends after keep_alive_timeout_ms") {
  ServerRig rig({.limits = {.keep_alive_timeout_ms = 30'000}});
  rig.handler.request = [](const Handler::Request&, Handler::Reply& reply) {
    reply.send(200, "text/plain", {});
  };
  Peer peer = rig.connect();
  peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(rig.head(peer).starts_with("HTTP/1.1 200 "));
  rig.pass(29'900);
  CHECK(!ended(peer));
  rig.pass(200);
  CHECK(rig.rest(peer).empty());
}

TEST_CASE("the deadline of the head ends with the head") {
  ServerRig rig({.limits = {.head_timeout_ms = 1'000}});
  Peer peer = rig.open();
  rig.pass(20'000);
  peer.send(text("x"));
  CHECK(rig.frame(peer) == Received{text_frame, "x"});
}

// ── limits.connections ───────────────────────────────────────────────────────────────────────

TEST_CASE("beyond limits.connections: 503, and room again when one leaves") {
  ServerRig rig({.limits = {.connections = 2}});
  Peer first = rig.open();
  Peer second = rig.open();
  Peer third = rig.connect();
  third.send(upgrade_request());
  CHECK(rig.rest(third).starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
  first.send(text("unharmed"));
  CHECK(rig.frame(first) == Received{text_frame, "unharmed"});
  second.close();
  rig.settle();
  // The refused one still lingers here, and counts for nothing.
  Peer fourth = rig.open();
  fourth.send(text("in"));
  CHECK(rig.frame(fourth) == Received{text_frame, "in"});
}

TEST_CASE("a crowd beyond limits.connections: everybody gets 503, and leaves nothing behind") {
  ServerRig rig({.limits = {.connections = 1}});
  Peer inside = rig.open();
  std::vector<Peer> crowd;
  for (int i = 0; i < 100; ++i) crowd.push_back(rig.connect());
  rig.settle();
  for (Peer& peer : crowd) {
    REQUIRE(rig.until([&] { return ended(peer); }));
    CHECK(peer.input().starts_with("HTTP/1.1 503 "));
  }
  CHECK(rig.server.connection_count() <= 1 + 64);
  crowd.clear();
  rig.settle();
  CHECK(rig.server.connection_count() == 1);
  inside.close();
  rig.settle();
  Peer next = rig.open();
}

TEST_CASE("a count that several servers share holds for all of them") {
  ws::Admission shared({});
  std::atomic<std::uint32_t>& count = shared.connections;
  {
    ServerRig one({.limits = {.connections = 2}, .admission = &shared});
    ServerRig two({.limits = {.connections = 2}, .admission = &shared});
    Peer first = one.open();
    Peer second = two.open();
    CHECK(count == 2);
    Peer third = two.connect();
    third.send(upgrade_request());
    CHECK(two.head(third).starts_with("HTTP/1.1 503 "));
    first.close();
    one.settle();
    CHECK(count == 1);
    Peer fourth = two.open();
  }
  CHECK(count == 0);  // servers that go take theirs along
}

// ── Stopping ─────────────────────────────────────────────────────────────────────────────────

TEST_CASE("§7.4.1: stop closes with 1001, and accepts nobody any more") {
  ServerRig rig;
  Peer peer = rig.open();
  rig.server.stop();
  CHECK(rig.server.stopping());
  CHECK(rig.frame(peer) == Received{close_frame, going_away()});
  const net::Fd late(::socket(rig.address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  CHECK(::connect(late.get(), rig.address.data(), rig.address.size()) != 0);
  peer.send(close_with(1001));
  CHECK(rig.rest(peer).empty());
  rig.settle();
  CHECK(rig.server.connection_count() == 0);
  CHECK(rig.handler.events.back() == "close 1001  clean");
}

TEST_CASE("run returns when stop has done its work") {
  ServerRig rig({.stop_on_signals = false});
  rig.handler.message = [&](Connection&, Message) { rig.server.stop(); };
  Peer peer = rig.open();
  // With the answer to the Close frame that is to come.
  peer.send(text("stop") + close_with(1001));
  CHECK(rig.server.run() == 0);
  CHECK(rig.server.connection_count() == 0);
  peer.receive();
  CHECK(peer.take_frame() == Received{close_frame, going_away()});
}

TEST_CASE("run returns at once where stop was called before, or nobody is there") {
  ServerRig rig({.stop_on_signals = false});
  SUBCASE("before") {
    rig.server.stop();
  }
  SUBCASE("from another task") {
    rig.loop.post([&] { rig.server.stop(); });
  }
  CHECK(rig.server.run() == 0);
}

TEST_CASE("SIGTERM stops gracefully, a second one at once") {
  ServerRig rig({.stop_on_signals = true});
  Peer peer = rig.open();
  int drops = 0;
  rig.handler.close = [&](Connection&, Closed closed) { drops += closed.code == 1006; };
  rig.loop.post([&] {
    ::kill(::getpid(), SIGTERM);
    rig.loop.post([&] {
      CHECK(rig.server.stopping());
      CHECK(rig.server.connection_count() == 1);
      ::kill(::getpid(), SIGTERM);
    });
  });
  CHECK(rig.server.run() == 0);
  CHECK(drops == 1);
  peer.receive();
  CHECK(peer.take_frame() == Received{close_frame, going_away()});
}

TEST_CASE("many connections are closed in batches, over the first half of stop_timeout_ms") {
  ServerRig rig({.limits = {.close_timeout_ms = 0, .stop_timeout_ms = 4'000}});
  std::vector<Peer> peers;
  for (int i = 0; i < 200; ++i) peers.push_back(rig.open());
  const auto closed = [&] {
    return std::count_if(peers.begin(), peers.end(), [](Peer& peer) {
      peer.receive();
      return !peer.input().empty();
    });
  };
  rig.server.stop();
  rig.settle();
  CHECK(closed() > 0);
  CHECK(closed() < 100);
  rig.pass(2'000);
  CHECK(closed() == 200);
  // They don't answer: what is left is dropped at the deadline.
  CHECK(rig.server.connection_count() == 200);
  rig.pass(1'900);
  CHECK(rig.server.connection_count() == 200);
  rig.pass(200);
  CHECK(rig.server.connection_count() == 0);
  CHECK(rig.handler.count("close 1006") == 200);
}

TEST_CASE("a second stop drops all at once") {
  ServerRig rig;
  Peer peer = rig.open();
  rig.server.stop();
  rig.settle();
  CHECK(rig.server.connection_count() == 1);
  rig.server.stop();
  rig.settle();
  CHECK(rig.server.connection_count() == 0);
  CHECK(rig.handler.events.back() == "close 1006  unclean");
}

TEST_CASE("stop with stop_timeout_ms off: nobody is dropped before its close timeout") {
  ServerRig rig({.limits = {.close_timeout_ms = 5'000, .stop_timeout_ms = 0}});
  Peer peer = rig.open();
  rig.server.stop();
  rig.pass(4'900);
  CHECK(rig.server.connection_count() == 1);
  rig.pass(200);
  CHECK(rig.server.connection_count() == 0);
}

TEST_CASE("stop ends handshakes and idle HTTP connections at once") {
  ServerRig rig;
  rig.handler.request = [](const Handler::Request&, Handler::Reply& reply) {
    reply.send(200, "text/plain", {});
  };
  Peer silent = rig.connect();
  Peer half = rig.connect();
  half.send("GET / HT");
  Peer idle = rig.connect();
  idle.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(rig.head(idle).starts_with("HTTP/1.1 200 "));
  rig.settle();
  rig.server.stop();
  rig.settle();
  CHECK(rig.server.connection_count() == 0);
}

TEST_CASE("a request that stops the server is answered") {
  ServerRig rig;
  rig.handler.request = [&](const Handler::Request&, Handler::Reply& reply) {
    rig.server.stop();
    reply.send(200, "text/plain", as_bytes("stopping"));
  };
  Peer peer = rig.connect();
  peer.send("POST /stop HTTP/1.1\r\nHost: a\r\n\r\nGET /never HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(rig.rest(peer).ends_with("\r\n\r\nstopping"));
  rig.settle();
  CHECK(rig.server.connection_count() == 0);
  CHECK(rig.handler.count("request") == 1);
}

TEST_CASE("a paused connection can be stopped") {
  ServerRig rig;
  Peer peer = rig.open();
  rig.connection().pause();
  rig.server.stop();
  CHECK(rig.frame(peer) == Received{close_frame, going_away()});
  peer.send(close_with(1001));
  CHECK(rig.rest(peer).empty());
  rig.settle();
  CHECK(rig.handler.events.back() == "close 1001  clean");
}

TEST_CASE("a Unix socket's file goes with stop") {
  const std::string path = "/tmp/sockeye-server-test-" + std::to_string(::getpid());
  ServerRig rig({}, "unix:" + path);
  Peer peer = rig.open();
  peer.send(text("over a file"));
  CHECK(rig.frame(peer) == Received{text_frame, "over a file"});
  rig.server.stop();
  struct stat status;
  CHECK(::stat(path.c_str(), &status) != 0);
}

TEST_CASE("several addresses on one server; one that is taken is an error, and changes nothing") {
  ServerRig rig;
  auto second = rig.server.listen("127.0.0.1:0");
  REQUIRE(second);
  const auto taken = rig.server.listen(rig.address.text());
  CHECK(!taken);
  CHECK(!rig.server.listen("nonsense"));
  for (const net::Address& address : {rig.address, *second}) {
    Peer peer(address);
    peer.send(upgrade_request() + text("x"));
    CHECK(rig.head(peer).starts_with("HTTP/1.1 101 "));
    CHECK(rig.frame(peer) == Received{text_frame, "x"});
  }
}

}  // namespace sockeye::ws
