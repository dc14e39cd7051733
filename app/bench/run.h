// One measurement from beginning to end: threads, their phases, the server's process, and what
// comes of it.
//
// The thread that calls run() does none of the load. It tells the workers when to begin, looks at
// the CPU time that they and the server have spent, and shows how it goes on.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>

#include "app/bench/process.h"
#include "app/bench/settings.h"
#include "app/bench/worker.h"
#include "net/error.h"
#include "net/result.h"

namespace sockeye::app::bench {

// What the server's process spent while it was measured.
struct ServerCost {
  CpuTime cpu;
  double busiest_share = 0;  // CPU time of its busiest thread, as a share of the time measured
  // Private memory with all connections open less that from before, for each of them; none where
  // it can't be read.
  std::optional<double> bytes_per_connection;
};

struct Outcome {
  Tally tally;
  double seconds = 0;          // how long was measured
  double opening_seconds = 0;  // until all connections were open
  double generator_share = 0;  // CPU time of its busiest thread, as a share of that time
  std::optional<ServerCost> server;
  bool interrupted = false;

  // 0 where nothing was measured, as all connections had been closed before.
  double per_second(double amount) const { return seconds > 0 ? amount / seconds : 0; }
  double server_share() const;
  // Whether the generator had no time left while the server had some, as far as that is known.
  bool generator_was_bottleneck() const;
};

// `settings` are complete. An error means that nothing could be measured.
Result<Outcome, net::Error> run(const Settings& settings);

}  // namespace sockeye::app::bench
