// Who may connect, and how much memory they may hold together: what the servers of one process
// share, each in its own thread.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>

#include "net/address_counts.h"
#include "net/pool.h"
#include "ws/limits.h"

namespace sockeye::ws {

struct Admission {
  explicit Admission(const Limits& limits)
      : memory(limits.memory_bytes), contexts(limits.contexts_bytes) {}

  std::atomic<std::uint32_t> connections{0};  // against limits.connections
  net::AddressCounts addresses;               // against limits.connections_per_address
  MemoryBudget memory;                        // limits.memory_bytes
  MemoryBudget contexts;                      // limits.contexts_bytes
};

}  // namespace sockeye::ws
