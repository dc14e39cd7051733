// SPDX-License-Identifier: MIT
#include "app/bench/error_counts.h"

#include <algorithm>

namespace sockeye::app::bench {

void ErrorCounts::add(std::string_view kind, std::uint64_t count) {
  if (count == 0) return;
  total_ += count;
  const auto find = [this](std::string_view wanted) {
    return std::ranges::find_if(entries_,
                                [wanted](const Entry& entry) { return entry.kind == wanted; });
  };
  auto found = find(kind);
  if (found == entries_.end() && entries_.size() >= most_kinds) {
    kind = "others";
    found = find(kind);
  }
  if (found != entries_.end()) {
    found->count += count;
  } else {
    entries_.push_back({std::string(kind), count});
  }
}

void ErrorCounts::merge(const ErrorCounts& other) {
  for (const Entry& entry : other.entries_) add(entry.kind, entry.count);
}

}  // namespace sockeye::app::bench
