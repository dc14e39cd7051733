// The clock of measurements: nanoseconds that never go back, the same for all threads.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <time.h>

#include <cstdint>
#include <limits>

namespace sockeye::app::bench {

inline std::uint64_t ns_of(const timespec& time) {
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(time.tv_nsec);
}

inline timespec timespec_of(std::uint64_t ns) {
  timespec time{};
  time.tv_sec = static_cast<time_t>(ns / 1'000'000'000);
  time.tv_nsec = static_cast<long>(ns % 1'000'000'000);
  return time;
}

inline std::uint64_t now_ns() {
  timespec now;
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return ns_of(now);
}

// When a measurement counts.
struct Window {
  std::uint64_t begin_ns = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t end_ns = std::numeric_limits<std::uint64_t>::max();

  bool holds(std::uint64_t ns) const { return ns >= begin_ns && ns < end_ns; }
};

}  // namespace sockeye::app::bench
