// When the messages of an open loop are due, and what sends them then.
//
// Message k of all is due k/rate seconds after the start, whatever has become of those before it:
// its latency counts from there. A loop that waited for the server's answer before it went on would
// not even ask while the server stalls, and count one slow answer in place of the thousands that
// users would have seen ("coordinated omission": Gil Tene, https://github.com/giltene/wrk2).
//
// Connections take turns, and each thread has every nth connection:
//
//   k            0   1   2   3   4   5   6   7   8 ...
//   connection   0   1   2   3   0   1   2   3   0        4 connections
//   thread       0   1   0   1   0   1   0   1   0        2 threads
//   local        0   0   1   1   0   0   1   1   0        a connection's number in its thread
//   round        0   0   0   0   1   1   1   1   2
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "app/bench/time.h"
#include "net/error.h"
#include "net/fd.h"
#include "net/loop.h"
#include "net/result.h"

namespace sockeye::app::bench {

// One thread's part of the schedule.
struct Schedule {
  std::uint64_t rate = 1;         // messages per second, of all threads
  std::uint32_t connections = 1;  // of all threads
  std::uint32_t threads = 1;
  std::uint32_t thread = 0;
  std::uint64_t start_ns = 0;

  std::uint64_t due_ns(std::uint32_t local, std::uint64_t round) const {
    const std::uint64_t k = round * connections + place(local);
    return start_ns + k / rate * 1'000'000'000 + k % rate * 1'000'000'000 / rate;
  }

  // How many messages of one connection are due before `end_ns`.
  std::uint64_t due_before(std::uint32_t local, std::uint64_t end_ns) const;

 private:
  std::uint64_t place(std::uint32_t local) const { return thread + std::uint64_t{threads} * local; }
};

// Goes through a schedule on a loop.
class Pacer final : private net::Watcher {
 public:
  class Owner {
   public:
    // A message of connection `local` is due, or was before `now_ns`.
    virtual void on_due(std::uint32_t local, std::uint64_t now_ns) = 0;

   protected:
    ~Owner() = default;
  };

  Pacer(net::Loop& loop, Owner& owner) : loop_(loop), owner_(owner) {}

  // Calls for every message of `schedule` that is due before `end_ns`. `count` is how many
  // connections this thread has.
  Result<void, net::Error> start(const Schedule& schedule, std::uint32_t count,
                                 std::uint64_t end_ns);
  void stop() { timer_.reset(); }

 private:
  void on_events(std::uint32_t) override { advance(); }
  void advance();

  net::Loop& loop_;
  Owner& owner_;
  net::Fd timer_;
  Schedule schedule_{};
  std::uint32_t count_ = 0;
  std::uint64_t end_ns_ = 0;
  std::uint32_t local_ = 0;  // whose turn is next
  std::uint64_t round_ = 0;
};

}  // namespace sockeye::app::bench
