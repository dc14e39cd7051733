// SPDX-License-Identifier: MIT
#include "ws/deflate/match.h"

#include <algorithm>
#include <bit>
#include <cstring>

#ifndef FAST_BITS
#define FAST_BITS 14
#endif
#ifndef WAYS
#define WAYS 2
#endif
#ifndef H4
#define H4 13
#endif
#ifndef H3
#define H3 10
#endif
#ifndef DEPTH
#define DEPTH 16
#endif
#ifndef NICE
#define NICE 64
#endif
#ifndef LAZY
#define LAZY 16
#endif
#ifndef GOOD
#define GOOD 8
#endif
#ifndef FAR3
#define FAR3 4096
#endif
#ifndef SKIPSHIFT
#define SKIPSHIFT 5
#endif
#ifndef SKIPMIN
#define SKIPMIN 32
#endif
#define INS(k) table[hash(load_le32(here + (k)), shift)] = static_cast<Position>(position + (k))
#ifndef INSERTS
#define INSERTS INS(1); INS(2); INS(3);
#endif
#ifndef FASTINS
#define FASTINS 1
#endif

namespace sockeye::ws::deflate {
namespace {

std::uint32_t load_le32(const std::uint8_t* p) {
  std::uint32_t word;
  std::memcpy(&word, p, sizeof(word));
  if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap32(word);
  return word;
}

std::uint32_t hash(std::uint32_t word, unsigned shift) { return word * 0x9e3779b1u >> shift; }

inline std::uint32_t match_length(const std::uint8_t* a, const std::uint8_t* b, std::uint32_t known,
                           std::uint32_t limit) {
  std::uint32_t length = known;
  while (length + 8 <= limit) {
    const std::uint64_t difference = load_le64(a + length) ^ load_le64(b + length);
    if (difference != 0) return length + static_cast<std::uint32_t>(std::countr_zero(difference)) / 8;
    length += 8;
  }
  while (length < limit && a[length] == b[length]) ++length;
  return length;
}

}  // namespace

std::size_t FastMatcher::table_size(int window_bits) {
  return std::size_t{1} << std::min(window_bits, FAST_BITS);
}
FastMatcher::FastMatcher(std::span<Position> table, int window_bits)
    : table_(table.data()), shift_(32u - static_cast<unsigned>(std::min(window_bits, FAST_BITS))) {}

const std::uint8_t* FastMatcher::find(const Stretch& stretch, Symbols& all_symbols_) {
  SymbolWriter symbols = all_symbols_.writer();
  const std::uint8_t* here = stretch.begin;
  const std::uint8_t* const end = stretch.end;
  Position* const table = table_;
  const unsigned shift = shift_;
  std::uint32_t misses = 0;
  while (end - here >= 16 && !symbols.full()) {
    const std::uint32_t position = stretch.position + static_cast<std::uint32_t>(here - stretch.begin);
    const std::uint32_t reach = std::min(position - stretch.oldest, stretch.window);
    const std::uint64_t word = load_le64(here);
    Position& slot = table[hash(static_cast<std::uint32_t>(word), shift)];
    const std::uint32_t distance = position - slot;
    slot = static_cast<Position>(position);
    const std::uint32_t valid = std::uint32_t{distance > reach} - 1;
    const std::uint8_t* const there = here - (distance & valid);
    const std::uint64_t difference = word ^ load_le64(there);
    if ((static_cast<std::uint32_t>(difference) | ~valid) != 0) {
      symbols.add_literal(*here++);
      if (++misses > SKIPMIN) {
        for (std::uint32_t skip = std::min<std::uint32_t>((misses - SKIPMIN) >> SKIPSHIFT, static_cast<std::uint32_t>(end - here)); skip > 0; --skip) symbols.add_literal(*here++);
      }
      continue;
    }
    misses = 0;
    std::uint32_t length;
    const std::uint64_t further = load_le64(here + 8) ^ load_le64(there + 8);
    const std::uint64_t first = difference != 0 ? difference : further;
    if (first != 0) {
      length = (difference != 0 ? 0u : 8u) + static_cast<std::uint32_t>(std::countr_zero(first)) / 8;
    } else {
      length = match_length(here, there, 16, static_cast<std::uint32_t>(std::min<std::ptrdiff_t>(end - here, max_match)));
    }
    symbols.add_match(length, distance);
    INSERTS
    here += length;
  }
  if (!symbols.full()) while (here < end) symbols.add_literal(*here++);
  all_symbols_.take(symbols);
  return here;
}

std::size_t ChainMatcher::table_size(int window_bits) {
  return (std::size_t{1} << std::min(window_bits, H4)) + (std::size_t{1} << std::min(window_bits, H3)) + (std::size_t{1} << window_bits);
}

ChainMatcher::ChainMatcher(std::span<Position> table, int window_bits) {
  const auto h4 = static_cast<unsigned>(std::min(window_bits, H4));
  const auto h3 = static_cast<unsigned>(std::min(window_bits, H3));
  head3_ = table.data();
  head4_ = head3_ + (std::size_t{1} << h3);
  prev_ = head4_ + (std::size_t{1} << h4);
  shift3_ = 32 - h3;
  shift4_ = 32 - h4;
  mask_ = (1u << window_bits) - 1;
}

void ChainMatcher::insert(const std::uint8_t* here, std::uint32_t position) {
  const std::uint32_t word = load_le32(here);
  head3_[hash(word << 8, shift3_)] = static_cast<Position>(position);
  Position& head = head4_[hash(word, shift4_)];
  prev_[position & mask_] = head;
  head = static_cast<Position>(position);
}

ChainMatcher::Match ChainMatcher::search(const std::uint8_t* here, const std::uint8_t* end, std::uint32_t position, std::uint32_t oldest, std::uint32_t than, unsigned depth) const {
  const std::uint32_t limit = static_cast<std::uint32_t>(std::min<std::ptrdiff_t>(end - here, max_match));
  Match best{than, 0};
  const std::uint32_t word = load_le32(here);
  if (than < min_match) {
    const std::uint32_t candidate = head3_[hash(word << 8, shift3_)];
    if (candidate >= oldest && position - candidate <= FAR3 && ((load_le32(here - (position - candidate)) ^ word) << 8) == 0) {
      best = {3, position - candidate};
    } else best.length = 3;
  }
  std::uint32_t candidate = head4_[hash(word, shift4_)];
  while (candidate >= oldest) {
    const std::uint8_t* p = here - (position - candidate);
    if (load_le32(p + best.length - 3) == load_le32(here + best.length - 3) && load_le32(p) == word) {
      const std::uint32_t length = match_length(here, p, 4, limit);
      if (length > best.length) {
        best = {length, position - candidate};
        if (length >= NICE || length == limit) break;
      }
    }
    if (--depth == 0) break;
    candidate = prev_[candidate & mask_];
  }
  return best;
}

const std::uint8_t* ChainMatcher::find(const Stretch& stretch, Symbols& all_symbols_) {
  SymbolWriter symbols = all_symbols_.writer();
  const std::uint8_t* here = stretch.begin;
  const std::uint8_t* const end = stretch.end;
  const auto position_of = [&](const std::uint8_t* p) {
    return stretch.position + static_cast<std::uint32_t>(p - stretch.begin);
  };
  const auto oldest_for = [&](std::uint32_t position) {
    return position > stretch.oldest + stretch.window ? position - stretch.window : stretch.oldest;
  };
  while (end - here >= 5 && !symbols.full()) {
    std::uint32_t position = position_of(here);
    Match best = search(here, end, position, oldest_for(position), 0, DEPTH);
    insert(here, position);
    if (best.distance == 0) {
      symbols.add_literal(*here++);
      continue;
    }
    bool ahead = false;
    while (best.length < LAZY && end - here >= 6) {
      const std::uint32_t next_position = position + 1;
      const Match next = search(here + 1, end, next_position, oldest_for(next_position), best.length, best.length >= GOOD ? DEPTH / 4 : DEPTH);
      insert(here + 1, next_position);
      if (next.distance != 0) {
        best = next;
        position = next_position;
        symbols.add_literal(*here++);
      } else {
        ahead = true;
        break;
      }
    }
    symbols.add_match(best.length, best.distance);
    const std::uint8_t* match_end = here + best.length;
    for (here += 1 + ahead; here < match_end; ++here) {
      if (end - here >= 4) insert(here, position_of(here));
    }
    here = match_end;
  }
  if (!symbols.full()) while (here < end) symbols.add_literal(*here++);
  all_symbols_.take(symbols);
  return here;
}

}  // namespace sockeye::ws::deflate
