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
  std::uint8_t length;  // 0: the symbol doesn't occur
  std::uint8_t extra_bits;  // that follow, where the symbol is a length or a distance
};

// Sets `lengths` to those of a code that spends the fewest bits on symbols of these frequencies;
// where it would have lengths above `limit`, one whose longest is `limit`, and which spends little
// more. Frequencies are below 2^22, and at most fixed_literal_symbols. One symbol alone gets a bit.
void choose_code_lengths(std::span<const std::uint32_t> frequencies, unsigned limit,
                         std::span<std::uint8_t> lengths);

constexpr std::uint16_t reversed(std::uint32_t bits, unsigned count) {
  bits = (bits & 0x5555) << 1 | (bits >> 1 & 0x5555);
  bits = (bits & 0x3333) << 2 | (bits >> 2 & 0x3333);
  bits = (bits & 0x0f0f) << 4 | (bits >> 4 & 0x0f0f);
  bits = (bits & 0x00ff) << 8 | bits >> 8;
  return static_cast<std::uint16_t>(bits >> (16 - count));
}

// §3.2.2: the codes that follow from `lengths`. Their extra_bits stay as they are.
constexpr void assign_codes(std::span<const std::uint8_t> lengths, std::span<Code> codes) {
  std::array<std::uint16_t, max_code_bits + 1> count{};
  for (const std::uint8_t length : lengths) ++count[length];
  std::array<std::uint16_t, max_code_bits + 1> next{};
  for (std::size_t length = 2; length < next.size(); ++length) {
    next[length] = static_cast<std::uint16_t>((next[length - 1] + count[length - 1]) << 1);
  }
  for (std::size_t symbol = 0; symbol < lengths.size(); ++symbol) {
    const std::uint8_t length = lengths[symbol];
    codes[symbol].bits = reversed(next[length]++, length);
    codes[symbol].length = length;
  }
}

}  // namespace sockeye::ws::deflate
