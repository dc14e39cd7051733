// SPDX-License-Identifier: MIT
#include "ws/deflate/huffman_code.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace sockeye::ws::deflate {
namespace {

constexpr unsigned symbol_bits = 9;
constexpr std::uint32_t symbol_mask = (1 << symbol_bits) - 1;

// A symbol that occurs: its frequency above its number, so that they sort by frequency first.
using Leaf = std::uint32_t;
using Leaves = std::array<Leaf, fixed_literal_symbols>;

// Sorts by frequency. Radix sort, a byte at a time: most messages are short, and one pass does.
// Returns the one of the two that holds the result.
Leaf* sort_leaves(Leaf* leaves, Leaf* spare, std::size_t count, std::uint32_t highest_frequency) {
  for (unsigned shift = symbol_bits; highest_frequency > 0; highest_frequency >>= 8, shift += 8) {
    std::array<std::uint16_t, 256> place{};
    for (std::size_t i = 0; i < count; ++i) ++place[leaves[i] >> shift & 0xff];
    std::uint16_t sum = 0;
    for (std::uint16_t& first : place) sum = static_cast<std::uint16_t>(sum + std::exchange(first, sum));
    for (std::size_t i = 0; i < count; ++i) spare[place[leaves[i] >> shift & 0xff]++] = leaves[i];
    std::swap(leaves, spare);
  }
  return leaves;
}

// How many leaves have each depth in Huffman's tree, depths above `limit` counted as `limit`.
//
// D. A. Huffman, 1952: make the two lightest nodes children of a new one, until one is left. Leaves
// come sorted, and new nodes arise in order of weight: so the lightest is always at the front of
// one of two queues.
using DepthCounts = std::array<std::uint16_t, max_code_bits + 1>;
DepthCounts count_depths(const Leaf* leaves, std::size_t leaf_count, unsigned limit) {
  struct Node {
    std::uint32_t weight;
    std::uint16_t parent;
    std::uint8_t leaf_children;
    std::uint8_t depth;
  };
  std::array<Node, fixed_literal_symbols> nodes;
  const std::size_t node_count = leaf_count - 1;
  std::size_t next_leaf = 0;
  std::size_t next_node = 0;
  for (std::size_t node = 0; node < node_count; ++node) {
    std::uint32_t weight = 0;
    std::uint8_t leaf_children = 0;
    for (int child = 0; child < 2; ++child) {
      const bool node_is_lighter =
          next_leaf == leaf_count ||
          (next_node < node && nodes[next_node].weight < leaves[next_leaf] >> symbol_bits);
      if (node_is_lighter) {
        weight += nodes[next_node].weight;
        nodes[next_node++].parent = static_cast<std::uint16_t>(node);
      } else {
        weight += leaves[next_leaf++] >> symbol_bits;
        ++leaf_children;
      }
    }
    nodes[node].weight = weight;
    nodes[node].leaf_children = leaf_children;
  }

  DepthCounts counts{};
  for (std::size_t node = node_count; node-- > 0;) {
    const bool root = node + 1 == node_count;
    const unsigned depth = root ? 0u : std::min(nodes[nodes[node].parent].depth + 1u, limit);
    nodes[node].depth = static_cast<std::uint8_t>(depth);
    const unsigned leaf_depth = std::min(depth + 1, limit);
    counts[leaf_depth] = static_cast<std::uint16_t>(counts[leaf_depth] + nodes[node].leaf_children);
  }
  return counts;
}

// Where leaves were pulled up to `limit`, their codes take more than there is: a code of length n
// takes 2^-n of all (Kraft). What is over is gained back step by step: a leaf as deep as may be,
// but above the limit, becomes a node with itself and a leaf of the limit's depth as children.
void make_room(DepthCounts& counts, unsigned limit) {
  std::uint32_t taken = 0;
  for (unsigned depth = 1; depth <= limit; ++depth) taken += counts[depth] << (limit - depth);
  for (; taken > 1u << limit; --taken) {
    unsigned depth = limit - 1;
    while (counts[depth] == 0) --depth;
    --counts[depth];
    counts[depth + 1] = static_cast<std::uint16_t>(counts[depth + 1] + 2);
    --counts[limit];
  }
}

}  // namespace

void choose_code_lengths(std::span<const std::uint32_t> frequencies, unsigned limit,
                         std::span<std::uint8_t> lengths) {
  Leaves collected;
  Leaves spare;
  std::size_t count = 0;
  std::uint32_t highest_frequency = 0;
  for (std::size_t symbol = 0; symbol < frequencies.size(); ++symbol) {
    lengths[symbol] = 0;
    collected[count] = frequencies[symbol] << symbol_bits | static_cast<Leaf>(symbol);
    count += frequencies[symbol] > 0;
    highest_frequency = std::max(highest_frequency, frequencies[symbol]);
  }
  if (count == 0) return;
  if (count == 1) {  // §3.2.7: one bit, not none
    lengths[collected[0] & symbol_mask] = 1;
    return;
  }
  const Leaf* leaves = sort_leaves(collected.data(), spare.data(), count, highest_frequency);
  DepthCounts counts = count_depths(leaves, count, limit);
  make_room(counts, limit);
  for (unsigned length = limit; length > 0; --length) {  // the rarest are the deepest
    for (; counts[length] > 0; --counts[length]) {
      lengths[*leaves++ & symbol_mask] = static_cast<std::uint8_t>(length);
    }
  }
}

}  // namespace sockeye::ws::deflate
