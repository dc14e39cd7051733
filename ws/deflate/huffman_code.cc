// SPDX-License-Identifier: MIT
#include "ws/deflate/huffman_code.h"

#include <algorithm>
#include <utility>

namespace sockeye::ws::deflate {
namespace {

// A symbol that occurs: its frequency above its number, so that leaves sort by frequency.
using Leaf = std::uint32_t;
using Leaves = std::array<Leaf, fixed_literal_symbols + 1>;
constexpr unsigned number_bits = 9;
constexpr std::uint32_t number_mask = (1 << number_bits) - 1;

// Radix sort by frequency, six bits at a time: for short messages, one or two passes do.
// `all` has the bits that any leaf has. Returns the one of the two that holds the result.
const Leaf* sort_leaves(Leaf* leaves, Leaf* spare, std::size_t count, std::uint32_t all) {
  constexpr unsigned digit_bits = 6;
  constexpr std::uint32_t digit_mask = (1 << digit_bits) - 1;
  for (unsigned shift = number_bits; shift < 32 && all >> shift != 0; shift += digit_bits) {
    std::array<std::uint32_t, digit_mask + 1> place{};
    for (std::size_t i = 0; i < count; ++i) ++place[leaves[i] >> shift & digit_mask];
    std::uint32_t sum = 0;
    for (std::uint32_t& first : place) sum += std::exchange(first, sum);
    for (std::size_t i = 0; i < count; ++i)
      spare[place[leaves[i] >> shift & digit_mask]++] = leaves[i];
    std::swap(leaves, spare);
  }
  return leaves;
}

// How many leaves have each depth in Huffman's tree, depths above `limit` counted as `limit`.
//
// D. A. Huffman, 1952: make the two lightest nodes children of a new one, until one is left. Leaves
// come sorted, and new nodes arise in order of weight: so the lightest is always at the front of
// one of two queues.
LengthCounts count_depths(const Leaf* leaves, std::size_t leaf_count, unsigned limit) {
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
      if (next_leaf == leaf_count ||
          (next_node < node && nodes[next_node].weight < leaves[next_leaf] >> number_bits)) {
        weight += nodes[next_node].weight;
        nodes[next_node++].parent = static_cast<std::uint16_t>(node);
      } else {
        weight += leaves[next_leaf++] >> number_bits;
        ++leaf_children;
      }
    }
    nodes[node].weight = weight;
    nodes[node].leaf_children = leaf_children;
  }

  LengthCounts counts{};
  for (std::size_t node = node_count; node-- > 0;) {
    const bool root = node + 1 == node_count;
    const unsigned depth = root ? 0u : nodes[nodes[node].parent].depth + 1u;
    nodes[node].depth = static_cast<std::uint8_t>(depth);
    const unsigned leaf_depth = std::min(depth + 1, limit);
    counts[leaf_depth] = static_cast<std::uint16_t>(counts[leaf_depth] + nodes[node].leaf_children);
  }
  return counts;
}

// Where leaves were pulled up to `limit`, their codes take more than there is: a code of n bits
// takes 2^-n of all (Kraft). What is over is gained back step by step: the deepest leaf above the
// limit becomes a node with itself and one of the limit's leaves as children.
void make_room(LengthCounts& counts, unsigned limit) {
  std::uint32_t taken = 0;
  for (unsigned depth = 1; depth <= limit; ++depth) {
    taken += std::uint32_t{counts[depth]} << (limit - depth);
  }
  for (; taken > 1u << limit; --taken) {
    unsigned depth = limit - 1;
    while (counts[depth] == 0) --depth;
    --counts[depth];
    counts[depth + 1] = static_cast<std::uint16_t>(counts[depth + 1] + 2);
    --counts[limit];
  }
}

}  // namespace

CodeSize build_code(std::span<const std::uint32_t> frequencies, unsigned limit,
                    std::span<Code> codes) {
  Leaves in_order;
  std::size_t count = 0;
  Leaf all = 0;
  for (std::size_t symbol = 0; symbol < frequencies.size(); ++symbol) {
    const Leaf leaf = frequencies[symbol] << number_bits | static_cast<Leaf>(symbol);
    in_order[count] = leaf;
    count += frequencies[symbol] > 0;
    all |= leaf;
    codes[symbol].length = 0;
  }
  if (count == 0) return {0, 0};

  Leaves sorted;
  Leaves spare;
  std::copy_n(in_order.begin(), count, sorted.begin());
  const Leaf* rarest = sort_leaves(sorted.data(), spare.data(), count, all);
  LengthCounts counts{};
  if (count == 1) {
    counts[1] = 1;
  } else {
    counts = count_depths(rarest, count, limit);
    make_room(counts, limit);
  }
  std::size_t text_bits = 0;
  for (unsigned length = limit; length > 0; --length) {
    for (unsigned i = counts[length]; i > 0; --i) {
      const Leaf leaf = *rarest++;
      codes[leaf & number_mask].length = static_cast<std::uint8_t>(length);
      text_bits += (leaf >> number_bits) * length;
    }
  }
  CodeNumbers numbers(counts);
  for (std::size_t i = 0; i < count; ++i) {
    Code& code = codes[in_order[i] & number_mask];
    code.bits = numbers.next(code.length);
  }
  return {(in_order[count - 1] & number_mask) + 1, text_bits};
}

}  // namespace sockeye::ws::deflate
