// A clock that a test turns by hand.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "net/clock.h"

namespace sockeye::test {

class FakeClock final : public net::Clock {
 public:
  explicit FakeClock(std::uint64_t now_ms = 0) : now_ms_(now_ms) {}

  std::uint64_t now_us() override { return now_ms_ * 1000; }
  void advance(std::uint64_t by_ms) { now_ms_ += by_ms; }

 private:
  std::uint64_t now_ms_;
};

}  // namespace sockeye::test
