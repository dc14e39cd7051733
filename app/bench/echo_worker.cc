// SPDX-License-Identifier: MIT
#include "app/bench/echo_worker.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace sockeye::app::bench {

namespace {

// What one connection of an open loop sends at most without an answer. Beyond it messages are sent
// when answers come, and are late, which their latency shows.
constexpr std::uint32_t open_loop_depth = 1024;

}  // namespace

EchoWorker::EchoWorker(Shared& shared, std::uint32_t index, std::uint32_t connections)
    : Worker(shared, index, connections),
      paced_(settings().rate > 0),
      depth_(paced_ ? open_loop_depth : settings().outstanding),
      mask_(std::bit_ceil(depth_) - 1),
      payload_(settings().kind, settings().smallest_bytes, settings().largest_bytes),
      talkers_(connections),
      ring_(connections * (mask_ + 1)),
      schedule_{.rate = settings().rate,
                .connections = settings().connections,
                .threads = settings().threads,
                .thread = index} {}

void EchoWorker::on_begin() {
  const std::uint64_t now = now_ns();
  if (!paced_) {
    for (Talker& talker : talkers_) pump(talker, now);
    return;
  }
  schedule_.start_ns = now;
  const auto count = static_cast<std::uint32_t>(talkers_.size());
  const auto started = pacer_.start(schedule_, count, window().end_ns);
  if (started) return;
  count_error(started.error().message);
  finish();
}

// Sends what the talker should have sent by now, as far as there is room.
void EchoWorker::pump(Talker& talker, std::uint64_t now) {
  while (talker.connection != nullptr && !talker.blocked && talker.last - talker.first < depth_) {
    const std::uint64_t due = paced_ ? schedule_.due_ns(local_of(talker), talker.last) : now;
    if (due > now || due >= window().end_ns) return;
    send(talker, due, now);
  }
}

void EchoWorker::send(Talker& talker, std::uint64_t since, std::uint64_t now) {
  const std::size_t bytes = payload_.next_size();
  const auto result = talker.connection->send(payload_.opcode(), payload_.message(bytes));
  if (result == ws::SendResult::closing || result == ws::SendResult::dropped) {
    talker.connection = nullptr;  // on_close() counts it
    return;
  }
  talker.blocked = result == ws::SendResult::queued;
  sent(talker, talker.last++) = {since, static_cast<std::uint32_t>(bytes)};
  count_sent(now, bytes);
}

void EchoWorker::on_open(Connection& connection) {
  connection.data<Talker>()->connection = &connection;
  Worker::on_open(connection);
}

void EchoWorker::on_message(Connection& connection, Message message) {
  Talker& talker = *connection.data<Talker>();
  const std::uint64_t now = now_ns();
  if (talker.first == talker.last) return count_error("message that nobody asked for");
  const Sent& answered = sent(talker, talker.first++);
  check(answered, message);
  count_answer(answered.since_ns, now, message.size());
  pump(talker, now);
}

void EchoWorker::check(const Sent& sent, const Message& message) {
  if (message.size() != sent.bytes) return count_error("wrong length");
  if (message.opcode() != payload_.opcode()) return count_error("wrong type");
  if (!settings().check) return;
  const MutableBytes wanted = payload_.message(sent.bytes);
  if (std::memcmp(message.chars(), wanted.data(), wanted.size()) != 0) {
    count_error("wrong contents");
  }
}

void EchoWorker::on_drain(Connection& connection) {
  Talker& talker = *connection.data<Talker>();
  talker.blocked = false;
  if (is_running()) pump(talker, now_ns());
}

void EchoWorker::on_close(Connection& connection, Closed closed) {
  connection.data<Talker>()->connection = nullptr;
  Worker::on_close(connection, closed);
}

// Of a closed loop, what a connection has lost that isn't there any more counts once, as its end.
std::uint64_t EchoWorker::unanswered() const {
  std::uint64_t count = 0;
  for (const Talker& talker : talkers_) {
    if (talker.connection != nullptr) count += talker.last - talker.first + unsent_of(talker);
  }
  return count;
}

std::uint64_t EchoWorker::unsent() const {
  std::uint64_t count = 0;
  for (const Talker& talker : talkers_) {
    if (talker.connection != nullptr) count += unsent_of(talker);
  }
  return count;
}

// What was due in an open loop and has not been sent.
std::uint64_t EchoWorker::unsent_of(const Talker& talker) const {
  if (!paced_) return 0;
  const std::uint64_t due = schedule_.due_before(local_of(talker), window().end_ns);
  return due - std::min(due, talker.last);
}

void EchoWorker::on_give_up(std::uint64_t now) {
  for (Talker& talker : talkers_) {
    for (std::uint64_t i = talker.first; i < talker.last; ++i) {
      count_missing(sent(talker, i).since_ns, now);
    }
    if (!paced_) continue;
    const std::uint64_t due = std::max(
        talker.last, schedule_.due_before(local_of(talker), std::min(now, window().end_ns)));
    for (std::uint64_t i = talker.last; i < due; ++i) {
      count_missing(schedule_.due_ns(local_of(talker), i), now);
    }
    if (talker.connection == nullptr && due > talker.first) {
      count_error("due on a connection that was lost", due - talker.first);
    }
  }
}

}  // namespace sockeye::app::bench
