// The payloads that a load generator sends: prepared once, of any size, and valid UTF-8 where they
// are text.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "app/bench/settings.h"
#include "net/bytes.h"
#include "ws/frame/frame.h"

namespace sockeye::app::bench {

// All messages are parts of one buffer. No character takes more than four bytes, and the buffer
// begins with some of one byte each. So a message of n bytes begins at one of the first four, and
// of the four places where it then ends, one at least lies between two characters:
//
//   a b c d e f g … й    紅      🐟          mixed, n = 12
//   └─────────────────┴───    n bytes from 0 end within 紅; those from 1, too;
//       └─────────────────┘   those from 2 don't
class Payload {
 public:
  // Messages of a text begin with so many ASCII characters, if they have that many.
  static constexpr std::size_t head_bytes = 16;

  // The same arguments make the same payloads.
  Payload(PayloadKind kind, std::size_t smallest, std::size_t largest);

  // The payload of `size` bytes, which is at most the largest. It is valid while this object is.
  // (JSON is a whole document at the largest size, and the beginning of one below it.)
  MutableBytes message(std::size_t size);

  // The size of the next message: one between the smallest and the largest, any as likely.
  std::size_t next_size();

  ws::frame::Opcode opcode() const {
    return is_text_ ? ws::frame::Opcode::text : ws::frame::Opcode::binary;
  }

 private:
  std::vector<std::uint8_t> bytes_;
  std::size_t smallest_;
  std::size_t spread_;  // 0: one size
  std::uint64_t dice_ = 1;
  bool is_text_;
};

}  // namespace sockeye::app::bench
