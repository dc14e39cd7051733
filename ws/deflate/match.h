// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "ws/deflate/symbols.h"

namespace sockeye::ws::deflate {

using Position = std::uint16_t;

// Text in which matches are to be found, with what came before it in front.
struct Stretch {
  const std::uint8_t* begin;
  const std::uint8_t* end;
  std::uint32_t position;  // of `begin`
  std::uint32_t oldest;    // of the first byte that a match may begin with; at least 1
  std::uint32_t window;    // bytes
};

// Both: go on from stretch.begin until its end or until symbols are full, and return how far it
// went.
class FastMatcher {
 public:
  static std::size_t table_size(int window_bits);
  FastMatcher(std::span<Position> table, int window_bits);
  const std::uint8_t* find(const Stretch& stretch, Symbols& symbols);
 private:
  Position* table_;
  unsigned shift_;
};

class ChainMatcher {
 public:
  static std::size_t table_size(int window_bits);
  ChainMatcher(std::span<Position> table, int window_bits);
  const std::uint8_t* find(const Stretch& stretch, Symbols& symbols);
 private:
  struct Match {
    std::uint32_t length;
    std::uint32_t distance;
  };
  Match search(const std::uint8_t* here, const std::uint8_t* end, std::uint32_t position, std::uint32_t oldest, std::uint32_t than, unsigned depth) const;
  void insert(const std::uint8_t* here, std::uint32_t position);
  Position* head3_;
  Position* head4_;
  Position* prev_;
  unsigned shift3_;
  unsigned shift4_;
  std::uint32_t mask_;
};

}  // namespace sockeye::ws::deflate
