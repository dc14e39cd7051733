// SPDX-License-Identifier: MIT
#include "app/bench/report.h"

#include <string_view>

#include "app/bench/lines.h"
#include "app/json.h"

namespace sockeye::app::bench {

namespace {

struct Percentile {
  std::string_view name;
  std::string_view padding;
  double percent;
};

constexpr Percentile percentiles[] = {
    {"p50", "     ", 50},   {"p90", "     ", 90},    {"p99", "     ", 99},
    {"p99.9", "   ", 99.9}, {"p99.99", "  ", 99.99},
};

// What the load consists of: one of them, and many.
struct Unit {
  std::string_view one;
  std::string_view many;
};

Unit unit_of(Mode mode) {
  switch (mode) {
    case Mode::closed:
    case Mode::open:
      return {"message", "messages"};
    case Mode::fan_out:
      return {"delivery", "deliveries"};
    case Mode::connect:
      return {"connection", "connections"};
    case Mode::idle:
      return {"Pong", "Pongs"};
  }
  return {};
}

double per_message(std::uint64_t ns, const Tally& tally) {
  return tally.messages > 0 ? static_cast<double>(ns) / static_cast<double>(tally.messages) : 0;
}

// ── For people ───────────────────────────────────────────────────────────────────────────────

void put_sizes(Lines& lines, const Settings& settings) {
  lines.put(", ").count(settings.smallest_bytes);
  if (settings.largest_bytes != settings.smallest_bytes) {
    lines.put(" to ").count(settings.largest_bytes);
  }
  lines.put(" bytes, ").put(name_of(settings.kind));
}

void put_load(Lines& lines, const Settings& settings) {
  switch (settings.mode()) {
    case Mode::closed:
      lines.put("closed loop, ").count(settings.connections, "connection").put(" with ");
      lines.count(settings.outstanding).put(" outstanding");
      return put_sizes(lines, settings);
    case Mode::open:
      lines.put("open loop, ").count(settings.rate).put(" messages per second over ");
      lines.count(settings.connections, "connection");
      return put_sizes(lines, settings);
    case Mode::fan_out:
      lines.put("fan-out, ").count(settings.connections, "publisher").put(", ");
      lines.count(settings.subscribers, "subscriber");
      if (settings.rate > 0) lines.put(", ").count(settings.rate).put(" messages per second");
      return put_sizes(lines, settings);
    case Mode::connect:
      lines.put("connection rate, ").count(settings.connections).put(" at a time");
      return;
    case Mode::idle:
      lines.put("idle, ").count(settings.connections, "connection");
      return;
  }
}

void put_measured(Lines& lines, const Settings& settings, const Outcome& outcome) {
  lines.line("measured").decimal(outcome.seconds, 2).put(" s with ");
  lines.count(settings.threads, "thread");
  if (outcome.interrupted) lines.put(", interrupted");
  if (settings.mode() == Mode::connect) return;
  lines.line("opened").count(outcome.tally.opened, "connection").put(" in ");
  lines.decimal(outcome.opening_seconds, 2).put(" s");
}

void put_amounts(Lines& lines, const Settings& settings, const Outcome& outcome) {
  const Tally& tally = outcome.tally;
  if (settings.mode() == Mode::idle) {
    lines.line("answered").count(tally.messages).put(" of ").count(settings.idle);
    lines.put(", each a Ping after that time");
    return;
  }
  const auto messages = static_cast<double>(tally.messages);
  lines.line(unit_of(settings.mode()).many).count(tally.messages).put(", ");
  const double rate = outcome.per_second(messages);
  lines.count(static_cast<std::uint64_t>(rate)).put(" per second");
  if (settings.mode() == Mode::connect) return;
  // (A hundredth less may be the last ones, still under way when the time was over.)
  if (settings.mode() == Mode::open && rate < 0.99 * static_cast<double>(settings.rate)) {
    lines.put(", of ").count(settings.rate).put(" asked for");
  }
  const auto put_bytes = [&lines, &outcome](std::string_view name, std::uint64_t bytes) {
    const auto size = static_cast<double>(bytes);
    lines.line(name).size(size).put(", ").size(outcome.per_second(size)).put(" per second");
  };
  put_bytes("sent", tally.bytes_sent);
  put_bytes("received", tally.bytes_received);
}

void put_latency(Lines& lines, const Tally& tally) {
  const Histogram& latency = tally.latency;
  if (latency.count() == 0) return;
  lines.line("latency").put("min ").duration(static_cast<double>(latency.min()));
  lines.put(", mean ").duration(latency.mean());
  for (const Percentile& one : percentiles) {
    const auto ns = static_cast<double>(latency.value_at(one.percent));
    lines.line().put(one.name).put(one.padding).duration(ns);
  }
  lines.line().put("max     ").duration(static_cast<double>(latency.max()));
  if (tally.missing == 0) return;
  lines.line().count(tally.missing).put(" without an answer are in it with the time they waited");
}

void put_errors(Lines& lines, const ErrorCounts& errors) {
  lines.line("errors");
  if (errors.total() == 0) {
    lines.put("none");
    return;
  }
  lines.count(errors.total());
  for (const ErrorCounts::Entry& entry : errors.entries()) {
    lines.line().count(entry.count).put(" x ").put(entry.kind);
  }
}

void put_server(Lines& lines, const Settings& settings, const Outcome& outcome) {
  const CpuTime& cpu = outcome.server->cpu;
  const Tally& tally = outcome.tally;
  lines.line("server").percent(outcome.server_share()).put(" of a core");
  if (settings.mode() != Mode::idle && tally.messages > 0) {
    lines.line().put("CPU for each ").put(unit_of(settings.mode()).one).put(": ");
    lines.duration(per_message(cpu.user_ns + cpu.system_ns, tally)).put(", of these ");
    lines.duration(per_message(cpu.user_ns, tally)).put(" in user space, ");
    lines.duration(per_message(cpu.system_ns, tally)).put(" in the kernel");
  }
  if (outcome.server->bytes_per_connection && settings.mode() != Mode::connect) {
    lines.line().put("memory of its own for each connection: ");
    lines.size(*outcome.server->bytes_per_connection);
  }
}

void put_generator(Lines& lines, const Settings& settings, const Outcome& outcome) {
  lines.line("generator").percent(outcome.generator_share).put(" of a core");
  if (settings.threads > 1) lines.put(" in its busiest thread");
  if (!outcome.generator_was_bottleneck()) return;
  lines.line().put("warning: it had no time left, so the server may be faster than this:");
  lines.line().put("give it more threads (-t) and cores");
}

// ── For programs ─────────────────────────────────────────────────────────────────────────────

double microseconds(std::uint64_t ns) {
  return static_cast<double>(ns) / 1000;
}

void put_load(Json& json, const Settings& settings) {
  json.put("mode", name_of(settings.mode()))
      .put("url", settings.url)
      .put("connections", settings.connections)
      .put("threads", settings.threads);
  if (settings.mode() == Mode::closed) json.put("outstanding", settings.outstanding);
  if (settings.rate > 0) json.put("rate", settings.rate);
  if (settings.subscribers > 0) json.put("subscribers", settings.subscribers);
  if (settings.raw_echo) json.put_bool("raw_echo", true);
  if (!settings.sends_messages()) return;
  json.open("payload")
      .put("kind", name_of(settings.kind))
      .put("smallest", settings.smallest_bytes)
      .put("largest", settings.largest_bytes)
      .close();
}

void put_amounts(Json& json, const Outcome& outcome) {
  const Tally& tally = outcome.tally;
  json.put("opened", tally.opened)
      .put("opening_seconds", outcome.opening_seconds, 3)
      .put("seconds", outcome.seconds, 3)
      .put_bool("interrupted", outcome.interrupted)
      .put("messages", tally.messages)
      .put("messages_per_second", outcome.per_second(static_cast<double>(tally.messages)), 1)
      .put("bytes_sent", tally.bytes_sent)
      .put("bytes_received", tally.bytes_received);
}

void put_latency(Json& json, const Tally& tally) {
  const Histogram& latency = tally.latency;
  json.open("latency_us")
      .put("min", microseconds(latency.min()), 3)
      .put("mean", latency.mean() / 1000, 3);
  for (const Percentile& one : percentiles) {
    json.put(one.name, microseconds(latency.value_at(one.percent)), 3);
  }
  json.put("max", microseconds(latency.max()), 3).close();
  if (tally.missing > 0) json.put("missing", tally.missing);
}

void put_errors(Json& json, const ErrorCounts& errors) {
  json.open("errors").put("total", errors.total());
  for (const ErrorCounts::Entry& entry : errors.entries()) json.put(entry.kind, entry.count);
  json.close();
}

void put_server(Json& json, const Settings& settings, const Outcome& outcome) {
  const ServerCost& cost = *outcome.server;
  json.open("server").put("pid", static_cast<std::uint64_t>(settings.pid));
  if (settings.mode() != Mode::idle) {
    json.put("user_ns_per_message", per_message(cost.cpu.user_ns, outcome.tally), 1)
        .put("system_ns_per_message", per_message(cost.cpu.system_ns, outcome.tally), 1);
  }
  json.put("cpu_share", outcome.server_share(), 4);
  if (cost.bytes_per_connection) json.put("bytes_per_connection", *cost.bytes_per_connection, 1);
  json.close();
}

}  // namespace

std::string report_text(const Settings& settings, const Outcome& outcome) {
  Lines lines;
  lines.put(settings.url).put(": ");
  put_load(lines, settings);
  put_measured(lines, settings, outcome);
  put_amounts(lines, settings, outcome);
  put_latency(lines, outcome.tally);
  put_errors(lines, outcome.tally.errors);
  if (outcome.server) put_server(lines, settings, outcome);
  put_generator(lines, settings, outcome);
  return lines.put("\n").text();
}

std::string report_json(const Settings& settings, const Outcome& outcome) {
  Json json;
  put_load(json, settings);
  put_amounts(json, outcome);
  put_latency(json, outcome.tally);
  put_errors(json, outcome.tally.errors);
  if (outcome.server) put_server(json, settings, outcome);
  json.open("generator")
      .put("cpu_share", outcome.generator_share, 4)
      .put_bool("bottleneck", outcome.generator_was_bottleneck())
      .close();
  return json.text() + "\n";
}

}  // namespace sockeye::app::bench
