// The load of a server that passes each message on to all its connections: publishers send, and
// every subscriber is to receive all of it.
//
// A message says in its first 16 bytes when it was sent, or due, and by whom, in hexadecimal digits
// so that it may be text:
//
//   0000012a05f2 0003 the rest of the payload
//   │            └── the publisher's number
//   └── nanoseconds since the measurement began, 48 bits: three days
//
// So a subscriber needs no list of what is on its way. In a closed loop a publisher goes on when
// its message has come to a subscriber of its own thread: the one that was opened last, which a
// server that goes through its connections in order serves last.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "app/bench/payload.h"
#include "app/bench/schedule.h"
#include "app/bench/worker.h"

namespace sockeye::app::bench {

// What a message says about itself.
struct Stamp {
  std::uint64_t since_ns;   // 48 bits
  std::uint32_t publisher;  // 16 bits

  static constexpr std::size_t bytes = 16;
  static std::optional<Stamp> read(Bytes message);
  void write(MutableBytes message) const;
};

class FanOutWorker final : public Worker, private Pacer::Owner {
 public:
  // This thread's publishers come before its subscribers.
  FanOutWorker(Shared& shared, std::uint32_t index, std::uint32_t publishers,
               std::uint32_t subscribers);

 private:
  struct Peer {
    Connection* connection = nullptr;
    bool blocked = false;
    std::uint64_t published = 0;
    std::uint64_t outstanding = 0;  // closed loop: of these, not received yet
  };

  void* data_of(std::uint32_t local) override { return &peers_[local]; }
  void on_begin() override;
  void on_end() override;
  void on_due(std::uint32_t local, std::uint64_t now) override { pump(peers_[local], now); }
  std::uint64_t unanswered() const override;

  void on_open(Connection& connection) override;
  void on_message(Connection& connection, Message message) override;
  void on_drain(Connection& connection) override;
  void on_close(Connection& connection, Closed closed) override;

  std::uint32_t local_of(const Peer& peer) const {
    return static_cast<std::uint32_t>(&peer - peers_.data());
  }
  void pump(Peer& publisher, std::uint64_t now);
  void publish(Peer& publisher, std::uint64_t since, std::uint64_t now);
  void check(const Message& message);
  void acknowledge(std::uint32_t publisher, std::uint64_t now);

  const bool paced_;
  const std::uint32_t publishers_;
  Payload payload_;
  std::vector<Peer> peers_;
  std::uint64_t delivered_ = 0;  // warm-up included
  Schedule schedule_;
  Pacer pacer_{loop(), *this};
};

}  // namespace sockeye::app::bench
