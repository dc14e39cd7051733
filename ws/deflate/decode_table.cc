// SPDX-License-Identifier: MIT
#include "ws/deflate/decode_table.h"

#include <algorithm>
#include <array>
#include <cassert>

namespace sockeye::ws::deflate {
namespace {

constexpr Entry with_value(std::size_t value) {
  return static_cast<Entry>(value << 16);
}
constexpr Entry special(Special what) {
  return with_value(static_cast<std::size_t>(what)) | special_flag;
}
constexpr Entry with_code_bits(Entry entry, unsigned bits) {
  return entry + (bits << 8 | bits);
}

constexpr auto literals = [] {
  std::array<Entry, fixed_literal_symbols> entries{};
  for (std::size_t i = 0; i < end_of_block; ++i) entries[i] = with_value(i) | literal_flag;
  entries[end_of_block] = special(Special::block_end);
  for (std::size_t i = 0; i < length_bases.size(); ++i) {
    entries[first_length_symbol + i] = with_value(length_bases[i]) | length_extra_bits[i];
  }
  entries[286] = entries[287] = special(Special::reserved);
  return entries;
}();

constexpr auto distances = [] {
  std::array<Entry, fixed_distance_symbols> entries{};
  for (std::size_t i = 0; i < distance_bases.size(); ++i) {
    entries[i] = with_value(distance_bases[i]) | distance_extra_bits[i];
  }
  entries[30] = entries[31] = special(Special::reserved);
  return entries;
}();

constexpr auto code_lengths = [] {
  std::array<Entry, code_length_symbols> entries{};
  for (std::size_t i = 0; i < repeat_previous; ++i) entries[i] = with_value(i << 8 | 1);
  entries[repeat_previous] = with_value(repeat_previous << 8 | 3) | 2;
  entries[repeat_zero] = with_value(repeat_zero << 8 | 3) | 3;
  entries[repeat_zero_often] = with_value(repeat_zero_often << 8 | 11) | 7;
  return entries;
}();

using Counts = std::array<std::uint16_t, max_code_bits + 1>;  // of words, by length

Counts count(CodeWords words) {
  Counts counts{};
  for (const std::uint16_t word : words) ++counts[length_of(word)];
  return counts;
}

// Each bit more doubles the number of words that are free.
CodeShape shape_of(CodeWords words, const Counts& counts) {
  int free_words = 1;
  for (unsigned bits = 1; bits <= max_code_bits; ++bits) {
    free_words = 2 * free_words - counts[bits];
    if (free_words < 0) return CodeShape::oversubscribed;
  }
  if (free_words == 0) return CodeShape::complete;
  return words.size() == counts[1] ? CodeShape::single : CodeShape::incomplete;
}

// Writes the subtables behind the table: for the words from `word` on, of which the first has
// `bits` bits, one more than the table is indexed with.
void build_subtables(Counts counts, const Entry* next, std::uint32_t word, std::span<Entry> table,
                     unsigned table_bits) {
  const std::uint32_t table_mask = (1u << table_bits) - 1;
  std::uint32_t prefix = ~0u;
  std::size_t start = 0;
  std::size_t end = table_mask + 1;
  for (unsigned bits = table_bits + 1; bits <= max_code_bits; ++bits) {
    for (word <<= 1; counts[bits] > 0; --counts[bits], ++word, ++next) {
      const std::uint32_t index = in_stream_order(word, bits);
      if ((index & table_mask) != prefix) {
        // All words with this prefix come now: as many bits as it takes until they fill a table.
        prefix = index & table_mask;
        unsigned index_bits = bits - table_bits;
        int free_entries = (1 << index_bits) - counts[bits];
        while (free_entries > 0) {
          ++index_bits;
          free_entries = 2 * free_entries - counts[table_bits + index_bits];
        }
        start = end;
        end += std::size_t{1} << index_bits;
        assert(end <= table.size());
        table[prefix] =
            with_value(start) | special_flag | subtable_flag | index_bits << 8 | table_bits;
      }
      const std::size_t step = std::size_t{1} << (bits - table_bits);
      for (std::size_t i = start + (index >> table_bits); i < end; i += step) table[i] = *next;
    }
  }
}

// Returns how many bits the table is indexed with.
unsigned build_complete(CodeWords words, const Counts& counts, Alphabet alphabet,
                        std::span<Entry> table, unsigned max_bits) {
  // The entries in the order of their code words: by length, then by symbol.
  std::array<std::uint16_t, max_code_bits + 2> places{};
  for (unsigned bits = 1; bits <= max_code_bits; ++bits) {
    places[bits + 1] = static_cast<std::uint16_t>(places[bits] + counts[bits]);
  }
  std::array<Entry, fixed_literal_symbols> sorted;
  for (const std::uint16_t word : words) {
    const unsigned bits = length_of(word);
    sorted[places[bits]++] = with_code_bits(alphabet[symbol_of(word)], bits);
  }

  // A table for words of one bit, of two, and so on: each is the one before, twice, with the words
  // of its own length added. §3.2.2: these count upwards from where the shorter ones ended.
  unsigned longest = max_code_bits;
  while (counts[longest] == 0) --longest;
  const unsigned table_bits = std::min(max_bits, longest);
  const Entry* next = sorted.data();
  std::uint32_t word = 0;
  table[0] = 0;
  for (unsigned bits = 1; bits <= table_bits; ++bits) {
    const std::size_t half = std::size_t{1} << (bits - 1);
    std::copy_n(table.begin(), half, table.subspan(half).begin());
    word <<= 1;
    for (unsigned left = counts[bits]; left > 0; --left) {
      table[in_stream_order(word++, bits)] = *next++;
    }
  }
  if (longest > table_bits) build_subtables(counts, next, word, table, table_bits);
  return table_bits;
}

}  // namespace

Alphabet literal_alphabet() {
  return literals;
}
Alphabet distance_alphabet() {
  return distances;
}
Alphabet code_length_alphabet() {
  return code_lengths;
}

CodeShape build_table(CodeWords words, Alphabet alphabet, std::span<Entry> entries,
                      unsigned max_bits, DecodeTable& table) {
  const Counts counts = count(words);
  const CodeShape shape = shape_of(words, counts);
  table.entries = entries.data();
  if (shape == CodeShape::complete) {
    table.bits = build_complete(words, counts, alphabet, entries, max_bits);
  } else if (shape == CodeShape::single) {
    table.bits = 1;
    entries[0] = entries[1] = with_code_bits(special(Special::unassigned), 1);
    if (!words.empty()) entries[0] = with_code_bits(alphabet[symbol_of(words[0])], 1);
  }
  return shape;
}

}  // namespace sockeye::ws::deflate
