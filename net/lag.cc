// SPDX-License-Identifier: MIT
#include "net/lag.h"

#include <algorithm>

namespace sockeye::net {

void Lag::start() {
  if (!armed()) arm();
}

// At a time that the wheel hits exactly: else its ticks would be measured, too.
void Lag::arm() {
  due_ms_ = (clock_.now_ms() / Timers::tick_ms * Timers::tick_ms) + interval_ms;
  timers_.arm(*this, due_ms_);
}

void Lag::on_timer(std::uint64_t) {
  const std::uint64_t now_us = clock_.now_us();
  const std::uint64_t late_us = now_us - std::min(now_us, due_ms_ * 1000);
  const auto bucket = std::ranges::find_if(
      bounds_ms, [late_us](std::uint32_t bound_ms) { return late_us <= bound_ms * 1000; });
  counts_[static_cast<std::size_t>(bucket - bounds_ms.begin())].add();
  sum_us_.add(static_cast<std::size_t>(late_us));
  arm();
}

}  // namespace sockeye::net
