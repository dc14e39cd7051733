// SPDX-License-Identifier: MIT
#include "ws/deflate/block_writer.h"

#include <algorithm>
#include <cassert>

#include "ws/deflate/huffman_code.h"

namespace sockeye::ws::deflate {
namespace {

// Both alphabets in one, as Symbol numbers them.
using Frequencies = std::array<std::uint32_t, all_symbols>;
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
    codes[symbol].length = fixed_literal_bits(symbol);
    ++counts[codes[symbol].length];
  }
  CodeNumbers numbers(counts);
  for (std::size_t symbol = 0; symbol < fixed_literal_symbols; ++symbol) {
    codes[symbol].bits = numbers.next(codes[symbol].length);
  }
  for (std::uint32_t distance = 0; distance < fixed_distance_symbols; ++distance) {
    Code& code = codes[first_distance_symbol + distance];
    code.length = fixed_distance_bits;
    code.bits = in_stream_order(distance, fixed_distance_bits);
  }
  return codes;
}();

// ---------------------------------------------------------------------------------- dynamic codes

// §3.2.7: the lengths of both codes in a row, runs of one length as one symbol, in a code of their
// own.
class DynamicCodes {
 public:
  explicit DynamicCodes(const Frequencies& frequencies);

  // What the codes' description and all symbols take; not the symbols' extra bits.
  std::size_t size_bits() const { return size_bits_; }

  BitWriter write_description(BitWriter out) const;
  const Codes& codes() const { return codes_; }

 private:
  struct LengthSymbol {
    std::uint8_t symbol;
    std::uint8_t extra;
  };

  void collect_lengths();
  void add_run(std::uint8_t length, std::size_t run);
  std::size_t add_repeats(std::size_t symbol, std::size_t least, std::size_t most, std::size_t run);
  void add(std::size_t symbol, std::size_t extra);
  void choose_length_codes();

  Codes codes_ = only_extra_bits;
  std::size_t literal_count_;
  std::size_t distance_count_;
  std::array<LengthSymbol, literal_symbols + distance_symbols> row_;
  std::size_t row_size_ = 0;
  std::array<std::uint32_t, code_length_symbols> frequencies_{};
  std::array<Code, code_length_symbols> length_codes_{};
  std::size_t length_count_ = code_length_symbols;
  std::size_t size_bits_;
};

DynamicCodes::DynamicCodes(const Frequencies& frequencies) {
  const std::span all(frequencies);
  const CodeSize literals =
      build_code(all.first<literal_symbols>(), max_code_bits, std::span(codes_));
  const CodeSize distances =
      build_code(all.subspan<first_distance_symbol, distance_symbols>(), max_code_bits,
                 std::span(codes_).subspan<first_distance_symbol>());
  literal_count_ = literals.symbols;
  distance_count_ = std::max(distances.symbols, min_distance_lengths);
  size_bits_ = literals.text_bits + distances.text_bits;
  collect_lengths();
  choose_length_codes();
}

void DynamicCodes::collect_lengths() {
  std::array<std::uint8_t, literal_symbols + distance_symbols + 1> lengths;
  std::uint8_t* end = lengths.data();
  for (std::size_t i = 0; i < literal_count_; ++i) *end++ = codes_[i].length;
  for (std::size_t i = 0; i < distance_count_; ++i) {
    *end++ = codes_[first_distance_symbol + i].length;
  }
  *end = 0xff;  // no length: ends the last run
  for (const std::uint8_t* start = lengths.data(); start != end;) {
    const std::uint8_t* next = start + 1;
    while (*next == *start) ++next;
    add_run(*start, static_cast<std::size_t>(next - start));
    start = next;
  }
}

// Runs may go from one code's lengths to the other's.
void DynamicCodes::add_run(std::uint8_t length, std::size_t run) {
  if (length == 0) {
    run = add_repeats(repeat_zero_often, 11, 138, run);
    run = add_repeats(repeat_zero, 3, 10, run);
  } else {
    add(length, 0);
    run = add_repeats(repeat_previous, 3, 6, run - 1);
  }
  for (; run > 0; --run) add(length, 0);
}

// `symbol` repeats a length `least` to `most` times. Returns what is left of `run`.
std::size_t DynamicCodes::add_repeats(std::size_t symbol, std::size_t least, std::size_t most,
                                      std::size_t run) {
  while (run >= least) {
    const std::size_t times = std::min(run, most);
    add(symbol, times - least);
    run -= times;
  }
  return run;
}

void DynamicCodes::add(std::size_t symbol, std::size_t extra) {
  row_[row_size_++] = {static_cast<std::uint8_t>(symbol), static_cast<std::uint8_t>(extra)};
  ++frequencies_[symbol];
}

constexpr unsigned count_bits = 5 + 5 + 4;  // HLIT, HDIST, HCLEN
constexpr unsigned code_length_length_bits = 3;

void DynamicCodes::choose_length_codes() {
  length_codes_[repeat_previous].extra_bits = 2;
  length_codes_[repeat_zero].extra_bits = 3;
  length_codes_[repeat_zero_often].extra_bits = 7;
  const CodeSize lengths = build_code(frequencies_, max_code_length_bits, length_codes_);
  while (length_codes_[code_length_order[length_count_ - 1]].length == 0) --length_count_;
  size_bits_ += block_header_bits + count_bits + code_length_length_bits * length_count_;
  size_bits_ += lengths.text_bits;
  for (std::size_t symbol = repeat_previous; symbol < code_length_symbols; ++symbol) {
    size_bits_ += frequencies_[symbol] * length_codes_[symbol].extra_bits;
  }
}

BitWriter DynamicCodes::write_description(BitWriter out) const {
  out.put(literal_count_ - min_literal_lengths, 5);
  out.put(distance_count_ - min_distance_lengths, 5);
  out.put(length_count_ - min_code_length_lengths, 4);
  for (std::size_t i = 0; i < length_count_; ++i) {
    out.flush();
    out.put(length_codes_[code_length_order[i]].length, code_length_length_bits);
  }
  for (const LengthSymbol& part : std::span(row_).first(row_size_)) {
    out.flush();
    const Code code = length_codes_[part.symbol];
    out.put(code.bits, code.length);
    out.put(part.extra, code.extra_bits);
  }
  out.flush();
  return out;
}

// -------------------------------------------------------------------------------- all block types

Frequencies count(std::span<const Symbol> symbols) {
  Frequencies frequencies{};
  for (const Symbol symbol : symbols) ++frequencies[number_of(symbol)];
  return frequencies;
}

std::size_t fixed_size_bits(const Frequencies& frequencies) {
  std::size_t bits = block_header_bits;
  for (std::size_t symbol = 0; symbol < all_symbols; ++symbol) {
    bits += frequencies[symbol] * fixed_codes[symbol].length;
  }
  return bits;
}

// What follows lengths and distances, in fixed and in dynamic codes.
std::size_t extra_size_bits(const Frequencies& frequencies) {
  std::size_t bits = 0;
  for (std::size_t symbol = first_length_symbol; symbol < all_symbols; ++symbol) {
    bits += frequencies[symbol] * only_extra_bits[symbol].extra_bits;
  }
  return bits;
}

constexpr unsigned stored_length_bytes = 4;  // LEN and NLEN

std::size_t stored_size_bits(BitWriter out, std::size_t text_size) {
  const std::size_t begun = out.odd_bits() + block_header_bits;
  return (begun + 7) / 8 * 8 - out.odd_bits() + 8 * (stored_length_bytes + text_size);
}

BitWriter write_header(BitWriter out, BlockType type) {
  out.put(static_cast<unsigned>(type) << 1, block_header_bits);  // §3.2.3: BFINAL is 0
  out.flush();
  return out;
}

// §3.2.4: LEN, and its one's complement, lowest byte first.
BitWriter write_stored(BitWriter out, Bytes text) {
  out = write_header(out, BlockType::stored);
  std::uint8_t* to = out.align();
  const auto size = static_cast<unsigned>(text.size());
  *to++ = static_cast<std::uint8_t>(size);
  *to++ = static_cast<std::uint8_t>(size >> 8);
  *to++ = static_cast<std::uint8_t>(~size);
  *to++ = static_cast<std::uint8_t>(~size >> 8);
  return BitWriter(copy_bytes(to, text));
}

constexpr unsigned max_extra_bits = 13;
static_assert(max_code_bits + max_extra_bits <= BitWriter::room_bits);

BitWriter write_symbols(BitWriter out, std::span<const Symbol> symbols, const Codes& codes) {
  for (const Symbol symbol : symbols) {
    const Code code = codes[number_of(symbol)];
    out.put(code.bits, code.length);
    out.put(extra_of(symbol), code.extra_bits);
    out.flush();
  }
  return out;
}

}  // namespace

BitWriter write_block(BitWriter out, Bytes text, Symbols& symbols) {
  assert(text.size() <= max_stored_bytes);
  const std::span<const Symbol> row = symbols.finish();
  const Frequencies frequencies = count(row);
  const DynamicCodes dynamic(frequencies);
  const std::size_t fixed_bits = fixed_size_bits(frequencies);
  const std::size_t coded_bits =
      std::min(fixed_bits, dynamic.size_bits()) + extra_size_bits(frequencies);
  out.flush();
  if (stored_size_bits(out, text.size()) <= coded_bits) return write_stored(out, text);
  if (fixed_bits <= dynamic.size_bits()) {
    return write_symbols(write_header(out, BlockType::fixed), row, fixed_codes);
  }
  out = write_header(out, BlockType::dynamic);
  return write_symbols(dynamic.write_description(out), row, dynamic.codes());
}

}  // namespace sockeye::ws::deflate
