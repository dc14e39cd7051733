// Puts bits one after the other into bytes.
//
// §3.1.1 (of RFC 1951, as everywhere here): bits fill each byte from the least significant one on.
// Numbers go in with their lowest bit first; Huffman codes with their highest, so they come here
// reversed (see huffman_code.h).
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

#include "net/bytes.h"

namespace sockeye::ws::deflate {

// A value: as a local variable, it lies in registers.
class BitWriter {
 public:
  // How many bits may be put between two calls of flush().
  static constexpr unsigned room_bits = 56;
  // flush() writes up to so many bytes beyond those that are full.
  static constexpr std::size_t slack_bytes = 8;

  explicit BitWriter(std::uint8_t* to) : next_(to) {}

  // `bits` has ones only among its lowest `count`.
  void put(std::uint64_t bits, unsigned count) {
    held_ |= bits << held_bits_;
    held_bits_ += count;
  }

  // Moves all whole bytes to their place.
  void flush() {
    store_le64(next_, held_);
    next_ += held_bits_ / 8;
    held_ >>= held_bits_ & ~7u;
    held_bits_ %= 8;
  }

  // Zeros up to the next whole byte, and the place behind it. A writer that goes on there is made
  // anew.
  std::uint8_t* align() {
    flush();
    if (held_bits_ > 0) *next_++ = static_cast<std::uint8_t>(held_);
    return next_;
  }

  // How many bits there are beyond the last whole byte; right after flush().
  unsigned odd_bits() const { return held_bits_; }

 private:
  std::uint8_t* next_;
  std::uint64_t held_ = 0;
  unsigned held_bits_ = 0;  // after flush() at most 7, so with room_bits at most 63
};

}  // namespace sockeye::ws::deflate
