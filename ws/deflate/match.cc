// SPDX-License-Identifier: MIT
#include "ws/deflate/match.h"

#include <bit>

#include "net/bytes.h"

namespace sockeye::ws::deflate {
namespace {

// Multiplicative hashing (Knuth, volume 3, §6.4): the product's highest bits depend on all of word.
std::uint32_t hash(std::uint32_t word, unsigned shift) {
  return word * 0x9e37'79b1u >> shift;
}

std::uint32_t equal_bytes(std::uint64_t difference) {
  return static_cast<std::uint32_t>(std::countr_zero(difference)) / 8;
}

// How long the match between `here` and `there` is, of which `length` bytes are known, `end` is the
// end of the text behind `here`.
std::uint32_t match_length(const std::uint8_t* here, const std::uint8_t* there,
                           std::uint32_t length, const std::uint8_t* end) {
  const auto limit =
      static_cast<std::uint32_t>(std::min(end - here, static_cast<std::ptrdiff_t>(max_match)));
  for (; length + 8 <= limit; length += 8) {
    const std::uint64_t difference = load_le64(here + length) ^ load_le64(there + length);
    if (difference != 0) return length + equal_bytes(difference);
  }
  while (length < limit && here[length] == there[length]) ++length;
  return length;
}

std::uint32_t position_at(const Stretch& stretch, const std::uint8_t* here) {
  return stretch.position + static_cast<std::uint32_t>(here - stretch.begin);
}

}  // namespace

// ------------------------------------------------------------------------------------ FastMatcher

void FastMatcher::insert(const std::uint8_t* here, std::uint32_t position) {
  table_[hash(load_le32(here), shift_)] = static_cast<Position>(position);
}

const std::uint8_t* FastMatcher::find(const Stretch& stretch, Symbols& symbols) {
  constexpr std::ptrdiff_t lookahead = 16;
  constexpr unsigned patience = 32;  // misses in a row before it begins to skip
  constexpr unsigned max_skip = 64;
  SymbolWriter out = symbols.writer();
  const std::uint8_t* here = stretch.begin;
  unsigned misses = 0;
  while (stretch.end - here >= lookahead && !out.full()) {
    const std::uint32_t position = position_at(stretch, here);
    const std::uint32_t reach = std::min(position - stretch.oldest, stretch.window);
    const std::uint64_t word = load_le64(here);
    Position& last = table_[hash(static_cast<std::uint32_t>(word), shift_)];
    const std::uint32_t distance = position - last;
    last = static_cast<Position>(position);

    // One branch and not two, for neither of them could be foreseen: where the place is out of
    // reach, `here` is compared with itself, and the result made unequal.
    const std::uint32_t in_reach = std::uint32_t{distance > reach} - 1;
    const std::uint8_t* const there = here - (distance & in_reach);
    const std::uint64_t difference = word ^ load_le64(there);
    if ((static_cast<std::uint32_t>(difference) | ~in_reach) != 0) {
      out.add_literal(*here++);
      // Where nothing matched for long, nothing is likely to: so it looks at fewer places.
      if (++misses <= patience) continue;
      const std::uint8_t* const next = here + std::min((misses - patience) / patience, max_skip);
      while (here < std::min(next, stretch.end)) out.add_literal(*here++);
      continue;
    }
    misses = 0;

    // Most matches end within 16 bytes: found without a loop.
    const std::uint64_t further = load_le64(here + 8) ^ load_le64(there + 8);
    const std::uint64_t first = difference != 0 ? difference : further;
    const std::uint32_t length = first != 0 ? (difference != 0 ? 0u : 8u) + equal_bytes(first)
                                            : match_length(here, there, 16, stretch.end);
    out.add_match(length, distance);
    for (std::uint32_t i = 1; i < 4; ++i) insert(here + i, position + i);
    here += length;
  }
  if (!out.full()) {
    while (here < stretch.end) out.add_literal(*here++);
  }
  symbols.take(out);
  return here;
}

// ----------------------------------------------------------------------------------- ChainMatcher

namespace {

constexpr std::ptrdiff_t hashed_bytes = 4;

// The effort: zlib's level 6 has the same kinds of numbers. Larger ones find longer matches, later.
constexpr unsigned max_depth = 16;         // how many places of a chain are looked at
constexpr std::uint32_t good_length = 8;   // from there on, a fourth of them for a better one
constexpr std::uint32_t lazy_length = 12;  // no look for a better one
constexpr std::uint32_t nice_length = 64;  // no look for a longer one in the same chain
constexpr std::uint32_t max_short_distance = 2048;  // beyond, three literals take less

}  // namespace

ChainMatcher::ChainMatcher(std::span<Position> table, int window_bits)
    : shift_(32u - static_cast<unsigned>(std::min(window_bits, max_hash_bits))),
      short_shift_(32u - static_cast<unsigned>(std::min(window_bits, max_short_hash_bits))),
      mask_((1u << window_bits) - 1),
      before_(table.data()),
      last_(before_ + (std::size_t{1} << window_bits)),
      last_short_(last_ + (std::size_t{1} << (32 - shift_))) {}

ChainMatcher::Place ChainMatcher::place(const Stretch& stretch, const std::uint8_t* here) {
  const std::uint32_t position = position_at(stretch, here);
  const std::uint32_t reach = std::min(position - stretch.oldest, stretch.window);
  return {here, stretch.end, position, position - reach};
}

// From `here` to `to`; there are hashed_bytes of text at each.
void ChainMatcher::insert(const Stretch& stretch, const std::uint8_t* here,
                          const std::uint8_t* to) {
  for (std::uint32_t position = position_at(stretch, here); here < to; ++here, ++position) {
    const std::uint32_t word = load_le32(here);
    last_short_[hash(word << 8, short_shift_)] = static_cast<Position>(position);
    Position& last = last_[hash(word, shift_)];
    before_[position & mask_] = last;
    last = static_cast<Position>(position);
  }
}

// A match of three bytes, where they stood last.
ChainMatcher::Match ChainMatcher::search_short(const Place& place) const {
  const std::uint32_t word = load_le32(place.here);
  const std::uint32_t last = last_short_[hash(word << 8, short_shift_)];
  const std::uint32_t distance = place.position - last;
  if (last < place.oldest || distance > max_short_distance) return {min_match, 0};
  const bool equal = (load_le32(place.here - distance) ^ word) << 8 == 0;
  return {min_match, equal ? distance : 0};
}

// The longest match that is longer than `length_to_beat`, of those that `depth` allows to look at.
// The place isn't in the tables yet.
ChainMatcher::Match ChainMatcher::search(const Place& place, unsigned depth,
                                         std::uint32_t length_to_beat) const {
  const std::uint8_t* const here = place.here;
  const std::uint32_t word = load_le32(here);
  Match best = length_to_beat < min_match ? search_short(place) : Match{length_to_beat, 0};
  const auto enough = static_cast<std::uint32_t>(
      std::min(place.end - here, static_cast<std::ptrdiff_t>(nice_length)));
  if (best.length >= enough) return best;
  std::uint32_t candidate = last_[hash(word, shift_)];
  while (candidate >= place.oldest) {
    const std::uint32_t distance = place.position - candidate;
    const std::uint8_t* const there = here - distance;
    // A longer match has the four bytes up to where it gets longer; few that are none have them.
    const std::uint32_t tail = best.length + 1 - 4;
    if (load_le32(there + tail) == load_le32(here + tail) && load_le32(there) == word) {
      const std::uint32_t length = match_length(here, there, 4, place.end);
      if (length > best.length) {
        best = {length, distance};
        if (length >= enough) break;
      }
    }
    if (--depth == 0) break;
    candidate = before_[candidate & mask_];
  }
  return best;
}

// Lazy matching (§4): before a match is taken, a longer one is looked for one byte later; where
// there is one, the byte becomes a literal.
const std::uint8_t* ChainMatcher::find(const Stretch& stretch, Symbols& symbols) {
  SymbolWriter out = symbols.writer();
  const std::uint8_t* here = stretch.begin;
  while (stretch.end - here >= hashed_bytes && !out.full()) {
    const Place first = place(stretch, here);
    Match match = search(first, max_depth, 0);
    insert(stretch, here, here + 1);
    const std::uint8_t* inserted = here + 1;  // up to there
    while (match.distance != 0 && match.length < lazy_length &&
           stretch.end - inserted >= hashed_bytes) {
      const Place next = place(stretch, inserted);
      const unsigned depth = match.length >= good_length ? max_depth / 4 : max_depth;
      const Match better = search(next, depth, match.length);
      insert(stretch, inserted, inserted + 1);
      ++inserted;
      if (better.distance == 0) break;
      out.add_literal(*here++);
      match = better;
    }
    if (match.distance == 0) {
      out.add_literal(*here++);
      continue;
    }
    out.add_match(match.length, match.distance);
    here += match.length;
    insert(stretch, inserted, std::min(here, stretch.end - hashed_bytes + 1));
  }
  if (!out.full()) {
    while (here < stretch.end) out.add_literal(*here++);
  }
  symbols.take(out);
  return here;
}

}  // namespace sockeye::ws::deflate
