// Wire dumps: conversations written down byte by byte, which are documentation and tests at once.
//
//   case A single-frame masked text message                     RFC 6455 §5.7
//   > 81 85 37 fa 21 3d   # from the peer: FIN, text; masked, 5 bytes; the masking key
//   > 7f 9f 4d 51 58      # its payload
//   = text "Hello"        # what our program is told
//   ! send text "Hello"   # what our program does
//   < 81 05 "Hello"       # what we send
//
// Bytes are written as two hexadecimal digits or as "text" (with \r \n \t \0 \" \\ \xNN);
// `"a" * 125` repeats one of them, and `( 00 80 ) * 3` a group. `#` begins a comment.
//
//   > BYTES      the peer sends them
//   < BYTES      we send them; `< fin`: we end our half of TCP, or all of it
//   = EVENT      text, binary, ping, pong BYTES; chunked text, chunked binary BYTES (a message that
//                came in chunks, joined); close CODE REASON; fail ERROR (a name of ws/error.h);
//                open SUBPROTOCOL; request METHOD TARGET BODY
//   ! COMMAND    send text, send binary, ping BYTES; close CODE REASON
//
// and before the first of these, for one case, or at the top of the file for all of its cases:
//
//   role server | client       whose part we play; the server's unless told otherwise
//   begin open | handshake     where the dump begins; once the connection is open, if unsaid
//   chunks on                  messages are handed on as they arrive
//   limit NAME NUMBER          of ws/limits.h
//   subprotocols NAME...       that we speak, best one first
//   compression [NAME [NUMBER]]...
//                              what we want of permessage-deflate, by RFC 7692's parameters; with
//                              `begin open`, what was agreed on
//   origin, hosts TEXT         the server's policies; the Origin that a client sends
//   refuse STATUS TEXT         the program refuses the handshake
//   url TEXT                   where the client connects to
//   nonce, keys BYTES          the client's "random" bytes: 16, and 4 for each frame in turn. More
//                              keys may follow between the steps
//
// A trace (`sockeye echo --trace`) is a dump, too. Where several connections were under way, the
// line `connection NUMBER` after a case's first lines names that case, and the same line later says
// that what follows belongs to it.
//
// What the peer sends between two commands is one stream. It is fed whole, byte by byte, and cut
// in two everywhere; events and output must be the same each time.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "crypto/random.h"
#include "net/bytes.h"
#include "net/result.h"
#include "test/support/splits.h"
#include "ws/deflate/permessage_deflate.h"
#include "ws/error.h"
#include "ws/frame/frame.h"
#include "ws/limits.h"

namespace sockeye::test {

// What a program is told, as it stands in a dump: "text", "close 1000", "fail frame_masked".
struct WireEvent {
  std::string name;
  Piece payload;

  bool operator==(const WireEvent&) const = default;
};

struct WireCommand {
  enum class Kind { send_text, send_binary, ping, close };

  Kind kind;
  std::uint16_t code = 0;  // of close
  Piece payload = {};      // or the reason
};

// What a dump's directives say.
struct WireSetup {
  ws::frame::Role role = ws::frame::Role::server;
  bool from_handshake = false;
  bool in_chunks = false;
  ws::Limits limits = {};
  std::vector<std::string> subprotocols = {};
  std::optional<ws::deflate::Parameters> compression = {};
  std::string origin = {};
  std::string hosts = {};
  std::uint16_t refused_status = 0;
  std::string refusal_text = {};
  std::string url = "ws://server.example.com/";
  Piece nonce = piece_of(as_bytes("the sample nonce"));  // RFC 6455 §1.3
  Piece keys = {0x37, 0xfa, 0x21, 0x3d};                 // RFC 6455 §5.7
  bool has_own_keys = false;                             // of the case's own, not of its file's
};

// What we do, then what the peer sends, and what is to come of both.
struct WireSegment {
  std::size_t line = 0;
  std::vector<WireCommand> commands = {};
  Piece input = {};
  std::vector<std::size_t> marks = {};  // where in the input each line begins
  std::vector<WireEvent> events = {};
  Piece output = {};
  bool fin = false;
};

struct WireCase {
  std::string title;
  std::string place;  // "file:line"
  WireSetup setup;
  std::vector<WireSegment> segments;
};

// The cases of a dump, or what is wrong with it: "file:line: ...".
Result<std::vector<WireCase>, std::string> parse_wire_dump(std::string_view file,
                                                           std::string_view text);

// What a driver has seen since it was last asked.
struct Observed {
  std::vector<WireEvent> events = {};
  Piece output = {};
  bool fin = false;
};

// Collects events; chunks are joined to their message, since how many come depends on the cut.
class EventLog {
 public:
  void add(std::string name, Bytes payload = {});
  void message(ws::frame::Opcode opcode, Bytes payload);
  void chunk(ws::frame::Opcode opcode, Bytes payload, bool first, bool last);
  void close(std::uint16_t code, std::string_view reason);
  void fail(ws::Error error);

  std::size_t size() const { return events_.size(); }
  std::vector<WireEvent> take() { return std::exchange(events_, {}); }

 private:
  std::vector<WireEvent> events_;
  Piece chunks_;  // of the message that has begun
  bool in_message_ = false;
};

// The nonce and the masking keys of a dump, as the client's source of random bytes.
class DumpRandom final : public crypto::Random {
 public:
  explicit DumpRandom(const WireSetup& setup) : setup_(setup) {}
  void fill(MutableBytes bytes) override;

 private:
  const WireSetup& setup_;
  std::size_t drawn_ = 0;
};

// Something that a dump is played to.
class WireDriver {
 public:
  virtual ~WireDriver() = default;

  // What the peer sends ahead of the dump's first bytes, in one stream with them. The driver keeps
  // what comes of it to itself.
  virtual Bytes preamble() const { return {}; }
  virtual void command(const WireCommand& command) = 0;
  virtual void feed(Bytes piece) = 0;

  // `expected` is what to wait for, where there is something to wait for.
  virtual Observed take(const WireSegment& expected) = 0;
};

using WireDriverFactory = std::function<std::unique_ptr<WireDriver>()>;

// Plays a case to a new driver for each way of cutting its input. Empty where all is as it should
// be; otherwise the first difference, in words.
std::string play(const WireCase& wire_case, const WireDriverFactory& make_driver);

}  // namespace sockeye::test
