// Timers on a hierarchical wheel: arming, re-arming and disarming take constant time, and nothing
// is allocated.
//
// G. Varghese, T. Lauck: "Hashed and Hierarchical Timing Wheels", SOSP 1987, scheme 7. Time is
// counted in ticks of 8 ms and a tick is read as a number of seven digits in base 64. The wheel
// has a level of 64 slots for every digit. A timer hangs at the level of the highest digit in
// which its tick differs from the wheel's, in the slot that its own digit names:
//
//   the wheel stands at  0 0 0 0 0 17 60
//   a timer for          0 0 0 0 0 17 62   level 0, slot 62: fires when the wheel gets there
//   a timer for          0 0 0 0 0 20 05   level 1, slot 20: moves to level 0 at  20 00
//
// So all timers of a level come before those of the next one, and in a level they come in the
// order of their slots. One 64-bit word a level says which slots may hold timers: the next
// one is found by counting zeros, however long nothing was done. Seven digits are 1115 years.
//
// A Timers belongs to one loop and its thread. It owns no timer: whoever derives from Timer does.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>

#include "net/list.h"

namespace sockeye::net {

// Something that wants to be called at a time. Derive from it. It stays where it is while armed,
// and destroying it disarms it. 32 bytes: every connection holds one.
class Timer : private ListNode {
 public:
  // The time has come. The timer is disarmed already; it may arm itself again, arm, disarm or
  // destroy others, and destroy itself. `now_ms` is what advance() was called with.
  virtual void on_timer(std::uint64_t now_ms) = 0;

  bool armed() const { return linked(); }

 protected:
  ~Timer() = default;

 private:
  friend class Timers;
  friend class List<Timer>;

  std::uint64_t tick_ = 0;  // while armed: the tick that it fires at
};

class Timers {
 public:
  static constexpr std::uint64_t tick_ms = 8;

  explicit Timers(std::uint64_t now_ms);

  // Every timer has to be disarmed or destroyed before.
  ~Timers() = default;

  // Has `timer` called at `at_ms`: never earlier, and at most one tick later if advance() is
  // called in time. A time that has passed means the next tick. An armed timer is armed anew.
  void arm(Timer& timer, std::uint64_t at_ms);

  // Does nothing where it isn't armed.
  void disarm(Timer& timer) { timer.unlink(); }

  // Calls every timer that is due, in the order of their ticks. What a timer arms meanwhile is
  // for a later call. Not to be called from on_timer. The time taken depends on how many timers
  // are due, not on how long ago the last call was. An earlier `now_ms` than before does nothing.
  void advance(std::uint64_t now_ms);

  // How long a loop may sleep: milliseconds until a timer may be due (never more than the truth;
  // less where timers have to change levels before), or -1, epoll_wait's "for ever", where none
  // is armed.
  int until_next_ms(std::uint64_t now_ms) const;

 private:
  static constexpr unsigned digit_bits = 6;
  static constexpr unsigned slots = 1u << digit_bits;
  static constexpr unsigned levels = 7;
  static constexpr std::uint64_t last_tick = (std::uint64_t{1} << (digit_bits * levels)) - 1;

  struct Level {
    std::uint64_t occupied = 0;  // bit n: slot[n] may hold timers (they leave without a word)
    List<Timer> slot[slots];
  };

  // The slot that the wheel comes to next, and the tick at which it does.
  struct Position {
    unsigned level;
    unsigned slot;
    std::uint64_t tick;
  };

  void place(Timer& timer);
  Position position(unsigned level, std::uint64_t occupied) const;
  std::optional<Position> next_position() const;

  std::uint64_t now_tick_;    // what time it is, as of the last advance()
  std::uint64_t wheel_tick_;  // where the wheel stands: behind now_tick_ only during advance()
  List<Timer> due_;           // the timers of the slot that is being emptied
  Level level_[levels];
};

}  // namespace sockeye::net
