// SPDX-License-Identifier: MIT
#include "net/loop.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "test/support/fake_clock.h"
#include "test/support/sockets.h"
#include "test/support/system_calls.h"

using sockeye::net::Fd;
using sockeye::net::Loop;
using sockeye::net::Timer;
using sockeye::net::Watcher;
using sockeye::test::Call;
using sockeye::test::FakeClock;
using sockeye::test::open_descriptors;
using sockeye::test::SystemCalls;
using sockeye::test::turn_until;

namespace {

// Does as it is told.
class Probe final : public Watcher, public Timer {
 public:
  std::function<void(std::uint32_t)> at_events = [](std::uint32_t) {};
  std::function<void()> at_agenda = [] {};
  std::function<void(std::uint64_t)> at_timer = [](std::uint64_t) {};

  void on_events(std::uint32_t events) override { at_events(events); }
  void on_agenda() override { at_agenda(); }
  void on_timer(std::uint64_t now_ms) override { at_timer(now_ms); }
};

// A descriptor that becomes readable when it is told to.
class Signal {
 public:
  int fd() const { return fd_.get(); }
  void notify() const { REQUIRE(::eventfd_write(fd_.get(), 1) == 0); }
  void take() const {
    eventfd_t value;
    REQUIRE(::eventfd_read(fd_.get(), &value) == 0);
  }

 private:
  Fd fd_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
};

struct OpenLoop : Loop {
  OpenLoop() { REQUIRE(open()); }
  explicit OpenLoop(FakeClock& clock) : Loop(clock) { REQUIRE(open()); }
};

constexpr int deadline_ms = 20'000;  // generous: only a failure waits for it

bool readable_within(int fd, int timeout_ms) {
  pollfd entry{fd, POLLIN, 0};
  return ::poll(&entry, 1, timeout_ms) == 1;
}

std::uint64_t real_ms() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
}

}  // namespace

// ── Opening ──────────────────────────────────────────────────────────────────────────────────

TEST_CASE("Loop: holds two descriptors once it is open, and none when it is gone") {
  const std::size_t before = open_descriptors();
  {
    Loop loop;
    CHECK(open_descriptors() == before);
    REQUIRE(loop.open());
    CHECK(open_descriptors() == before + 2);
    const auto* const buffer = loop.receive_buffer().data();
    REQUIRE(loop.open());  // once more does nothing
    CHECK(loop.receive_buffer().data() == buffer);
    CHECK(open_descriptors() == before + 2);
    CHECK(loop.receive_buffer().size() == Loop::buffer_bytes);
    CHECK(loop.cork().data != nullptr);
  }
  CHECK(open_descriptors() == before);
}

TEST_CASE("Loop: what the system refuses at open() is an error, and may be tried again") {
  const std::size_t before = open_descriptors();
  const struct {
    Call call;
    int error;
  } refusals[] = {{Call::epoll_create1, EMFILE}, {Call::epoll_create1, ENFILE},
                  {Call::epoll_create1, ENOMEM}, {Call::eventfd, EMFILE},
                  {Call::eventfd, ENFILE},       {Call::eventfd, ENOMEM},
                  {Call::epoll_ctl, ENOMEM},     {Call::epoll_ctl, ENOSPC}};
  for (const auto& refusal : refusals) {
    CAPTURE(refusal.error);
    Loop loop;
    {
      SystemCalls calls;
      calls.fail(refusal.call, refusal.error);
      const auto opened = loop.open();
      REQUIRE(!opened);
      CHECK(opened.error().code == refusal.error);
      CHECK(!opened.error().message.empty());
    }
    REQUIRE(loop.open());
    loop.turn(0);
  }
  CHECK(open_descriptors() == before);
}

// ── One turn ─────────────────────────────────────────────────────────────────────────────────

TEST_CASE("Loop: a turn is events, then timers, then the agenda") {
  FakeClock clock;
  OpenLoop loop(clock);
  Signal signal;
  Probe probe;
  std::string order;
  probe.at_events = [&](std::uint32_t events) {
    CHECK((events & EPOLLIN) != 0);
    order += "event ";
  };
  probe.at_timer = [&](std::uint64_t) { order += "timer "; };
  probe.at_agenda = [&] { order += "agenda "; };
  REQUIRE(loop.watch(signal.fd(), probe));
  loop.schedule(probe);
  loop.timers().arm(probe, 8);
  clock.advance(8);
  signal.notify();
  loop.turn(-1);
  CHECK(order == "event timer agenda ");
}

TEST_CASE("Loop: one that comes late to its timers reads first what came in time") {
  FakeClock clock;
  OpenLoop loop(clock);
  // More than one wait brings; each asks for two turns on the agenda, as a stream with more to
  // read.
  constexpr int count = 600;
  std::vector<Signal> signals(count);
  std::vector<Probe> probes(count);
  int turns = 0;
  for (int i = 0; i < count; ++i) REQUIRE(loop.watch(signals[i].fd(), probes[i]));
  for (int i = 0; i < 3; ++i) loop.turn(0);  // all are writable
  for (int i = 0; i < count; ++i) {
    probes[i].at_events = [&, i](std::uint32_t) { loop.schedule(probes[i]); };
    probes[i].at_agenda = [&, i, left = 2]() mutable {
      ++turns;
      if (--left > 0) loop.schedule(probes[i]);
    };
  }
  Probe timer;
  int turns_before = -1;
  timer.at_timer = [&](std::uint64_t) { turns_before = turns; };
  loop.timers().arm(timer, 1'000);
  loop.turn(0);
  clock.advance(5'000);
  for (Signal& signal : signals) signal.notify();
  while (turns_before < 0) loop.turn(0);
  CHECK(turns_before == 2 * count);
}

TEST_CASE("Loop: a late one's timers wait for a second at most, whatever still comes") {
  FakeClock clock;
  OpenLoop loop(clock);
  Probe busy;
  busy.at_agenda = [&] { loop.schedule(busy); };
  loop.schedule(busy);
  Probe timer;
  std::uint64_t called_ms = 0;
  timer.at_timer = [&](std::uint64_t now_ms) { called_ms = now_ms; };
  loop.timers().arm(timer, 1'000);
  loop.turn(0);
  clock.advance(5'000);
  for (int i = 0; i < 200 && called_ms == 0; ++i) {
    loop.turn(0);
    clock.advance(10);
  }
  CHECK(called_ms == 6'000);
}

TEST_CASE("Loop: watch() is edge-triggered: one event for one change") {
  OpenLoop loop;
  Signal signal;
  Probe probe;
  int readable = 0;
  probe.at_events = [&](std::uint32_t events) { readable += (events & EPOLLIN) != 0; };
  REQUIRE(loop.watch(signal.fd(), probe));
  signal.notify();
  for (int i = 0; i < 3; ++i) loop.turn(0);
  CHECK(readable == 1);
  signal.notify();
  loop.turn(0);
  CHECK(readable == 2);
  loop.unwatch(signal.fd());
  signal.notify();
  loop.turn(0);
  CHECK(readable == 2);
}

TEST_CASE("Loop: watch_input() is level-triggered, and for reading alone") {
  OpenLoop loop;
  Signal signal;
  Probe probe;
  int count = 0;
  probe.at_events = [&](std::uint32_t events) {
    CHECK(events == EPOLLIN);
    ++count;
  };
  REQUIRE(loop.watch_input(signal.fd(), probe));
  loop.turn(0);
  CHECK(count == 0);
  signal.notify();
  for (int i = 0; i < 3; ++i) loop.turn(0);
  CHECK(count == 3);
  signal.take();
  loop.turn(0);
  CHECK(count == 3);
}

TEST_CASE("Loop: what epoll refuses is false with errno, and isn't watched") {
  OpenLoop loop;
  Probe probe;
  const Fd folder(::open("/", O_RDONLY | O_CLOEXEC));
  CHECK(!loop.watch_input(folder.get(), probe));
  CHECK(errno == EPERM);
  CHECK(!loop.watch(-1, probe));
  CHECK(errno == EBADF);
  Signal signal;
  REQUIRE(loop.watch(signal.fd(), probe));
  CHECK(!loop.watch(signal.fd(), probe));
  CHECK(errno == EEXIST);
}

TEST_CASE("Loop: more events than one wait brings all have their turn") {
  OpenLoop loop;
  constexpr int count = 600;
  std::vector<Signal> signals(count);
  std::vector<std::unique_ptr<Probe>> probes;
  int events = 0;
  for (const Signal& signal : signals) {
    probes.push_back(std::make_unique<Probe>());
    probes.back()->at_events = [&](std::uint32_t) { ++events; };
    REQUIRE(loop.watch_shared(signal.fd(), *probes.back()));
    signal.notify();
  }
  for (int i = 0; i < 3; ++i) loop.turn(0);
  CHECK(events == count);
}

TEST_CASE("Loop: a wait that a signal cuts short is a turn without events") {
  FakeClock clock;
  OpenLoop loop(clock);
  Signal signal;
  Probe probe;
  std::string order;
  probe.at_events = [&](std::uint32_t) { order += "event "; };
  probe.at_agenda = [&] { order += "agenda "; };
  REQUIRE(loop.watch(signal.fd(), probe));
  signal.notify();
  loop.schedule(probe);
  SystemCalls calls;
  calls.fail(Call::epoll_wait, EINTR);
  loop.turn(-1);
  CHECK(order == "agenda ");
  loop.turn(0);
  CHECK(order == "agenda event ");
}

// ── Time ─────────────────────────────────────────────────────────────────────────────────────

TEST_CASE("Loop: wait_ms() is 0 with work on the agenda, the next timer's time, or for ever") {
  FakeClock clock;
  OpenLoop loop(clock);
  Probe probe;
  CHECK(loop.wait_ms() == -1);
  loop.timers().arm(probe, 800);
  CHECK(loop.wait_ms() > 0);
  CHECK(loop.wait_ms() <= 800);
  loop.schedule(probe);
  CHECK(loop.wait_ms() == 0);
  loop.forget(probe);
  CHECK(loop.wait_ms() > 0);
  loop.timers().disarm(probe);
  CHECK(loop.wait_ms() == -1);
}

TEST_CASE("Loop: turn() waits as long as it may, and returns at the first event") {
  OpenLoop loop;
  Signal signal;
  Probe probe;
  REQUIRE(loop.watch_input(signal.fd(), probe));
  const std::uint64_t start = real_ms();
  loop.turn(30);
  CHECK(real_ms() - start >= 29);
  signal.notify();
  loop.turn(-1);  // would hang
  loop.turn(1'000'000);
}

TEST_CASE("Loop: one that polls busily asks without waiting, for its time, and then waits") {
  struct : sockeye::net::Clock {
    std::uint64_t now_us() override { return now += 100; }
    std::uint64_t now = 0;
  } clock;  // each look takes 100 µs
  Loop loop(clock);
  REQUIRE(loop.open());
  Signal signal;
  Probe probe;
  REQUIRE(loop.watch_input(signal.fd(), probe));
  int events = 0;
  probe.at_events = [&](std::uint32_t) { ++events; };
  SystemCalls calls;
  const auto waits_of_turn = [&](int timeout_ms) {
    calls.forget();
    loop.turn(timeout_ms);
    return calls.count(Call::epoll_wait);
  };
  CHECK(waits_of_turn(1) == 1);
  loop.busy_poll(1000);
  CHECK(waits_of_turn(2) == 11);
  CHECK(waits_of_turn(0) == 1);
  loop.busy_poll(1'000'000);
  CHECK(waits_of_turn(3) == 30);  // no longer than it may wait
  signal.notify();
  CHECK(waits_of_turn(-1) == 1);
  loop.busy_poll(0);
  CHECK(waits_of_turn(-1) == 1);
  CHECK(events == 2);
}

TEST_CASE("Loop: a turn ends its wait for a timer, however long it may wait") {
  OpenLoop loop;
  Probe probe;
  bool fired = false;
  probe.at_timer = [&](std::uint64_t now_ms) {
    CHECK(now_ms == loop.now_ms());
    fired = true;
  };
  const std::uint64_t at_ms = loop.now_ms() + 30;
  loop.timers().arm(probe, at_ms);
  CHECK(turn_until(loop, [&] { return fired; }));
  CHECK(loop.now_ms() >= at_ms);

  for (const int timeout_ms : {-1, 60'000}) {
    fired = false;
    const std::uint64_t start = real_ms();
    loop.timers().arm(probe, loop.now_ms() + 30);
    while (!fired) loop.turn(timeout_ms);
    CHECK(real_ms() - start < 50'000);
  }
}

TEST_CASE("Loop: now_ms() stands still within a turn") {
  FakeClock clock(1000);
  OpenLoop loop(clock);
  Probe probe;
  std::vector<std::uint64_t> times;
  probe.at_agenda = [&] {
    times.push_back(loop.now_ms());
    clock.advance(50);
    times.push_back(loop.now_ms());
  };
  loop.schedule(probe);
  clock.advance(10);
  loop.turn(0);
  CHECK(times == std::vector<std::uint64_t>{1010, 1010});
}

TEST_CASE("Loop: now_ms() is the time outside of turns: nothing armed there is early") {
  FakeClock clock;
  OpenLoop loop(clock);
  Probe probe;
  bool fired = false;
  probe.at_timer = [&](std::uint64_t) { fired = true; };
  loop.turn(0);
  clock.advance(60'000);  // the program had other things to do
  CHECK(loop.now_ms() == 60'000);
  loop.timers().arm(probe, loop.now_ms() + 5000);
  CHECK(loop.wait_ms() <= 5000);
  loop.turn(0);
  CHECK(!fired);
  clock.advance(5000);
  CHECK(loop.wait_ms() == 0);
  loop.turn(0);
  CHECK(fired);
}

// ── The agenda ───────────────────────────────────────────────────────────────────────────────

TEST_CASE("Loop: the agenda takes its watchers in order, one turn each however often they ask") {
  OpenLoop loop;
  Probe probes[3];
  std::string order;
  for (int i = 0; i < 3; ++i) {
    probes[i].at_agenda = [&order, i] { order += std::to_string(i); };
  }
  for (const int i : {2, 0, 2, 1, 0, 0}) loop.schedule(probes[i]);
  loop.turn(-1);
  CHECK(order == "201");
  loop.turn(0);
  CHECK(order == "201");
}

TEST_CASE("Loop: what the agenda schedules is for the next turn, which doesn't wait") {
  OpenLoop loop;
  Probe again, other;
  std::string order;
  again.at_agenda = [&] {
    order += "a";
    loop.schedule(again);
    loop.schedule(other);
    CHECK(loop.wait_ms() == 0);
  };
  other.at_agenda = [&] { order += "o"; };
  loop.schedule(again);
  loop.turn(-1);
  CHECK(order == "a");
  loop.turn(-1);
  CHECK(order == "aao");
  loop.turn(-1);
  CHECK(order == "aaoa");  // the turn before, "other" was on the agenda already
  loop.turn(-1);
  CHECK(order == "aaoaao");
  loop.forget(again);
}

TEST_CASE("Loop: a watcher that is always on the agenda doesn't keep events from theirs") {
  OpenLoop loop;
  Signal signal;
  Probe busy, watcher;
  bool seen = false;
  busy.at_agenda = [&] { loop.schedule(busy); };
  watcher.at_events = [&](std::uint32_t) { seen = true; };
  REQUIRE(loop.watch_shared(signal.fd(), watcher));
  loop.schedule(busy);
  loop.turn(-1);
  signal.notify();
  loop.turn(-1);
  CHECK(seen);
  loop.forget(busy);
}

TEST_CASE("Loop: a watcher may end on the agenda") {
  OpenLoop loop;
  auto probe = std::make_unique<Probe>();
  auto follower = std::make_unique<Probe>();
  bool followed = false;
  probe->at_agenda = [&] { probe.reset(); };
  follower->at_agenda = [&] {
    followed = true;
    follower.reset();
  };
  loop.schedule(*probe);
  loop.schedule(*follower);
  loop.turn(0);
  CHECK(probe == nullptr);
  CHECK(followed);
}

TEST_CASE("Loop: forget() takes a watcher off the agenda, wherever it is on it") {
  for (int count = 1; count <= 4; ++count) {
    for (int forgotten = 0; forgotten < count; ++forgotten) {
      CAPTURE(count);
      CAPTURE(forgotten);
      OpenLoop loop;
      std::vector<Probe> probes(5);
      std::string order, expected;
      for (int i = 0; i < 5; ++i) {
        probes[static_cast<std::size_t>(i)].at_agenda = [&order, i] { order += std::to_string(i); };
      }
      for (int i = 0; i < count; ++i) {
        loop.schedule(probes[static_cast<std::size_t>(i)]);
        if (i != forgotten) expected += std::to_string(i);
      }
      loop.forget(probes[static_cast<std::size_t>(forgotten)]);
      loop.forget(probes[static_cast<std::size_t>(forgotten)]);  // once more does nothing
      loop.schedule(probes[4]);                                  // the end of the list is right
      loop.schedule(probes[static_cast<std::size_t>(forgotten)]);
      loop.turn(0);
      CHECK(order == expected + "4" + std::to_string(forgotten));
      CHECK(loop.wait_ms() == -1);
    }
  }
}

TEST_CASE("Loop: forget() works while the agenda runs, on what is left of it and on the next") {
  constexpr std::size_t count = 4;
  for (std::size_t actor = 0; actor < count; ++actor) {
    for (std::size_t forgotten = 0; forgotten < 2 * count; ++forgotten) {
      CAPTURE(actor);
      CAPTURE(forgotten);
      // The first `count` are on the running agenda; each schedules another for the next turn.
      OpenLoop loop;
      std::vector<Probe> probes(2 * count);
      std::vector<std::size_t> order;
      for (std::size_t i = 0; i < probes.size(); ++i) {
        probes[i].at_agenda = [&, i] {
          order.push_back(i);
          if (i < count) loop.schedule(probes[i + count]);
          if (i == actor) loop.forget(probes[forgotten]);
        };
        if (i < count) loop.schedule(probes[i]);
      }
      loop.turn(-1);
      loop.turn(0);

      std::vector<std::size_t> expected;
      for (std::size_t i = 0; i < count; ++i) {
        if (i != forgotten || i <= actor) expected.push_back(i);
      }
      const std::size_t ran = expected.size();
      for (std::size_t i = 0; i < ran; ++i) {
        const std::size_t next = expected[i] + count;
        if (next != forgotten || expected[i] > actor) expected.push_back(next);
      }
      CHECK(order == expected);
      CHECK(loop.wait_ms() == -1);
    }
  }
}

// ── Other threads ────────────────────────────────────────────────────────────────────────────

TEST_CASE("Loop: post() from many threads: every task runs once, in its poster's order") {
  constexpr int threads = 4;
  constexpr int posts = 2000;
  OpenLoop loop;
  std::vector<std::vector<int>> seen(threads);
  int count = 0;
  bool in_loop_thread = true;
  const std::thread::id here = std::this_thread::get_id();

  std::vector<std::thread> posters;
  for (int thread = 0; thread < threads; ++thread) {
    posters.emplace_back([&, thread] {
      for (int i = 0; i < posts; ++i) {
        loop.post([&, thread, i] {
          in_loop_thread = in_loop_thread && std::this_thread::get_id() == here;
          seen[static_cast<std::size_t>(thread)].push_back(i);
          if (++count == threads * posts) loop.stop();
        });
      }
    });
  }
  loop.run();  // waits without a limit: a lost wake-up would hang here
  for (std::thread& poster : posters) poster.join();

  CHECK(in_loop_thread);
  CHECK(count == threads * posts);
  for (const std::vector<int>& numbers : seen) {
    CHECK(numbers.size() == posts);
    CHECK(std::is_sorted(numbers.begin(), numbers.end()));
  }
}

TEST_CASE("Loop: each post() wakes a loop that waits") {
  OpenLoop loop;
  constexpr int rounds = 200;
  std::atomic<int> ran = 0;
  std::thread poster([&] {
    for (int i = 0; i < rounds; ++i) {
      loop.post([&] { ++ran; });
      while (ran == i) std::this_thread::yield();  // nothing else wakes it for the next one
    }
    loop.post([&] { loop.stop(); });
  });
  loop.run();
  poster.join();
  CHECK(ran == rounds);
}

TEST_CASE("Loop: a task posted by a task runs in the next turn") {
  OpenLoop loop;
  std::string order;
  Probe probe;
  probe.at_agenda = [&] { order += "agenda "; };
  loop.post([&] {
    order += "first ";
    loop.schedule(probe);
    loop.post([&] { order += "second "; });
  });
  loop.turn(-1);
  CHECK(order == "first agenda ");
  loop.turn(-1);
  CHECK(order == "first agenda second ");
}

TEST_CASE("Loop: posted tasks that have not run are dropped with the loop") {
  const auto token = std::make_shared<int>();
  {
    OpenLoop loop;
    loop.post([token] { FAIL("the loop never turned"); });
    CHECK(token.use_count() == 2);
  }
  CHECK(token.use_count() == 1);
}

TEST_CASE("Loop: a task is freed once it has run") {
  OpenLoop loop;
  const auto token = std::make_shared<int>();
  loop.post([token] {});
  loop.turn(-1);
  CHECK(token.use_count() == 1);
}

TEST_CASE("Loop: a wake-up is over when its tasks have run") {
  OpenLoop loop;
  loop.post([] {});
  loop.turn(-1);
  const std::uint64_t start = real_ms();
  loop.turn(30);
  CHECK(real_ms() - start >= 29);
}

// ── Running and stopping ─────────────────────────────────────────────────────────────────────

TEST_CASE("Loop: stop() ends run() when its turn is over, and run() may be called again") {
  OpenLoop loop;
  for (int round = 0; round < 3; ++round) {
    std::string order;
    Probe probe;
    probe.at_agenda = [&] { order += "agenda"; };
    loop.post([&] {
      loop.schedule(probe);
      loop.stop();
      order += "stop ";
    });
    loop.run();
    CHECK(order == "stop agenda");
  }
}

// ── Driven by another event loop ─────────────────────────────────────────────────────────────

TEST_CASE("Loop: descriptor() is readable when there are events, and when a task was posted") {
  Loop loop;
  const int descriptor = *loop.descriptor();  // opens it
  Signal signal;
  Probe probe;
  int events = 0;
  probe.at_events = [&](std::uint32_t) {
    ++events;
    signal.take();
  };
  REQUIRE(loop.watch_input(signal.fd(), probe));
  CHECK(!readable_within(descriptor, 0));
  signal.notify();
  CHECK(readable_within(descriptor, deadline_ms));
  loop.turn(0);
  CHECK(events == 1);
  CHECK(!readable_within(descriptor, 0));

  bool ran = false;
  std::thread([&] { loop.post([&] { ran = true; }); }).join();
  CHECK(readable_within(descriptor, deadline_ms));
  loop.turn(0);
  CHECK(ran);
  CHECK(!readable_within(descriptor, 0));
}

TEST_CASE("Loop: descriptor() is readable when a timer is due, and not before") {
  OpenLoop loop;
  Probe early;
  Probe late;
  std::uint64_t fired_ms = 0;
  early.at_timer = [&](std::uint64_t now_ms) { fired_ms = now_ms; };
  const std::uint64_t start_ms = loop.now_ms();
  loop.timers().arm(late, start_ms + 600'000);
  const int descriptor = *loop.descriptor();
  CHECK(!readable_within(descriptor, 0));
  loop.timers().arm(early, start_ms + 50);
  int turns = 0;
  while (fired_ms == 0 && ++turns < 10) {  // it sleeps in between
    REQUIRE(readable_within(descriptor, deadline_ms));
    loop.turn(0);
  }
  CHECK(fired_ms >= start_ms + 50);
  CHECK(!readable_within(descriptor, 0));
}

TEST_CASE(
    "Loop: descriptor() is readable again when a timer arms itself, and when turns come late") {
  FakeClock clock;
  OpenLoop loop(clock);
  Probe probe;
  int fired = 0;
  probe.at_timer = [&](std::uint64_t now_ms) {
    ++fired;
    loop.timers().arm(probe, now_ms + 16);
  };
  loop.timers().arm(probe, clock.now_ms() + 16);
  const int descriptor = *loop.descriptor();
  for (int i = 0; i < 5; ++i) {
    REQUIRE(readable_within(descriptor, deadline_ms));
    clock.advance(i == 3 ? 10'000 : 32);  // the fourth time it was away for long
    loop.turn(0);
    CHECK(fired == i + 1);
  }
}

TEST_CASE("Loop: descriptor() is readable when something is begun outside of turns, or left over") {
  OpenLoop loop;
  const int descriptor = *loop.descriptor();
  Probe probe;
  int turns = 0;
  probe.at_agenda = [&] {
    if (++turns < 3) loop.schedule(probe);
  };
  CHECK(!readable_within(descriptor, 0));
  loop.schedule(probe);
  for (int i = 1; i <= 3; ++i) {
    CHECK(readable_within(descriptor, 0));
    loop.turn(0);
    CHECK(turns == i);
  }
  CHECK(!readable_within(descriptor, 0));

  // Once more, so that it isn't only the first time.
  loop.schedule(probe);
  CHECK(readable_within(descriptor, 0));
  loop.turn(0);
  CHECK(!readable_within(descriptor, 0));
}

TEST_CASE("Loop: what the system refuses at descriptor() is an error, and may be tried again") {
  OpenLoop loop;
  const std::size_t before = open_descriptors();
  {
    SystemCalls calls;
    calls.fail(Call::epoll_ctl, ENOSPC);
    const auto descriptor = loop.descriptor();
    REQUIRE(!descriptor);
    CHECK(descriptor.error().code == ENOSPC);
  }
  CHECK(open_descriptors() == before);
  REQUIRE(loop.descriptor());
  CHECK(open_descriptors() == before + 1);
  CHECK(*loop.descriptor() == *loop.descriptor());
  CHECK(open_descriptors() == before + 1);
}
