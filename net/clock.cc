// SPDX-License-Identifier: MIT
#include "net/clock.h"

#include <time.h>

namespace sockeye::net {

std::uint64_t MonotonicClock::now_ms() {
  timespec now;
  ::clock_gettime(CLOCK_MONOTONIC, &now);  // can't fail: Linux always has this clock
  return static_cast<std::uint64_t>(now.tv_sec) * 1000 +
         static_cast<std::uint64_t>(now.tv_nsec) / 1'000'000;
}

}  // namespace sockeye::net
