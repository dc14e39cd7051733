// SPDX-License-Identifier: MIT
#include "app/bench/idle_worker.h"

namespace sockeye::app::bench {

namespace {

// So many Pings are on their way at once: what takes long is then the server, not our own queue.
constexpr std::uint32_t most_pings = 256;

}  // namespace

IdleWorker::IdleWorker(Shared& shared, std::uint32_t index, std::uint32_t connections)
    : Worker(shared, index, connections), sleepers_(connections) {}

void IdleWorker::on_open(Connection& connection) {
  connection.data<Sleeper>()->connection = &connection;
  Worker::on_open(connection);
}

void IdleWorker::on_end() {
  ping_more();
}

void IdleWorker::ping_more() {
  for (; next_ < sleepers_.size() && waiting_ < most_pings; ++next_) {
    Sleeper& sleeper = sleepers_[next_];
    if (sleeper.connection == nullptr) continue;
    sleeper.pinged_ns = now_ns();
    ++waiting_;
    sleeper.connection->ping();
  }
}

void IdleWorker::on_pong(Connection& connection, Bytes) {
  Sleeper& sleeper = *connection.data<Sleeper>();
  if (sleeper.pinged_ns == 0) return;  // RFC 6455 §5.5.3: nobody asked, and that is allowed
  count_pong(sleeper.pinged_ns, now_ns());
  sleeper.pinged_ns = 0;
  --waiting_;
  ping_more();
}

void IdleWorker::on_close(Connection& connection, Closed closed) {
  Sleeper& sleeper = *connection.data<Sleeper>();
  sleeper.connection = nullptr;
  if (sleeper.pinged_ns != 0) {
    sleeper.pinged_ns = 0;
    --waiting_;
    ping_more();
  }
  Worker::on_close(connection, closed);
}

std::uint64_t IdleWorker::unanswered() const {
  std::uint64_t count = waiting_;
  for (std::size_t i = next_; i < sleepers_.size(); ++i) {
    count += sleepers_[i].connection != nullptr;
  }
  return count;
}

}  // namespace sockeye::app::bench
