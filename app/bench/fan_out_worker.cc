// SPDX-License-Identifier: MIT
#include "app/bench/fan_out_worker.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "net/text.h"

namespace sockeye::app::bench {

namespace {

constexpr unsigned time_digits = 12;
constexpr unsigned publisher_digits = 4;
constexpr std::uint64_t time_mask = (std::uint64_t{1} << (4 * time_digits)) - 1;

}  // namespace

std::optional<Stamp> Stamp::read(Bytes message) {
  if (message.size() < bytes) return std::nullopt;
  const char* digits = reinterpret_cast<const char*>(message.data());
  std::uint64_t number;
  const auto parsed = std::from_chars(digits, digits + bytes, number, 16);
  if (parsed.ec != std::errc() || parsed.ptr != digits + bytes) return std::nullopt;
  return Stamp{number >> (4 * publisher_digits), static_cast<std::uint32_t>(number & 0xffff)};
}

void Stamp::write(MutableBytes message) const {
  net::Text<bytes> text;
  text.put_hex(since_ns & time_mask, time_digits).put_hex(publisher, publisher_digits);
  std::memcpy(message.data(), text.view().data(), bytes);
}

FanOutWorker::FanOutWorker(Shared& shared, std::uint32_t index, std::uint32_t publishers,
                           std::uint32_t subscribers)
    : Worker(shared, index, publishers + subscribers),
      paced_(settings().rate > 0),
      publishers_(publishers),
      payload_(settings().kind, settings().smallest_bytes, settings().largest_bytes),
      peers_(publishers + subscribers),
      schedule_{.rate = settings().rate,
                .connections = settings().connections,
                .threads = settings().threads,
                .thread = index} {}

void FanOutWorker::on_begin() {
  const std::uint64_t now = now_ns();
  if (!paced_) {
    for (std::uint32_t i = 0; i < publishers_; ++i) pump(peers_[i], now);
    return;
  }
  schedule_.start_ns = now;
  const auto started = pacer_.start(schedule_, publishers_, window().end_ns);
  if (started) return;
  count_error(started.error().message);
  finish();
}

void FanOutWorker::on_end() {
  pacer_.stop();
  // From here on this thread publishes nothing: what is to be received is known when all say so.
  shared_.publishing.fetch_sub(1, std::memory_order_release);
}

void FanOutWorker::pump(Peer& publisher, std::uint64_t now) {
  while (publisher.connection != nullptr && !publisher.blocked && is_on(now)) {
    if (!paced_ && publisher.outstanding >= settings().outstanding) return;
    const std::uint64_t due =
        paced_ ? schedule_.due_ns(local_of(publisher), publisher.published) : now;
    if (due > now || due >= window().end_ns) return;
    publish(publisher, due, now);
  }
}

void FanOutWorker::publish(Peer& publisher, std::uint64_t since, std::uint64_t now) {
  const MutableBytes message = payload_.message(payload_.next_size());
  const std::uint32_t number = index_ + settings().threads * local_of(publisher);
  Stamp{since - shared_.begin_ns, number}.write(message);
  const auto result = publisher.connection->send(payload_.opcode(), message);
  if (result == ws::SendResult::closing || result == ws::SendResult::dropped) {
    publisher.connection = nullptr;  // on_close() counts it
    return;
  }
  publisher.blocked = result == ws::SendResult::queued;
  ++publisher.published;
  ++publisher.outstanding;
  shared_.published.fetch_add(1, std::memory_order_relaxed);
  count_sent(now, message.size());
}

void FanOutWorker::on_open(Connection& connection) {
  connection.data<Peer>()->connection = &connection;
  Worker::on_open(connection);
}

// (What publishers receive, if the server sends to them, too, is not looked at.)
void FanOutWorker::on_message(Connection& connection, Message message) {
  const std::uint32_t local = local_of(*connection.data<Peer>());
  if (local < publishers_) return;
  const std::uint64_t now = now_ns();
  const auto stamp = Stamp::read(message.bytes());
  if (!stamp) return count_error("message that nobody sent");
  check(message);
  ++delivered_;
  count_answer(shared_.begin_ns + stamp->since_ns, now, message.size());
  const bool is_last = local + 1 == peers_.size();
  if (is_last && stamp->publisher % settings().threads == index_) {
    acknowledge(stamp->publisher / settings().threads, now);
  }
}

void FanOutWorker::check(const Message& message) {
  const std::size_t size = message.size();
  if (size < settings().smallest_bytes || size > settings().largest_bytes) {
    return count_error("wrong length");
  }
  if (message.opcode() != payload_.opcode()) return count_error("wrong type");
  if (!settings().check) return;
  // The bytes after the stamp, which may begin three bytes later in this payload than in another.
  const std::size_t head = std::min(size, Stamp::bytes + 3);
  const MutableBytes wanted = payload_.message(size);
  if (std::memcmp(message.chars() + head, wanted.data() + head, size - head) != 0) {
    count_error("wrong contents");
  }
}

void FanOutWorker::acknowledge(std::uint32_t publisher, std::uint64_t now) {
  if (publisher >= publishers_ || peers_[publisher].outstanding == 0) return;
  --peers_[publisher].outstanding;
  pump(peers_[publisher], now);
}

void FanOutWorker::on_drain(Connection& connection) {
  Peer& peer = *connection.data<Peer>();
  peer.blocked = false;
  if (local_of(peer) < publishers_) pump(peer, now_ns());
}

void FanOutWorker::on_close(Connection& connection, Closed closed) {
  connection.data<Peer>()->connection = nullptr;
  Worker::on_close(connection, closed);
}

std::uint64_t FanOutWorker::unanswered() const {
  if (shared_.publishing.load(std::memory_order_acquire) > 0) return 1;
  const auto open =
      std::count_if(peers_.begin() + static_cast<std::ptrdiff_t>(publishers_), peers_.end(),
                    [](const Peer& peer) { return peer.connection != nullptr; });
  const std::uint64_t expected =
      shared_.published.load(std::memory_order_relaxed) * static_cast<std::uint64_t>(open);
  return expected - std::min(expected, delivered_);
}

}  // namespace sockeye::app::bench
