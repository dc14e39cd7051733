// Huffman codes to write with: from how often each symbol occurs to the bits that stand for it.
//
// RFC 1951 §3.2.1 and §3.2.2. A frequent symbol gets few bits, a rare one many; no code begins
// with another one. The format leaves only the lengths to choose: symbols of one length have
// consecutive codes, in their own order, and the codes of a length begin where those of the length
// before end, with a zero added. So a decoder needs nothing but the lengths.
//
// Next to read: ws/deflate/block_writer.h.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "ws/deflate/format.h"

namespace sockeye::ws::deflate {

// A symbol's code as it goes into a BitWriter, which takes the lowest bit first: §3.1.1 has a
// code's highest bit first, so it lies here reversed.
struct Code {
  std::uint16_t bits;
  std::uint8_t length;      // 0: the symbol doesn't occur
  std::uint8_t extra_bits;  // that follow, where the symbol is a length or a distance
};

// How many codes there are of each length.
using LengthCounts = std::array<std::uint16_t, max_code_bits + 1>;

// §3.2.2: hands out codes to symbols, which must come in their order.
class CodeNumbers {
 public:
  constexpr explicit CodeNumbers(const LengthCounts& counts) {
    for (std::size_t length = 2; length < next_.size(); ++length) {
      next_[length] = static_cast<std::uint16_t>((next_[length - 1] + counts[length - 1]) << 1);
    }
  }
  constexpr std::uint16_t next(std::uint8_t length) {
    return in_stream_order(next_[length]++, length);
  }

 private:
  LengthCounts next_{};
};

struct CodeSize {
  std::size_t symbols;    // up to the last one that occurs
  std::size_t text_bits;  // what all symbols take, without extra bits
};

// Makes the code that spends the fewest bits on symbols of these frequencies; where it would have
// lengths above `limit`, one whose longest is `limit`, and which spends little more. Frequencies
// are below 2^22, and at most fixed_literal_symbols; `codes` has as many, whose extra_bits stay as
// they are. One symbol alone gets a bit (§3.2.7).
CodeSize build_code(std::span<const std::uint32_t> frequencies, unsigned limit,
                    std::span<Code> codes);

}  // namespace sockeye::ws::deflate
