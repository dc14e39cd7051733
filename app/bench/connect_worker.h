// The load of connections that come and go: connect, handshake, closing handshake, and again.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <vector>

#include "app/bench/worker.h"

namespace sockeye::app::bench {

// Before the measurement it opens one connection, to see whether there is a server.
class ConnectWorker final : public Worker {
 public:
  // `at_a_time`: so many connections.
  ConnectWorker(Shared& shared, std::uint32_t index, std::uint32_t at_a_time);

 private:
  // A place for one connection after the other.
  struct Slot {
    std::uint64_t since_ns = 0;
    bool connecting = false;
  };

  void* data_of(std::uint32_t local) override { return &slots_[local]; }
  void on_begin() override;
  std::uint64_t unanswered() const override;

  void on_open(Connection& connection) override;
  void on_close(Connection& connection, Closed closed) override;
  void on_connect_failure(const ConnectFailure& failure) override;

  void start(Slot& slot);

  std::vector<Slot> slots_;
  std::uint32_t failures_in_row_ = 0;
};

}  // namespace sockeye::app::bench
