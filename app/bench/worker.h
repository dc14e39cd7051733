// One thread of the load generator: opens its share of the connections, carries out the load when
// it is told to, counts, and closes them again. What the load is, is a derived class's matter.
//
//   opening ──▶ open ──▶ running ──▶ closing ──▶ done
//         all answered  begin()   end, and the    all closed,
//                                 last answers    or out of time
//
// begin(), end_now() and the reads of progress are for the thread that owns the worker. Everything
// else happens in the worker's own thread until join() has returned.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <pthread.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "app/bench/error_counts.h"
#include "app/bench/histogram.h"
#include "app/bench/settings.h"
#include "app/bench/time.h"
#include "net/fd.h"
#include "net/loop.h"
#include "net/timers.h"
#include "ws/client.h"

namespace sockeye::app::bench {

// What was counted.
struct Tally {
  Histogram latency;
  std::uint64_t messages = 0;    // answered; handshakes, with --connect; Pongs, with --idle
  std::uint64_t bytes_sent = 0;  // of payloads
  std::uint64_t bytes_received = 0;
  std::uint64_t missing = 0;  // without an answer; in `latency` with the time they have waited
  std::uint32_t opened = 0;   // connections
  ErrorCounts errors;

  void merge(const Tally& other);
};

// What the threads of one measurement have in common.
struct Shared {
  explicit Shared(const Settings& given) : settings(given) {}

  const Settings& settings;
  std::vector<net::Address> addresses;        // of the server
  net::Fd changed;                            // an event descriptor: a worker has a new phase
  std::uint64_t begin_ns = 0;                 // of the load, warm-up included
  std::atomic<std::uint64_t> published = 0;   // fan-out: messages sent so far
  std::atomic<std::uint32_t> publishing = 0;  // fan-out: threads that may send more
};

class Worker : protected ws::Handler, private net::Timer {
 public:
  enum class Phase : std::uint8_t { opening, open, running, closing, done };

  ~Worker() override = default;

  // Starts the thread, which opens connections.
  Result<void, net::Error> start();

  // All is open: carries out the load from now on, and counts in `window`.
  void begin(Window window);
  // The window ends now. Before begin(): the worker is done.
  void end_now();

  // Waits for the thread's end, which comes soon after Phase::done.
  void join() { pthread_join(thread_, nullptr); }
  // What the thread has spent so far, or in all if it has ended.
  std::uint64_t cpu_ns() const;

  Phase phase() const { return phase_.load(std::memory_order_acquire); }
  std::uint32_t opened() const { return opened_.load(std::memory_order_relaxed); }
  std::uint64_t messages() const { return messages_.load(std::memory_order_relaxed); }
  std::uint64_t errors() const { return errors_.load(std::memory_order_relaxed); }

  // From Phase::open on: why none of the connections could be opened; empty otherwise.
  const std::string& failure() const { return failure_; }
  // After join().
  const Tally& tally() const { return tally_; }

 protected:
  // `index` of settings.threads; opens `connections`.
  Worker(Shared& shared, std::uint32_t index, std::uint32_t connections);

  // What connection `local` is to know as its data().
  virtual void* data_of(std::uint32_t local) = 0;
  virtual void on_begin() {}
  virtual void on_end() {}
  // How many answers are still to come. After the window, the worker waits until there are none, or
  // for settings.timeout_ms.
  virtual std::uint64_t unanswered() const = 0;
  // How many of these were due and could not even be sent.
  virtual std::uint64_t unsent() const { return 0; }
  // Nothing is waited for any more: what has no answer is to be told to count_missing().
  virtual void on_give_up(std::uint64_t) {}

  // ws::Handler. Derived classes call these first.
  void on_open(Connection& connection) override;
  void on_close(Connection& connection, Closed closed) override;
  void on_connect_failure(const ConnectFailure& failure) override;

  const Settings& settings() const { return shared_.settings; }
  const Window& window() const { return window_; }
  net::Loop& loop() { return client_.loop(); }
  bool is_running() const { return phase() == Phase::running; }
  // Whether time is left to begin something.
  bool is_on(std::uint64_t ns) const { return is_running() && ns < window_.end_ns; }

  // False, and an error is counted, where the attempt can't even begin.
  bool connect(std::uint32_t local);
  // A connection ended without our asking, or its closing handshake went wrong.
  void count_end(const Closed& closed);
  void count_failure(const ConnectFailure& failure);
  void count_error(std::string_view kind, std::uint64_t count = 1);
  void count_sent(std::uint64_t now, std::size_t bytes) {
    if (window_.holds(now)) tally_.bytes_sent += bytes;
  }
  // Something that began, or was due, at `since` has come to its end.
  void count_answer(std::uint64_t since, std::uint64_t now, std::size_t bytes) {
    if (window_.holds(now)) {
      tally_.bytes_received += bytes;
      messages_.store(++tally_.messages, std::memory_order_relaxed);
    }
    // By when it began, so that what a stall holds back beyond the window isn't left out.
    if (window_.holds(since)) tally_.latency.record(now - since);
  }
  // Something that began, or was due, at `since` has no answer. Its latency is at least what it has
  // waited: without it, those that a server answers least would not be in the percentiles. (Also
  // where it began in the warm-up: then it waited throughout.)
  void count_missing(std::uint64_t since, std::uint64_t now) {
    if (since >= window_.end_ns || since > now) return;
    tally_.latency.record(now - since);
    ++tally_.missing;
  }
  void count_pong(std::uint64_t since, std::uint64_t now);
  void finish();

  Shared& shared_;
  const std::uint32_t index_;

 private:
  static void* run_thread(void* self);
  void run();
  void open_more();
  void set_phase(Phase phase);
  void wait_for_answers(std::uint64_t now);
  void on_timer(std::uint64_t now_ms) override;

  const std::uint32_t connections_;
  const std::uint32_t most_under_way_;
  ws::Client client_;
  ws::ConnectOptions connect_options_;
  pthread_t thread_{};

  std::uint32_t started_ = 0;    // attempts to open
  std::uint32_t under_way_ = 0;  // of these, without an outcome
  std::uint32_t failures_in_row_ = 0;
  std::uint32_t alive_ = 0;
  std::string failure_;
  Window window_;
  bool ended_ = false;  // the window has, and on_end() was called
  Tally tally_;

  std::atomic<Phase> phase_ = Phase::opening;
  std::atomic<std::uint32_t> opened_ = 0;
  std::atomic<std::uint64_t> messages_ = 0;
  std::atomic<std::uint64_t> errors_ = 0;
  std::atomic<std::uint64_t> final_cpu_ns_ = 0;
};

}  // namespace sockeye::app::bench
