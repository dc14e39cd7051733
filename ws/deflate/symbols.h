// What a block will say, before its codes are known: a row of symbols with their extra bits.
//
// RFC 1951 §3.2.5. A literal is one symbol, a match two: its length and its distance. All are of
// one kind here, so that whoever counts or writes them does the same with each, and a processor
// finds no branch to guess at.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "ws/deflate/format.h"

namespace sockeye::ws::deflate {

// Distances are numbered after literals and lengths.
inline constexpr std::size_t first_distance_symbol = fixed_literal_symbols;
inline constexpr std::size_t all_symbols = fixed_literal_symbols + fixed_distance_symbols;

// A symbol, and above it the value of its extra bits.
using Symbol = std::uint32_t;
inline constexpr unsigned symbol_bits = 9;
constexpr std::size_t number_of(Symbol symbol) {
  return symbol & ((1u << symbol_bits) - 1);
}
constexpr std::uint32_t extra_of(Symbol symbol) {
  return symbol >> symbol_bits;
}

inline constexpr auto length_symbols = [] {
  std::array<std::uint16_t, max_match + 1> table{};
  for (std::size_t range = 0; range < length_bases.size(); ++range) {
    for (std::size_t length = length_bases[range]; length < table.size(); ++length) {
      table[length] = static_cast<std::uint16_t>((first_length_symbol + range) |
                                                 (length - length_bases[range]) << symbol_bits);
    }
  }
  return table;
}();

// From distance 3 on, there are two ranges for each power of two: with and without the bit below
// the highest one of distance - 1.
constexpr Symbol distance_symbol(std::uint32_t distance) {
  const std::uint32_t offset = distance - 1;
  if (offset < 2) return first_distance_symbol + offset;
  const auto extra_bits = static_cast<std::uint32_t>(std::bit_width(offset)) - 2;
  const std::uint32_t range = 2 * extra_bits + (offset >> extra_bits);
  const std::uint32_t extra = offset & ((1u << extra_bits) - 1);
  return (first_distance_symbol + range) | extra << symbol_bits;
}

// Where the next symbol goes. A value: as a local variable, it lies in registers.
class SymbolWriter {
 public:
  SymbolWriter(Symbol* next, const Symbol* limit) : next_(next), limit_(limit) {}

  bool full() const { return next_ >= limit_; }
  void add_literal(std::uint8_t byte) { *next_++ = byte; }
  void add_match(std::uint32_t length, std::uint32_t distance) {
    next_[0] = length_symbols[length];
    next_[1] = distance_symbol(distance);
    next_ += 2;
  }
  Symbol* next() const { return next_; }

 private:
  Symbol* next_;
  const Symbol* limit_;
};

class Symbols {
 public:
  // A block ends where so many are reached: with fewer in a block, what is written about its codes
  // weighs more; with more, the codes suit less.
  static constexpr std::size_t limit = 16 * 1024;

  void clear() { size_ = 0; }

  // To add more: take() what the writer has written.
  SymbolWriter writer() { return {row_.data() + size_, row_.data() + limit}; }
  void take(const SymbolWriter& writer) {
    size_ = static_cast<std::size_t>(writer.next() - row_.data());
  }

  // All of them, and the end of the block.
  std::span<const Symbol> finish() {
    row_[size_++] = end_of_block;
    return {row_.data(), size_};
  }

 private:
  // For what is added between two looks at SymbolWriter::full(), and the end of the block.
  static constexpr std::size_t slack = 128;

  std::size_t size_ = 0;
  std::array<Symbol, limit + slack> row_;
};

}  // namespace sockeye::ws::deflate
