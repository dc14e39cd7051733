// SPDX-License-Identifier: MIT
#include "net/timers.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <random>
#include <set>
#include <vector>

using sockeye::net::Timer;
using sockeye::net::Timers;

namespace {

constexpr std::uint64_t tick = Timers::tick_ms;
constexpr std::uint64_t day_ms = 86'400'000;

// Counts its calls, and does what a test wants done then.
struct Probe final : Timer {
  void on_timer(std::uint64_t now_ms) override {
    ++calls;
    called_at = now_ms;
    if (action) action();
  }
  int calls = 0;
  std::uint64_t called_at = 0;
  std::function<void()> action;
};

}  // namespace

static_assert(sizeof(Timer) <= 32);

TEST_CASE("Timers: never early, and at most one tick late, at every distance") {
  for (const std::uint64_t start : {0ull, 1ull, 7ull, 8ull, 511ull, 4095ull, 1ull << 40}) {
    std::vector<std::uint64_t> delays{0, 1, 7, 8, 9, 30 * day_ms};
    for (std::uint64_t power = 16; power < 30 * day_ms; power *= 2) {
      delays.insert(delays.end(), {power - 1, power, power + 1});
    }
    for (const std::uint64_t delay : delays) {
      CAPTURE(start);
      CAPTURE(delay);
      Timers timers(start);
      Probe probe;
      timers.arm(probe, start + delay);
      CHECK(probe.armed());
      if (delay > 0) timers.advance(start + delay - 1);
      CHECK(probe.calls == 0);
      timers.advance(start + delay + tick);
      CHECK(probe.calls == 1);
      CHECK(probe.called_at == start + delay + tick);
      CHECK(!probe.armed());
    }
  }
}

TEST_CASE("Timers: a time that has passed means the next tick") {
  Timers timers(1000);
  Probe probe;
  timers.arm(probe, 0);
  timers.advance(1000);
  CHECK(probe.calls == 0);
  timers.advance(1008);
  CHECK(probe.calls == 1);
}

TEST_CASE("Timers: an armed timer is armed anew, earlier or later") {
  Timers timers(0);
  Probe probe;
  timers.arm(probe, 1000);
  timers.arm(probe, 80);
  timers.advance(80);
  CHECK(probe.calls == 1);
  timers.arm(probe, 200);
  timers.arm(probe, 100'000);
  timers.advance(99'000);
  CHECK(probe.calls == 1);
  timers.advance(100'000);
  CHECK(probe.calls == 2);
}

TEST_CASE("Timers: one that is disarmed or destroyed isn't called") {
  Timers timers(0);
  Probe disarmed;
  auto destroyed = std::make_unique<Probe>();
  timers.arm(disarmed, 80);
  timers.arm(*destroyed, 80);
  timers.disarm(disarmed);
  timers.disarm(disarmed);  // once more does nothing
  CHECK(!disarmed.armed());
  destroyed.reset();
  timers.advance(day_ms);
  CHECK(disarmed.calls == 0);
  CHECK(timers.until_next_ms(day_ms) == -1);
}

TEST_CASE("Timers: a timer may arm itself when called, and is called again in a later turn only") {
  Timers timers(0);
  Probe probe;
  probe.action = [&] { timers.arm(probe, probe.called_at); };
  timers.arm(probe, 8);
  timers.advance(1'000'000);
  CHECK(probe.calls == 1);
  CHECK(probe.armed());
  timers.advance(1'000'008);
  CHECK(probe.calls == 2);
}

TEST_CASE("Timers: a timer may disarm, destroy or put off others that are due with it") {
  Timers timers(0);
  std::vector<std::unique_ptr<Probe>> probes(4);
  int calls = 0;
  const auto first_called_does = [&](auto to_other) {
    for (auto& probe : probes) {
      probe = std::make_unique<Probe>();
      timers.arm(*probe, 80);
      probe->action = [&, to_other, self = probe.get()] {
        if (++calls > 1) return;
        for (auto& other : probes) {
          if (other.get() != self) to_other(other);
        }
      };
    }
    timers.advance(80);
    CHECK(calls == 1);
  };

  SUBCASE("disarm") {
    first_called_does([&](auto& other) { timers.disarm(*other); });
    timers.advance(day_ms);
    CHECK(calls == 1);
  }
  SUBCASE("destroy") {
    first_called_does([](auto& other) { other.reset(); });
    timers.advance(day_ms);
    CHECK(calls == 1);
  }
  SUBCASE("put off") {
    first_called_does([&](auto& other) { timers.arm(*other, 800); });
    timers.advance(799);
    CHECK(calls == 1);
    timers.advance(800);
    CHECK(calls == 4);
  }
}

TEST_CASE("Timers: a timer may destroy itself") {
  struct Suicidal final : Timer {
    explicit Suicidal(int& calls) : calls_(calls) {}
    void on_timer(std::uint64_t) override {
      ++calls_;
      delete this;
    }
    int& calls_;
  };
  Timers timers(0);
  int calls = 0;
  timers.arm(*new Suicidal(calls), 8);
  timers.arm(*new Suicidal(calls), 8);
  timers.advance(8);
  CHECK(calls == 2);
}

TEST_CASE("Timers: they are called in the order of their ticks, also by a late loop") {
  Timers timers(0);
  std::vector<Probe> probes(1000);
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < probes.size(); ++i) {
    probes[i].action = [&, i] { order.push_back(i); };
  }
  std::vector<std::size_t> shuffled(probes.size());
  for (std::size_t i = 0; i < shuffled.size(); ++i) shuffled[i] = i;
  std::shuffle(shuffled.begin(), shuffled.end(), std::mt19937(1));
  for (const std::size_t i : shuffled) timers.arm(probes[i], 1 + i * 7777);
  timers.advance(1000 * 7777);
  CHECK(order.size() == probes.size());
  CHECK(std::is_sorted(order.begin(), order.end()));
}

TEST_CASE("Timers: until_next_ms is -1 with nothing armed, 0 when late, and fits an int") {
  Timers timers(100);
  Probe probe;
  CHECK(timers.until_next_ms(100) == -1);
  timers.arm(probe, 200);
  CHECK(timers.until_next_ms(100) == 100);
  CHECK(timers.until_next_ms(150) == 50);
  CHECK(timers.until_next_ms(200) == 0);
  CHECK(timers.until_next_ms(10'000) == 0);
  timers.disarm(probe);
  CHECK(timers.until_next_ms(100) == -1);
  timers.arm(probe, std::numeric_limits<std::uint64_t>::max());
  CHECK(timers.until_next_ms(100) == std::numeric_limits<int>::max());
  timers.advance(std::uint64_t{1} << 44);
  CHECK(probe.calls == 0);
}

TEST_CASE("Timers: after a long silence, the wheel stands where the clock does") {
  Timers timers(0);
  Probe probe;
  timers.advance(800'000);
  timers.arm(probe, 800'080);
  CHECK(timers.until_next_ms(800'000) == 80);
}

TEST_CASE("Timers: a clock that goes back does nothing") {
  Timers timers(1000);
  Probe probe;
  timers.arm(probe, 2000);
  timers.advance(1900);
  timers.advance(500);
  CHECK(timers.until_next_ms(1900) == 100);
  timers.advance(1999);
  CHECK(probe.calls == 0);
  timers.advance(2000);
  CHECK(probe.calls == 1);
}

TEST_CASE("Timers: a loop that sleeps as told is in time, and seldom woken for nothing") {
  for (std::uint64_t delay = 1; delay <= 30 * day_ms; delay = delay * 5 / 3 + 1) {
    CAPTURE(delay);
    std::uint64_t now = 123'456'789;
    const std::uint64_t at = now + delay;
    Timers timers(now);
    Probe probe;
    timers.arm(probe, at);
    int turns = 0;
    for (; probe.calls == 0; ++turns) {
      const int sleep = timers.until_next_ms(now);
      REQUIRE(sleep >= 0);
      now += static_cast<std::uint64_t>(sleep);
      REQUIRE(now < at + tick);
      timers.advance(now);
    }
    CHECK(now >= at);
    CHECK(turns <= 7);  // one for every level at most
  }
}

// The naive way: every armed timer with its times, looked through from end to end.
namespace {

struct Model {
  struct Entry {
    std::uint64_t at = 0;
    std::uint64_t armed_at = 0;
    bool armed = false;
  };

  // When the timer fires: at the first tick not before its time, and not in the tick it was armed.
  static std::uint64_t due(const Entry& entry) {
    return std::max((entry.at + tick - 1) / tick, entry.armed_at / tick + 1) * tick;
  }

  std::vector<Entry> entries;
};

// A schedule drawn from `seed`: arm, re-arm, disarm and destroy timers, outside and from on_timer,
// and turn the clock by anything between nothing and months.
class Schedule {
 public:
  explicit Schedule(std::uint64_t seed) : random_(seed), now_(draw_ms()), timers_(now_) {
    model_.entries.resize(count);
    for (std::size_t i = 0; i < count; ++i) timer_.push_back(make(i));
  }

  void run(int steps) {
    for (int step = 0; step < steps; ++step) {
      for (auto operations = random_() % 8; operations > 0; --operations) operate();
      check_sleep();
      advance();
    }
  }

 private:
  static constexpr std::size_t count = 40;

  struct Scheduled final : Timer {
    Scheduled(Schedule& schedule, std::size_t index) : schedule_(schedule), index_(index) {}
    void on_timer(std::uint64_t now_ms) override { schedule_.called(index_, now_ms); }
    Schedule& schedule_;
    std::size_t index_;
  };

  std::unique_ptr<Scheduled> make(std::size_t index) {
    return std::make_unique<Scheduled>(*this, index);
  }

  // Evenly over the orders of magnitude, up to some months.
  std::uint64_t draw_ms() { return random_() >> (30 + random_() % 34); }

  void operate() {
    const std::size_t index = random_() % count;
    Model::Entry& entry = model_.entries[index];
    switch (random_() % 8) {
      case 0:
        timers_.disarm(*timer_[index]);
        entry.armed = false;
        break;
      case 1:
        if (index == calling_) break;  // its on_timer is running: a test of its own
        timer_[index] = make(index);
        entry.armed = false;
        break;
      case 2:
        arm(index, now_ - std::min(now_, draw_ms()));  // in the past
        break;
      default:
        arm(index, now_ + draw_ms());
    }
    REQUIRE(timer_[index]->armed() == entry.armed);
  }

  void arm(std::size_t index, std::uint64_t at) {
    timers_.arm(*timer_[index], at);
    model_.entries[index] = {at, now_, true};
  }

  void check_sleep() {
    const int sleep = timers_.until_next_ms(now_);
    const auto earliest = std::min_element(
        model_.entries.begin(), model_.entries.end(),
        [](const auto& a, const auto& b) { return earlier_of(a) < earlier_of(b); });
    if (!earliest->armed) {
      CHECK(sleep == -1);
    } else {
      CHECK(sleep >= 0);
      CHECK(static_cast<std::uint64_t>(sleep) + now_ <= Model::due(*earliest));
    }
  }

  static std::uint64_t earlier_of(const Model::Entry& entry) {
    return entry.armed ? Model::due(entry) : std::numeric_limits<std::uint64_t>::max();
  }

  void advance() {
    now_ += draw_ms();
    last_due_ = 0;
    timers_.advance(now_);
    calling_ = count;
    for (const Model::Entry& entry : model_.entries) {
      if (entry.armed) CHECK(Model::due(entry) > now_);
    }
  }

  void called(std::size_t index, std::uint64_t now_ms) {
    Model::Entry& entry = model_.entries[index];
    REQUIRE(now_ms == now_);
    REQUIRE(entry.armed);
    REQUIRE(!timer_[index]->armed());
    CHECK(entry.at <= now_);
    CHECK(Model::due(entry) <= now_);
    CHECK(Model::due(entry) >= last_due_);
    last_due_ = Model::due(entry);
    entry.armed = false;
    calling_ = index;
    for (auto operations = random_() % 3; operations > 0; --operations) operate();
  }

  std::mt19937_64 random_;
  std::uint64_t now_;
  Timers timers_;
  std::uint64_t last_due_ = 0;
  std::size_t calling_ = count;
  Model model_;
  std::vector<std::unique_ptr<Scheduled>> timer_;
};

}  // namespace

TEST_CASE("Timers: do what a plain list would do, on random schedules") {
  const std::uint64_t first_seed = std::random_device{}();
  for (std::uint64_t seed = first_seed; seed < first_seed + 200; ++seed) {
    CAPTURE(seed);
    Schedule schedule(seed);
    schedule.run(200);
  }
}
