// The time that timers run on: milliseconds that never go back, from an arbitrary start.
//
// The loop reads its clock when its wait is over and hands the value on; nobody else asks. Tests
// hand in a clock that they turn themselves (test/support/fake_clock.h).
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace sockeye::net {

class Clock {
 public:
  virtual std::uint64_t now_ms() = 0;

 protected:
  ~Clock() = default;
};

// CLOCK_MONOTONIC, which is what epoll_wait counts its timeout in. Any thread may use it.
class MonotonicClock final : public Clock {
 public:
  std::uint64_t now_ms() override;
};

}  // namespace sockeye::net
