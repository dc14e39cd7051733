// SPDX-License-Identifier: MIT
#include "app/bench/schedule.h"

#include <sys/timerfd.h>

namespace sockeye::app::bench {

std::uint64_t Schedule::due_before(std::uint32_t local, std::uint64_t end_ns) const {
  if (end_ns <= start_ns) return 0;
  // Those are the k below k_end, exactly: due_ns() rounds down.
  const std::uint64_t seconds = (end_ns - start_ns) / 1'000'000'000;
  const std::uint64_t rest_ns = (end_ns - start_ns) % 1'000'000'000;
  const std::uint64_t k_end = seconds * rate + (rest_ns * rate + 999'999'999) / 1'000'000'000;
  return k_end > place(local) ? (k_end - place(local) - 1) / connections + 1 : 0;
}

Result<void, net::Error> Pacer::start(const Schedule& schedule, std::uint32_t count,
                                      std::uint64_t end_ns) {
  schedule_ = schedule;
  count_ = count;
  end_ns_ = end_ns;
  if (count == 0) return {};
  // Of the loop's own timers a tick takes 8 ms, of this one a nanosecond.
  timer_.reset(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!timer_ || !loop_.watch(timer_.get(), *this)) return net::system_error("timerfd");
  advance();
  return {};
}

void Pacer::advance() {
  if (!timer_) return;
  const std::uint64_t now = now_ns();
  std::uint64_t due;
  while ((due = schedule_.due_ns(local_, round_)) <= now && due < end_ns_) {
    owner_.on_due(local_, now);
    if (++local_ < count_) continue;
    local_ = 0;
    ++round_;
  }
  if (due >= end_ns_) return stop();
  // An expiry is an edge, so the timer needs no reading; a time that has passed expires at once.
  itimerspec at{};
  at.it_value = timespec_of(due);
  ::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &at, nullptr);
}

}  // namespace sockeye::app::bench
