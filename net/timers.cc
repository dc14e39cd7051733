// SPDX-License-Identifier: MIT
#include "net/timers.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <limits>

namespace sockeye::net {

Timers::Timers(std::uint64_t now_ms) : now_tick_(now_ms / tick_ms), wheel_tick_(now_tick_) {}

void Timers::arm(Timer& timer, std::uint64_t at_ms) {
  timer.unlink();
  // Rounded up, since a timer is never early. (Not by adding first: at_ms may be the largest.)
  const std::uint64_t tick = at_ms / tick_ms + (at_ms % tick_ms != 0);
  timer.tick_ = std::clamp(tick, now_tick_ + 1, last_tick);
  place(timer);
}

// Hangs `timer`, whose tick the wheel hasn't passed, where the wheel will find it.
void Timers::place(Timer& timer) {
  const std::uint64_t difference = timer.tick_ ^ wheel_tick_;
  const unsigned highest_bit = static_cast<unsigned>(std::bit_width(difference | 1)) - 1;
  const unsigned level = highest_bit / digit_bits;
  const unsigned slot = timer.tick_ >> (digit_bits * level) & (slots - 1);
  level_[level].slot[slot].push_front(timer);
  level_[level].occupied |= std::uint64_t{1} << slot;
}

// Where the lowest bit of `occupied` is, and when the wheel comes there: the wheel's own digits
// down to that level's, which is the slot's number, and zeros below.
Timers::Position Timers::position(unsigned level, std::uint64_t occupied) const {
  const unsigned slot = static_cast<unsigned>(std::countr_zero(occupied));
  const unsigned shift = digit_bits * level;
  const std::uint64_t higher_digits = wheel_tick_ >> shift >> digit_bits << digit_bits;
  return {level, slot, (higher_digits | slot) << shift};
}

// All timers of a level come before those of the next one.
std::optional<Timers::Position> Timers::next_position() const {
  for (unsigned level = 0; level < levels; ++level) {
    if (level_[level].occupied) return position(level, level_[level].occupied);
  }
  return std::nullopt;
}

void Timers::advance(std::uint64_t now_ms) {
  assert(due_.empty());
  // From here on arm() puts nothing before the tick after this one: the loops below end.
  now_tick_ = std::max(now_tick_, now_ms / tick_ms);

  for (auto next = next_position(); next && next->tick <= now_tick_; next = next_position()) {
    wheel_tick_ = next->tick;
    Level& level = level_[next->level];
    level.occupied &= ~(std::uint64_t{1} << next->slot);
    // A timer that is destroyed or disarmed by another's on_timer leaves this list, too.
    due_.take(level.slot[next->slot]);
    while (Timer* timer = due_.pop_front()) {
      if (timer->tick_ > wheel_tick_) {
        place(*timer);  // the slot was one of a higher level: a lower one has room for it now
      } else {
        timer->on_timer(now_ms);
      }
    }
  }
  wheel_tick_ = now_tick_;
}

int Timers::until_next_ms(std::uint64_t now_ms) const {
  constexpr std::uint64_t longest = std::numeric_limits<int>::max();
  for (unsigned level = 0; level < levels; ++level) {
    for (std::uint64_t rest = level_[level].occupied; rest; rest &= rest - 1) {
      const Position next = position(level, rest);
      if (level_[level].slot[next.slot].empty()) continue;  // its timers were disarmed
      const std::uint64_t at_ms = next.tick * tick_ms;
      return at_ms <= now_ms ? 0 : static_cast<int>(std::min(at_ms - now_ms, longest));
    }
  }
  return -1;
}

}  // namespace sockeye::net
