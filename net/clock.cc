// SPDX-License-Identifier: MIT
#include "net/clock.h"

#include <time.h>

namespace sockeye::net {

std::uint64_t MonotonicClock::now_us() {
  timespec now;
  ::clock_gettime(CLOCK_MONOTONIC, &now);  // can't fail: Linux always has this clock
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec) / 1000;
}

}  // namespace sockeye::net
