// The WebSocket protocol of one open connection, without any I/O: bytes in, events out; commands
// in, bytes out.
//
// RFC 6455 §5 (framing), §6 (sending and receiving), §7 (closing), for both roles; section numbers
// here mean that RFC. It begins after the opening handshake (ws/http/handshake.h).
//
//                     close() ┌──────────────┐ Close arrives
//                   ┌────────▶│  close sent  │────────┐
//      ┌──────┐     │         └──────────────┘        ▼      ┌────────┐
//   ──▶│ open │─────┤                              both sent ▶│ closed │  end TCP
//      └──────┘     │         ┌──────────────┐        ▲      └────────┘
//          │        └────────▶│close received│────────┘           ▲
//          │   Close arrives  └──────────────┘ close()            │
//          └───────── a rule is broken: Kind::failed ─────────────┘
//
// A frame that comes whole is unmasked and checked where it lies, and its event shows it there: no
// copy, no allocation. What the end of the input cuts off is kept: a header in the protocol itself,
// payload in an assembler that exists only meanwhile.
//
// Next on the reading tour: net/loop.h.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "net/bytes.h"
#include "net/pool.h"
#include "ws/error.h"
#include "ws/frame/close.h"
#include "ws/frame/frame.h"
#include "ws/kernels.h"
#include "ws/limits.h"

namespace sockeye::ws {

using frame::Opcode;
using frame::Role;

// What the connections of one endpoint have in common. It must stay as long as they do.
struct Settings {
  Role role = Role::server;
  Pool& pool;
  Limits limits;
  Kernels kernels;
  bool in_chunks = false;  // messages are handed on as they arrive, as Event::Kind::chunk
};

// One thing that a peer did.
struct Event {
  enum class Kind : std::uint8_t {
    none,     // nothing more in this input
    message,  // opcode, payload
    chunk,    // opcode, payload; first, last
    ping,     // payload: to be answered with a pong that carries the same (§5.5.2)
    pong,     // payload
    close,    // code, reason: to be answered with close(), unless that was called before (§5.5.1)
    failed,   // error: to be answered with close() and the code of its row in ws/error.h (§7.1.7)
  };

  Kind kind = Kind::none;
  Opcode opcode = Opcode::binary;  // text or binary
  bool first = true;               // of a chunk: begins, and ends, its message
  bool last = true;
  Error error = Error::none;
  std::uint16_t code = 0;
  MutableBytes payload = {};     // until the next call of read() or release()
  std::string_view reason = {};  // likewise
};

// A control frame, ready to be sent.
struct ControlFrame {
  std::array<std::uint8_t, frame::max_control_frame> storage;
  std::size_t size = 0;
  operator Bytes() const { return {storage.data(), size}; }
};

class Protocol {
 public:
  // `settings` must stay as long as the protocol.
  explicit Protocol(const Settings& settings) : settings_(settings) {}
  ~Protocol() { drop_unfinished(); }
  Protocol(const Protocol&) = delete;
  Protocol& operator=(const Protocol&) = delete;

  // Reads from the front of `input` up to the next event and cuts off what it read. Payloads are
  // unmasked in place. Kind::none: the input is used up. After Kind::close and Kind::failed
  // all further input is ignored (§5.5.1, §7.1.7).
  Event read(MutableBytes& input);

  // The last event has been dealt with: the memory of its payload is given back, if there is any.
  void release() {
    if (message_delivered_ || failed_ || close_received_) drop_unfinished();
  }

  // For a large payload that is on its way: where to receive the next of it, ahead of any other
  // input; then how much was put there. Empty when there is no such payload.
  MutableBytes direct_space();
  Event commit_direct(std::size_t size);

  // The header of a frame that is whole in itself: a message, or a control frame. `key` masks it in
  // the client's role (§5.3: fresh and unpredictable for each frame) and is ignored in the
  // server's.
  struct FrameStart {
    std::array<std::uint8_t, frame::max_header_size> storage;
    std::size_t size;
    operator Bytes() const { return {storage.data(), size}; }
  };
  FrameStart begin_message(Opcode opcode, std::uint64_t payload_size, std::uint32_t key) const;

  // A Ping or Pong; `payload` is at most 125 bytes.
  ControlFrame control(Opcode opcode, Bytes payload, std::uint32_t key) const;

  // The Close frame that starts or answers the closing handshake. Nothing is to be sent after it.
  ControlFrame close(std::uint16_t code, std::string_view reason, std::uint32_t key);

  // Whether a message has begun and not ended.
  bool in_message() const;

  bool close_sent() const { return close_sent_; }
  bool close_received() const { return close_received_; }

 private:
  struct Unfinished;

  bool read_header(MutableBytes& input, frame::Header& header, Error& error);
  Event read_whole(const frame::Header& header, MutableBytes payload);
  Event read_payload(MutableBytes& input);
  Event control_event(Opcode opcode, MutableBytes payload);
  Event message_end();
  Event fail(Error error);
  bool begin_unfinished();
  void drop_unfinished();

  const Settings& settings_;
  Unfinished* unfinished_ = nullptr;  // a frame or a message of which a part is missing
  std::array<std::uint8_t, frame::max_header_size - 1> header_;  // one that the input cut off
  std::uint8_t header_kept_ = 0;                                 // how much of it there is
  bool in_frame_ : 1 = false;           // its header was read, and payload is missing
  bool message_delivered_ : 1 = false;  // the message in unfinished_ was an event's payload
  bool close_sent_ : 1 = false;
  bool close_received_ : 1 = false;
  bool failed_ : 1 = false;
};

}  // namespace sockeye::ws
