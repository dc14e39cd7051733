// The load of an echo server: messages out, and the same messages back, in a closed loop or an open
// one.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <vector>

#include "app/bench/payload.h"
#include "app/bench/schedule.h"
#include "app/bench/worker.h"

namespace sockeye::app::bench {

class EchoWorker final : public Worker, private Pacer::Owner {
 public:
  EchoWorker(Shared& shared, std::uint32_t index, std::uint32_t connections);

 private:
  // A message that has no answer yet.
  struct Sent {
    std::uint64_t since_ns;  // when it was sent, or due
    std::uint32_t bytes;
  };

  // A connection. Its messages are echoed in order, so those without an answer are a queue: places
  // first & mask to last & mask of its ring.
  struct Talker {
    Connection* connection = nullptr;  // null: not open, or not any more
    bool blocked = false;              // the kernel takes no more, until on_drain()
    std::uint64_t first = 0;
    std::uint64_t last = 0;
  };

  void* data_of(std::uint32_t local) override { return &talkers_[local]; }
  void on_begin() override;
  void on_end() override { pacer_.stop(); }
  void on_due(std::uint32_t local, std::uint64_t now) override { pump(talkers_[local], now); }
  std::uint64_t unanswered() const override;
  std::uint64_t unsent() const override;
  void on_give_up(std::uint64_t now) override;

  void on_open(Connection& connection) override;
  void on_message(Connection& connection, Message message) override;
  void on_drain(Connection& connection) override;
  void on_close(Connection& connection, Closed closed) override;

  std::uint32_t local_of(const Talker& talker) const {
    return static_cast<std::uint32_t>(&talker - talkers_.data());
  }
  Sent& sent(const Talker& talker, std::uint64_t number) {
    return ring_[local_of(talker) * (mask_ + 1) + static_cast<std::size_t>(number & mask_)];
  }
  std::uint64_t unsent_of(const Talker& talker) const;
  void pump(Talker& talker, std::uint64_t now);
  void send(Talker& talker, std::uint64_t since, std::uint64_t now);
  void check(const Sent& sent, const Message& message);

  const bool paced_;           // an open loop
  const std::uint32_t depth_;  // how many messages of one connection may be without an answer
  const std::size_t mask_;
  Payload payload_;
  std::vector<Talker> talkers_;
  std::vector<Sent> ring_;  // of all talkers
  Schedule schedule_;
  Pacer pacer_{loop(), *this};
};

}  // namespace sockeye::app::bench
