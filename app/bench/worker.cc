// SPDX-License-Identifier: MIT
#include "app/bench/worker.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <utility>

#include "net/text.h"
#include "ws/error.h"

namespace sockeye::app::bench {

namespace {

// So many handshakes are under way at once, of all threads: fewer than any server's queue of
// connections to accept holds (128 is a usual limit, 100 Python's).
constexpr std::uint32_t most_handshakes = 64;

// How often it is looked whether the last answers have come.
constexpr std::uint64_t look_ms = 16;

// For the closing handshakes at the end.
constexpr std::uint32_t close_timeout_ms = 1'000;

// No limit gets in the way of what the command line asks for, and no Ping of ours adds to the load.
ws::Options options_for(const Settings& settings) {
  ws::Options options;
  ws::Limits& limits = options.limits;
  limits.message_bytes = std::numeric_limits<std::uint32_t>::max();
  limits.buffered_bytes = std::numeric_limits<std::size_t>::max() / 2;
  limits.memory_bytes = std::numeric_limits<std::size_t>::max() / 2;
  limits.ping_interval_ms = 0;
  limits.idle_timeout_ms = 0;
  limits.message_timeout_ms = 0;
  limits.close_timeout_ms = close_timeout_ms;
  limits.connect_timeout_ms = static_cast<std::uint32_t>(settings.timeout_ms);
  options.own_frames_return = settings.raw_echo;
  if (settings.compress) options.compression.emplace();
  return options;
}

std::uint64_t ms_after(std::uint64_t ns) {
  return ns / 1'000'000 + 1;
}

std::string numbered(std::string_view text, std::uint64_t number) {
  return std::string(net::Text<64>().put(text).put_decimal(number).view());
}

}  // namespace

void Tally::merge(const Tally& other) {
  latency.merge(other.latency);
  messages += other.messages;
  bytes_sent += other.bytes_sent;
  bytes_received += other.bytes_received;
  missing += other.missing;
  opened += other.opened;
  errors.merge(other.errors);
}

Worker::Worker(Shared& shared, std::uint32_t index, std::uint32_t connections)
    : shared_(shared),
      index_(index),
      connections_(connections),
      most_under_way_(std::max(most_handshakes / shared.settings.threads, 1u)),
      client_(*this, options_for(shared.settings)) {
  connect_options_.addresses = shared.addresses;
  // The same messages again and again: what they take once is kept, however large.
  loop().pool().keep_up_to(std::numeric_limits<std::size_t>::max());
}

// ── For the thread that owns the worker ──────────────────────────────────────────────────────

Result<void, net::Error> Worker::start() {
  TRY(loop().open());
  if (const int code = pthread_create(&thread_, nullptr, run_thread, this); code != 0) {
    errno = code;
    return net::system_error("cannot start a thread");
  }
  return {};
}

void Worker::begin(Window window) {
  loop().post([this, window] {
    window_ = window;
    phase_.store(Phase::running, std::memory_order_release);
    loop().timers().arm(*this, ms_after(window.end_ns));
    on_begin();
  });
}

void Worker::end_now() {
  loop().post([this] {
    if (!is_running()) return finish();
    window_.end_ns = std::min(window_.end_ns, now_ns());
    loop().timers().arm(*this, 0);
  });
}

std::uint64_t Worker::cpu_ns() const {
  // The clock of a thread that has ended is gone, and it has told its last state before.
  clockid_t clock;
  timespec time{};
  const bool runs =
      pthread_getcpuclockid(thread_, &clock) == 0 && ::clock_gettime(clock, &time) == 0;
  return runs ? ns_of(time) : final_cpu_ns_.load(std::memory_order_acquire);
}

// ── The thread ───────────────────────────────────────────────────────────────────────────────

void* Worker::run_thread(void* self) {
  static_cast<Worker*>(self)->run();
  return nullptr;
}

void Worker::run() {
  open_more();
  while (phase() != Phase::done) {
    loop().turn(-1);
    if (phase() == Phase::closing && client_.connection_count() == 0) set_phase(Phase::done);
  }
  loop().timers().disarm(*this);
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  final_cpu_ns_.store(ns_of(time), std::memory_order_release);
}

void Worker::set_phase(Phase phase) {
  phase_.store(phase, std::memory_order_release);
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(shared_.changed.get(), &one, sizeof one);
}

// ── Opening ──────────────────────────────────────────────────────────────────────────────────

// The first connection shows whether there is a server at all; the others follow once it is open.
void Worker::open_more() {
  if (phase() != Phase::opening) return;
  const std::uint32_t most = tally_.opened == 0 ? 1 : most_under_way_;
  while (started_ < connections_ && under_way_ < most) {
    ++under_way_;
    if (!connect(started_++)) --under_way_;
  }
  if (under_way_ == 0) set_phase(Phase::open);
}

bool Worker::connect(std::uint32_t local) {
  const std::vector<net::Address>& sources = settings().sources;
  if (!sources.empty()) {
    const std::uint64_t number = index_ + std::uint64_t{settings().threads} * local;
    connect_options_.source = sources[static_cast<std::size_t>(number % sources.size())];
  }
  connect_options_.data = data_of(local);
  const auto started = client_.connect(settings().url, connect_options_);
  if (!started) {
    count_error(started.error().message);
    if (tally_.opened == 0) failure_ = started.error().message;
  }
  return static_cast<bool>(started);
}

void Worker::on_open(Connection&) {
  --under_way_;
  failures_in_row_ = 0;
  ++alive_;
  opened_.store(++tally_.opened, std::memory_order_relaxed);
  open_more();
}

void Worker::on_connect_failure(const ConnectFailure& failure) {
  --under_way_;
  count_failure(failure);
  if (tally_.opened == 0) {
    failure_ = failure.text;
    if (failure.status != 0) failure_ += numbered(", status ", failure.status);
  }
  // A server that takes no more isn't asked for thousands more.
  if (tally_.opened == 0 || ++failures_in_row_ >= most_handshakes) started_ = connections_;
  open_more();
}

// ── Running ──────────────────────────────────────────────────────────────────────────────────

void Worker::on_close(Connection&, Closed closed) {
  --alive_;
  if (phase() >= Phase::closing) return;
  count_end(closed);
  if (alive_ == 0 && is_running()) finish();
}

void Worker::on_timer(std::uint64_t) {
  if (phase() == Phase::closing) return set_phase(Phase::done);
  if (!std::exchange(ended_, true)) on_end();
  wait_for_answers(now_ns());
}

void Worker::wait_for_answers(std::uint64_t now) {
  const std::uint64_t missing = unanswered();
  if (missing == 0) return finish();
  if (now < window_.end_ns + settings().timeout_ms * 1'000'000) {
    return loop().timers().arm(*this, loop().now_ms() + look_ms);
  }
  const std::uint64_t not_sent = unsent();
  if (not_sent > 0) count_error("not sent in time", not_sent);
  if (missing > not_sent) count_error("no answer in time", missing - not_sent);
  finish();
}

void Worker::finish() {
  if (phase() >= Phase::closing) return;
  if (is_running()) on_give_up(now_ns());
  phase_.store(Phase::closing, std::memory_order_release);
  loop().timers().arm(*this, loop().now_ms() + close_timeout_ms);
  client_.for_each([this](Connection& connection) {
    // What sends our own bytes back doesn't take a Close frame for an end.
    settings().raw_echo ? connection.abort() : connection.close();
  });
}

// ── Counting ─────────────────────────────────────────────────────────────────────────────────

void Worker::count_error(std::string_view kind, std::uint64_t count) {
  tally_.errors.add(kind, count);
  errors_.store(tally_.errors.total(), std::memory_order_relaxed);
}

void Worker::count_end(const Closed& closed) {
  count_error(numbered("closed with code ", closed.code));
}

void Worker::count_failure(const ConnectFailure& failure) {
  if (failure.status != 0 && failure.error == ws::Error::response_status_not_101) {
    return count_error(numbered("refused with status ", failure.status));
  }
  // "cannot connect to ADDRESS: REASON" is one kind for all addresses.
  const std::size_t colon = failure.text.rfind(": ");
  const bool has_reason =
      failure.error == ws::Error::connection_lost && colon != std::string_view::npos;
  const std::string_view reason =
      has_reason ? failure.text.substr(colon + 2) : ws::info(failure.error).name;
  count_error("cannot connect: " + std::string(reason));
}

void Worker::count_pong(std::uint64_t since, std::uint64_t now) {
  tally_.latency.record(now - since);
  messages_.store(++tally_.messages, std::memory_order_relaxed);
}

}  // namespace sockeye::app::bench
