// SPDX-License-Identifier: MIT
#include "app/bench/report.h"

#include <string_view>

#include "app/bench/json.h"
#include "app/decimal.h"

namespace sockeye::app::bench {

namespace {

struct Percentile {
  std::string_view name;
  double percent;
};

constexpr Percentile percentiles[] = {
    {"p50", 50}, {"p90", 90}, {"p99", 99}, {"p99.9", 99.9}, {"p99.99", 99.99},
};

double per(double amount, std::uint64_t count) {
  return count > 0 ? amount / static_cast<double>(count) : 0;
}

// What the load consists of.
std::string_view unit(Mode mode) {
  switch (mode) {
    case Mode::closed:
    case Mode::open:
      return "message";
    case Mode::fan_out:
      return "delivery";
    case Mode::connect:
      return "connection";
    case Mode::idle:
      return "Pong";
  }
  return {};
}

std::string counted(std::uint64_t count, std::string_view what) {
  return grouped(count) + " " + std::string(what) + (count == 1 ? "" : "s");
}

std::string line(std::string_view name, std::string text) {
  std::string padded = "  " + std::string(name);
  padded.resize(14, ' ');
  return padded + text + "\n";
}

std::string sizes(const Settings& settings) {
  std::string text = grouped(settings.smallest_bytes);
  if (settings.largest_bytes != settings.smallest_bytes) {
    text += " to " + grouped(settings.largest_bytes);
  }
  return text + " bytes, " + std::string(name_of(settings.kind));
}

std::string describe_load(const Settings& settings) {
  const std::string connections = counted(settings.connections, "connection");
  switch (settings.mode()) {
    case Mode::closed:
      return "closed loop, " + connections + " with " + to_text(settings.outstanding) +
             " outstanding, " + sizes(settings);
    case Mode::open:
      return "open loop, " + grouped(settings.rate) + " messages per second over " + connections +
             ", " + sizes(settings);
    case Mode::fan_out:
      return "fan-out, " + counted(settings.connections, "publisher") + ", " +
             counted(settings.subscribers, "subscriber") + ", " + sizes(settings) +
             (settings.rate > 0 ? ", " + grouped(settings.rate) + " messages per second" : "");
    case Mode::connect:
      return "connection rate, " + grouped(settings.connections) + " at a time";
    case Mode::idle:
      return "idle, " + connections;
  }
  return {};
}

std::string latency_lines(const Histogram& latency) {
  std::string text = line("latency", "min " + duration_text(latency.min()) + ", mean " +
                                         duration_text(static_cast<std::uint64_t>(latency.mean())));
  for (const Percentile& one : percentiles) {
    text += line("", std::string(one.name) + std::string(8 - one.name.size(), ' ') +
                         duration_text(latency.value_at(one.percent)));
  }
  return text + line("", "max     " + duration_text(latency.max()));
}

std::string server_lines(const Settings& settings, const Outcome& outcome) {
  const ServerCost& cost = *outcome.server;
  const auto each = [&outcome](std::uint64_t ns) {
    return duration_text(
        static_cast<std::uint64_t>(per(static_cast<double>(ns), outcome.tally.messages)));
  };
  std::string text = line("server", fixed(100 * outcome.server_share(), 0) + " % of a core");
  if (settings.mode() != Mode::idle && outcome.tally.messages > 0) {
    text += line("", "CPU for each " + std::string(unit(settings.mode())) + ": " +
                         each(cost.cpu.user_ns + cost.cpu.system_ns) + ", of these " +
                         each(cost.cpu.user_ns) + " in user space, " + each(cost.cpu.system_ns) +
                         " in the kernel");
  }
  if (cost.bytes_per_connection && settings.mode() != Mode::connect) {
    text += line("", "memory of its own for each connection: " +
                         size_text(static_cast<std::uint64_t>(*cost.bytes_per_connection)));
  }
  return text;
}

std::string error_lines(const ErrorCounts& errors) {
  if (errors.total() == 0) return line("errors", "none");
  std::string text = line("errors", grouped(errors.total()));
  for (const ErrorCounts::Entry& entry : errors.entries()) {
    text += line("", grouped(entry.count) + " x " + entry.kind);
  }
  return text;
}

std::string rate_lines(const Settings& settings, const Outcome& outcome) {
  const Tally& tally = outcome.tally;
  const auto rate =
      static_cast<std::uint64_t>(static_cast<double>(tally.messages) / outcome.seconds);
  std::string name(unit(settings.mode()));
  name = name == "delivery" ? "deliveries" : name + "s";
  std::string text = line(name, grouped(tally.messages) + ", " + grouped(rate) + " per second");
  if (settings.mode() == Mode::connect) return text;
  const auto bytes = [&outcome](std::uint64_t size) {
    return size_text(size) + ", " +
           size_text(static_cast<std::uint64_t>(static_cast<double>(size) / outcome.seconds)) +
           " per second";
  };
  return text + line("sent", bytes(tally.bytes_sent)) +
         line("received", bytes(tally.bytes_received));
}

double microseconds(std::uint64_t ns) {
  return static_cast<double>(ns) / 1000;
}

void put_payload(Json& json, const Settings& settings) {
  json.open("payload")
      .put("kind", name_of(settings.kind))
      .put("smallest", settings.smallest_bytes)
      .put("largest", settings.largest_bytes)
      .close();
}

void put_latency(Json& json, const Histogram& latency) {
  json.open("latency_us")
      .put("min", microseconds(latency.min()), 3)
      .put("mean", latency.mean() / 1000, 3);
  for (const Percentile& one : percentiles) {
    json.put(one.name, microseconds(latency.value_at(one.percent)), 3);
  }
  json.put("max", microseconds(latency.max()), 3).close();
}

void put_errors(Json& json, const ErrorCounts& errors) {
  json.open("errors").put("total", errors.total());
  for (const ErrorCounts::Entry& entry : errors.entries()) json.put(entry.kind, entry.count);
  json.close();
}

void put_server(Json& json, const Settings& settings, const Outcome& outcome) {
  const ServerCost& cost = *outcome.server;
  const std::uint64_t messages = outcome.tally.messages;
  json.open("server").put("pid", static_cast<std::uint64_t>(settings.pid));
  if (settings.mode() != Mode::idle) {
    json.put("user_ns_per_message", per(static_cast<double>(cost.cpu.user_ns), messages), 1)
        .put("system_ns_per_message", per(static_cast<double>(cost.cpu.system_ns), messages), 1);
  }
  json.put("cpu_share", outcome.server_share(), 4);
  if (cost.bytes_per_connection) json.put("bytes_per_connection", *cost.bytes_per_connection, 1);
  json.close();
}

}  // namespace

std::string report_text(const Settings& settings, const Outcome& outcome) {
  std::string text = settings.url + ": " + describe_load(settings) + "\n";
  text += line("measured", fixed(outcome.seconds, 2) + " s with " +
                               counted(settings.threads, "thread") +
                               (outcome.interrupted ? ", interrupted" : "") + "; " +
                               counted(outcome.tally.opened, "connection") + " opened in " +
                               fixed(outcome.opening_seconds, 2) + " s");
  if (settings.mode() == Mode::idle) {
    text += line("answered", grouped(outcome.tally.messages) + " of " + grouped(settings.idle) +
                                 ", each a Ping after that time");
  } else {
    text += rate_lines(settings, outcome);
  }
  if (outcome.tally.latency.count() > 0) text += latency_lines(outcome.tally.latency);
  text += error_lines(outcome.tally.errors);
  if (outcome.server) text += server_lines(settings, outcome);
  text += line("generator", fixed(100 * outcome.generator_share, 0) + " % of a core" +
                                (settings.threads > 1 ? " in its busiest thread" : ""));
  if (outcome.generator_was_bottleneck()) {
    text +=
        "warning: the generator had no time left, so the server may be faster than this: give "
        "it more threads (-t) and cores, or larger messages\n";
  }
  return text;
}

std::string report_json(const Settings& settings, const Outcome& outcome) {
  const Tally& tally = outcome.tally;
  Json json;
  json.put("mode", name_of(settings.mode()))
      .put("url", settings.url)
      .put("connections", settings.connections)
      .put("outstanding", settings.outstanding)
      .put("threads", settings.threads);
  if (settings.rate > 0) json.put("rate", settings.rate);
  if (settings.subscribers > 0) json.put("subscribers", settings.subscribers);
  if (settings.raw_echo) json.put_bool("raw_echo", true);
  put_payload(json, settings);
  json.put("opened", tally.opened)
      .put("opening_seconds", outcome.opening_seconds, 3)
      .put("seconds", outcome.seconds, 3)
      .put_bool("interrupted", outcome.interrupted)
      .put("messages", tally.messages)
      .put("messages_per_second", static_cast<double>(tally.messages) / outcome.seconds, 1)
      .put("bytes_sent", tally.bytes_sent)
      .put("bytes_received", tally.bytes_received);
  put_latency(json, tally.latency);
  put_errors(json, tally.errors);
  if (outcome.server) put_server(json, settings, outcome);
  json.open("generator")
      .put("cpu_share", outcome.generator_share, 4)
      .put_bool("bottleneck", outcome.generator_was_bottleneck())
      .close();
  return json.text() + "\n";
}

}  // namespace sockeye::app::bench
