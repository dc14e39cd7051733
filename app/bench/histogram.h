// How often each latency was seen: to three significant digits, from 1 ns to 73 minutes, in 264 KiB
// that are taken once. Recording costs some ten instructions, wherever the value lies.
//
// After Gil Tene's HdrHistogram (https://hdrhistogram.org). Buckets are as wide as the precision
// asks for: 1 ns up to 2,048 ns, and from there on twice as wide with each doubling of the value.
//
//   value   0     1024    2048            4096                            8192
//           ├┬┬┬┬┬┬┬┬┬┬┬┬┬┬┼─┬─┬─┬─┬─┬─┬─┬─┼───┬───┬───┬───┬───┬───┬───┬───┼─────── ...  2^42
//   width   1              2               4                               8
//   buckets 2048           1024            1024                            1024
//
// So no bucket is wider than 1/1024 of the values in it. Minimum, maximum and mean are exact.
// For one thread; each has its own, and they are merged at the end.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace sockeye::app::bench {

class Histogram {
 public:
  // What is longer counts as this long, except for max() and mean().
  static constexpr std::uint64_t longest_ns = (std::uint64_t{1} << 42) - 1;

  Histogram() : counts_(index_of(longest_ns) + 1) {}

  void record(std::uint64_t ns) {
    ++counts_[index_of(std::min(ns, longest_ns))];
    ++count_;
    sum_ns_ += ns;
    min_ns_ = std::min(min_ns_, ns);
    max_ns_ = std::max(max_ns_, ns);
  }

  // As if everything recorded in `other` had been recorded here.
  void merge(const Histogram& other);

  // All are 0 while nothing was recorded.
  std::uint64_t count() const { return count_; }
  std::uint64_t min() const { return count_ > 0 ? min_ns_ : 0; }
  std::uint64_t max() const { return max_ns_; }
  double mean() const;

  // What `percent` of the values don't exceed, and is no lower than it must be: exact at 0 (the
  // minimum) and at 100 (the maximum), and else up to a thousandth above. Goes through all buckets.
  std::uint64_t value_at(double percent) const;

 private:
  static constexpr int exact_bits = 11;  // values of so many bits have buckets of their own

  // Of the larger ones, the highest 11 bits name the bucket: 1024 of them for each length in bits.
  static constexpr std::size_t index_of(std::uint64_t ns) {
    constexpr std::uint64_t exact = (std::uint64_t{1} << exact_bits) - 1;
    const int dropped_bits = static_cast<int>(std::bit_width(ns | exact)) - exact_bits;
    const std::uint64_t before = static_cast<std::uint64_t>(dropped_bits) << (exact_bits - 1);
    return static_cast<std::size_t>(before + (ns >> dropped_bits));
  }

  // The highest value that the bucket stands for.
  static std::uint64_t highest_in(std::size_t index);

  std::vector<std::uint64_t> counts_;
  std::uint64_t count_ = 0;
  std::uint64_t sum_ns_ = 0;  // 584 years
  std::uint64_t min_ns_ = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t max_ns_ = 0;
};

}  // namespace sockeye::app::bench
