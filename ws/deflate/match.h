// Finds what stood in the text before: the first half of compression.
//
// RFC 1951 §4. Both matchers keep hash tables of where each four bytes stood last, and read the
// text in front of what they work on:
//
//   ... {"id":17,"name":"Anna"},  {"id":18,"name":"Hana"}  ...
//       |<-- up to a window --->  |<-- the stretch ---->|
//       may be matched            is turned into symbols
//
// FastMatcher takes the first match it sees, and looks at one place for each. ChainMatcher follows
// a chain of all the places, and looks whether a better match begins one byte later.
//
// A place is a position: a count of bytes that goes on from stretch to stretch, of 16 bits in the
// tables. What the tables hold needn't be true any more: a position before Stretch::oldest is
// passed over. So tables needn't be cleared to forget what was before.
//
// Pure; the tables belong to the caller. Next to read: ws/deflate/huffman_code.h.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "ws/deflate/symbols.h"

namespace sockeye::ws::deflate {

using Position = std::uint16_t;
inline constexpr std::uint32_t end_of_positions = 1 << 16;

struct Stretch {
  const std::uint8_t* begin;
  const std::uint8_t* end;
  std::uint32_t position;  // of `begin`; that of `end` is at most end_of_positions
  std::uint32_t oldest;    // from where on the text is known: 1 at least, `position` at most
  std::uint32_t window;    // no distance is greater; so many known bytes stand in front of `begin`
};

class FastMatcher {
 public:
  static constexpr int max_hash_bits = 14;
  static constexpr std::size_t table_size(int window_bits) {
    return std::size_t{1} << std::min(window_bits, max_hash_bits);
  }

  // Of table_size(window_bits) positions, zero before the first use; the same from call to call.
  FastMatcher(std::span<Position> table, int window_bits)
      : table_(table.data()),
        shift_(32u - static_cast<unsigned>(std::min(window_bits, max_hash_bits))) {}

  // Turns `stretch` into symbols, until its end or until `symbols` is full. Returns where it
  // stopped.
  const std::uint8_t* find(const Stretch& stretch, Symbols& symbols);

 private:
  void insert(const std::uint8_t* here, std::uint32_t position);

  Position* table_;
  unsigned shift_;
};

class ChainMatcher {
 public:
  static constexpr int max_hash_bits = 13;
  static constexpr int max_short_hash_bits = 10;
  static constexpr std::size_t table_size(int window_bits) {
    return (std::size_t{1} << window_bits) +
           (std::size_t{1} << std::min(window_bits, max_hash_bits)) +
           (std::size_t{1} << std::min(window_bits, max_short_hash_bits));
  }

  // As FastMatcher's.
  ChainMatcher(std::span<Position> table, int window_bits);
  const std::uint8_t* find(const Stretch& stretch, Symbols& symbols);

 private:
  struct Match {
    std::uint32_t length;
    std::uint32_t distance;  // 0: there is none
  };
  // Where the matcher stands.
  struct Place {
    const std::uint8_t* here;
    const std::uint8_t* end;
    std::uint32_t position;
    std::uint32_t oldest;  // that may be matched from here
  };
  static Place place(const Stretch& stretch, const std::uint8_t* here);
  Match search(const Place& place, unsigned depth, std::uint32_t length_to_beat) const;
  Match search_short(const Place& place) const;
  void insert(const Stretch& stretch, const std::uint8_t* here, const std::uint8_t* to);

  unsigned shift_;
  unsigned short_shift_;
  std::uint32_t mask_;    // of the window
  Position* before_;      // for each position in the window, the one before it in its chain
  Position* last_;        // by hash of four bytes
  Position* last_short_;  // by hash of three
};

}  // namespace sockeye::ws::deflate
