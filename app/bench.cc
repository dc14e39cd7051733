// SPDX-License-Identifier: MIT
#include "app/bench.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <utility>

#include "app/bench/chart.h"
#include "app/bench/report.h"
#include "app/bench/run.h"
#include "app/bench/settings.h"
#include "app/decimal.h"
#include "app/descriptors.h"
#include "app/flags.h"
#include "net/fd.h"

namespace sockeye::app {

namespace {

using bench::Outcome;
using bench::Settings;

// What the generator needs beside its connections: the standard ones, and each thread's loop.
constexpr std::uint64_t descriptors_beside(std::uint64_t threads) {
  return 16 + 4 * threads;
}

net::Error write_error(const std::string& name) {
  return net::system_error("cannot write " + name);
}

// Before anything is measured in vain. What the file holds stays until there is something better.
Result<net::Fd, net::Error> open_file(const std::string& name) {
  net::Fd file(::open(name.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666));
  if (!file) return write_error(name);
  return file;
}

Result<void, net::Error> write_file(const net::Fd& file, const std::string& name,
                                    std::string_view text) {
  // (What can't be cut, such as a terminal or /dev/null, holds nothing.)
  if (::ftruncate(file.get(), 0) != 0 && errno != EINVAL) return write_error(name);
  while (!text.empty()) {
    const ssize_t written = ::write(file.get(), text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return write_error(name);
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

int tell(const Settings& settings, const Outcome& outcome, const net::Fd& chart) {
  const std::string text =
      settings.json ? report_json(settings, outcome) : report_text(settings, outcome);
  if (!print(text)) return exit_failure;
  if (chart) {
    const auto written =
        write_file(chart, settings.svg, latency_chart(outcome.tally.latency, settings.url));
    if (!written) return report(written.error());
  }
  const bool well = outcome.tally.errors.total() == 0 && outcome.tally.messages > 0;
  return well ? exit_ok : exit_failure;
}

}  // namespace

std::string bench_help() {
  Settings settings;
  return make_flags(settings).help();
}

int run_bench(std::span<char* const> arguments) {
  Settings settings;
  if (!make_flags(settings).parse(arguments)) return exit_usage;
  const std::string mistake = settings.complete();
  if (!mistake.empty()) return complain(mistake, exit_usage);
  const std::uint64_t wanted = settings.all_connections() + descriptors_beside(settings.threads);
  const std::uint64_t allowed = raise_descriptor_limit();
  if (wanted > allowed) {
    return complain("so many connections need " + to_text(wanted) +
                        " descriptors, and the limit is " + to_text(allowed) + " (ulimit -Hn)",
                    exit_failure);
  }
  net::Fd chart;
  if (!settings.svg.empty()) {
    auto opened = open_file(settings.svg);
    if (!opened) return report(opened.error());
    chart = std::move(*opened);
  }
  const auto outcome = bench::run(settings);
  if (!outcome) return complain(outcome.error().message, exit_failure);
  return tell(settings, *outcome, chart);
}

}  // namespace sockeye::app
