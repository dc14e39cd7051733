// SPDX-License-Identifier: MIT
#include "app/bench/histogram.h"

namespace sockeye::app::bench {

void Histogram::merge(const Histogram& other) {
  for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
  count_ += other.count_;
  sum_ns_ += other.sum_ns_;
  min_ns_ = std::min(min_ns_, other.min_ns_);
  max_ns_ = std::max(max_ns_, other.max_ns_);
}

double Histogram::mean() const {
  if (count_ == 0) return 0;
  return static_cast<double>(sum_ns_) / static_cast<double>(count_);
}

std::uint64_t Histogram::value_at(double percent) const {
  if (count_ == 0 || percent <= 0) return min();

  // How many values it covers, rounded up: but 99.9 is a little off as a double, and 99.9 % of
  // 1,000 must not become 1,000 for that.
  const double covered = percent / 100 * static_cast<double>(count_);
  auto rank = static_cast<std::uint64_t>(covered);
  if (covered - static_cast<double>(rank) > covered * 1e-12) ++rank;

  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    seen += counts_[i];
    if (seen >= rank && seen < count_) return highest_in(i);
    if (seen == count_) break;
  }
  return max_ns_;
}

std::uint64_t Histogram::highest_in(std::size_t index) {
  constexpr std::size_t per_length = std::size_t{1} << (exact_bits - 1);
  if (index < 2 * per_length) return index;
  const std::size_t dropped_bits = index / per_length - 1;
  const std::uint64_t lowest = static_cast<std::uint64_t>(index - dropped_bits * per_length)
                               << dropped_bits;
  return lowest + ((std::uint64_t{1} << dropped_bits) - 1);
}

}  // namespace sockeye::app::bench
