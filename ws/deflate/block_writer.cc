// SPDX-License-Identifier: MIT
#include "ws/deflate/block_writer.h"

#include <algorithm>

#include "ws/deflate/huffman_code.h"

namespace sockeye::ws::deflate {
namespace {

using Frequencies = std::array<std::uint32_t, all_symbols>;

// A code for each symbol: the two codes of a block.
using Codes = std::array<Code, all_symbols>;

constexpr Codes only_extra_bits = [] {
  Codes codes{};
  for (std::size_t range = 0; range < length_extra_bits.size(); ++range) {
    codes[first_length_symbol + range].extra_bits = length_extra_bits[range];
  }
  for (std::size_t range = 0; range < distance_extra_bits.size(); ++range) {
    codes[first_distance_symbol + range].extra_bits = distance_extra_bits[range];
  }
  return codes;
}();

// §3.2.6.
constexpr Codes fixed_codes = [] {
  Codes codes = only_extra_bits;
  LengthCounts counts{};
  for (std::size_t symbol = 0; symbol < fixed_literal_symbols; ++symbol) {
    ++counts[fixed_literal_bits(symbol)];
  }
  CodeNumbers numbers(counts);
  for (std::size_t symbol = 0; symbol < fixed_literal_symbols; ++symbol) {
    codes[symbol].length = fixed_literal_bits(symbol);
    codes[symbol].bits = numbers.next(codes[symbol].length);
  }
  for (std::size_t distance = 0; distance < fixed_distance_symbols; ++distance) {
    codes[first_distance_symbol + distance].length = fixed_distance_bits;
    codes[first_distance_symbol + distance].bits = reversed(static_cast<std::uint32_t>(distance), fixed_distance_bits);
  }
  return codes;
}();

constexpr unsigned max_symbol_bits = max_code_bits + 13;
static_assert(2 * max_symbol_bits <= BitWriter::room_bits);

BitWriter write_symbols(BitWriter out, std::span<const Symbol> symbols, const Codes& codes) {
  for (const Symbol symbol : symbols) {
    const Code code = codes[number_of(symbol)];
    out.put(code.bits, code.length);
    out.put(extra_of(symbol), code.extra_bits);
    out.flush();
  }
  return out;
}

constexpr auto code_length_extra_bits = [] {
  std::array<std::uint8_t, code_length_symbols> bits{};
  bits[repeat_previous] = 2;
  bits[repeat_zero] = 3;
  bits[repeat_zero_often] = 7;
  return bits;
}();

// §3.2.7: what a dynamic block says of its codes: their lengths in a row, runs of one length
// written as one symbol, in a code of their own.
class DynamicCodes {
 public:
  explicit DynamicCodes(const Frequencies& frequencies);
  // All of the block's bits but the extra bits of lengths and distances.
  std::size_t size_bits() const { return size_bits_; }
  BitWriter write(BitWriter out) const;
  const Codes& codes() const { return codes_; }

 private:
  void collect_lengths();
  void add_run(std::uint8_t length, std::size_t run);
  void add(std::size_t symbol, std::size_t extra) {
    row_[row_size_++] = {static_cast<std::uint8_t>(symbol), static_cast<std::uint8_t>(extra)};
    ++frequencies_[symbol];
  }

  struct LengthSymbol {
    std::uint8_t symbol;
    std::uint8_t extra;
  };

  Codes codes_ = only_extra_bits;
  std::size_t literal_count_;
  std::size_t distance_count_;
  std::array<LengthSymbol, literal_symbols + distance_symbols> row_;
  std::size_t row_size_ = 0;
  std::array<std::uint32_t, code_length_symbols> frequencies_{};
  std::array<Code, code_length_symbols> length_codes_;
  std::size_t length_count_ = code_length_symbols;
  std::size_t size_bits_;
};

DynamicCodes::DynamicCodes(const Frequencies& frequencies) {
  const auto all = std::span(frequencies);
  const CodeSize literals = build_code(all.first<literal_symbols>(), max_code_bits, codes_);
  const CodeSize distances = build_code(all.subspan<first_distance_symbol, distance_symbols>(), max_code_bits,
                 std::span(codes_).subspan<first_distance_symbol>());
  literal_count_ = literals.symbols;
  distance_count_ = std::max(distances.symbols, min_distance_lengths);
  collect_lengths();
  const CodeSize lengths = build_code(frequencies_, max_code_length_bits, length_codes_);
  while (length_codes_[code_length_order[length_count_ - 1]].length == 0) --length_count_;
  size_bits_ = block_header_bits + 5 + 5 + 4 + 3 * length_count_ + lengths.text_bits + literals.text_bits + distances.text_bits + 2 * frequencies_[repeat_previous] + 3 * frequencies_[repeat_zero] + 7 * frequencies_[repeat_zero_often];
}

void DynamicCodes::collect_lengths() {
  std::array<std::uint8_t, literal_symbols + distance_symbols + 1> lengths;
  std::uint8_t* end = lengths.data();
  for (std::size_t i = 0; i < literal_count_; ++i) *end++ = codes_[i].length;
  for (std::size_t i = 0; i < distance_count_; ++i) *end++ = codes_[first_distance_symbol + i].length;
  *end = 0xff;
  for (const std::uint8_t* start = lengths.data(); start != end;) {
    const std::uint8_t* next = start + 1;
    while (*next == *start) ++next;
    add_run(*start, static_cast<std::size_t>(next - start));
    start = next;
  }
}

void DynamicCodes::add_run(std::uint8_t length, std::size_t run) {
  if (length == 0) {
    while (run >= 11) {
      const std::size_t part = std::min<std::size_t>(run, 138);
      add(repeat_zero_often, part - 11);
      run -= part;
    }
    if (run >= 3) {
      add(repeat_zero, run - 3);
      run = 0;
    }
  } else if (run >= 4) {
    add(length, 0);
    --run;
    while (run >= 3) {
      const std::size_t part = std::min<std::size_t>(run, 6);
      add(repeat_previous, part - 3);
      run -= part;
    }
  }
  for (; run > 0; --run) add(length, 0);
}

BitWriter DynamicCodes::write(BitWriter out) const {
  out.put(static_cast<unsigned>(BlockType::dynamic) << 1, block_header_bits);
  out.put(literal_count_ - min_literal_lengths, 5);
  out.put(distance_count_ - min_distance_lengths, 5);
  out.put(length_count_ - min_code_length_lengths, 4);
  out.flush();
  for (std::size_t i = 0; i < length_count_; ++i) {
    out.put(length_codes_[code_length_order[i]].length, 3);
    out.flush();
  }
  for (const LengthSymbol& part : std::span(row_).first(row_size_)) {
    out.put(length_codes_[part.symbol].bits, length_codes_[part.symbol].length);
    out.put(part.extra, code_length_extra_bits[part.symbol]);
    out.flush();
  }
  return out;
}

std::size_t fixed_size_bits(const Frequencies& frequencies) {
  std::size_t bits = block_header_bits;
  for (std::size_t symbol = 0; symbol < all_symbols; ++symbol) {
    bits += frequencies[symbol] * fixed_codes[symbol].length;
  }
  return bits;
}

// What follows the symbols for lengths and distances: the same in every code.
std::size_t extra_bits(const Frequencies& frequencies) {
  std::size_t bits = 0;
  for (std::size_t symbol = first_length_symbol; symbol < all_symbols; ++symbol) {
    bits += frequencies[symbol] * only_extra_bits[symbol].extra_bits;
  }
  return bits;
}

BitWriter write_stored(BitWriter out, Bytes text) {
  out.put(static_cast<unsigned>(BlockType::stored) << 1, block_header_bits);
  std::uint8_t* to = out.align();
  const std::size_t size = text.size();
  *to++ = static_cast<std::uint8_t>(size);
  *to++ = static_cast<std::uint8_t>(size >> 8);
  *to++ = static_cast<std::uint8_t>(~size);
  *to++ = static_cast<std::uint8_t>(~size >> 8);
  return BitWriter(copy_bytes(to, text));
}

}  // namespace

BitWriter write_block(BitWriter out, Bytes text, Symbols& symbols) {
  const std::span<const Symbol> row = symbols.finish();
  Frequencies frequencies{};
  for (const Symbol symbol : row) ++frequencies[number_of(symbol)];
  const std::size_t extra = extra_bits(frequencies);
  const std::size_t fixed = fixed_size_bits(frequencies) + extra;
  const DynamicCodes dynamic(frequencies);
  const std::size_t dyn = dynamic.size_bits() + extra;
  const std::size_t stored = (out.odd_bits() + block_header_bits + 7) / 8 * 8 - out.odd_bits() + 32 + 8 * text.size();
  if (stored <= std::min(fixed, dyn)) return write_stored(out, text);
  if (fixed <= dyn) {
    out.put(static_cast<unsigned>(BlockType::fixed) << 1, block_header_bits);
    out.flush();
    return write_symbols(out, row, fixed_codes);
  }
  out = dynamic.write(out);
  return write_symbols(out, row, dynamic.codes());
}

}  // namespace sockeye::ws::deflate
