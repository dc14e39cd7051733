// From code words to what they mean: the decoding table of a Huffman code.
//
// RFC 1951 §3.2.1 and §3.2.2. A table is indexed with the next bits of the stream, so many that
// most code words fit; a shorter one stands at every index that begins with it. Its entry says how
// many bits to drop, and what they meant. Longer words, rare by design, share an entry that points
// to a subtable, which is indexed with the bits that follow.
//
//   bits 0..7    how many bits to drop: the code word and its extra bits
//   bits 8..11   of these, the code word's; or how many the subtable is indexed with
//   bit 13       points to a subtable
//   bit 14       special: neither a literal nor a length or distance; pointers, too
//   bit 15       a literal
//   bits 16..31  the value: the literal; the base that the extra bits are added to; which Special
//                it is; or where the subtable starts
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "ws/deflate/format.h"

namespace sockeye::ws::deflate {

using Entry = std::uint32_t;

inline constexpr Entry subtable_flag = 1u << 13;
inline constexpr Entry special_flag = 1u << 14;
inline constexpr Entry literal_flag = 1u << 15;

enum class Special : std::uint8_t {
  block_end,
  reserved,    // a symbol that never occurs
  unassigned,  // a word that isn't in the code
};

constexpr std::size_t value_of(Entry entry) {
  return entry >> 16;
}
constexpr Special special_of(Entry entry) {
  return static_cast<Special>(value_of(entry));
}
constexpr unsigned bits_of(Entry entry) {
  return entry & 0xff;
}

// The value, with what the extra bits add; the code word is still in front of `word`.
inline std::size_t with_extra_bits(Entry entry, std::uint64_t word) {
  const std::uint64_t all_bits = word & ((std::uint64_t{1} << (entry & 63)) - 1);
  return value_of(entry) + static_cast<std::size_t>(all_bits >> (entry >> 8 & 15));
}

// A table, whose entries are someone else's.
struct DecodeTable {
  // The entry for the code word in front of `word`.
  Entry look_up(std::uint64_t word) const {
    const Entry entry = first_entry(word);
    return entry & subtable_flag ? second_entry(entry, word) : entry;
  }
  // The same in two steps; the second one where the first gave a pointer.
  Entry first_entry(std::uint64_t word) const {
    return entries[word & ((std::size_t{1} << bits) - 1)];
  }
  Entry second_entry(Entry pointer, std::uint64_t word) const {
    const std::size_t mask = (std::size_t{1} << (pointer >> 8 & 15)) - 1;
    return entries[value_of(pointer) + (word >> bits_of(pointer) & mask)];
  }

  const Entry* entries = nullptr;
  unsigned bits = 0;  // it is indexed with
};

// A code is given by the lengths of its words (§3.2.2): a list, in the order of the symbols, of
// those that have a word. Each in 16 bits: the symbol times 16, and the length.
using CodeWords = std::span<const std::uint16_t>;

constexpr std::uint16_t code_word(std::size_t symbol, std::size_t length) {
  return static_cast<std::uint16_t>(symbol << 4 | length);
}
constexpr std::size_t symbol_of(std::uint16_t word) {
  return word >> 4;
}
constexpr unsigned length_of(std::uint16_t word) {
  return word & 15;
}

// What the lengths of a code come to.
enum class CodeShape : std::uint8_t {
  complete,
  single,          // one word of one bit, or no word at all: §3.2.7 allows it for distances
  incomplete,      // there could be more words
  oversubscribed,  // there are too many
};

// An alphabet: what its symbols mean, as entries to which the length of a code word is to be added.
using Alphabet = std::span<const Entry>;
Alphabet literal_alphabet();
Alphabet distance_alphabet();
// Here, the value is the symbol, times 256, and how many lengths it stands for.
Alphabet code_length_alphabet();

// Makes a code's table in `entries`, where the code is complete or single. It's indexed with at
// most `max_bits`; there must be room for its subtables.
CodeShape build_table(CodeWords words, Alphabet alphabet, std::span<Entry> entries,
                      unsigned max_bits, DecodeTable& table);

}  // namespace sockeye::ws::deflate
