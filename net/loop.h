// The event loop of one thread: waits with epoll, edge-triggered, and hands each event to the
// Watcher of its descriptor. One loop serves many descriptors.
//
//   one turn:
//
//   epoll_wait ─────────▶ events ──────────▶ timers ───────▶ agenda ─────────▶ the next turn
//   sleeps until there    on_events():       on_timer():     on_agenda():
//   are some, or a        receive, call      deadlines       flush, go on
//   timer is due          handlers, send                     reading, be destroyed
//
// The agenda holds the watchers that asked for more within this turn's events: to flush what was
// written to them, to go on reading, to be destroyed. Nothing is destroyed before the agenda, so
// no event of a batch can meet a dead watcher. A watcher put on the agenda while the agenda runs
// has its turn in the next one, which then doesn't wait.
//
// A loop that comes late to its timers, after its process was stopped or a handler took long, first
// has the turns that read what came in time, for a second at most.
//
// Everything but post() belongs to the thread that calls run() or turn(); debug builds assert it.
// Next on the reading tour: net/stream.h.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <pthread.h>

#include <atomic>
#include <cassert>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "net/bytes.h"
#include "net/clock.h"
#include "net/counter.h"
#include "net/error.h"
#include "net/fd.h"
#include "net/lag.h"
#include "net/pool.h"
#include "net/result.h"
#include "net/timers.h"

struct epoll_event;

namespace sockeye::net {

class Stream;
class Tap;

// Something that epoll watches, or that wants a place on the agenda. It must live until its last
// place on the agenda has passed: a watcher with a descriptor is destroyed in on_agenda().
class Watcher {
 public:
  // `events`: what epoll reported (EPOLLIN, EPOLLOUT, …).
  virtual void on_events(std::uint32_t events) = 0;
  // Its turn on the agenda, once per Loop::schedule. It may destroy itself here.
  virtual void on_agenda() {}

 protected:
  Watcher() = default;
  ~Watcher() = default;  // never destroyed through this base
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

 private:
  friend class Loop;
  Watcher* next_on_agenda_ = nullptr;
  bool on_agenda_ = false;
};

class Loop {
 public:
  Loop();  // on the monotonic clock
  explicit Loop(Clock& clock);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Takes what the loop needs from the system: an epoll and an event descriptor, and its buffers.
  // To be called before anything else; a loop that is open stays as it is.
  Result<void, Error> open();

  // Watches `fd` for everything, edge-triggered, until it is closed: the one epoll_ctl call in the
  // life of a connection. False with errno set when the system refuses.
  bool watch(int fd, Watcher& watcher);

  // The same for a listening socket that several loops share: one of them wakes for a connection.
  bool watch_shared(int fd, Watcher& watcher);

  // Watches `fd` for reading, level-triggered: for a descriptor that can't be made non-blocking, as
  // others share it. False with errno EPERM for a file, which is always readable.
  bool watch_input(int fd, Watcher& watcher);

  // Stops watching a descriptor that stays open, or that another process holds as well.
  void unwatch(int fd);

  // Runs turns until stop().
  void run();
  void stop() { stopping_ = true; }

  // One turn; waits for at most `timeout_ms` (-1: until something happens).
  void turn(int timeout_ms);
  // How long turn(-1) would wait if nothing happened: -1 for ever.
  int wait_ms() const;

  // For a program with an event loop of its own: a descriptor to watch for reading, with poll(2) or
  // whatever that loop has (level-triggered). It is readable when the loop has something to do,
  // also when a timer is due or when something was begun outside of turns; then call turn(0). The
  // loop keeps the descriptor. Fails where the system has no more of them.
  Result<int, Error> descriptor();

  // From now on a turn that would wait first asks for events over and over, for so long: who buys
  // latency with processor time spares the sleep and the waking. 0: not at all.
  void busy_poll(std::uint32_t for_us) { busy_poll_us_ = for_us; }

  // Whom the loop's streams tell all that goes by, from now on; null, as at first: nobody. It must
  // outlive the loop's streams.
  void set_tap(Tap* tap) { tap_ = tap; }
  Tap* tap() const { return tap_; }

  // Gives `watcher` a turn on the agenda, one however often it is asked for.
  void schedule(Watcher& watcher);
  // Takes that turn back: for watchers that end outside a turn, together with their owner.
  void forget(Watcher& watcher);

  // Runs `task` in the loop's thread, soon. The one call that any thread may make. What was posted
  // before the loop is destroyed but not run by then is dropped.
  void post(std::function<void()> task);

  // Milliseconds on the monotonic clock: in a callback, when the turn's wait was over; outside of
  // turns, now. (A program with an event loop of its own may come back after a long while.)
  std::uint64_t now_ms() const { return in_turn_ ? now_ms_ : clock_.now_ms(); }
  Timers& timers() {
    if (!in_turn_) begin_outside();
    return timers_;
  }
  Pool& pool() { return pool_; }

  // What goes through all streams of the loop. To be read from any thread.
  struct Counts {
    Counter received_bytes;
    Counter sent_bytes;
    Counter buffered_bytes;  // wait for peers to read
  };
  Counts& counts() { return counts_; }
  const Counts& counts() const { return counts_; }

  // From now on it is measured how late the loop is.
  void measure_lag() {
    if (!in_turn_) begin_outside();
    lag_.start();
  }
  // To be read from any thread.
  const Lag& lag() const { return lag_; }

  // The one buffer that all streams of the loop receive into. Its contents hold until the callback
  // they were handed to returns.
  MutableBytes receive_buffer() { return {receive_buffer_.get(), buffer_bytes}; }

  // The cork: the one buffer in which a stream collects what is written to it while its own events
  // are handled, so that one send puts everything out. See Stream.
  struct Cork {
    Stream* owner = nullptr;
    std::uint8_t* data = nullptr;
    std::size_t size = 0;
  };
  Cork& cork() { return cork_; }

  void assert_in_thread() const {
    assert(!thread_known_ || pthread_equal(thread_, pthread_self()) != 0);
  }

  // Size of the receive buffer and of the cork. Large enough that a message of 64 KiB mostly
  // comes whole, small enough to stay in a core's second-level cache.
  static constexpr std::size_t buffer_bytes = 256 * 1024;

 private:
  class Mailbox final : public Watcher {
   public:
    explicit Mailbox(Loop& loop) : loop_(loop) {}
    void on_events(std::uint32_t) override { loop_.run_posted(); }

   private:
    Loop& loop_;
  };

  bool add(int fd, Watcher& watcher, std::uint32_t events);
  int wait(epoll_event* events, int timeout_ms);
  void begin_outside();
  void set_alarm();
  void wake();
  void run_posted();
  void run_agenda();

  Clock& clock_;
  std::uint64_t now_ms_;  // of the turn
  bool in_turn_ = false;
  std::uint32_t busy_poll_us_ = 0;
  std::uint64_t catch_up_until_ms_ = 0;  // 0: the loop isn't late
  Timers timers_;
  Lag lag_{clock_, timers_};
  Counts counts_;
  Pool pool_;
  Fd epoll_;
  Fd wakeup_;
  Fd alarm_;                    // a timer, for those who poll descriptor()
  std::uint64_t alarm_ms_ = 0;  // when it goes off, or went off
  bool awake_ = false;          // descriptor() is readable already, for what was begun outside
  std::unique_ptr<std::uint8_t[]> receive_buffer_;
  std::unique_ptr<std::uint8_t[]> cork_buffer_;
  Cork cork_;
  Tap* tap_ = nullptr;
  Watcher* agenda_ = nullptr;
  Watcher** agenda_end_ = &agenda_;
  Watcher* running_agenda_ = nullptr;  // what is left of the one whose turn it is
  bool stopping_ = false;
  pthread_t thread_{};
  bool thread_known_ = false;

  Mailbox mailbox_{*this};
  std::mutex posted_mutex_;
  std::vector<std::function<void()>> posted_;  // guarded by posted_mutex_
};

}  // namespace sockeye::net
