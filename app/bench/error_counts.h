// What went wrong, and how often.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sockeye::app::bench {

class ErrorCounts {
 public:
  struct Entry {
    std::string kind;  // "closed with code 1006"
    std::uint64_t count;
  };

  // Kinds hold numbers that a server chooses, so only so many are told apart; then "others" counts.
  static constexpr std::size_t most_kinds = 50;

  void add(std::string_view kind, std::uint64_t count = 1);
  void merge(const ErrorCounts& other);

  std::uint64_t total() const { return total_; }
  const std::vector<Entry>& entries() const { return entries_; }

 private:
  std::vector<Entry> entries_;
  std::uint64_t total_ = 0;
};

}  // namespace sockeye::app::bench
