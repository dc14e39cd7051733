// SPDX-License-Identifier: MIT
#include "ws/handler.h"

#include <doctest/doctest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <functional>
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
using test::upgrade_request;
using namespace std::string_view_literals;

std::string get(std::string_view target, std::string_view more_fields = {}) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: example.com\r\n" +
         std::string(more_fields) + "\r\n";
}

// A response as its peer got it: the head, and a body of the size that the head says.
struct Response {
  std::string head;
  std::string body;
};

std::size_t content_length(const std::string& head) {
  const std::size_t at = head.find("Content-Length: ");
  return at == std::string::npos ? 0 : std::stoul(head.substr(at + 16));
}

Response response(ServerRig& rig, Peer& peer, bool to_head = false) {
  Response response{rig.head(peer), {}};
  const std::size_t size = to_head ? 0 : content_length(response.head);
  REQUIRE(rig.until([&] { return peer.receive(), peer.input().size() >= size || peer.ended(); }));
  std::string rest = peer.take_input();
  response.body = rest.substr(0, size);
  peer.put_back(rest.substr(response.body.size()));
  return response;
}

void answer_hello(const Handler::Request&, Reply& reply) {
  reply.send(200, "text/plain", as_bytes("hello"), {{"X-Extra", "yes"}});
}

}  // namespace

// ── Plain HTTP ───────────────────────────────────────────────────────────────────────────────

TEST_CASE("RFC 9112 §9.3: requests on one connection are answered one after the other") {
  ServerRig rig;
  rig.handler.request = answer_hello;
  Peer peer = rig.connect();
  for (int i = 0; i < 3; ++i) {
    peer.send(get("/a?b"));
    const Response got = response(rig, peer);
    CHECK(
        got.head ==
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\nX-Extra: yes\r\n\r\n");
    CHECK(got.body == "hello");
  }
  CHECK(rig.handler.all() == "request GET /a?b, request GET /a?b, request GET /a?b");
}

TEST_CASE("requests that come in one segment, and one that comes byte by byte") {
  ServerRig rig;
  rig.handler.request = answer_hello;
  Peer peer = rig.connect();
  peer.send(get("/1") + get("/2"));
  CHECK(response(rig, peer).body == "hello");
  CHECK(response(rig, peer).body == "hello");
  for (const char byte : get("/3")) {
    peer.send(std::string_view(&byte, 1));
    rig.settle();
  }
  CHECK(response(rig, peer).body == "hello");
  CHECK(rig.handler.all() == "request GET /1, request GET /2, request GET /3");
}

TEST_CASE("RFC 9110 §9.3.2: the response to HEAD has the size of the body, and no body") {
  ServerRig rig;
  rig.handler.request = answer_hello;
  Peer peer = rig.connect();
  peer.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" + get("/next"));
  const Response got = response(rig, peer, /*to_head=*/true);
  CHECK(content_length(got.head) == 5);
  CHECK(response(rig, peer).body == "hello");
}

TEST_CASE("RFC 9112 §9.3: the connection ends when the client says so, or speaks HTTP/1.0") {
  ServerRig rig;
  rig.handler.request = answer_hello;
  Peer peer = rig.connect();
  SUBCASE("close") {
    peer.send(get("/", "Connection: close\r\n") + get("/never"));
  }
  SUBCASE("1.0") {
    peer.send("GET / HTTP/1.0\r\n\r\n" + get("/never"));
  }
  const std::string all = rig.rest(peer);
  CHECK(all.find("Connection: close\r\n") != std::string::npos);
  CHECK(all.ends_with("\r\n\r\nhello"));
  CHECK(rig.handler.count("request") == 1);
}

TEST_CASE("RFC 9112 §9.3: HTTP/1.0 with keep-alive goes on") {
  ServerRig rig;
  rig.handler.request = answer_hello;
  Peer peer = rig.connect();
  for (int i = 0; i < 2; ++i) {
    peer.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    CHECK(response(rig, peer).head.find("Connection: keep-alive\r\n") != std::string::npos);
  }
}

TEST_CASE("a request and FIN in one go: the answer still goes out") {
  ServerRig rig;
  rig.handler.request = answer_hello;
  Peer peer = rig.connect();
  SUBCASE("that would keep the connection") {
    peer.send(get("/"));
  }
  SUBCASE("that ends it") {
    peer.send(get("/", "Connection: close\r\n"));
  }
  SUBCASE("two requests") {
    peer.send(get("/1") + get("/2"));
  }
  peer.finish();
  CHECK(rig.rest(peer).ends_with("\r\n\r\nhello"));
  rig.settle();
  CHECK(rig.server.connection_count() == 0);
}

TEST_CASE("a refused request and FIN in one go: the refusal still goes out") {
  ServerRig rig;
  Peer peer = rig.connect();
  peer.send("nonsense\r\n\r\n");
  peer.finish();
  CHECK(rig.rest(peer).starts_with("HTTP/1.1 400 "));
}

TEST_CASE("half a request and FIN: nobody to answer") {
  ServerRig rig;
  Peer peer = rig.connect();
  peer.send("GET / HTT");
  peer.finish();
  CHECK(rig.rest(peer).empty());
  rig.settle();
  CHECK(rig.server.connection_count() == 0);
}

TEST_CASE("RFC 9110 §10.1.1: a client that waits for 100 gets it, and then its answer") {
  ServerRig rig;
  std::string body;
  rig.handler.request = [&body](const Handler::Request& request, Reply& reply) {
    body = as_text(request.body());
    reply.send(200, "text/plain", {});
  };
  Peer peer = rig.connect();
  peer.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
  CHECK(rig.head(peer) == "HTTP/1.1 100 Continue\r\n\r\n");
  peer.send("body");
  CHECK(response(rig, peer).head.starts_with("HTTP/1.1 200 "));
  CHECK(body == "body");
}

TEST_CASE("a body comes whole, with its length or in chunks") {
  ServerRig rig;
  std::vector<std::string> bodies;
  rig.handler.request = [&bodies](const Handler::Request& request, Reply& reply) {
    bodies.emplace_back(as_text(request.body()));
    reply.send(200, "text/plain", {});
  };
  Peer peer = rig.connect();
  const std::string large(60'000, 'x');
  peer.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n" + large);
  response(rig, peer);
  peer.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  rig.settle();
  peer.send("2\r\nde\r\n0\r\n\r\n");
  response(rig, peer);
  CHECK((bodies == std::vector<std::string>{large, "abcde"}));
}

TEST_CASE("a body beyond limits.request_body_bytes: 413, and no RST while it still comes") {
  ServerRig rig({.limits = {.request_body_bytes = 1000}});
  Peer peer = rig.connect();
  peer.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n");
  for (int i = 0; i < 11; ++i) {
    peer.try_send(std::string(100, 'x'));
    rig.settle();
  }
  CHECK(rig.rest(peer).starts_with("HTTP/1.1 413 "));
  CHECK(rig.handler.events.empty());
}

TEST_CASE("a request that the program doesn't answer: 404") {
  ServerRig rig;
  rig.handler.request = [](const Handler::Request&, Reply&) {};
  Peer peer = rig.connect();
  peer.send(get("/", "Connection: close\r\n"));
  CHECK(rig.rest(peer).starts_with("HTTP/1.1 404 "));
}

TEST_CASE("RFC 9110 §15.5.22: a program without pages answers 426") {
  ServerRig rig;
  Peer peer = rig.connect();
  peer.send(get("/", "Connection: close\r\n"));
  const std::string all = rig.rest(peer);
  CHECK(all.starts_with("HTTP/1.1 426 "));
  CHECK(all.find("Upgrade: websocket\r\n") != std::string::npos);
}

TEST_CASE("RFC 9112 §9.3: a request that is refused by name only doesn't end the connection") {
  ServerRig rig;
  rig.handler.request = [](const Handler::Request& request, Reply& reply) {
    if (request.path() == "/missing") return reply.refuse(Error::not_found);
    reply.send(200, "text/plain", as_bytes("found"));
  };
  Peer peer = rig.connect();
  peer.send(get("/missing") + get("/", "Connection: close\r\n"));
  const std::string all = rig.rest(peer);
  CHECK(all.starts_with("HTTP/1.1 404 "));
  CHECK(all.ends_with("found"));
}

TEST_CASE("RFC 9110 §8.6, §15.4.5: 204 and 304 have no body, and 204 no Content-Length") {
  for (const std::uint16_t status : {204, 304}) {
    ServerRig rig;
    rig.handler.request = [status](const Handler::Request&, Reply& reply) {
      reply.send(status, "text/plain", as_bytes("text"));
    };
    Peer peer = rig.connect();
    peer.send(get("/", "Connection: close\r\n"));
    const std::string all = rig.rest(peer);
    CHECK(all.ends_with("\r\n\r\n"));
    CHECK(all.find("Content-Length") == std::string::npos);
  }
}

TEST_CASE("a program's mistakes in a reply are answered with 500, and nothing of them is sent") {
  for (const std::string_view name : {"Content-Length", "connection", "Transfer-Encoding"}) {
    ServerRig rig;
    rig.handler.request = [name](const Handler::Request&, Reply& reply) {
      reply.send(200, "text/plain", as_bytes("text"), {{name, "5"}});
    };
    Peer peer = rig.connect();
    peer.send(get("/"));
    CHECK(rig.rest(peer).starts_with("HTTP/1.1 500 "));
  }
  ServerRig rig;
  rig.handler.request = [](const Handler::Request&, Reply& reply) {
    reply.refuse(Error::text_not_utf8);  // an error of frames: it has no status
  };
  Peer peer = rig.connect();
  peer.send(get("/", "Connection: close\r\n"));
  CHECK(rig.rest(peer).starts_with("HTTP/1.1 500 "));
}

TEST_CASE("a second answer is ignored, of whatever kind") {
  ServerRig rig;
  rig.handler.request = [](const Handler::Request&, Reply& reply) {
    reply.send(200, "text/plain", as_bytes("first"));
    reply.send(200, "text/plain", as_bytes("second"));
    reply.refuse(Error::not_found);
  };
  Peer peer = rig.connect();
  peer.send(get("/"));
  CHECK(response(rig, peer).body == "first");
  rig.settle();
  peer.receive();
  CHECK(peer.input().empty());
}

TEST_CASE("a field that would split the response: 500, and nothing of it") {
  for (const std::string_view value : {"a\r\nSet-Cookie: stolen=1"sv, "a\nb"sv, "a\0b"sv}) {
    ServerRig rig;
    rig.handler.request = [value](const Handler::Request&, Reply& reply) {
      reply.send(200, "text/plain", as_bytes("body"), {{"X-Echo", value}});
    };
    Peer peer = rig.connect();
    peer.send(get("/"));
    const std::string all = rig.rest(peer);
    CHECK(all.starts_with("HTTP/1.1 500 "));
    CHECK(all.find("stolen") == std::string::npos);
  }
}

TEST_CASE("a peer that pipelines requests and doesn't read the answers is not read from") {
  ServerRig rig({.limits = {.head_timeout_ms = 0, .keep_alive_timeout_ms = 0}});
  std::size_t answered = 0;
  rig.handler.request = [&answered](const Handler::Request&, Reply& reply) {
    ++answered;
    reply.send(200, "text/plain", as_bytes(std::string(64 * 1024, 'x')));
  };
  Peer peer = rig.connect(4096);
  constexpr std::size_t requests = 300;
  std::string unsent;
  for (std::size_t i = 0; i < requests; ++i) unsent += get("/");
  peer.send(unsent);
  rig.settle();
  const std::size_t at_first = answered;
  CHECK(at_first < requests);  // 19 MB would have to lie somewhere
  rig.settle();
  CHECK(answered == at_first);
  // Then it reads, and gets all.
  for (std::size_t i = 0; i < requests; ++i) {
    CAPTURE(i);
    REQUIRE(response(rig, peer).body.size() == 64 * 1024);
  }
  CHECK(answered == requests);
}

TEST_CASE("requests, then the handshake, on one connection and in one segment") {
  ServerRig rig;
  rig.handler.request = answer_hello;
  Peer peer = rig.connect();
  peer.send(get("/page") + upgrade_request() + text("Hello"));
  CHECK(response(rig, peer).body == "hello");
  CHECK(rig.head(peer).starts_with("HTTP/1.1 101 "));
  CHECK(rig.frame(peer) == Received{text_frame, "Hello"});
  CHECK(rig.handler.all() == "request GET /page, upgrade, open, text Hello");
}

// ── The handshake ────────────────────────────────────────────────────────────────────────────

TEST_CASE("§4.2.2: what the program refuses gets its status and text, and no frame is read") {
  ServerRig rig;
  rig.handler.upgrade = [](Upgrade& upgrade) {
    CHECK(upgrade.request().path() == "/chat");
    upgrade.refuse(403, std::string("not you, ") + std::string(20, '!'));
  };
  Peer peer = rig.connect();
  peer.send(upgrade_request() + text("frames nevertheless") + get("/"));
  rig.settle();
  peer.try_send(text("and more") + get("/"));
  const std::string all = rig.rest(peer);
  CHECK(all.starts_with("HTTP/1.1 403 Forbidden\r\n"));
  CHECK(all.find("Connection: close\r\n") != std::string::npos);
  CHECK(all.ends_with("\r\n\r\nnot you, " + std::string(20, '!')));
  CHECK(rig.handler.all() == "upgrade");
}

TEST_CASE("a handshake that breaks a rule doesn't get to the program") {
  ServerRig rig;
  Peer peer = rig.connect();
  std::string request = upgrade_request();
  request.replace(request.find("Version: 13"), 11, "Version: 12");
  peer.send(request + text("frames nevertheless"));
  const std::string all = rig.rest(peer);
  CHECK(all.starts_with("HTTP/1.1 426 "));
  CHECK(all.find("Sec-WebSocket-Version: 13\r\n") != std::string::npos);
  CHECK(rig.handler.events.empty());
}

TEST_CASE("§4.2.2 item 5.5: the subprotocol is the server's first that the client offers") {
  ServerRig rig({.subprotocols = {"best", "good", "plain"}});
  std::string chosen;
  rig.handler.open = [&chosen](Connection& connection) { chosen = connection.subprotocol(); };
  Peer peer = rig.connect();
  SUBCASE("one of several") {
    peer.send(upgrade_request("Sec-WebSocket-Protocol: plain, good\r\n"));
    CHECK(rig.head(peer).find("Sec-WebSocket-Protocol: good\r\n") != std::string::npos);
    CHECK(chosen == "good");
  }
  SUBCASE("none that is known") {
    peer.send(upgrade_request("Sec-WebSocket-Protocol: other\r\n"));
    CHECK(rig.head(peer).find("Sec-WebSocket-Protocol") == std::string::npos);
    CHECK(chosen.empty());
  }
  SUBCASE("none offered") {
    peer.send(upgrade_request());
    CHECK(rig.head(peer).find("Sec-WebSocket-Protocol") == std::string::npos);
  }
  SUBCASE("another one that the program prefers") {
    rig.handler.upgrade = [](Upgrade& upgrade) {
      CHECK(upgrade.subprotocol() == "good");
      CHECK(!upgrade.choose_subprotocol("best"));   // not offered
      CHECK(!upgrade.choose_subprotocol("other"));  // offered, and unknown here
      CHECK(!upgrade.choose_subprotocol(""));
      CHECK(upgrade.subprotocol() == "good");
      CHECK(upgrade.choose_subprotocol("plain"));
      CHECK(upgrade.subprotocol() == "plain");
    };
    peer.send(upgrade_request("Sec-WebSocket-Protocol: other, plain, good\r\n"));
    CHECK(rig.head(peer).find("Sec-WebSocket-Protocol: plain\r\n") != std::string::npos);
    CHECK(chosen == "plain");
  }
}

TEST_CASE("§10.2: pages of other origins may not connect, unless the server is told so") {
  struct Row {
    std::string_view policy;
    std::string_view origin;
    bool accepted;
  };
  for (const Row& row : {Row{"same", "Origin: http://server.example.com\r\n", true},
                         Row{"same", "Origin: http://evil.example\r\n", false},
                         Row{"same", "Origin: null\r\n", false}, Row{"same", "", true},
                         Row{"any", "Origin: http://evil.example\r\n", true},
                         Row{"good.example", "Origin: http://good.example\r\n", true},
                         Row{"good.example", "Origin: http://evil.example\r\n", false}}) {
    CAPTURE(row.policy);
    CAPTURE(row.origin);
    ServerRig rig({.origin = *http::OriginPolicy::parse(row.policy)});
    Peer peer = rig.connect();
    peer.send(upgrade_request(row.origin));
    CHECK(rig.head(peer).starts_with(row.accepted ? "HTTP/1.1 101 " : "HTTP/1.1 403 "));
    CHECK(rig.handler.has("upgrade") == row.accepted);
  }
}

TEST_CASE("§10.2: a Host that the server doesn't answer to, for pages and for handshakes") {
  ServerRig rig({.hosts = *http::AllowedHosts::parse("localhost")});
  rig.handler.request = answer_hello;
  Peer page = rig.connect();
  page.send(get("/", "Connection: close\r\n"));
  CHECK(rig.rest(page).starts_with("HTTP/1.1 403 "));
  Peer socket = rig.connect();
  socket.send(upgrade_request());
  CHECK(rig.rest(socket).starts_with("HTTP/1.1 403 "));
  CHECK(rig.handler.events.empty());
  Peer right = rig.connect();
  right.send("GET / HTTP/1.1\r\nHost: localhost:9000\r\n\r\n");
  CHECK(response(rig, right).body == "hello");
}

TEST_CASE("on_upgrade may abort, and send nothing yet") {
  ServerRig rig;
  rig.handler.upgrade = [](Upgrade& upgrade) {
    CHECK(upgrade.connection().send_text("early") == SendResult::closing);
    CHECK(upgrade.connection().ping() == SendResult::closing);
    upgrade.connection().abort();
  };
  Peer peer = rig.connect();
  peer.send(upgrade_request());
  REQUIRE(rig.until([&] { return peer.receive(), peer.ended(); }));
  CHECK(peer.input().empty());
  rig.settle();
  CHECK(rig.handler.all() == "upgrade");
}

TEST_CASE("what on_upgrade finds out stays with the connection") {
  ServerRig rig;
  static int user;
  rig.handler.upgrade = [](Upgrade& upgrade) { upgrade.connection().set_data(&user); };
  Peer peer = rig.open();
  CHECK(rig.connection().data<int>() == &user);
  CHECK(rig.connection().peer().text().starts_with("127.0.0.1:"));
}

// ── Every call from every callback ───────────────────────────────────────────────────────────

namespace {

struct Action {
  std::string_view name;
  std::function<void(ServerRig&, Connection&)> run;
};

const std::vector<Action>& actions() {
  static const std::string large(300'000, 'x');
  static const std::vector<Action> all = {
      {"send", [](ServerRig&, Connection& c) { c.send_text("from a callback"); }},
      {"send large", [](ServerRig&, Connection& c) { c.send_binary(as_bytes(large)); }},
      {"ping", [](ServerRig&, Connection& c) { c.ping(as_bytes("p")); }},
      {"close", [](ServerRig&, Connection& c) { c.close(3000, "from a callback"); }},
      {"abort", [](ServerRig&, Connection& c) { c.abort(); }},
      {"pause", [](ServerRig&, Connection& c) { c.pause(); }},
      {"resume", [](ServerRig&, Connection& c) { c.resume(); }},
      {"stop", [](ServerRig& rig, Connection&) { rig.server.stop(); }},
  };
  return all;
}

constexpr std::string_view callbacks[] = {"upgrade", "request", "open",  "message", "chunk",
                                          "ping",    "pong",    "drain", "close"};

// Has `callback` do `what`, with the connection that it is for; on_request has none.
void hook(ServerRig& rig, std::string_view callback, std::function<void(Connection*)> what) {
  test::Recorder& handler = rig.handler;
  if (callback == "upgrade") {
    handler.upgrade = [what](Upgrade& upgrade) { what(&upgrade.connection()); };
  }
  if (callback == "request") {
    handler.request = [what](const Handler::Request&, Reply& reply) {
      what(nullptr);
      reply.send(200, "text/plain", as_bytes("hello"));
    };
  }
  if (callback == "open") handler.open = [what](Connection& c) { what(&c); };
  if (callback == "message") handler.message = [what](Connection& c, Message) { what(&c); };
  if (callback == "chunk") handler.chunk = [what](Connection& c, Chunk) { what(&c); };
  if (callback == "ping") handler.ping = [what](Connection& c, Bytes) { what(&c); };
  if (callback == "pong") handler.pong = [what](Connection& c, Bytes) { what(&c); };
  if (callback == "drain") handler.drain = [what](Connection& c) { what(&c); };
  if (callback == "close") handler.close = [what](Connection& c, Closed) { what(&c); };
}

// A conversation in which every callback is called, unless one of them ends it.
void converse(ServerRig& rig, Peer& peer) {
  peer.try_send(get("/") + upgrade_request() + text("first"));
  rig.settle();
  // Until the queue is full; then it is read empty.
  if (Connection* connection = rig.handler.last.get()) {
    const std::string payload(1 << 20, 'x');
    for (int i = 0; i < 100; ++i) {
      if (connection->send_binary(as_bytes(payload)) != SendResult::sent) break;
      rig.loop.turn(0);
      if (rig.handler.last.get() != connection) break;
    }
  }
  for (int i = 0; i < 50; ++i) {
    rig.loop.turn(0);
    peer.receive();
  }
  peer.try_send(text("1") + frame_of(test::ping_frame, "p") + frame_of(test::pong_frame, "q") +
                text("2") + text(std::string(40'000, 'x')).substr(0, 30'000));
  rig.settle();
  peer.try_send(text(std::string(40'000, 'x')).substr(30'000) + text("3") + close_with(1000) +
                text("4"));
  rig.settle();
  peer.receive();
}

// Whatever happened: after a while all connections are gone, each open one with one on_close.
void check_all_gone(ServerRig& rig, Peer& peer, std::string_view callback) {
  hook(rig, callback, [](Connection*) {});
  peer.close();
  rig.settle();
  // A program that has paused a connection doesn't see its end before it resumes.
  if (Connection* connection = rig.handler.last.get()) connection->resume();
  rig.settle();
  CHECK(rig.server.connection_count() == 0);
  CHECK(rig.handler.count("open") == rig.handler.count("close"));
}

}  // namespace

TEST_CASE("every call from every callback, one and two at a time, on the callback's connection") {
  for (const std::string_view callback : callbacks) {
    if (callback == "request") continue;
    for (const Action& first : actions()) {
      for (const Action& second : actions()) {
        CAPTURE(callback);
        CAPTURE(first.name);
        CAPTURE(second.name);
        ServerRig rig({.in_chunks = callback == "chunk"});
        rig.handler.request = answer_hello;
        bool called = false;
        hook(rig, callback, [&](Connection* connection) {
          called = true;
          first.run(rig, *connection);
          second.run(rig, *connection);
        });
        Peer peer = rig.connect();
        converse(rig, peer);
        CHECK(called);
        check_all_gone(rig, peer, callback);
      }
    }
  }
}

TEST_CASE("every call from every callback, on another connection") {
  for (const std::string_view callback : callbacks) {
    for (const Action& action : actions()) {
      CAPTURE(callback);
      CAPTURE(action.name);
      ServerRig rig({.in_chunks = callback == "chunk"});
      rig.handler.request = answer_hello;
      Peer other = rig.open();
      const Handle handle = rig.handler.last;
      bool called = false;
      hook(rig, callback, [&](Connection*) {
        called = true;
        if (Connection* connection = handle.get()) action.run(rig, *connection);
      });
      Peer peer = rig.connect();
      converse(rig, peer);
      CHECK(called);
      if (Connection* connection = handle.get()) connection->abort();
      check_all_gone(rig, peer, callback);
    }
  }
}

TEST_CASE("on_close comes exactly once after on_open, and never without") {
  ServerRig rig;
  int opened = 0;
  for (const std::string_view end : {"refused", "silent", "aborted", "closed", "reset"}) {
    CAPTURE(end);
    rig.handler.upgrade = [end](Upgrade& upgrade) {
      if (end == "refused") upgrade.refuse(403, "no");
    };
    Peer peer = rig.connect();
    if (end != "silent") peer.send(upgrade_request());
    rig.settle();
    opened += end != "refused" && end != "silent";
    CHECK(rig.handler.count("open") == opened);
    if (end == "aborted") rig.connection().abort();
    if (end == "closed") rig.connection().close();
    if (end == "reset") peer.reset();
    peer.close();
    rig.settle();
    CHECK(rig.handler.count("close") == opened);
    CHECK(rig.server.connection_count() == 0);
  }
}

// ── Files ────────────────────────────────────────────────────────────────────────────────────

// A file in memory, and a handler that answers every request with a part of it.
struct FileRig : ServerRig {
  explicit FileRig(Options options = {}) : ServerRig(std::move(options)) {
    REQUIRE(::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    handler.request = [this](const Handler::Request&, Reply& reply) {
      const http::Field fields[] = {{"ETag", "\"1\""}, {"X-More", "yes"}};
      reply.send_file(206, "text/plain", net::Fd(::dup(file.get())), 3, text.size() - 3, fields);
    };
  }

  const std::string text = std::string(8'000'000, 'x') + "the end";
  net::Fd file{::memfd_create("file", MFD_CLOEXEC)};
};

TEST_CASE("Reply: send_file() sends a head and a part of a file, and the connection goes on") {
  FileRig rig;
  Peer peer = rig.connect();
  peer.send(get("/one") + get("/two") + get("/", "Connection: close\r\n"));
  const std::string all = rig.rest(peer);
  const std::string body = rig.text.substr(3);
  const std::size_t head = all.find("\r\n\r\n") + 4;
  CHECK(all.substr(0, head) ==
        "HTTP/1.1 206 Partial Content\r\nContent-Type: text/plain\r\nContent-Length: 8000004\r\n"
        "ETag: \"1\"\r\nX-More: yes\r\n\r\n");
  CHECK(all.substr(head, body.size()) == body);
  CHECK(all.size() == 3 * (head + body.size()) + std::string_view("Connection: close\r\n").size());
  CHECK(all.ends_with(body));
}

TEST_CASE("RFC 9110 §9.3.2: of a file, HEAD gets the size and nothing else") {
  const std::size_t descriptors = test::open_descriptors();
  {
    FileRig rig;
    Peer peer = rig.connect();
    peer.send("HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    const std::string all = rig.rest(peer);
    CHECK(all.find("Content-Length: 8000004\r\n") != std::string::npos);
    CHECK(all.ends_with("\r\n\r\n"));
  }
  CHECK(test::open_descriptors() == descriptors);
}

TEST_CASE("Reply: a field of our own beside a file is answered with 500, and the file is closed") {
  FileRig rig;
  rig.handler.request = [&rig](const Handler::Request&, Reply& reply) {
    const http::Field fields[] = {{"Content-Length", "5"}};
    reply.send_file(200, "text/plain", net::Fd(::dup(rig.file.get())), 0, 5, fields);
    reply.send_file(200, "text/plain", net::Fd(::dup(rig.file.get())), 0, 5);
  };
  std::size_t descriptors = 0;  // after the first, for which the server opens some to keep
  for (int i = 0; i < 3; ++i) {
    Peer peer = rig.connect();
    peer.send(get("/"));
    CHECK(rig.rest(peer).starts_with("HTTP/1.1 500 "));
    peer.close();
    rig.settle();
    if (i == 0) descriptors = test::open_descriptors();
    CHECK(test::open_descriptors() == descriptors);
  }
}

TEST_CASE("a slow reader of a file has all the time it needs, as long as it takes some of it") {
  for (const std::string more : {"", "Connection: close\r\n"}) {
    CAPTURE(more);
    FileRig rig({.limits = {.keep_alive_timeout_ms = 30'000, .close_timeout_ms = 5'000}});
    Peer peer = rig.connect(64 * 1024);
    peer.send(get("/", more));
    rig.settle();
    std::size_t received = 0;
    for (int i = 0; i < 10'000 && received < rig.text.size(); ++i) {
      rig.pass(1'000);
      peer.receive();
      received += peer.take_input().size();
      REQUIRE((!peer.ended() || received > rig.text.size()));
    }
    CHECK(received > rig.text.size());
    rig.pass(more.empty() ? 30'100 : 0);
    CHECK(rig.rest(peer).empty());
  }
}

TEST_CASE("a peer that takes nothing of a file is dropped after keep_alive_timeout_ms") {
  for (const std::string more : {"", "Connection: close\r\n"}) {
    FileRig rig({.limits = {.keep_alive_timeout_ms = 30'000, .close_timeout_ms = 5'000}});
    Peer peer = rig.connect(64 * 1024);
    peer.send(get("/", more) + get("/"));
    rig.pass(29'000);
    CHECK(rig.server.connection_count() == 1);
    rig.pass(1'500);
    CHECK(rig.server.connection_count() == 0);
  }
}

TEST_CASE("a server that stops still sends the file that it has begun") {
  FileRig rig;
  Peer peer = rig.connect();
  peer.send(get("/", "Connection: close\r\n"));
  rig.settle();
  rig.server.stop();
  const std::string all = rig.rest(peer);
  CHECK(all.ends_with(rig.text.substr(3)));
}

}  // namespace sockeye::ws
