// What a block will say, before it is written: literals and matches, and how often each symbol
// occurs among them.
//
// RFC 1951 §3.2.5. Literals aren't copied: they stand in the text. Between two matches, their
// number is all that is kept.
//
//   text       {"id":17,"name":"Anna"},{"id":18,"name":"Hana"}
//   sequences  23 literals, match; 1 literal, match; 1 literal, match...
//
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "ws/deflate/format.h"

namespace sockeye::ws::deflate {

inline constexpr auto length_ranges = [] {
  std::array<std::uint8_t, max_match - min_match + 1> table{};
  for (std::size_t range = 0; range < length_bases.size(); ++range) {
    for (std::size_t i = length_bases[range] - min_match; i < table.size(); ++i) {
      table[i] = static_cast<std::uint8_t>(range);
    }
  }
  return table;
}();

constexpr std::uint32_t length_range(std::uint32_t length) {
  return length_ranges[length - min_match];
}

// From 3 on, there are two ranges for each power of two: what the highest bit of distance - 1 is,
// and the bit below.
constexpr std::uint32_t distance_range(std::uint32_t distance) {
  const std::uint32_t offset = distance - 1;
  if (offset < 2) return offset;
  const auto highest = static_cast<std::uint32_t>(std::bit_width(offset)) - 1;
  return 2 * highest + (offset >> (highest - 1) & 1);
}

// Literals, and the match after them: the ranges of its length and its distance, and the extra bits
// that say which of a range is meant.
struct Sequence {
  std::uint32_t literals;
  std::uint32_t match;

  std::uint32_t length_range() const { return match >> 23; }
  std::uint32_t length_extra() const { return match >> 18 & 0x1f; }
  std::uint32_t distance_range() const { return match >> 13 & 0x1f; }
  std::uint32_t distance_extra() const { return match & 0x1fff; }
};

class Symbols {
 public:
  // With fewer symbols in a block, its codes' lengths weigh more; with more, codes suit less.
  static constexpr std::size_t max_sequences = 8192;

  void clear() {
    literal_frequencies.fill(0);
    distance_frequencies.fill(0);
    count = 0;
    pending_literals = 0;
  }
  bool full() const { return count == max_sequences; }

  void add_literals(const std::uint8_t* text, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) ++literal_frequencies[text[i]];
    pending_literals += size;
  }

  void add(const std::uint8_t* literals, std::size_t literal_count, std::uint32_t length,
           std::uint32_t distance) {
    add_literals(literals, literal_count);
    const std::uint32_t length_in = length_range(length);
    const std::uint32_t distance_in = distance_range(distance);
    ++literal_frequencies[first_length_symbol + length_in];
    ++distance_frequencies[distance_in];
    sequences[count++] = {static_cast<std::uint32_t>(pending_literals),
                          length_in << 23 | (length - length_bases[length_in]) << 18 |
                              distance_in << 13 | (distance - distance_bases[distance_in])};
    pending_literals = 0;
  }

  std::array<std::uint32_t, literal_symbols> literal_frequencies{};
  std::array<std::uint32_t, distance_symbols> distance_frequencies{};
  std::size_t count = 0;
  std::size_t pending_literals = 0;
  std::array<Sequence, max_sequences> sequences;
};

}  // namespace sockeye::ws::deflate
