// SPDX-License-Identifier: MIT
#include "app/bench/schedule.h"

#include <doctest/doctest.h>
#include <poll.h>

#include <vector>

namespace sockeye::app::bench {
namespace {

struct Due {
  std::uint32_t local;
  std::uint64_t now_ns;
};

struct Recorder final : Pacer::Owner {
  std::vector<Due> calls;
  void on_due(std::uint32_t local, std::uint64_t now_ns) override {
    calls.push_back({local, now_ns});
  }
};

}  // namespace

TEST_CASE("Schedule: connections take turns, and threads have every nth of them") {
  const std::uint64_t ms = 1'000'000;
  Schedule first{.rate = 1000, .connections = 5, .threads = 2, .thread = 0, .start_ns = 7};
  Schedule second{.rate = 1000, .connections = 5, .threads = 2, .thread = 1, .start_ns = 7};
  CHECK(first.due_ns(0, 0) == 7);
  CHECK(second.due_ns(0, 0) == 7 + 1 * ms);
  CHECK(first.due_ns(1, 0) == 7 + 2 * ms);
  CHECK(second.due_ns(1, 0) == 7 + 3 * ms);
  CHECK(first.due_ns(2, 0) == 7 + 4 * ms);
  CHECK(first.due_ns(0, 1) == 7 + 5 * ms);
  CHECK(second.due_ns(1, 1000) == 7 + 5003 * ms);
}

TEST_CASE("Schedule: rates that don't divide a second keep their pace for hours") {
  const Schedule schedule{.rate = 333'333, .connections = 1, .threads = 1, .thread = 0};
  CHECK(schedule.due_ns(0, 1) == 3000);
  CHECK(schedule.due_ns(0, 333'333) == 1'000'000'000);
  CHECK(schedule.due_ns(0, 333'333ull * 36'000) == 36'000'000'000'000);
}

TEST_CASE("Schedule: how many are due before a time is what due_ns() says") {
  for (const std::uint64_t rate : {1u, 3u, 7u, 1000u, 333'333u}) {
    for (std::uint32_t local = 0; local < 3; ++local) {
      const Schedule schedule{
          .rate = rate, .connections = 7, .threads = 2, .thread = 1, .start_ns = 1000};
      for (std::uint64_t round = 0; round < 50; ++round) {
        const std::uint64_t due = schedule.due_ns(local, round);
        REQUIRE(schedule.due_before(local, due) == round);
        REQUIRE(schedule.due_before(local, due + 1) == round + 1);
      }
      CHECK(schedule.due_before(local, 999) == 0);
    }
  }
}

TEST_CASE("Pacer: calls for each message in turn, none too early, and ends") {
  net::Loop loop;
  REQUIRE(loop.open());
  Recorder recorder;
  Pacer pacer(loop, recorder);
  Schedule schedule{.rate = 2000, .connections = 3, .threads = 1, .thread = 0};
  schedule.start_ns = now_ns();
  const std::uint64_t end_ns = schedule.start_ns + 50'000'000;
  REQUIRE(pacer.start(schedule, 3, end_ns));
  const std::uint64_t give_up_ns = end_ns + 20'000'000'000;
  while (recorder.calls.size() < 100 && now_ns() < give_up_ns) loop.turn(1000);
  REQUIRE(recorder.calls.size() == 100);
  for (std::size_t i = 0; i < recorder.calls.size(); ++i) {
    CHECK(recorder.calls[i].local == i % 3);
    CHECK(recorder.calls[i].now_ns >= schedule.due_ns(i % 3, i / 3));
  }
  while (now_ns() < end_ns) loop.turn(1);
  loop.turn(0);
  CHECK(recorder.calls.size() == 100);
}

// A loop that comes late finds all that was due meanwhile, each with its own time: that is what
// makes a stall show in the latency of every message that it delayed.
TEST_CASE("Pacer: what was due while nobody looked is called for at once") {
  net::Loop loop;
  REQUIRE(loop.open());
  Recorder recorder;
  Pacer pacer(loop, recorder);
  Schedule schedule{.rate = 1000, .connections = 1, .threads = 1, .thread = 0};
  schedule.start_ns = now_ns() - 300'000'000;
  REQUIRE(pacer.start(schedule, 1, schedule.start_ns + 250'000'000));
  CHECK(recorder.calls.size() == 250);
  CHECK(schedule.due_ns(0, 0) + 300'000'000 <= recorder.calls[0].now_ns);
}

TEST_CASE("Pacer: a thread without connections has nothing to do") {
  net::Loop loop;
  REQUIRE(loop.open());
  Recorder recorder;
  Pacer pacer(loop, recorder);
  REQUIRE(pacer.start({.start_ns = now_ns() - 1'000'000'000}, 0, now_ns()));
  CHECK(recorder.calls.empty());
}

}  // namespace sockeye::app::bench
