// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "net/bytes.h"
#include "ws/deflate/bit_writer.h"
#include "ws/deflate/huffman_code.h"
#include "ws/deflate/symbols.h"

namespace sockeye::ws::deflate {

// The two codes of a block.
struct Codes {
  std::array<Code, fixed_literal_symbols> literals;
  std::array<Code, fixed_distance_symbols> distances;
};

// Writes `text` as a block of the type that takes the least room. `symbols` tells the same text.
BitWriter write_block(BitWriter out, Bytes text, Symbols& symbols);

}  // namespace sockeye::ws::deflate
