// What the wire dumps of test/wire don't show: every header there is, memory, and its failure.
//
// SPDX-License-Identifier: MIT
#include "ws/protocol.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "test/support/failing_malloc.h"
#include "test/support/splits.h"

namespace sockeye::ws {
namespace {

using test::MallocWatch;
using test::Piece;

struct Peer {
  explicit Peer(Role role = Role::server)
      : settings{.role = role, .pool = pool, .limits = {}, .kernels = {}} {}

  // The first event of `bytes`, of which `left` keeps what follows it.
  Event read(Bytes bytes) {
    input = test::piece_of(bytes);
    left = MutableBytes(input);
    return protocol.read(left);
  }
  Event read_on() { return protocol.read(left); }

  Pool pool{0};  // keeps nothing, so that the watch sees what is given back
  Settings settings;
  Protocol protocol{settings};
  Piece input;
  MutableBytes left;
};

// A masked frame, or an unmasked one from a server. The key is 0.
Piece frame_of(unsigned first, std::uint64_t size, Bytes payload, bool masked = true) {
  Piece bytes{static_cast<std::uint8_t>(first)};
  const unsigned mask = masked ? 0x80 : 0;
  int extended = 0;
  if (size <= 125) {
    bytes.push_back(static_cast<std::uint8_t>(mask | size));
  } else {
    bytes.push_back(static_cast<std::uint8_t>(mask | (size <= 0xffff ? 126 : 127)));
    extended = size <= 0xffff ? 2 : 8;
  }
  for (int i = extended - 1; i >= 0; --i) {
    bytes.push_back(static_cast<std::uint8_t>(size >> 8 * i));
  }
  if (masked) bytes.insert(bytes.end(), 4, 0);
  bytes.insert(bytes.end(), payload.begin(), payload.end());
  return bytes;
}

// ── All headers ──────────────────────────────────────────────────────────────────────────────

// The rules that the first two bytes of a frame break, in the words of RFC 6455.
std::vector<Error> rules_broken(unsigned first, unsigned second, Role receiver) {
  std::vector<Error> rules;
  // §5.2: "RSV1, RSV2, RSV3: MUST be 0 unless an extension is negotiated".
  if (first & 0b0111'0000) rules.push_back(Error::reserved_bit_set);
  // §5.2: "%x3-7 are reserved for further non-control frames", "%xB-F [...] control frames"; "If an
  // unknown opcode is received, the receiving endpoint MUST _Fail the WebSocket Connection_."
  const unsigned opcode = first & 0b0000'1111;
  if ((opcode >= 0x3 && opcode <= 0x7) || opcode >= 0xB) rules.push_back(Error::reserved_opcode);
  // §5.1: "The server MUST close the connection upon receiving a frame that is not masked"; "A
  // client MUST close a connection if it detects a masked frame."
  const bool mask = (second & 0b1000'0000) != 0;
  if (receiver == Role::server && !mask) rules.push_back(Error::frame_not_masked);
  if (receiver == Role::client && mask) rules.push_back(Error::frame_masked);
  // §5.5: "Control frames are identified by opcodes where the most significant bit of the opcode is
  // 1"; "All control frames MUST have a payload length of 125 bytes or less and MUST NOT be
  // fragmented."
  if (opcode & 0b1000) {
    if ((second & 0b0111'1111) >= 126) rules.push_back(Error::control_frame_too_long);
    if ((first & 0b1000'0000) == 0) rules.push_back(Error::control_frame_fragmented);
  }
  return rules;
}

// What a frame that breaks none of them leads to: its payload is zeros, and no message has begun.
Event::Kind outcome(unsigned first, std::uint64_t size, Error& error) {
  const bool fin = (first & 0x80) != 0;
  error = Error::none;
  switch (first & 15) {
    case 0x0:  // §5.4: there must be something to continue
      error = Error::continuation_without_message;
      return Event::Kind::failed;
    case 0x1:  // U+0000, as often as one likes, is UTF-8
    case 0x2:
      return fin ? Event::Kind::message : Event::Kind::none;
    case 0x8:  // §5.5.1: no payload, or a code; and 0 is not one that may be used (§7.4.2)
      if (size == 0) return Event::Kind::close;
      error = size == 1 ? Error::close_payload_of_one_byte : Error::close_code_invalid;
      return Event::Kind::failed;
    case 0x9:
      return Event::Kind::ping;
    default:
      return Event::Kind::pong;
  }
}

TEST_CASE("RFC 6455 §5: the verdict over each of the 65,536 first two bytes, in both roles") {
  for (const Role role : {Role::server, Role::client}) {
    for (unsigned start = 0; start <= 0xffff; ++start) {
      const unsigned first = start >> 8;
      const unsigned second = start & 0xff;
      CAPTURE(role == Role::server);
      CAPTURE(start);
      const std::vector<Error> rules = rules_broken(first, second, role);
      if (!rules.empty()) {
        Peer peer(role);
        const Event event =
            peer.read(Piece{static_cast<std::uint8_t>(first), static_cast<std::uint8_t>(second)});
        REQUIRE(event.kind == Event::Kind::failed);
        REQUIRE(std::find(rules.begin(), rules.end(), event.error) != rules.end());
        continue;
      }
      const unsigned length = second & 0x7f;
      const std::uint64_t size = length == 127 ? 65'536 : length;
      const Piece frame = frame_of(first, size, Piece(size), role == Role::server);
      REQUIRE(frame[1] == second);
      Error error;
      const Event::Kind kind = outcome(first, size, error);
      Peer peer(role);
      const Event event = peer.read(frame);
      REQUIRE(event.kind == kind);
      REQUIRE(event.error == error);
      if (kind == Event::Kind::message) {
        REQUIRE(event.payload.size() == size);
        REQUIRE(static_cast<unsigned>(event.opcode) == (first & 15));
      }
    }
  }
}

// ── Cut input ────────────────────────────────────────────────────────────────────────────────

TEST_CASE("RFC 6455 §5.2: a header is kept across any cuts, and costs no memory meanwhile") {
  const std::string payload(65'536, 'a');
  const Piece frame = frame_of(0x81, payload.size(), as_bytes(payload));
  for (unsigned cuts = 0; cuts < 1u << 13; ++cuts) {
    const MallocWatch watch;
    Peer peer;
    std::size_t begin = 0;
    for (std::size_t end = 1; end <= 13; ++end) {
      if ((cuts >> (end - 1) & 1) == 0) continue;
      REQUIRE(peer.read(Bytes(frame).subspan(begin, end - begin)).kind == Event::Kind::none);
      REQUIRE(peer.left.empty());
      begin = end;
    }
    REQUIRE(watch.calls() == 0);
    const Event event = peer.read(Bytes(frame).subspan(begin));
    REQUIRE(event.kind == Event::Kind::message);
    REQUIRE(as_text(event.payload) == payload);
  }
}

TEST_CASE("RFC 6455 §5: messages that come whole take no memory and are not copied") {
  Peer peer;
  const MallocWatch watch;
  Piece frames;
  for (int i = 0; i < 100; ++i) {
    const Piece frame = frame_of(i % 3 == 0 ? 0x89 : 0x81, 5, as_bytes("Hello"));
    frames.insert(frames.end(), frame.begin(), frame.end());
  }
  MutableBytes input(frames);
  for (int i = 0; i < 100; ++i) {
    const Event event = peer.protocol.read(input);
    REQUIRE(event.kind == (i % 3 == 0 ? Event::Kind::ping : Event::Kind::message));
    REQUIRE(event.payload.data() == frames.data() + i * 11 + 6);
    REQUIRE(as_text(event.payload) == "Hello");
  }
  CHECK(peer.protocol.read(input).kind == Event::Kind::none);
  CHECK(watch.calls() == 0);
}

TEST_CASE("RFC 6455 §5.4: the memory of a message goes when its event has been dealt with") {
  const MallocWatch watch;
  Peer peer;
  CHECK(peer.read(frame_of(0x01, 3, as_bytes("Hel"))).kind == Event::Kind::none);
  CHECK(watch.live_blocks() > 0);
  const Event event = peer.read(frame_of(0x80, 2, as_bytes("lo")));
  CHECK(as_text(event.payload) == "Hello");
  peer.protocol.release();
  CHECK(watch.live_blocks() == 0);

  // A Ping that the input cuts, too; but not while a message is under way.
  Piece ping = frame_of(0x89, 4, as_bytes("ping"));
  CHECK(peer.read(Bytes(ping).first(8)).kind == Event::Kind::none);
  CHECK(as_text(peer.read(Bytes(ping).subspan(8)).payload) == "ping");
  peer.protocol.release();
  CHECK(watch.live_blocks() == 0);

  CHECK(peer.read(frame_of(0x01, 3, as_bytes("Hel"))).kind == Event::Kind::none);
  CHECK(peer.read(Bytes(ping).first(8)).kind == Event::Kind::none);
  CHECK(as_text(peer.read(Bytes(ping).subspan(8)).payload) == "ping");
  peer.protocol.release();
  CHECK(watch.live_blocks() > 0);
  CHECK(as_text(peer.read(frame_of(0x80, 2, as_bytes("lo"))).payload) == "Hello");

  // And where the connection ends with something unfinished.
  CHECK(peer.read(frame_of(0x01, 3, as_bytes("Hel"))).kind == Event::Kind::none);
  CHECK(peer.read(frame_of(0x88, 0, {})).kind == Event::Kind::close);
  peer.protocol.release();
  CHECK(watch.live_blocks() == 0);
}

TEST_CASE("RFC 6455 §5.5.1, §7.1.7: after a Close frame or a failure, input is swallowed") {
  for (const unsigned first : {0x88u, 0x83u}) {
    Peer peer;
    const Event event = peer.read(frame_of(first, 0, {}));
    CHECK(event.kind == (first == 0x88 ? Event::Kind::close : Event::Kind::failed));
    for (int i = 0; i < 3; ++i) {
      CHECK(peer.read(frame_of(0x81, 5, as_bytes("Hello"))).kind == Event::Kind::none);
      CHECK(peer.left.empty());
    }
    CHECK(peer.protocol.direct_space().empty());
  }
}

// ── Large payloads ───────────────────────────────────────────────────────────────────────────

// Receives `payload` as the rest of a frame, straight into the message.
Event receive_directly(Peer& peer, Bytes payload) {
  while (true) {
    const MutableBytes space = peer.protocol.direct_space();
    if (space.empty()) return peer.read(payload);
    const std::size_t size = std::min(space.size(), payload.size());
    copy_bytes(space.data(), payload.first(size));
    payload = payload.subspan(size);
    const Event event = peer.protocol.commit_direct(size);
    if (event.kind != Event::Kind::none || payload.empty()) return event;
  }
}

TEST_CASE("RFC 6455 §5: a large payload is received in place") {
  for (const std::size_t size : {40'000, 100'000, 1'000'000}) {
    CAPTURE(size);
    std::string payload;
    for (std::size_t i = 0; i < size; ++i) payload += static_cast<char>('a' + i % 26);
    Peer peer;
    CHECK(peer.protocol.direct_space().empty());
    const Piece frame = frame_of(0x81, size, as_bytes(payload));
    const std::size_t header_size = frame.size() - size;
    CHECK(peer.read(Bytes(frame).first(header_size + 1000)).kind == Event::Kind::none);
    CHECK(!peer.protocol.direct_space().empty());
    const Event event = receive_directly(peer, Bytes(frame).subspan(header_size + 1000));
    CHECK(event.kind == Event::Kind::message);
    CHECK(event.opcode == Opcode::text);
    CHECK(as_text(event.payload) == payload);
    peer.protocol.release();
    CHECK(peer.protocol.direct_space().empty());
  }
}

TEST_CASE(
    "RFC 6455 §5.4: large fragments are received in place, with control frames between them") {
  const std::string payload(50'000, 'x');
  Peer peer;
  const Piece first = frame_of(0x02, payload.size(), as_bytes(payload));
  const Piece last = frame_of(0x80, payload.size(), as_bytes(payload));
  const std::size_t header_size = first.size() - payload.size();
  CHECK(peer.read(Bytes(first).first(header_size)).kind == Event::Kind::none);
  CHECK(receive_directly(peer, Bytes(first).subspan(header_size)).kind == Event::Kind::none);
  CHECK(peer.protocol.direct_space().empty());
  CHECK(peer.read(frame_of(0x89, 1, as_bytes("p"))).kind == Event::Kind::ping);
  // A control frame that the input cut isn't a large payload.
  CHECK(peer.read(Bytes(frame_of(0x89, 9, as_bytes("unfinished"))).first(8)).kind ==
        Event::Kind::none);
  CHECK(peer.protocol.direct_space().empty());
  CHECK(peer.read(as_bytes("finished!").subspan(2)).kind == Event::Kind::ping);
  CHECK(peer.read(Bytes(last).first(header_size)).kind == Event::Kind::none);
  const Event event = receive_directly(peer, Bytes(last).subspan(header_size));
  CHECK(as_text(event.payload) == payload + payload);
}

TEST_CASE("RFC 6455 §8.1: text received in place fails at its first bad byte") {
  Peer peer;
  const Piece frame = frame_of(0x81, 1'000'000, {});
  CHECK(peer.read(frame).kind == Event::Kind::none);
  std::string payload(30, 'a');
  payload[20] = '\x80';
  const MutableBytes space = peer.protocol.direct_space();
  REQUIRE(space.size() >= payload.size());
  copy_bytes(space.data(), as_bytes(payload));
  const Event event = peer.protocol.commit_direct(payload.size());
  CHECK(event.kind == Event::Kind::failed);
  CHECK(event.error == Error::text_not_utf8);
  peer.protocol.release();
  CHECK(peer.protocol.direct_space().empty());  // though the frame never ended
  CHECK(peer.read(as_bytes(payload)).kind == Event::Kind::none);
}

// ── What a peer can claim ────────────────────────────────────────────────────────────────────

TEST_CASE("RFC 6455 §10.4: a terabyte is declared and a byte sent, on 1,000 connections") {
  Limits limits;
  limits.message_bytes = std::uint64_t{1} << 50;
  const MallocWatch watch;
  std::vector<std::unique_ptr<Peer>> peers;
  for (int i = 0; i < 1000; ++i) {
    auto& peer = *peers.emplace_back(std::make_unique<Peer>());
    peer.settings.limits = limits;
    CHECK(peer.read(frame_of(0x82, std::uint64_t{1} << 40, as_bytes("a"))).kind ==
          Event::Kind::none);
  }
  CHECK(watch.largest() <= 1024);
  CHECK(watch.calls() <= 2000);
}

TEST_CASE("RFC 6455 §10.4: a million fragments of no or one byte: bounded memory, a capped count") {
  for (const std::size_t size : {0, 1}) {
    CAPTURE(size);
    const MallocWatch watch;
    Peer peer;
    const Piece fragment = frame_of(0x00, size, as_bytes("a").first(size));
    CHECK(peer.read(frame_of(0x02, size, as_bytes("a").first(size))).kind == Event::Kind::none);
    Event event{};
    std::uint32_t fragments = 1;
    while (fragments < 1'000'000 && event.kind == Event::Kind::none) {
      event = peer.read(fragment);
      ++fragments;
    }
    CHECK(event.error == Error::too_many_fragments);
    CHECK(fragments == Limits().message_fragments + 1);
    CHECK(watch.largest() <= 16 * size * fragments + 1024);
    peer.protocol.release();
    CHECK(watch.live_blocks() == 0);
  }
}

TEST_CASE("RFC 6455 §10.4: wherever memory runs out, that is an event, and nothing is lost") {
  // A message in fragments, large and small, with Pings between them, and messages that are whole.
  const std::string large(60'000, 'x');
  Piece input;
  const auto add = [&input](const Piece& frame) {
    input.insert(input.end(), frame.begin(), frame.end());
  };
  add(frame_of(0x81, 5, as_bytes("whole")));
  add(frame_of(0x01, 5, as_bytes("small")));
  add(frame_of(0x89, 4, as_bytes("ping")));
  add(frame_of(0x00, large.size(), as_bytes(large)));
  add(frame_of(0x80, large.size(), as_bytes(large)));
  add(frame_of(0x89, 4, as_bytes("ping")));

  for (const std::size_t piece_size : {7, 1000, 70'000}) {
    for (const bool directly : {false, true}) {
      for (std::size_t failing_call = 0;; ++failing_call) {
        CAPTURE(piece_size);
        CAPTURE(directly);
        CAPTURE(failing_call);
        const MallocWatch watch(failing_call);
        bool failed = false;
        int events = 0;
        {
          Peer peer;
          Bytes rest(input);
          while (!rest.empty() && !failed) {
            Bytes piece = rest.first(std::min(piece_size, rest.size()));
            rest = rest.subspan(piece.size());
            const auto note = [&](const Event& event) {
              if (event.kind == Event::Kind::none) return;
              ++events;
              failed = event.kind == Event::Kind::failed;
              if (failed) REQUIRE(event.error == Error::out_of_memory);
            };
            if (const MutableBytes space = peer.protocol.direct_space();
                directly && !space.empty()) {
              const std::size_t size = std::min(space.size(), piece.size());
              copy_bytes(space.data(), piece.first(size));
              piece = piece.subspan(size);
              note(peer.protocol.commit_direct(size));
            }
            if (!failed) note(peer.read(piece));
            while (!failed && !peer.left.empty()) note(peer.read_on());
          }
        }
        REQUIRE(watch.live_blocks() == 0);
        // Where there was no memory for receiving in place, there may be some a moment later.
        if (!directly) REQUIRE(failed == watch.failed());
        if (!failed) REQUIRE(events == 4);
        if (!watch.failed()) break;
      }
    }
  }
}

// ── Sending ──────────────────────────────────────────────────────────────────────────────────

TEST_CASE("RFC 6455 §5: what one role sends the other one reads") {
  for (const Role role : {Role::server, Role::client}) {
    for (const std::size_t size : {0, 1, 125, 126, 65'535, 65'536}) {
      Peer sender(role);
      Peer receiver(role == Role::server ? Role::client : Role::server);
      const std::string payload(size, 'm');
      const std::uint32_t key = 0x0badcafe;
      const Protocol::FrameStart start =
          sender.protocol.begin_message(Opcode::text, {as_bytes(payload)}, key);
      Piece frame = test::piece_of(start);
      CHECK(((frame[1] & 0x80) != 0) == (role == Role::client));
      frame.insert(frame.end(), payload.begin(), payload.end());
      if (role == Role::client) {
        std::uint8_t* body = frame.data() + start.size;
        sender.settings.kernels.mask(body, body, size, key);
      }
      CHECK(as_text(receiver.read(frame).payload) == payload);

      if (size > frame::max_control_payload) continue;
      const auto pong = sender.protocol.control(Opcode::pong, as_bytes(payload), key);
      const Event event = receiver.read(pong);
      CHECK(event.kind == Event::Kind::pong);
      CHECK(as_text(event.payload) == payload);
    }
  }
}

TEST_CASE("RFC 6455 §5.5.1: both halves of the closing handshake are remembered") {
  Peer server(Role::server);
  Peer client(Role::client);
  CHECK(!client.protocol.close_sent());
  const auto close = client.protocol.close(1001, "going", 0x01020304);
  CHECK(client.protocol.close_sent());
  CHECK(!client.protocol.close_received());
  const Event event = server.read(close);
  CHECK(event.kind == Event::Kind::close);
  CHECK(event.code == 1001);
  CHECK(event.reason == "going");
  CHECK(server.protocol.close_received());
  CHECK(client.read(server.protocol.close(event.code, {}, 0)).code == 1001);
  CHECK(client.protocol.close_received());
}

}  // namespace
}  // namespace sockeye::ws
