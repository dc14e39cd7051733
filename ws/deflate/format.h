// The numbers of the DEFLATE format, as inflate and deflate both need them.
//
// RFC 1951; its section numbers are meant wherever ws/deflate cites one without a name. In short: a
// stream is a row of blocks, each stored as it is or written in two Huffman codes. In the latter,
// the first code has a symbol for every literal byte, one that ends the block, and some for the
// length of a match: bytes that stood in the text before. A length is followed by a symbol of the
// second code: how far back. Lengths and distances are grouped into ranges; a symbol names the
// range, and extra bits which of it is meant.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace sockeye::ws::deflate {

// §3.2.3: a block begins with a bit that says whether it is the last one, and two for its type.
enum class BlockType : std::uint8_t { stored = 0, fixed = 1, dynamic = 2 };
inline constexpr int block_header_bits = 3;

// §3.2.4: a stored block says its length in 16 bits.
inline constexpr std::size_t max_stored_bytes = 65'535;

// §3.2.5: the alphabet of literals and lengths: 0..255 are bytes, 257..285 lengths. Two more have
// a fixed code, but never occur.
inline constexpr std::size_t end_of_block = 256;
inline constexpr std::size_t first_length_symbol = 257;
inline constexpr std::size_t literal_symbols = 286;
inline constexpr std::size_t fixed_literal_symbols = 288;
// The alphabet of distances, with two more that never occur, too.
inline constexpr std::size_t distance_symbols = 30;
inline constexpr std::size_t fixed_distance_symbols = 32;

inline constexpr std::size_t min_match = 3;
inline constexpr std::size_t max_match = 258;
inline constexpr std::size_t max_distance = 32'768;

// The shortest match of each length symbol, from 257 on, and the extra bits that are added to it.
inline constexpr std::array<std::uint16_t, 29> length_bases = {
    3,  4,  5,  6,  7,  8,  9,  10, 11,  13,  15,  17,  19,  23, 27,
    31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
inline constexpr std::array<std::uint8_t, 29> length_extra_bits = {
    0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};

// The same for each distance symbol.
inline constexpr std::array<std::uint16_t, distance_symbols> distance_bases = {
    1,   2,   3,   4,   5,   7,    9,    13,   17,   25,   33,   49,   65,    97,    129,
    193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};
inline constexpr std::array<std::uint8_t, distance_symbols> distance_extra_bits = {
    0, 0, 0, 0, 1, 1, 2, 2,  3,  3,  4,  4,  5,  5,  6,
    6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13};

// No code is longer. (§3.2.7: code lengths are written as symbols 0..15.)
inline constexpr int max_code_bits = 15;

// §3.2.6: the lengths of the fixed codes.
constexpr std::uint8_t fixed_literal_bits(std::size_t symbol) {
  return symbol < 144 ? 8 : symbol < 256 ? 9 : symbol < 280 ? 7 : 8;
}
inline constexpr std::uint8_t fixed_distance_bits = 5;

// §3.2.7: a dynamic block begins with the lengths of its two codes, which are themselves written in
// a Huffman code, whose lengths are written in three bits each, in an order of their own. The
// alphabet of that third code: 0..15 is a length, the others repeat one.
inline constexpr std::size_t code_length_symbols = 19;
inline constexpr std::size_t repeat_previous = 16;    // 3..6 times, by 2 extra bits
inline constexpr std::size_t repeat_zero = 17;        // 3..10 times, by 3 extra bits
inline constexpr std::size_t repeat_zero_often = 18;  // 11..138 times, by 7 extra bits
inline constexpr int max_code_length_bits = 7;
inline constexpr std::array<std::uint8_t, code_length_symbols> code_length_order = {
    16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
// How many of each are written: 5, 5 and 4 bits that are added to these.
inline constexpr std::size_t min_literal_lengths = 257;
inline constexpr std::size_t min_distance_lengths = 1;
inline constexpr std::size_t min_code_length_lengths = 4;

// RFC 7692 §7.1.2.1: the window is of 2^8 to 2^15 bytes.
inline constexpr std::uint8_t min_window_bits = 8;
inline constexpr std::uint8_t max_window_bits = 15;

// §3.1.1: a code word's first bit is its highest, but the stream's is the lowest of its byte. So
// this is how a word of `bits` bits stands in the stream.
constexpr std::uint16_t in_stream_order(std::uint32_t word, unsigned bits) {
  word = (word & 0x5555) << 1 | (word >> 1 & 0x5555);
  word = (word & 0x3333) << 2 | (word >> 2 & 0x3333);
  word = (word & 0x0f0f) << 4 | (word >> 4 & 0x0f0f);
  word = (word & 0x00ff) << 8 | word >> 8;
  return static_cast<std::uint16_t>(word >> (16 - bits));
}

}  // namespace sockeye::ws::deflate
