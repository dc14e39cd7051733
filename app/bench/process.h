// What another process has cost so far, as the kernel counts it: for `sockeye bench --pid`.
//
//   const auto before = TRY(read_cpu_usage(pid));
//   ...
//   const CpuTime spent = cpu_time_between(before, TRY(read_cpu_usage(pid)));
//
// System calls aren't among it: /proc/PID/io counts read and write but not recv and send, and what
// counts them all (tracing) takes privileges and time from the process that is measured.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

#include "net/error.h"
#include "net/result.h"

namespace sockeye::app::bench {

// Of all its threads together, those that ended included. Any user may read this.
struct CpuUsage {
  // From the process's CPU-time clock, which the scheduler advances with each switch.
  std::uint64_t total_ns = 0;
  // From /proc/PID/stat: what the timer's tick found the process doing, in hundredths of a second.
  std::uint64_t user_ticks = 0;
  std::uint64_t system_ticks = 0;
};

struct CpuTime {
  std::uint64_t user_ns = 0;
  std::uint64_t system_ns = 0;
};

struct ThreadUsage {
  pid_t thread = 0;
  std::uint64_t ticks = 0;  // in user space and in the kernel, in hundredths of a second
};

struct MemoryUsage {
  std::uint64_t resident_bytes = 0;
  std::uint64_t private_bytes = 0;  // of the resident ones, those that no other process shares
};

// An error where no process has this id (any more).
Result<CpuUsage, net::Error> read_cpu_usage(pid_t pid);

// The time is exact; how it divides into user and system is the proportion of the ticks between the
// two, so it wants some seconds. Of too few ticks, it is the proportion since the process began.
CpuTime cpu_time_between(const CpuUsage& before, const CpuUsage& after);

// The threads that it has now, in no order. Any user may read this.
Result<std::vector<ThreadUsage>, net::Error> read_thread_usage(pid_t pid);

// The most that a thread of both lists has spent between them.
std::uint64_t ns_of_busiest(const std::vector<ThreadUsage>& before,
                            const std::vector<ThreadUsage>& after);

// From /proc/PID/smaps_rollup: exact, but walks all pages of the process, which waits meanwhile if
// it wants to map memory. An error also where the process is another user's.
Result<MemoryUsage, net::Error> read_memory_usage(pid_t pid);

}  // namespace sockeye::app::bench
