// The time that timers run on: it never goes back, and begins at an arbitrary start.
//
// The loop reads its clock when its wait is over, and hands the milliseconds on; nobody else asks.
// Tests hand in a clock that they turn themselves (test/support/fake_clock.h).
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace sockeye::net {

class Clock {
 public:
  virtual std::uint64_t now_us() = 0;
  std::uint64_t now_ms() { return now_us() / 1000; }

 protected:
  ~Clock() = default;
};

// CLOCK_MONOTONIC, which is what epoll_wait counts its timeout in. Any thread may use it.
class MonotonicClock final : public Clock {
 public:
  std::uint64_t now_us() override;
};

}  // namespace sockeye::net
