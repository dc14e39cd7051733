// SPDX-License-Identifier: MIT
#include "app/bench/connect_worker.h"

#include <algorithm>

namespace sockeye::app::bench {

namespace {

// A server that takes no more isn't asked for ever.
constexpr std::uint32_t most_failures_in_row = 1000;

}  // namespace

ConnectWorker::ConnectWorker(Shared& shared, std::uint32_t index, std::uint32_t at_a_time)
    : Worker(shared, index, 1), slots_(at_a_time) {}

// The first connection stays for the while, as one that isn't counted.
void ConnectWorker::on_begin() {
  for (Slot& slot : slots_) start(slot);
}

void ConnectWorker::start(Slot& slot) {
  const std::uint64_t now = now_ns();
  if (!is_on(now) || failures_in_row_ >= most_failures_in_row) return;
  slot.since_ns = now;
  slot.connecting = connect(static_cast<std::uint32_t>(&slot - slots_.data()));
}

void ConnectWorker::on_open(Connection& connection) {
  Slot& slot = *connection.data<Slot>();
  if (!slot.connecting) {
    connection.set_data(nullptr);
    return Worker::on_open(connection);
  }
  slot.connecting = false;
  failures_in_row_ = 0;
  count_answer(slot.since_ns, now_ns(), 0);
  connection.close();
}

void ConnectWorker::on_close(Connection& connection, Closed closed) {
  Slot* slot = connection.data<Slot>();
  if (slot == nullptr) return Worker::on_close(connection, closed);
  if (!closed.clean) count_end(closed);
  // What sends our own bytes back leaves it to us to end TCP.
  if (settings().raw_echo) connection.abort();
  start(*slot);
}

void ConnectWorker::on_connect_failure(const ConnectFailure& failure) {
  Slot& slot = *static_cast<Slot*>(failure.data);
  if (!slot.connecting) return Worker::on_connect_failure(failure);
  slot.connecting = false;
  ++failures_in_row_;
  count_failure(failure);
  start(slot);
}

std::uint64_t ConnectWorker::unanswered() const {
  return static_cast<std::uint64_t>(std::count_if(
      slots_.begin(), slots_.end(), [](const Slot& slot) { return slot.connecting; }));
}

}  // namespace sockeye::app::bench
