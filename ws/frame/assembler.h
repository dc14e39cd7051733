// Puts a message together that doesn't come in one piece: because it is fragmented, or because the
// input ends within a frame.
//
// RFC 6455 §5.4. The order of calls: for each data frame begin_frame(), then its payload by any mix
// of add() and space()/commit(), until frame_left() is 0; after the last frame's end the message is
// whole. In passing, the payload is unmasked (§5.3), and text is checked to be UTF-8 (§8.1), in
// blocks that stay in the processor's first-level cache from one step to the next.
//
//   input       │header│Hel│  │header│lo, wo             a frame, and a part of the next one
//                        └──────┐        │ unmasked, checked
//                               ▼        ▼
//   message_                  │ Hel lo, wo │ space(): at most frame_left() │
//
// Memory follows what has arrived, not what a header declares: a peer that declares a gigabyte and
// sends a byte gets room for little more than that byte.
//
// Pure; memory comes from the pool that is handed in.
// Next on the reading tour: ws/protocol.h.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

#include "net/buffer.h"
#include "net/bytes.h"
#include "ws/error.h"
#include "ws/frame/frame.h"
#include "ws/frame/utf8.h"
#include "ws/kernels.h"
#include "ws/limits.h"

namespace sockeye::ws::frame {

// §6.2: writes `from`, unmasked, to `to`, which may be the same, and feeds it to `validator` where
// it is text. `key` applies from its first octet on; without a mask it is 0, and changes nothing.
// False at the first byte that isn't UTF-8.
bool unmask_blocks(std::uint8_t* to, Bytes from, std::uint32_t key, bool text,
                   Utf8Validator& validator, const Kernels& kernels);

// §6.2, for one block: at most block_bytes.
inline bool unmask_block(std::uint8_t* to, Bytes from, std::uint32_t key, bool text,
                         Utf8Validator& validator, const Kernels& kernels) {
  const bool ascii = kernels.mask(to, from.data(), from.size(), key);
  // §8.1: fails at the first bad byte.
  return !text || (ascii && validator.complete()) ||
         validator.feed({to, from.size()}, kernels.utf8);
}

// Unmasks the payload of a whole frame in place.
inline bool unmask(MutableBytes payload, std::uint32_t key, bool text, Utf8Validator& validator,
                   const Kernels& kernels) {
  if (key == 0 && !text) return true;
  if (payload.size() <= block_bytes) {
    return unmask_block(payload.data(), payload, key, text, validator, kernels);
  }
  return unmask_blocks(payload.data(), payload, key, text, validator, kernels);
}

class Assembler {
 public:
  // `limits` and `kernels` must stay as long as the assembler.
  Assembler(Pool& pool, const Limits& limits, const Kernels& kernels)
      : limits_(limits), kernels_(kernels), message_(pool) {}

  // Starts a data frame. Error::none, or the rule it breaks: its place in the message (§5.4), the
  // message's size, or its number of fragments.
  Error begin_frame(const Header& header);

  // Takes payload of the current frame, at most frame_left() bytes, into the message.
  Error add(Bytes payload);

  // As add(), for payload that isn't to be kept but handed on as it comes: unmasked in place.
  Error pass(MutableBytes payload);

  // Where the next bytes of the current frame can be received to, ahead of the call to commit():
  // at most frame_left() bytes; empty when there is no memory for them.
  MutableBytes space();
  Error commit(std::size_t size);

  // What is missing of the current frame's payload.
  std::uint64_t frame_left() const { return frame_.payload_size - frame_received_; }

  // Whether a message has begun and its last frame has not ended.
  bool in_message() const { return in_message_; }
  // Whether nothing of the message's payload has been taken yet.
  bool at_start() const { return message_size_ == frame_left(); }
  // Whether the current frame ends the message.
  bool last_frame() const { return frame_.fin; }
  Opcode opcode() const { return opcode_; }
  // Whether its first frame had RSV1 (RFC 7692 §6): then it is checked when it has been inflated.
  bool compressed() const { return compressed_; }

  // After the last frame: Error::none, or that the text ends within a character. Ends the message;
  // its bytes stay until the next begin_frame().
  Error end_message();
  MutableBytes message() { return message_.bytes(); }
  // Gives the memory of the message back, whether it has ended or not.
  void drop_message() {
    in_message_ = false;
    message_.free();
  }

 private:
  bool make_room(std::size_t size);
  bool is_text() const { return opcode_ == Opcode::text && !compressed_; }

  const Limits& limits_;
  const Kernels& kernels_;
  Header frame_;
  std::uint64_t frame_received_ = 0;
  std::uint64_t message_size_ = 0;  // as declared by the headers so far
  std::uint32_t fragments_ = 0;
  Opcode opcode_ = Opcode::continuation;
  bool in_message_ = false;
  bool compressed_ = false;
  Utf8Validator validator_;
  Buffer message_;
};

}  // namespace sockeye::ws::frame
