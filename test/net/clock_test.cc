// SPDX-License-Identifier: MIT
#include "net/clock.h"

#include <doctest/doctest.h>
#include <time.h>

#include "test/support/fake_clock.h"

using sockeye::net::Clock;
using sockeye::net::MonotonicClock;
using sockeye::test::FakeClock;

TEST_CASE("MonotonicClock: is CLOCK_MONOTONIC in milliseconds") {
  const auto system_ms = [] {
    timespec now;
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec * 1000 + now.tv_nsec / 1'000'000);
  };
  MonotonicClock clock;
  const std::uint64_t before = system_ms();
  const std::uint64_t now = clock.now_ms();
  const std::uint64_t after = system_ms();
  CHECK(before <= now);
  CHECK(now <= after);
}

TEST_CASE("FakeClock: stands still until it is turned") {
  FakeClock fake(5);
  Clock& clock = fake;
  CHECK(clock.now_ms() == 5);
  CHECK(clock.now_ms() == 5);
  fake.advance(1000);
  CHECK(clock.now_ms() == 1005);
}
