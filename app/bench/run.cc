// SPDX-License-Identifier: MIT
#include "app/bench/run.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/bench/connect_worker.h"
#include "app/bench/echo_worker.h"
#include "app/bench/fan_out_worker.h"
#include "app/bench/idle_worker.h"
#include "app/bench/lines.h"
#include "app/bench/time.h"
#include "net/resolver.h"
#include "net/signals.h"
#include "ws/http/url.h"

namespace sockeye::app::bench {

namespace {

constexpr std::uint64_t live_interval_ns = 250'000'000;
constexpr double busy_share = 0.95;

double seconds_of(std::uint64_t ns) {
  return static_cast<double>(ns) / 1e9;
}

// A line on standard error that is written over again and again, if that is a terminal.
class LiveLine {
 public:
  bool is_due(std::uint64_t now) const { return shown_ && now >= next_ns_; }
  std::uint64_t next_ns() const { return shown_ ? next_ns_ : ~std::uint64_t{0}; }
  void show(std::uint64_t now, std::string_view text) {
    next_ns_ = now + live_interval_ns;
    write(text);
  }
  ~LiveLine() {
    if (next_ns_ > 0) write("");
  }

 private:
  // ECMA-48 (ISO 6429) EL: what the line held before is erased.
  static void write(std::string_view text) {
    const std::string line = "\r\x1b[K" + std::string(text);
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
  }

  const bool shown_ = ::isatty(STDERR_FILENO) != 0;
  std::uint64_t next_ns_ = 0;
};

net::Error interrupted() {
  return {"interrupted before anything was measured", 0};
}

class Run {
 public:
  explicit Run(const Settings& settings) : settings_(settings), shared_(settings) {}

  Result<Outcome, net::Error> carry_out();

 private:
  Result<void, net::Error> prepare();
  std::unique_ptr<Worker> make_worker(std::uint32_t index);
  Result<void, net::Error> open();
  Result<void, net::Error> measure();
  void end_now();
  void finish();

  template <typename Done>
  void wait_until(std::uint64_t deadline_ns, Done done);
  void wait_for_change(std::uint64_t until_ns);
  bool all(Worker::Phase least) const;
  void take_signals();
  std::string progress(std::uint64_t now) const;
  std::vector<std::uint64_t> workers_cpu_ns() const;

  const Settings& settings_;
  Shared shared_;
  net::Signals signals_;
  LiveLine live_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::optional<std::uint64_t> memory_before_;
  Window window_;
  Outcome outcome_;
};

Result<Outcome, net::Error> Run::carry_out() {
  TRY(prepare());
  auto result = open();
  if (result) result = measure();
  if (!result) end_now();
  finish();
  if (!result) return result.error();
  return std::move(outcome_);
}

// ── Before ───────────────────────────────────────────────────────────────────────────────────

std::optional<std::uint64_t> private_bytes(pid_t pid) {
  if (pid == 0) return std::nullopt;
  const auto memory = read_memory_usage(pid);
  return memory ? std::optional(memory->private_bytes) : std::nullopt;
}

Result<void, net::Error> Run::prepare() {
  const auto url = ws::http::parse_url(settings_.url);
  shared_.addresses = TRY(net::resolve(url->host, url->port));
  shared_.publishing = settings_.threads;
  shared_.changed.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!shared_.changed) return net::system_error("eventfd");
  if (settings_.pid != 0) TRY(read_cpu_usage(settings_.pid));
  memory_before_ = private_bytes(settings_.pid);
  return signals_.open();
}

std::unique_ptr<Worker> Run::make_worker(std::uint32_t index) {
  // Of `count`, thread i has the one with number i and every nth after it.
  const auto share = [this, index](std::uint32_t count) {
    return count / settings_.threads + (index < count % settings_.threads);
  };
  const std::uint32_t connections = share(settings_.connections);
  switch (settings_.mode()) {
    case Mode::closed:
    case Mode::open:
      return std::make_unique<EchoWorker>(shared_, index, connections);
    case Mode::fan_out:
      return std::make_unique<FanOutWorker>(shared_, index, connections,
                                            share(settings_.subscribers));
    case Mode::connect:
      return std::make_unique<ConnectWorker>(shared_, index, connections);
    case Mode::idle:
      return std::make_unique<IdleWorker>(shared_, index, connections);
  }
  return nullptr;
}

Result<void, net::Error> Run::open() {
  const std::uint64_t begin = now_ns();
  for (std::uint32_t i = 0; i < settings_.threads; ++i) {
    auto worker = make_worker(i);
    TRY(worker->start());
    workers_.push_back(std::move(worker));
  }
  wait_until(~std::uint64_t{0}, [this] { return all(Worker::Phase::open); });
  outcome_.opening_seconds = seconds_of(now_ns() - begin);
  if (outcome_.interrupted) return interrupted();
  std::uint32_t opened = 0;
  for (const auto& worker : workers_) opened += worker->opened();
  if (opened == 0) return net::Error{settings_.url + ": " + workers_.front()->failure(), 0};
  return {};
}

// ── The load ─────────────────────────────────────────────────────────────────────────────────

Result<void, net::Error> Run::measure() {
  const auto memory_open = private_bytes(settings_.pid);
  shared_.begin_ns = now_ns();
  window_.begin_ns = shared_.begin_ns + settings_.warm_up_ms * 1'000'000;
  window_.end_ns = window_.begin_ns + settings_.duration_ms * 1'000'000;
  for (const auto& worker : workers_) worker->begin(window_);

  const auto over = [this] { return outcome_.interrupted || all(Worker::Phase::done); };
  wait_until(window_.begin_ns, over);
  const std::vector<std::uint64_t> cpu_before = workers_cpu_ns();
  CpuUsage server_before;
  std::vector<ThreadUsage> server_threads_before;
  if (settings_.pid != 0) {
    server_before = TRY(read_cpu_usage(settings_.pid));
    server_threads_before = TRY(read_thread_usage(settings_.pid));
  }
  wait_until(window_.end_ns, over);
  const std::uint64_t end = std::clamp(now_ns(), window_.begin_ns, window_.end_ns);
  const std::vector<std::uint64_t> cpu_after = workers_cpu_ns();

  outcome_.seconds = seconds_of(end - window_.begin_ns);
  if (outcome_.interrupted && end == window_.begin_ns) return interrupted();
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    const double spent = seconds_of(cpu_after[i] - cpu_before[i]);
    outcome_.generator_share = std::max(outcome_.generator_share, outcome_.per_second(spent));
  }
  if (settings_.pid == 0) return {};
  ServerCost cost;
  cost.cpu = cpu_time_between(server_before, TRY(read_cpu_usage(settings_.pid)));
  cost.busiest_share = outcome_.per_second(
      seconds_of(ns_of_busiest(server_threads_before, TRY(read_thread_usage(settings_.pid)))));
  std::uint32_t opened = 0;
  for (const auto& worker : workers_) opened += worker->opened();
  if (memory_before_ && memory_open) {
    const double grown = static_cast<double>(*memory_open) - static_cast<double>(*memory_before_);
    cost.bytes_per_connection = std::max(grown, 0.0) / opened;
  }
  outcome_.server = cost;
  return {};
}

// Has all threads come to their end, which they do within settings.timeout_ms and a little.
void Run::finish() {
  wait_until(~std::uint64_t{0}, [this] { return all(Worker::Phase::done); });
  for (const auto& worker : workers_) {
    worker->join();
    outcome_.tally.merge(worker->tally());
  }
}

// ── Waiting ──────────────────────────────────────────────────────────────────────────────────

template <typename Done>
void Run::wait_until(std::uint64_t deadline_ns, Done done) {
  while (!done()) {
    const std::uint64_t now = now_ns();
    if (now >= deadline_ns) return;
    if (live_.is_due(now)) live_.show(now, progress(now));
    wait_for_change(std::min(deadline_ns, live_.next_ns()));
    take_signals();
  }
}

// Sleeps until a worker has a new phase, a signal comes, or it is that late.
void Run::wait_for_change(std::uint64_t until_ns) {
  pollfd watched[] = {{signals_.fd(), POLLIN, 0}, {shared_.changed.get(), POLLIN, 0}};
  const std::uint64_t now = now_ns();
  const bool for_ever = until_ns == ~std::uint64_t{0};
  const timespec wait = timespec_of(until_ns > now ? until_ns - now : 0);
  ::ppoll(watched, 2, for_ever ? nullptr : &wait, nullptr);
  std::uint64_t changes;
  [[maybe_unused]] const auto got = ::read(shared_.changed.get(), &changes, sizeof changes);
}

bool Run::all(Worker::Phase least) const {
  return std::ranges::all_of(workers_,
                             [least](const auto& worker) { return worker->phase() >= least; });
}

// Ctrl-C ends what is being done; what was counted is reported.
void Run::take_signals() {
  while (signals_.next()) {
    outcome_.interrupted = true;
    end_now();
  }
}

void Run::end_now() {
  for (const auto& worker : workers_) worker->end_now();
}

std::string Run::progress(std::uint64_t now) const {
  std::uint64_t opened = 0;
  std::uint64_t messages = 0;
  std::uint64_t errors = 0;
  for (const auto& worker : workers_) {
    opened += worker->opened();
    messages += worker->messages();
    errors += worker->errors();
  }
  Lines line;
  line.count(opened, "connection");
  if (now >= window_.begin_ns) {
    const double seconds = seconds_of(std::min(now, window_.end_ns) - window_.begin_ns);
    line.put(", ").decimal(seconds, 0).put(" of ");
    line.decimal(static_cast<double>(settings_.duration_ms) / 1000, 0).put(" s, ");
    line.count(messages, "message");
    if (seconds > 0) {
      const double rate = static_cast<double>(messages) / seconds;
      line.put(", ").count(static_cast<std::uint64_t>(rate)).put(" per second");
    }
  }
  if (errors > 0) line.put(", ").count(errors, "error");
  return line.text();
}

std::vector<std::uint64_t> Run::workers_cpu_ns() const {
  std::vector<std::uint64_t> times;
  for (const auto& worker : workers_) times.push_back(worker->cpu_ns());
  return times;
}

}  // namespace

double Outcome::server_share() const {
  return server ? per_second(seconds_of(server->cpu.user_ns + server->cpu.system_ns)) : 0;
}

bool Outcome::generator_was_bottleneck() const {
  return generator_share > busy_share && (!server || server->busiest_share < busy_share);
}

Result<Outcome, net::Error> run(const Settings& settings) {
  return Run(settings).carry_out();
}

}  // namespace sockeye::app::bench
