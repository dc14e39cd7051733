// What the public test suites ask of a server beyond single frames: messages in every shape (the
// sizes are those of the Autobahn suite, its sections 1, 9 and 10), every kind of text that isn't
// UTF-8 wherever it may stand, every close code in every direction.
//
// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "net/log.h"
#include "test/support/server_rig.h"
#include "test/support/splits.h"
#include "ws/client.h"
#include "ws/kernels.h"
#include "ws/protocol.h"

namespace sockeye::ws {
namespace {

using test::binary_frame;
using test::close_frame;
using test::close_payload;
using test::close_with;
using test::continuation_frame;
using test::frame_of;
using test::Peer;
using test::Received;
using test::ServerRig;
using test::text_frame;

// ── Messages in every shape ──────────────────────────────────────────────────────────────────

constexpr std::size_t kibibyte = 1024;
constexpr std::size_t mebibyte = 1024 * 1024;
constexpr std::size_t whole = SIZE_MAX;

// Text in which a lost, doubled or shifted piece shows.
std::string payload_of(std::size_t size) {
  std::string payload(size, '\0');
  for (std::size_t i = 0; i < size; ++i) payload[i] = static_cast<char>(' ' + (i + i / 997) % 95);
  return payload;
}

std::string in_fragments(int opcode, std::string_view payload, std::size_t fragment_size) {
  std::string frames;
  for (std::size_t begin = 0; begin == 0 || begin < payload.size(); begin += fragment_size) {
    const bool last = payload.size() - begin <= fragment_size;
    frames += frame_of(begin == 0 ? opcode : continuation_frame,
                       payload.substr(begin, fragment_size), last);
    if (last) break;
  }
  return frames;
}

// What comes back for `bytes`, of which the server gets `chop` at a time.
Received echo_of(ServerRig& rig, Peer& peer, std::string_view bytes, std::size_t chop = whole) {
  REQUIRE(rig.until([&] {
    bytes.remove_prefix(peer.try_send(bytes.substr(0, chop)));
    peer.receive();
    return bytes.empty() || peer.ended();
  }));
  return rig.frame(peer);
}

void check_echo(ServerRig& rig, Peer& peer, int opcode, std::string_view payload,
                std::size_t fragment_size, std::size_t chop = whole) {
  CAPTURE(opcode);
  CAPTURE(payload.size());
  CAPTURE(fragment_size);
  CAPTURE(chop);
  const Received echo = echo_of(rig, peer, in_fragments(opcode, payload, fragment_size), chop);
  CHECK(echo.opcode == opcode);
  CHECK((echo.payload == payload));
}

TEST_CASE("Conformance: a message of each length, whole, in chops, and byte by byte") {
  ServerRig rig;
  Peer peer = rig.open();
  for (const int opcode : {text_frame, binary_frame}) {
    for (const std::size_t size : {0u, 1u, 125u, 126u, 127u, 128u, 65'535u, 65'536u, 65'537u}) {
      check_echo(rig, peer, opcode, payload_of(size), whole);
      check_echo(rig, peer, opcode, payload_of(size), whole, 997);
      if (size <= 128) check_echo(rig, peer, opcode, payload_of(size), whole, 1);
    }
  }
}

TEST_CASE("Conformance: large messages in one frame, 64 KiB to 16 MiB") {
  ServerRig rig;
  Peer peer = rig.open();
  for (const int opcode : {text_frame, binary_frame}) {
    for (const std::size_t size :
         {64 * kibibyte, 256 * kibibyte, mebibyte, 4 * mebibyte, 8 * mebibyte, 16 * mebibyte}) {
      check_echo(rig, peer, opcode, payload_of(size), whole);
    }
  }
}

TEST_CASE("Conformance: 4 MiB in fragments of 64 bytes to 4 MiB: up to 65,536 of them") {
  ServerRig rig;
  Peer peer = rig.open();
  const std::string payload = payload_of(4 * mebibyte);
  for (const int opcode : {text_frame, binary_frame}) {
    for (std::size_t size = 64; size <= 4 * mebibyte; size *= 4) {
      check_echo(rig, peer, opcode, payload, size);
    }
  }
}

TEST_CASE("Conformance: 1 MiB that arrives in chops of 128 to 2,048 bytes") {
  ServerRig rig;
  Peer peer = rig.open();
  const std::string payload = payload_of(mebibyte);
  for (const int opcode : {text_frame, binary_frame}) {
    for (std::size_t chop = 128; chop <= 2048; chop *= 2) {
      check_echo(rig, peer, opcode, payload, whole, chop);
    }
  }
}

TEST_CASE("Conformance: 64 KiB in fragments of 1,300 bytes, and in chops that cut their headers") {
  ServerRig rig;
  Peer peer = rig.open();
  for (const std::size_t chop : {whole, std::size_t{1306}, std::size_t{1307}, std::size_t{7}}) {
    check_echo(rig, peer, binary_frame, payload_of(64 * kibibyte), 1300, chop);
  }
}

TEST_CASE("Conformance: 1,000 messages at once, of 0 to 4,096 bytes, come back in order") {
  ServerRig rig;
  Peer peer = rig.open();
  for (const std::size_t size : {0u, 16u, 64u, 256u, 1024u, 4096u}) {
    CAPTURE(size);
    std::string frames;
    std::vector<Received> expected;
    for (int i = 0; i < 1000; ++i) {
      std::string payload = payload_of(size);
      for (std::size_t k = 0; k < std::min<std::size_t>(size, 3); ++k) {
        payload[k] = static_cast<char>('0' + i / (k == 0 ? 100 : k == 1 ? 10 : 1) % 10);
      }
      const int opcode = i % 2 == 0 ? text_frame : binary_frame;
      frames += frame_of(opcode, payload);
      expected.push_back({opcode, payload});
    }
    std::string_view left = frames;
    for (const Received& message : expected) {
      left.remove_prefix(peer.try_send(left));
      REQUIRE(rig.frame(peer) == message);
    }
  }
}

// ── Text ─────────────────────────────────────────────────────────────────────────────────────

// The ways of not being UTF-8 (RFC 3629 §3, §4), and which byte it is that shows it.
struct BadText {
  std::string_view bytes;
  std::size_t bad;
};

constexpr BadText bad_texts[] = {
    // bytes that begin nothing
    {"\x80", 0},
    {"\xbf", 0},
    {"\xc0", 0},
    {"\xc1", 0},
    {"\xf5", 0},
    {"\xf8", 0},
    {"\xfc", 0},
    {"\xfe", 0},
    {"\xff", 0},
    // a byte too many
    {"\xc2\x80\x80", 2},
    {"\xe1\x80\x80\x80", 3},
    {"\xf1\x80\x80\x80\x80", 4},
    // characters that break off
    {"\xc2\x41", 1},
    {"\xdf\xc2", 1},
    {"\xe1\x41", 1},
    {"\xe1\x80\x41", 2},
    {"\xef\xbf\xe1", 2},
    {"\xf1\x41", 1},
    {"\xf1\x80\x41", 2},
    {"\xf1\x80\x80\x41", 3},
    {"\xf4\x8f\xbf\xf1", 3},
    // more bytes than the character needs
    {"\xe0\x80", 1},
    {"\xe0\x9f", 1},
    {"\xf0\x80", 1},
    {"\xf0\x8f", 1},
    // surrogates, and what lies beyond U+10FFFF
    {"\xed\xa0", 1},
    {"\xed\xbf", 1},
    {"\xf4\x90", 1},
    {"\xf4\xbf", 1},
};

struct TextPeer {
  explicit TextPeer(const Kernels& kernels)
      : settings{.role = Role::server, .pool = pool, .limits = {}, .kernels = kernels} {}

  Event read(std::string_view bytes) {
    input = test::piece_of(as_bytes(bytes));
    MutableBytes left(input);
    return protocol.read(left);
  }

  Pool pool;
  Settings settings;
  Protocol protocol{settings};
  test::Piece input;
};

// The header of a frame that goes on for longer than anybody sends, and `payload`, masked with the
// key of frame_of().
std::string begun_frame(int opcode, std::string_view payload) {
  std::string frame = frame_of(opcode, std::string(payload) + std::string(200, 'x'));
  return frame.substr(0, frame.size() - 200);
}

TEST_CASE("UTF-8 across fragments: each kind of bad byte, at each place, in each two fragments") {
  const std::string unit = "aé€\xf0\x90\x8d\x88";  // 10 bytes
  std::string good;
  while (good.size() < 100) good += unit;
  for (const Kernels& kernels : {Kernels{}, *system_kernels()}) {
    for (const BadText& bad : bad_texts) {
      // 32 bytes are what the widest kernel looks at, and the cut may fall on either side of them.
      for (const std::size_t before : {0, 1, 3, 6, 10, 11, 13, 16, 23, 30, 31, 33, 60, 63, 66}) {
        const std::string text = good.substr(0, before) + std::string(bad.bytes);
        const std::size_t bad_at = before + bad.bad;
        for (std::size_t cut = 0; cut <= bad_at; ++cut) {
          // Two fragments; of the second one, more is announced than comes.
          const std::string frames =
              frame_of(text_frame, text.substr(0, cut), false) +
              begun_frame(continuation_frame, text.substr(cut, bad_at + 1 - cut));
          CAPTURE(text);
          CAPTURE(cut);
          TextPeer at_once(kernels);
          REQUIRE(at_once.read(frames).error == Error::text_not_utf8);
          // And with the last byte, not before.
          TextPeer late(kernels);
          REQUIRE(late.read(frames.substr(0, frames.size() - 1)).kind == Event::Kind::none);
          REQUIRE(late.read(frames.substr(frames.size() - 1)).error == Error::text_not_utf8);
        }
      }
    }
  }
}

TEST_CASE("UTF-8 across fragments: a message that ends within a character, wherever it is cut") {
  for (const std::string_view part :
       {"\xc3", "\xe2", "\xe2\x82", "\xf0", "\xf0\x90", "\xf0\x90\x8d"}) {
    for (std::size_t before = 0; before < 40; ++before) {
      const std::string text = std::string(before, 'a') + std::string(part);
      for (std::size_t cut = 0; cut <= text.size(); ++cut) {
        CAPTURE(text);
        CAPTURE(cut);
        TextPeer peer(*system_kernels());
        const Event start = peer.read(frame_of(text_frame, text.substr(0, cut), false));
        REQUIRE(start.kind == Event::Kind::none);
        REQUIRE(peer.read(frame_of(continuation_frame, text.substr(cut))).error ==
                Error::text_not_utf8);
      }
    }
  }
}

// ── Close codes ──────────────────────────────────────────────────────────────────────────────

// RFC 6455 §7.4.1 and §7.4.2, and IANA's registry: 1012 to 1014 came after the RFC.
bool may_be_sent(unsigned code) {
  if (code == 1004 || code == 1005 || code == 1006) return false;
  return (code >= 1000 && code <= 1014) || (code >= 3000 && code <= 4999);
}

TEST_CASE("RFC 6455 §7.4: each of the 65,536 codes, to a server and to a client") {
  for (const Role role : {Role::server, Role::client}) {
    Pool pool;
    const Settings settings{.role = role, .pool = pool, .limits = {}, .kernels = {}};
    for (unsigned code = 0; code <= 0xffff; ++code) {
      test::Piece frame = {0x88, 0x02, static_cast<std::uint8_t>(code >> 8),
                           static_cast<std::uint8_t>(code)};
      if (role == Role::server) {
        frame[1] |= 0x80;
        frame.insert(frame.begin() + 2, 4, 0);
      }
      CAPTURE(role == Role::server);
      CAPTURE(code);
      Protocol protocol(settings);
      MutableBytes input(frame);
      const Event event = protocol.read(input);
      if (may_be_sent(code)) {
        REQUIRE(event.kind == Event::Kind::close);
        REQUIRE(event.code == code);
      } else {
        REQUIRE(event.error == Error::close_code_invalid);
      }
    }
  }
}

constexpr std::uint16_t codes_of_each_class[] = {
    0,    1,    999,  1000, 1001, 1002, 1003, 1004, 1006, 1007, 1008, 1009, 1010, 1011,
    1012, 1013, 1014, 1015, 1016, 1100, 2000, 2999, 3000, 3999, 4000, 4999, 5000, 65535};

// What goes out for a code that the program gives: one that can't be sent is the program's mistake.
std::uint16_t code_on_the_wire(std::uint16_t code) {
  return may_be_sent(code) ? code : std::uint16_t{1011};
}

TEST_CASE(
    "RFC 6455 §7.4: no program gets a code onto the wire that must not be there: a server's") {
  const test::QuietLog quiet;
  ServerRig rig;
  for (const std::uint16_t code : codes_of_each_class) {
    CAPTURE(code);
    Peer peer = rig.open();
    rig.connection().close(code, "why");
    const std::uint16_t sent = code_on_the_wire(code);
    REQUIRE(rig.frame(peer) == Received{close_frame, close_payload(sent, "why")});
    peer.send(close_with(sent));
    CHECK(rig.rest(peer).empty());
    CHECK(rig.handler.events.back() == "close " + std::to_string(sent) + "  clean");
  }
}

TEST_CASE(
    "RFC 6455 §7.4: no program gets a code onto the wire that must not be there: a client's") {
  const test::QuietLog quiet;
  ServerRig rig;
  test::Recorder told;
  Client client(told, {}, &rig.loop);
  for (const std::uint16_t code : codes_of_each_class) {
    CAPTURE(code);
    told.open = [code](Connection& connection) { connection.close(code, "why"); };
    REQUIRE(client.connect("ws://" + rig.address.text() + "/"));
    REQUIRE(rig.until([&] { return told.has("close ") && rig.server.connection_count() == 0; }));
    const std::string sent = std::to_string(code_on_the_wire(code));
    CHECK(rig.handler.events.back() == "close " + sent + " why clean");
    CHECK(told.events.back() == "close " + sent + "  clean");
    told.events.clear();
  }
}

TEST_CASE("RFC 6455 §7.1.5: code 1005 is an empty Close frame, in either direction") {
  ServerRig rig;
  Peer peer = rig.open();
  rig.connection().close(close_code::none_received, "not sent");
  CHECK(rig.frame(peer) == Received{close_frame, ""});
  peer.send(frame_of(close_frame, ""));
  CHECK(rig.rest(peer).empty());
  CHECK(rig.handler.events.back() == "close 1005  clean");
}

}  // namespace
}  // namespace sockeye::ws
