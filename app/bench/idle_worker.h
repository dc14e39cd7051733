// The load of connections that are there and say nothing: held for a while, and then each is sent a
// Ping, to see that it still works.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <vector>

#include "app/bench/worker.h"

namespace sockeye::app::bench {

class IdleWorker final : public Worker {
 public:
  IdleWorker(Shared& shared, std::uint32_t index, std::uint32_t connections);

 private:
  struct Sleeper {
    Connection* connection = nullptr;
    std::uint64_t pinged_ns = 0;  // 0: not yet, or answered
  };

  void* data_of(std::uint32_t local) override { return &sleepers_[local]; }
  void on_end() override;
  std::uint64_t unanswered() const override;

  void on_open(Connection& connection) override;
  void on_pong(Connection& connection, Bytes payload) override;
  void on_close(Connection& connection, Closed closed) override;

  void ping_more();

  std::vector<Sleeper> sleepers_;
  std::uint32_t next_ = 0;     // to be pinged
  std::uint32_t waiting_ = 0;  // for Pongs
};

}  // namespace sockeye::app::bench
