// SPDX-License-Identifier: MIT
#include "net/lag.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "net/loop.h"
#include "test/support/fake_clock.h"

using sockeye::net::Lag;
using sockeye::net::Timers;
using sockeye::test::FakeClock;

namespace {

// "1 0 0 0 0 2 0 0 0 0"
std::string counts(const Lag& lag) {
  std::string text;
  for (std::size_t i = 0; i <= Lag::bounds_ms.size(); ++i) {
    text += (i > 0 ? " " : "") + std::to_string(lag.count(i));
  }
  return text;
}

struct Rig {
  FakeClock clock{1003};  // between two ticks
  Timers timers{clock.now_ms()};
  Lag lag{clock, timers};

  // Comes to the next measurement, so much too late. (It is due at a tick of the timers.)
  void come_late(std::uint64_t by_ms) {
    const std::uint64_t now_ms = clock.now_ms();
    const std::uint64_t due_ms = now_ms - now_ms % Timers::tick_ms + Lag::interval_ms;
    clock.advance(due_ms + by_ms - now_ms);
    timers.advance(clock.now_ms());
  }
};

}  // namespace

TEST_CASE("Lag: nothing is measured, and nobody woken, before it is started") {
  Rig rig;
  CHECK(rig.timers.until_next_ms(rig.clock.now_ms()) == -1);
  rig.lag.start();
  rig.lag.start();
  CHECK(rig.timers.until_next_ms(rig.clock.now_ms()) > 0);
  CHECK(counts(rig.lag) == "0 0 0 0 0 0 0 0 0 0");
}

TEST_CASE("Lag: a loop that is in time isn't late, whatever the ticks of its timers") {
  Rig rig;
  rig.lag.start();
  std::uint64_t passed_ms = rig.clock.now_ms();
  for (int i = 0; i < 9; ++i) {
    while (rig.timers.until_next_ms(rig.clock.now_ms()) > 0) {
      rig.clock.advance(1);
      rig.timers.advance(rig.clock.now_ms());
      if (rig.lag.count(0) > static_cast<std::size_t>(i)) break;
    }
  }
  passed_ms = rig.clock.now_ms() - passed_ms;
  CHECK(counts(rig.lag) == "9 0 0 0 0 0 0 0 0 0");
  CHECK(rig.lag.sum_us() == 0);
  CHECK(passed_ms > 800);  // some ten times a second
  CHECK(passed_ms < 1000);
}

TEST_CASE("Lag: each lateness falls into the bucket whose bound it doesn't exceed") {
  Rig rig;
  rig.lag.start();
  std::size_t sum_ms = 0;
  const auto check = [&](std::uint64_t late_ms, std::string_view after) {
    rig.come_late(late_ms);
    sum_ms += static_cast<std::size_t>(late_ms);
    CHECK(counts(rig.lag) == after);
    CHECK(rig.lag.sum_us() == sum_ms * 1000);
  };
  check(0, "1 0 0 0 0 0 0 0 0 0");
  check(1, "2 0 0 0 0 0 0 0 0 0");
  check(2, "2 1 0 0 0 0 0 0 0 0");
  check(5, "2 2 0 0 0 0 0 0 0 0");
  check(6, "2 2 1 0 0 0 0 0 0 0");
  check(100, "2 2 1 0 0 1 0 0 0 0");
  check(1000, "2 2 1 0 0 1 0 0 1 0");
  check(1001, "2 2 1 0 0 1 0 0 1 1");
  check(90'000, "2 2 1 0 0 1 0 0 1 2");
}

TEST_CASE("Lag: a loop measures its own when it is told to") {
  FakeClock clock;
  sockeye::net::Loop loop(clock);
  REQUIRE(loop.open());
  loop.measure_lag();
  clock.advance(Lag::interval_ms + 30);
  loop.turn(0);
  CHECK(counts(loop.lag()) == "0 0 0 0 1 0 0 0 0 0");
}
