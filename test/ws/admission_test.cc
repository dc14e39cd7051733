// Limits that hold for all connections together, or for one as a whole: who may connect, how much
// memory peers may hold, how long a message and a connection may last.
//
// SPDX-License-Identifier: MIT
#include "ws/admission.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "test/support/server_rig.h"
#include "ws/proxies.h"

using namespace sockeye;
using namespace sockeye::test;
using ws::Error;
using ws::Proxies;

namespace {

constexpr std::size_t mebibyte = 1024 * 1024;

Proxies trusting(Proxies::Tell tell, std::string_view networks) {
  return {.tell = tell, .trusted = *net::Networks::parse(networks)};
}

std::string proxy_line(std::string_view client) {
  const bool is_v6 = client.find(':') != client.npos;
  return "PROXY " + std::string(is_v6 ? "TCP6 " : "TCP4 ") + std::string(client) +
         (is_v6 ? " 2001:db8::1" : " 198.51.100.1") + " 4711 443\r\n";
}

// What the server answers to a handshake: its status.
std::string status_of(ServerRig& rig, Peer& peer, std::string_view request) {
  peer.send(request);
  return rig.head(peer).substr(9, 3);
}

}  // namespace

// ── limits.connections_per_address ───────────────────────────────────────────────────────────

TEST_CASE("connections_per_address: one too many gets 429, and the next a place when one leaves") {
  ServerRig rig({.limits = {.connections_per_address = 2}});
  Peer first = rig.open();
  Peer second = rig.open();
  Peer third = rig.connect();
  third.send(upgrade_request());
  const std::string answer = rig.rest(third);
  CHECK(answer.starts_with("HTTP/1.1 429 Too Many Requests\r\n"));
  CHECK(answer.find(info(Error::address_overloaded).text) != answer.npos);
  CHECK(rig.handler.count("upgrade") == 2);
  first.send(text("unharmed"));
  CHECK(rig.frame(first) == Received{text_frame, "unharmed"});
  second.close();
  rig.settle();
  Peer fourth = rig.open();
}

TEST_CASE("connections_per_address: refused ones take no place of limits.connections") {
  ServerRig rig({.limits = {.connections = 10, .connections_per_address = 1}});
  Peer inside = rig.open();
  std::vector<Peer> crowd;
  for (int i = 0; i < 100; ++i) crowd.push_back(rig.connect());
  rig.settle();
  for (Peer& peer : crowd) {
    REQUIRE(rig.until([&] { return peer.receive(), peer.ended(); }));
    CHECK(peer.input().starts_with("HTTP/1.1 429 "));
  }
  CHECK(rig.server.connection_count() <= 1 + 64);
  inside.send(text("x"));
  CHECK(rig.frame(inside) == Received{text_frame, "x"});
}

TEST_CASE("connections_per_address: a connection counts until it is gone, however it ends") {
  ServerRig rig({.limits = {.connections_per_address = 1, .head_timeout_ms = 1'000}});
  // A silent one, one that is refused, one that is done with, one that breaks a rule, one that
  // resets.
  Peer silent = rig.connect();
  rig.settle();
  Peer late = rig.connect();
  CHECK(status_of(rig, late, upgrade_request()) == "429");
  rig.pass(1'100);
  Peer wrong = rig.connect();
  CHECK(status_of(rig, wrong, "GET / HTTP/1.1\r\n\r\n") == "400");
  wrong.close();
  rig.settle();
  Peer done = rig.open();
  done.send(close_with(1000));
  rig.rest(done);
  done.close();
  rig.settle();
  Peer unmasked = rig.open();
  unmasked.send("\x81\x01x");
  rig.rest(unmasked);
  unmasked.close();
  rig.settle();
  Peer reset = rig.open();
  reset.reset();
  rig.settle();
  Peer last = rig.open();
}

TEST_CASE("connections_per_address: servers that share an admission count together") {
  ws::Admission shared({});
  {
    ServerRig one({.limits = {.connections_per_address = 2}, .admission = &shared});
    ServerRig two({.limits = {.connections_per_address = 2}, .admission = &shared});
    Peer first = one.open();
    Peer second = two.open();
    CHECK(shared.addresses.size() == 1);
    Peer third = two.connect();
    CHECK(status_of(two, third, upgrade_request()) == "429");
  }
  CHECK(shared.addresses.size() == 0);
}

TEST_CASE("connections_per_address: Unix peers have no address, and are not counted") {
  ServerRig rig({.limits = {.connections_per_address = 1}}, "unix:@sockeye-limits-test");
  Peer first = rig.open();
  Peer second = rig.open();
}

// ── Proxies ──────────────────────────────────────────────────────────────────────────────────

TEST_CASE("PROXY protocol: the real address counts, and is the connection's peer") {
  ServerRig rig({.limits = {.connections_per_address = 1},
                 .proxies = trusting(Proxies::Tell::proxy_protocol, "127.0.0.1")});
  std::vector<std::string> peers;
  rig.handler.open = [&](ws::Connection& c) { peers.push_back(c.peer().text()); };
  rig.handler.upgrade = [&](ws::Upgrade& u) { peers.push_back(u.connection().peer().text()); };
  Peer first = rig.connect();
  CHECK(status_of(rig, first, proxy_line("192.0.2.7") + upgrade_request()) == "101");
  CHECK(peers == std::vector<std::string>{"192.0.2.7:4711", "192.0.2.7:4711"});
  Peer same = rig.connect();
  CHECK(status_of(rig, same, proxy_line("192.0.2.7") + upgrade_request()) == "429");
  Peer mapped = rig.connect();
  CHECK(status_of(rig, mapped, proxy_line("::ffff:192.0.2.7") + upgrade_request()) == "429");
  Peer other = rig.connect();
  CHECK(status_of(rig, other, proxy_line("192.0.2.8") + upgrade_request()) == "101");
  Peer network = rig.connect();
  CHECK(status_of(rig, network, proxy_line("2001:db8::7") + upgrade_request()) == "101");
  Peer neighbour = rig.connect();
  CHECK(status_of(rig, neighbour, proxy_line("2001:db8::8") + upgrade_request()) == "429");
  first.close();
  rig.settle();
  Peer next = rig.connect();
  CHECK(status_of(rig, next, proxy_line("192.0.2.7") + upgrade_request()) == "101");
  next.send(text("through"));
  CHECK(rig.frame(next) == Received{text_frame, "through"});
}

TEST_CASE("PROXY protocol: the header may come byte by byte, and frames in its segment") {
  ServerRig rig({.proxies = trusting(Proxies::Tell::proxy_protocol, "127.0.0.1")});
  Peer peer = rig.connect();
  for (const char c : proxy_line("192.0.2.7") + upgrade_request()) {
    peer.send(std::string_view(&c, 1));
    rig.settle();
  }
  CHECK(rig.head(peer).starts_with("HTTP/1.1 101 "));
  Peer whole = rig.connect();
  whole.send(proxy_line("192.0.2.7") + upgrade_request() + text("early"));
  CHECK(rig.head(whole).starts_with("HTTP/1.1 101 "));
  CHECK(rig.frame(whole) == Received{text_frame, "early"});
}

TEST_CASE("PROXY protocol §2: without its header a connection is refused, from whomever") {
  ServerRig rig({.proxies = trusting(Proxies::Tell::proxy_protocol, "127.0.0.1")});
  Peer bare = rig.connect();
  bare.send(upgrade_request() + text("x"));
  CHECK(rig.rest(bare).starts_with("HTTP/1.1 400 "));
  Peer stranger(*rig.server.listen("[::1]:0"));
  stranger.send(proxy_line("192.0.2.7") + upgrade_request());
  CHECK(rig.rest(stranger).starts_with("HTTP/1.1 403 "));
  CHECK(!rig.handler.has("upgrade"));
}

TEST_CASE("PROXY protocol: a proxy's own connections, and its health checks, aren't counted") {
  ServerRig rig({.limits = {.connections_per_address = 1},
                 .proxies = trusting(Proxies::Tell::proxy_protocol, "127.0.0.1")});
  Peer one = rig.connect();
  CHECK(status_of(rig, one, "PROXY UNKNOWN\r\n" + upgrade_request()) == "101");
  Peer two = rig.connect();
  CHECK(status_of(rig, two, "PROXY UNKNOWN\r\n" + upgrade_request()) == "101");
  Peer check = rig.connect();
  check.finish();  // connects, and goes
  CHECK(rig.rest(check).empty());
}

TEST_CASE("PROXY protocol: a header that doesn't come runs into the head's deadline") {
  ServerRig rig({.limits = {.head_timeout_ms = 1'000},
                 .proxies = trusting(Proxies::Tell::proxy_protocol, "127.0.0.1")});
  Peer peer = rig.connect();
  peer.send("PROXY TCP4 ");
  rig.pass(1'100);
  CHECK(rig.rest(peer).empty());
}

TEST_CASE("X-Forwarded-For: from a trusted proxy the real address counts, and is the peer") {
  ServerRig rig({.limits = {.connections_per_address = 1},
                 .proxies = trusting(Proxies::Tell::forwarded_for, "127.0.0.1")});
  std::string peer_text;
  rig.handler.open = [&](ws::Connection& c) { peer_text = c.peer().text(); };
  const std::string from_7 = upgrade_request("X-Forwarded-For: 203.0.113.1, 192.0.2.7\r\n");
  Peer first = rig.connect();
  CHECK(status_of(rig, first, from_7) == "101");
  CHECK(peer_text == "192.0.2.7:0");
  Peer same = rig.connect();
  CHECK(status_of(rig, same, from_7) == "429");
  Peer other = rig.connect();
  CHECK(status_of(rig, other, upgrade_request("X-Forwarded-For: 192.0.2.8\r\n")) == "101");
  // Without the field it is the proxy itself, which has no limit. (The log says so.)
  const QuietLog quiet;
  Peer own = rig.connect();
  CHECK(status_of(rig, own, upgrade_request()) == "101");
  Peer another = rig.connect();
  CHECK(status_of(rig, another, upgrade_request()) == "101");
  first.close();
  rig.settle();
  Peer next = rig.connect();
  CHECK(status_of(rig, next, from_7) == "101");
}

TEST_CASE("X-Forwarded-For: nobody else is believed") {
  for (const Proxies& proxies : {trusting(Proxies::Tell::forwarded_for, "10.0.0.1"), Proxies{}}) {
    ServerRig rig({.limits = {.connections_per_address = 1}, .proxies = proxies});
    Peer first = rig.connect();
    CHECK(status_of(rig, first, upgrade_request("X-Forwarded-For: 192.0.2.7\r\n")) == "101");
    CHECK(rig.connection().peer().text().starts_with("127.0.0.1:"));
    Peer second = rig.connect();
    CHECK(status_of(rig, second, upgrade_request("X-Forwarded-For: 192.0.2.8\r\n")) == "429");
  }
}

// ── limits.memory_bytes ──────────────────────────────────────────────────────────────────────

TEST_CASE("memory_bytes: peers that hold it all are served, and further ones told so") {
  ServerRig rig({.limits = {.message_bytes = 4 * mebibyte, .memory_bytes = 3 * mebibyte}});
  Peer bystander = rig.open();
  // Each holds the megabyte of a message whose rest doesn't come; of the third, none is left.
  const std::string half = frame_of(binary_frame, std::string(mebibyte - 64, 'x'), false);
  Peer first = rig.open();
  Peer second = rig.open();
  for (Peer* peer : {&first, &second}) {
    std::size_t sent = 0;
    REQUIRE(rig.until([&] { return (sent += peer->try_send(half.substr(sent))) == half.size(); }));
    rig.settle();
  }
  Peer third = rig.open();
  std::size_t sent = 0;
  REQUIRE(rig.until([&] {
    return third.receive(), sent += third.try_send(half.substr(sent)), !third.input().empty();
  }));
  CHECK(rig.frame(third) ==
        Received{close_frame, close_payload(1011, info(Error::out_of_memory).text)});

  // Those that need none of it go on, and so do those that have theirs.
  bystander.send(text("unharmed"));
  CHECK(rig.frame(bystander) == Received{text_frame, "unharmed"});
  first.send(frame_of(0, "", true));
  CHECK(rig.frame(first).payload.size() == mebibyte - 64);
  // What was held is free again.
  first.close();
  second.close();
  rig.settle();
  Peer fourth = rig.open();
  sent = 0;
  const std::string whole = frame_of(binary_frame, std::string(mebibyte - 64, 'x'));
  REQUIRE(rig.until([&] { return (sent += fourth.try_send(whole.substr(sent))) == whole.size(); }));
  CHECK(rig.frame(fourth).payload.size() == mebibyte - 64);
}

TEST_CASE("memory_bytes: without any left, a handshake is answered with 503") {
  ServerRig rig({.limits = {.memory_bytes = 64}});
  Peer peer = rig.connect();
  rig.settle();
  peer.receive();
  CHECK(peer.input().starts_with("HTTP/1.1 503 "));
  CHECK(rig.server.connection_count() == 0);
}

TEST_CASE("memory_bytes: output for peers that don't read counts; nothing is lost of the others") {
  ServerRig rig({.limits = {.buffered_bytes = 64 * mebibyte, .memory_bytes = 8 * mebibyte}});
  rig.handler.message = [](ws::Connection& connection, ws::Message) {
    for (int i = 0; i < 64 && connection.is_open(); ++i) {
      (void)connection.send_binary(as_bytes(std::string(mebibyte, 'x')));
    }
  };
  Peer greedy = rig.open();
  Peer bystander = rig.open();
  greedy.send(text("all of it"));
  REQUIRE(rig.until([&] { return rig.handler.has("close"); }));
  CHECK(rig.handler.events.back() == "close 1006  unclean");
  rig.handler.message = echo;
  bystander.send(text("unharmed"));
  CHECK(rig.frame(bystander) == Received{text_frame, "unharmed"});
}

// ── limits.message_timeout_ms ────────────────────────────────────────────────────────────────

TEST_CASE("message_timeout_ms: a message that comes byte by byte ends with 1008") {
  ServerRig rig({.limits = {.message_timeout_ms = 10'000}});
  Peer peer = rig.open();
  const std::string frame = text("a text that takes its time");
  for (std::size_t i = 0; i < 10; ++i) {
    peer.send(frame.substr(i, 1));
    rig.settle();
    rig.pass(1'000);
  }
  CHECK(!rig.handler.has("close"));  // it counts from the header's end, six bytes in
  peer.send(frame.substr(10, 1));
  rig.settle();
  rig.pass(7'000);
  CHECK(rig.frame(peer) ==
        Received{close_frame, close_payload(1008, info(Error::message_timeout).text)});
}

TEST_CASE("message_timeout_ms: each message has its own, and fragments share one") {
  ServerRig rig({.limits = {.message_timeout_ms = 10'000}});
  Peer peer = rig.open();
  for (int i = 0; i < 5;
       ++i) {  // cut ones, one after the other, the next in the last one's segment
    const std::string frame = text("0123456789");
    if (i == 0) peer.send(frame.substr(0, 8));
    rig.settle();
    rig.pass(9'000);
    peer.send(frame.substr(8) + frame.substr(0, 8));
    CHECK(rig.frame(peer) == Received{text_frame, "0123456789"});
  }
  peer.send(text("0123456789").substr(8) + frame_of(text_frame, "a", false));
  CHECK(rig.frame(peer) == Received{text_frame, "0123456789"});
  for (int i = 0; i < 3; ++i) {
    rig.pass(3'000);
    peer.send(frame_of(0, "b", false));
    rig.settle();
  }
  CHECK(!rig.handler.has("close"));
  rig.pass(1'100);
  CHECK(rig.frame(peer) ==
        Received{close_frame, close_payload(1008, info(Error::message_timeout).text)});
}

TEST_CASE("message_timeout_ms: not for chunks, nor while the program pauses, nor at 0") {
  {
    ServerRig rig({.limits = {.message_timeout_ms = 10'000}, .in_chunks = true});
    Peer peer = rig.open();
    peer.send(frame_of(text_frame, "a", false));
    rig.settle();
    rig.pass(20'000);
    CHECK(!rig.handler.has("close"));
  }
  {
    ServerRig rig({.limits = {.message_timeout_ms = 10'000}});
    Peer peer = rig.open();
    peer.send(frame_of(text_frame, "a", false));
    rig.settle();
    rig.connection().pause();
    rig.pass(20'000);
    rig.connection().resume();
    rig.settle();
    peer.send(frame_of(0, "b"));
    CHECK(rig.frame(peer) == Received{text_frame, "ab"});
  }
  {
    ServerRig rig({.limits = {.message_timeout_ms = 0}});
    Peer peer = rig.open();
    peer.send(frame_of(text_frame, "a", false));
    rig.settle();
    rig.pass(100'000);
    CHECK(!rig.handler.has("close"));
  }
}

TEST_CASE("message_timeout_ms: holds without other timers, too") {
  ServerRig rig(
      {.limits = {.ping_interval_ms = 0, .idle_timeout_ms = 0, .message_timeout_ms = 10'000}});
  Peer peer = rig.open();
  peer.send(frame_of(text_frame, "a", false));
  rig.settle();
  rig.pass(10'100);
  CHECK(rig.handler.has("close 1008"));
}

// ── limits.lifetime_ms ───────────────────────────────────────────────────────────────────────

TEST_CASE("lifetime_ms: every connection ends with 1001, however lively") {
  ServerRig rig({.limits = {.lifetime_ms = 100'000}});
  Peer peer = rig.open();
  for (int i = 0; i < 8; ++i) {
    rig.pass(11'000);
    peer.send(text("x"));
    CHECK(rig.frame(peer) == Received{text_frame, "x"});
  }
  rig.pass(12'100);
  CHECK(rig.frame(peer) ==
        Received{close_frame, close_payload(1001, info(Error::lifetime_over).text)});
  peer.send(close_with(1001));
  CHECK(rig.rest(peer).empty());
}

TEST_CASE("lifetime_ms: connections that came together go over a tenth of it") {
  ServerRig rig({.limits = {.ping_interval_ms = 0, .idle_timeout_ms = 0, .lifetime_ms = 100'000}});
  std::vector<Peer> peers;
  for (int i = 0; i < 64; ++i) peers.push_back(rig.open());
  rig.pass(89'900);
  CHECK(rig.handler.count("close") == 0);
  std::size_t closing = 0;
  const auto count_closing = [&] {
    std::size_t count = 0;
    rig.server.for_each([&](ws::Connection&) { ++count; });
    return peers.size() - count;
  };
  for (int second = 0; second < 10; ++second) {
    rig.pass(1'000);
    const std::size_t now = count_closing();
    CHECK(now - closing >= 4);
    CHECK(now - closing <= 9);
    closing = now;
  }
  rig.pass(100);
  CHECK(count_closing() == 64);
}

TEST_CASE("lifetime_ms: 0 is for ever") {
  ServerRig rig({.limits = {.ping_interval_ms = 0, .idle_timeout_ms = 0, .lifetime_ms = 0}});
  Peer peer = rig.open();
  rig.leap(std::uint64_t{1} << 33);
  peer.send(text("x"));
  CHECK(rig.frame(peer) == Received{text_frame, "x"});
}

// ── Late loops ───────────────────────────────────────────────────────────────────────────────

TEST_CASE("False timeouts when the loop was late: whole heads in the kernel are in time") {
  ServerRig rig({.limits = {.head_timeout_ms = 1'000}});
  std::vector<Peer> peers;
  for (int i = 0; i < 300; ++i) peers.push_back(rig.connect());
  rig.settle();
  for (Peer& peer : peers) peer.send(upgrade_request());
  rig.leap(2'000);
  for (Peer& peer : peers) CHECK(rig.head(peer).starts_with("HTTP/1.1 101 "));
}

TEST_CASE("False timeouts when the loop was late: messages in the kernel are in time") {
  ServerRig rig({.limits = {.message_timeout_ms = 1'000}}, "unix:@sockeye-late-test");
  Peer peer = rig.open();
  peer.send(frame_of(text_frame, "a", false));
  rig.settle();
  for (int i = 0; i < 50; ++i) peer.send(frame_of(0, std::string(1'000, 'b'), i == 49));
  rig.leap(2'000);
  CHECK(rig.frame(peer).payload.size() == 50'001);
}

TEST_CASE(
    "False timeouts when the loop was late: the pause that a program made is not the peer's") {
  ServerRig rig({.limits = {.message_timeout_ms = 10'000}});
  Peer peer = rig.open();
  peer.send(frame_of(text_frame, "a", false));
  rig.settle();
  rig.connection().pause();
  rig.pass(9'000);
  rig.connection().resume();
  rig.settle();
  rig.pass(9'000);
  peer.send(frame_of(0, "b"));
  CHECK(rig.frame(peer) == Received{text_frame, "ab"});
}
