// Takes bits off the front of a stream that comes in pieces.
//
// RFC 1951 §3.1.1: the first bit is the least significant one of the first byte. Up to eight bytes
// ahead are kept in a word, so that most steps need no look at the input.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "net/bytes.h"
#include "ws/deflate/format.h"

namespace sockeye::ws::deflate {

// A plain value: whoever looks ahead takes a copy, and may forget it.
struct BitReader {
  // Goes on with the next piece, which must stay until rest() was asked for.
  void begin(Bytes piece) {
    start = next = piece.data();
    end = next + piece.size();
  }
  // What of the piece was not read.
  std::size_t bytes_left() const { return static_cast<std::size_t>(end - next); }

  // Makes at least 56 bits available, or all there are.
  void refill() {
    if (bytes_left() >= sizeof(word)) return refill_fast();
    for (; count < 56 && next != end; count += 8) word |= std::uint64_t{*next++} << count;
  }
  // The same where at least eight bytes are left. Bits beyond `count` come into the word as well,
  // and come again with the next refill.
  void refill_fast() {
    word |= load_le64(next) << count;
    next += (63 - count) / 8;
    count |= 56;
  }

  // Of available bits.
  void drop(unsigned bits) {
    word >>= bits;
    count -= bits;
  }
  std::uint32_t take(unsigned bits) {
    const auto value = static_cast<std::uint32_t>(word & ((std::uint64_t{1} << bits) - 1));
    drop(bits);
    return value;
  }

  // Puts whole bytes that are available back to the piece, as far as they came from it.
  void give_back() {
    const auto read = static_cast<std::size_t>(next - start);
    const auto bytes = static_cast<unsigned>(std::min<std::size_t>(count / 8, read));
    next -= bytes;
    count -= 8 * bytes;
    word &= (std::uint64_t{1} << count) - 1;
  }

  std::uint64_t word = 0;  // the next bit is the lowest
  unsigned count = 0;      // how many bits are available
  const std::uint8_t* next = nullptr;
  const std::uint8_t* end = nullptr;
  const std::uint8_t* start = nullptr;
};

}  // namespace sockeye::ws::deflate
