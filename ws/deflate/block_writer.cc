// SPDX-License-Identifier: MIT
#include "ws/deflate/block_writer.h"

#include <algorithm>

namespace sockeye::ws::deflate {
namespace {

constexpr Codes codes_with_extra_bits() {
  Codes codes{};
  for (std::size_t range = 0; range < length_extra_bits.size(); ++range) {
    codes.literals[first_length_symbol + range].extra_bits = length_extra_bits[range];
  }
  for (std::size_t range = 0; range < distance_extra_bits.size(); ++range) {
    codes.distances[range].extra_bits = distance_extra_bits[range];
  }
  return codes;
}

// §3.2.6.
constexpr Codes fixed_codes = [] {
  Codes codes = codes_with_extra_bits();
  std::array<std::uint8_t, fixed_literal_symbols> literal_lengths{};
  for (std::size_t symbol = 0; symbol < literal_lengths.size(); ++symbol) {
    literal_lengths[symbol] = fixed_literal_bits(symbol);
  }
  assign_codes(literal_lengths, codes.literals);
  std::array<std::uint8_t, fixed_distance_symbols> distance_lengths{};
  distance_lengths.fill(fixed_distance_bits);
  assign_codes(distance_lengths, codes.distances);
  return codes;
}();

// §3.2.7: the lengths of both codes in a row, runs of one length written as one symbol.
struct LengthSymbol {
  std::uint8_t symbol;
  std::uint8_t extra;
};

constexpr unsigned repeat_extra_bits(std::size_t symbol) {
  return symbol == repeat_previous ? 2 : symbol == repeat_zero ? 3 : symbol == repeat_zero_often ? 7 : 0;
}

// Of literals 14 bits at most, not 15: four of them are put at once.
constexpr unsigned max_literal_bits = 14;
static_assert(4 * max_literal_bits <= BitWriter::room_bits);

class DynamicHeader {
 public:
  explicit DynamicHeader(const Symbols& symbols);
  std::size_t size_bits() const { return size_bits_; }
  BitWriter write(BitWriter out) const;
  Codes codes() const;
  std::size_t text_bits(const Symbols& symbols) const;

 private:
  void collect_length_symbols();
  void add_run(std::uint8_t length, std::size_t run);
  void add(std::size_t symbol, std::size_t extra) {
    length_symbols_[count_++] = {static_cast<std::uint8_t>(symbol),
                                 static_cast<std::uint8_t>(extra)};
    ++frequencies_[symbol];
  }

  std::array<std::uint8_t, literal_symbols + distance_symbols> lengths_;
  std::array<std::uint8_t, distance_symbols> distance_lengths_;
  std::size_t literal_count_ = literal_symbols;
  std::size_t distance_count_ = distance_symbols;
  std::array<LengthSymbol, literal_symbols + distance_symbols> length_symbols_;
  std::size_t count_ = 0;
  std::array<std::uint32_t, code_length_symbols> frequencies_{};
  std::array<std::uint8_t, code_length_symbols> code_lengths_;
  std::size_t code_length_count_ = code_length_symbols;
  std::size_t size_bits_;
};

DynamicHeader::DynamicHeader(const Symbols& symbols) {
  choose_code_lengths(symbols.literal_frequencies, max_literal_bits,
                      std::span(lengths_).first<literal_symbols>());
  choose_code_lengths(symbols.distance_frequencies, max_code_bits, distance_lengths_);
  while (lengths_[literal_count_ - 1] == 0) --literal_count_;
  while (distance_count_ > 1 && distance_lengths_[distance_count_ - 1] == 0) --distance_count_;
  std::copy_n(distance_lengths_.begin(), distance_count_, lengths_.begin() + literal_count_);
  collect_length_symbols();
  choose_code_lengths(frequencies_, max_code_length_bits, code_lengths_);
  while (code_lengths_[code_length_order[code_length_count_ - 1]] == 0) --code_length_count_;
  size_bits_ = block_header_bits + 5 + 5 + 4 + 3 * code_length_count_;
  for (std::size_t symbol = 0; symbol < code_length_symbols; ++symbol) {
    size_bits_ += frequencies_[symbol] * (code_lengths_[symbol] + repeat_extra_bits(symbol));
  }
}

void DynamicHeader::collect_length_symbols() {
  const std::size_t end = literal_count_ + distance_count_;
  for (std::size_t i = 0; i < end;) {
    std::size_t run = 1;
    while (i + run < end && lengths_[i + run] == lengths_[i]) ++run;
    add_run(lengths_[i], run);
    i += run;
  }
}

void DynamicHeader::add_run(std::uint8_t length, std::size_t run) {
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

std::size_t DynamicHeader::text_bits(const Symbols& symbols) const {
  std::size_t bits = 0;
  for (std::size_t symbol = 0; symbol < literal_count_; ++symbol) {
    bits += symbols.literal_frequencies[symbol] * lengths_[symbol];
  }
  for (std::size_t range = 0; range < distance_count_; ++range) {
    bits += symbols.distance_frequencies[range] * distance_lengths_[range];
  }
  return bits;
}

BitWriter DynamicHeader::write(BitWriter out) const {
  std::array<Code, code_length_symbols> codes;
  assign_codes(code_lengths_, codes);
  out.put(static_cast<unsigned>(BlockType::dynamic) << 1, block_header_bits);
  out.put(literal_count_ - min_literal_lengths, 5);
  out.put(distance_count_ - min_distance_lengths, 5);
  out.put(code_length_count_ - min_code_length_lengths, 4);
  out.flush();
  for (std::size_t i = 0; i < code_length_count_; ++i) {
    out.put(code_lengths_[code_length_order[i]], 3);
    out.flush();
  }
  for (const LengthSymbol& part : std::span(length_symbols_).first(count_)) {
    out.put(codes[part.symbol].bits, codes[part.symbol].length);
    out.put(part.extra, repeat_extra_bits(part.symbol));
    out.flush();
  }
  return out;
}

Codes DynamicHeader::codes() const {
  static constexpr Codes extra = codes_with_extra_bits();
  Codes codes = extra;
  assign_codes(std::span(lengths_).first(literal_count_), codes.literals);
  assign_codes(std::span(distance_lengths_).first(distance_count_), codes.distances);
  return codes;
}

std::size_t fixed_text_bits(const Symbols& symbols) {
  std::size_t bits = 0;
  for (std::size_t symbol = 0; symbol < literal_symbols; ++symbol) {
    bits += symbols.literal_frequencies[symbol] * fixed_literal_bits(symbol);
  }
  return bits + fixed_distance_bits * symbols.count;
}

// What follows the symbols for lengths and distances: the same in every code.
std::size_t extra_bits(const Symbols& symbols) {
  std::size_t bits = 0;
  for (std::size_t range = 0; range < length_extra_bits.size(); ++range) {
    bits += symbols.literal_frequencies[first_length_symbol + range] * length_extra_bits[range];
  }
  for (std::size_t range = 0; range < distance_extra_bits.size(); ++range) {
    bits += symbols.distance_frequencies[range] * distance_extra_bits[range];
  }
  return bits;
}

BitWriter put(BitWriter out, Code code) {
  out.put(code.bits, code.length);
  return out;
}

BitWriter write_literals(BitWriter out, const std::uint8_t* text, std::size_t count,
                         const Codes& codes) {
  for (; count >= 4; count -= 4, text += 4) {
    for (int i = 0; i < 4; ++i) out = put(out, codes.literals[text[i]]);
    out.flush();
  }
  for (; count > 0; --count) out = put(out, codes.literals[*text++]);
  out.flush();
  return out;
}

BitWriter write_symbols(BitWriter out, Bytes text, const Symbols& symbols, const Codes& codes) {
  const std::uint8_t* next = text.data();
  for (std::size_t i = 0; i < symbols.count; ++i) {
    const Sequence sequence = symbols.sequences[i];
    out = write_literals(out, next, sequence.literals, codes);
    const Code length = codes.literals[first_length_symbol + sequence.length_range()];
    out.put(length.bits, length.length);
    out.put(sequence.length_extra(), length.extra_bits);
    const Code distance = codes.distances[sequence.distance_range()];
    out.put(distance.bits, distance.length);
    out.put(sequence.distance_extra(), distance.extra_bits);
    out.flush();
    next += sequence.literals + length_bases[sequence.length_range()] + sequence.length_extra();
  }
  out = write_literals(out, next, static_cast<std::size_t>(text.data() + text.size() - next), codes);
  out.put(codes.literals[end_of_block].bits, codes.literals[end_of_block].length);
  out.flush();
  return out;
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
  ++symbols.literal_frequencies[end_of_block];
  const std::size_t extra = extra_bits(symbols);
  const std::size_t fixed = block_header_bits + fixed_text_bits(symbols) + extra;
  const DynamicHeader header(symbols);
  const std::size_t dynamic = header.size_bits() + header.text_bits(symbols) + extra;
  const std::size_t stored = (out.odd_bits() + block_header_bits + 7) / 8 * 8 - out.odd_bits() + 32 + 8 * text.size();
  if (stored <= std::min(fixed, dynamic)) return write_stored(out, text);
  if (fixed <= dynamic) {
    out.put(static_cast<unsigned>(BlockType::fixed) << 1, block_header_bits);
    return write_symbols(out, text, symbols, fixed_codes);
  }
  out = header.write(out);
  return write_symbols(out, text, symbols, header.codes());
}

}  // namespace sockeye::ws::deflate
