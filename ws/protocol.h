// The WebSocket protocol of one open connection, without any I/O: bytes in, events out; commands
// in, bytes out.
//
// RFC 6455 §5 (framing), §6 (sending and receiving), §7 (closing), for both roles; section numbers
// here mean that RFC. It begins after the opening handshake (ws/http/handshake.h). Compression is
// RFC 7692's (ws/deflate/message_codec.h).
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
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "net/bytes.h"
#include "net/pool.h"
#include "ws/deflate/message_codec.h"
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
  bool in_chunks = false;          // messages are handed on as they arrive, as Event::Kind::chunk
  bool own_frames_return = false;  // Options::own_frames_return
  deflate::MessageCodec* codec = nullptr;  // there must be one where compression is agreed on
};

// What goes into a message's frame.
struct Payload {
  Bytes bytes;
  bool compressed = false;  // RFC 7692 §6: says RSV1
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
  ~Protocol() { free_unfinished(); }
  Protocol(const Protocol&) = delete;
  Protocol& operator=(const Protocol&) = delete;

  // permessage-deflate was agreed on in the handshake. To be called before anything else; false
  // where there is no memory.
  [[nodiscard]] bool agree_on(const deflate::Parameters& agreed);

  // Reads from the front of `input` up to the next event and cuts off what it read. Payloads are
  // unmasked in place. Kind::none: the input is used up. After Kind::close and Kind::failed
  // all further input is ignored (§5.5.1, §7.1.7).
  Event read(MutableBytes& input);

  // The way of most messages, and a short cut to what read() would say of them: takes one off the
  // front of `input` that is a frame whole in itself, of at most 64 KiB, with nothing wrong in it
  // and nothing unfinished before it. False, and nothing done, where it isn't so.
  bool take_message(MutableBytes& input, Opcode& opcode, MutableBytes& payload);

  // The last event has been dealt with: the memory of its payload is given back, if there is any.
  void release() {
    if (inflated_) release_inflated();
    if (unfinished_ == nullptr) return;
    if (message_delivered_ || failed_ || close_received_) drop_unfinished();
  }

  // For a large payload that is on its way: where to receive the next of it, ahead of any other
  // input; then how much was put there. Empty when there is no such payload.
  MutableBytes direct_space() { return in_frame_ ? payload_space() : MutableBytes(); }
  Event commit_direct(std::size_t size);

  // What is kept from one message to the next takes so much memory, from the first ones on.
  std::size_t context_bytes() const {
    return keeps_contexts() ? settings_.codec->context_bytes(sent_side(), received_side()) : 0;
  }

  // Whether messages may be sent compressed, and how.
  bool may_compress() const { return sent_bits_ != 0; }
  deflate::Parameters::Side sent_side() const { return {sent_takeover_, sent_bits_}; }
  // RFC 7692 §7.2.1: what to send for a message, which is to be sent then, and before any other.
  // Its bytes are valid until the next call for any connection of the endpoint. Where there is no
  // memory to compress it, it is to go as it is.
  Payload compress(Bytes message);
  // It has been sent: its memory is given back.
  void release_compressed() { settings_.codec->release_deflated(); }

  // The header of a frame that is whole in itself: a message, or a control frame. `key` masks it in
  // the client's role (§5.3: fresh and unpredictable for each frame) and is ignored in the
  // server's.
  struct FrameStart {
    std::array<std::uint8_t, frame::max_header_size> storage;
    std::size_t size;
    operator Bytes() const { return {storage.data(), size}; }
  };
  FrameStart begin_message(Opcode opcode, Payload payload, std::uint32_t key) const {
    FrameStart start;
    start.size = put_start(opcode, payload, key, start.storage.data());
    return start;
  }

  // Puts a whole frame to `to`, which has room for it: at most max_header_size bytes more than the
  // payload. Returns its size. (§10.3: a client's payload is masked on the way. The program's bytes
  // stay as they are, and what it does with them later changes nothing.)
  [[gnu::always_inline]] std::size_t put_message(Opcode opcode, Payload payload, std::uint32_t key,
                                                 std::uint8_t* to) const {
    const std::size_t start = put_start(opcode, payload, key, to);
    const Bytes bytes = payload.bytes;
    if (settings_.role == Role::client) {
      settings_.kernels.mask(to + start, bytes.data(), bytes.size(), key);
    } else {
      copy_bytes(to + start, bytes);
    }
    return start + bytes.size();
  }

  // A Ping or Pong; `payload` is at most 125 bytes.
  ControlFrame control(Opcode opcode, Bytes payload, std::uint32_t key) const;

  // The Close frame that starts or answers the closing handshake. Nothing is to be sent after it.
  ControlFrame close(std::uint16_t code, std::string_view reason, std::uint32_t key);

  // Whether a message has begun and not ended.
  bool in_message() const { return unfinished_ != nullptr && message_unfinished(); }

  bool close_sent() const { return close_sent_; }
  bool close_received() const { return close_received_; }

 private:
  struct Unfinished;

  // §6.1: a message of ours is one frame, with FIN, so §5.4 needs no more. §5.1: it is masked where
  // a client sends it, and only there.
  std::size_t put_start(Opcode opcode, Payload payload, std::uint32_t key, std::uint8_t* to) const {
    assert(!close_sent_);
    const bool masked = settings_.role == Role::client;
    // RFC 7692 §6.1: RSV1 is a compressed message's, and never a control frame's.
    return frame::encode({.fin = true,
                          .rsv = payload.compressed ? frame::rsv1 : std::uint8_t{0},
                          .opcode = opcode,
                          .masked = masked,
                          .payload_size = payload.bytes.size(),
                          .masking_key = masked ? key : 0},
                         to);
  }

  // Whose rules for what is received hold.
  Role reads_as() const { return settings_.own_frames_return ? Role::server : settings_.role; }

  // Nothing that came before is unfinished.
  bool at_rest() const {
    return unfinished_ == nullptr && header_kept_ == 0 && !failed_ && !close_received_ &&
           !settings_.in_chunks;
  }

  bool unmask_text(MutableBytes payload, std::uint32_t key) const;
  Event read_on(MutableBytes& input);
  bool take_kept_header(MutableBytes& input, frame::Header& header, Error& error);
  void keep_header(MutableBytes& input);
  Event whole_message(const frame::Header& header, MutableBytes payload);
  Event read_control(const frame::Header& header, MutableBytes payload);
  Event compressed_message(Opcode opcode, Bytes payload);
  Event read_payload(MutableBytes& input);
  MutableBytes payload_space();
  Event message_end();
  Event fail(Error error);
  bool message_unfinished() const;
  Error begin_unfinished(const frame::Header& header);
  bool allocate_unfinished();
  void drop_unfinished();
  void free_unfinished();
  void release_inflated();
  bool keeps_contexts() const { return sent_takeover_ || received_takeover_; }
  deflate::Contexts* contexts() const;
  deflate::Parameters::Side received_side() const { return {received_takeover_, received_bits_}; }

  const Settings& settings_;
  // A frame or a message of which a part is missing; and the contexts of compression, if any.
  Unfinished* unfinished_ = nullptr;
  std::array<std::uint8_t, frame::max_header_size - 1> header_;  // one that the input cut off
  std::uint8_t header_kept_ = 0;                                 // how much of it there is
  bool in_frame_ : 1 = false;           // its header was read, and payload is missing
  bool message_delivered_ : 1 = false;  // the message in unfinished_ was an event's payload
  bool close_sent_ : 1 = false;
  bool close_received_ : 1 = false;
  bool failed_ : 1 = false;
  bool inflated_ : 1 = false;           // the last message stands in the codec's memory
  bool sent_takeover_ : 1 = false;      // RFC 7692 §7.1.1, for what we send
  bool received_takeover_ : 1 = false;  // and for what we receive
  std::uint8_t sent_bits_ : 4 = 0;      // of the window (§7.1.2); 0 without compression
  std::uint8_t received_bits_ : 4 = 0;
};

// Inline, since every message passes here. What isn't as usual, also where it breaks a rule, is for
// read() to name.
[[gnu::always_inline]] inline bool Protocol::take_message(MutableBytes& input, Opcode& opcode,
                                                          MutableBytes& payload) {
  if (!at_rest() || input.size() < 8) return false;
  const std::uint8_t* const bytes = input.data();
  // §5.2: FIN, no reserved bit, and text or binary.
  opcode = static_cast<Opcode>(bytes[0] ^ frame::fin_bit);
  if (opcode != Opcode::text && opcode != Opcode::binary) return false;
  // §5.1: what a client sends is masked, and what a server sends is not; else `size` exceeds 127.
  const bool masked = reads_as() == Role::server;
  std::size_t size = bytes[1] ^ (masked ? frame::mask_bit : 0u);
  std::size_t start = masked ? 6 : 2;
  if (size > 125) {
    if (size != 126) return false;
    size = load_be16(bytes + 2);
    start += 2;
    if (size <= 125) return false;
  }
  if (size > input.size() - start || size > settings_.limits.message_bytes) return false;

  payload = MutableBytes(input.data() + start, size);
  const std::uint32_t key = masked ? load_be32(bytes + start - 4) : 0;
  if (opcode == Opcode::text) {
    if (size > frame::block_bytes || !unmask_text(payload, key)) return false;
  } else if (key != 0) {
    settings_.kernels.mask(payload.data(), payload.data(), size, key);
  }
  input = MutableBytes(input.data() + start + size, input.size() - start - size);
  return true;
}

}  // namespace sockeye::ws
