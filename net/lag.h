// How late a loop comes to its timers: how long whatever happens may have to wait for its turn.
//
// A timer of its own measures by how much it is late, ten times a second, and counts that in
// buckets. Buckets, for neither the last value nor the largest would serve: the last says nothing
// of the seconds between two readings, and the largest would have to begin anew at each of them, of
// which there may be several. Counts can be read by as many as like, at any pace, and summed over
// loops.
//
// Whatever keeps the loop for longer than interval_ms is seen: a handler that takes long,
// a process that doesn't get a processor.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "net/clock.h"
#include "net/counter.h"
#include "net/timers.h"

namespace sockeye::net {

class Lag final : private Timer {
 public:
  // The buckets' bounds: the first counts what was late by no more than 1 ms, each other one what
  // was later than the one before it allows. One more, the last, counts what was later than all.
  static constexpr std::array<std::uint32_t, 9> bounds_ms = {1, 5, 10, 25, 50, 100, 250, 500, 1000};

  // From one measurement to the next.
  static constexpr std::uint64_t interval_ms = 13 * Timers::tick_ms;

  Lag(Clock& clock, Timers& timers) : clock_(clock), timers_(timers) {}

  // From now on it is measured, which keeps the loop from sleeping for long.
  void start();

  // From any thread.
  std::size_t count(std::size_t bucket) const { return counts_[bucket].value(); }
  // All that was measured, summed.
  std::size_t sum_us() const { return sum_us_.value(); }

 private:
  void on_timer(std::uint64_t now_ms) override;
  void arm();

  Clock& clock_;
  Timers& timers_;
  std::uint64_t due_ms_ = 0;
  std::array<Counter, bounds_ms.size() + 1> counts_;
  Counter sum_us_;
};

}  // namespace sockeye::net
