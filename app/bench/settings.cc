// SPDX-License-Identifier: MIT
#include "app/bench/settings.h"

#include <algorithm>
#include <limits>

#include "app/bench/payload.h"
#include "app/bench/sources.h"
#include "app/decimal.h"
#include "ws/error.h"
#include "ws/http/url.h"

namespace sockeye::app::bench {

namespace {

constexpr std::uint64_t most_connections = 1'000'000;
constexpr std::uint32_t most_publishers = 65'536;  // FanOutWorker's messages name theirs in 16 bits
constexpr std::uint64_t most_bytes = 256 * 1024 * 1024;
constexpr std::string_view kind_names[] = {"binary", "ascii", "mixed", "json"};

// "10", "0.25": seconds, to the millisecond.
bool parse_seconds(std::string_view text, std::uint64_t& ms) {
  const std::size_t point = std::min(text.find('.'), text.size());
  std::uint64_t seconds;
  if (!parse_number(text.substr(0, point), 0, 1'000'000, seconds)) return false;
  ms = seconds * 1000;
  if (point == text.size()) return true;
  std::string decimals(text.substr(point + 1));
  if (decimals.empty() || decimals.size() > 3) return false;
  decimals.resize(3, '0');
  std::uint64_t thousandths;
  if (!parse_number(decimals, 0, 999, thousandths)) return false;
  ms += thousandths;
  return true;
}

void add_seconds(Flags& flags, const char* name, const char* help, std::uint64_t& to_ms,
                 std::uint64_t lowest_ms) {
  flags.value(name, "SECONDS", help, [&to_ms, lowest_ms](std::string_view text) -> std::string {
    if (parse_seconds(text, to_ms) && to_ms >= lowest_ms) return {};
    return "must be a time in seconds, such as 10 or 0.5";
  });
}

void add_count(Flags& flags, const char* name, const char* help, std::uint64_t highest,
               std::uint32_t& to) {
  flags.number(name, "N", help, 1, highest,
               [&to](std::uint64_t count) { to = static_cast<std::uint32_t>(count); });
}

void add_mode_flags(Flags& flags, Settings& settings) {
  add_count(flags, "-c", "connections (default: 100)", most_connections, settings.connections);
  add_count(flags, "-p",
            "messages outstanding on each connection: a closed loop sends the next one when an "
            "echo has come (default: 1)",
            65'536, settings.outstanding);
  flags.number("--rate", "N",
               "an open loop: N messages per second over all connections, each due at its time "
               "whatever the server does. Latency counts from then, so a stall shows in every "
               "message that it delays",
               1, 100'000'000, [&settings](std::uint64_t rate) { settings.rate = rate; });
  add_count(flags, "--subscribers",
            "fan-out: the -c connections publish, and N others are to receive each message once, "
            "which the server has to see to (an echo server doesn't). Latency and rate are those "
            "of deliveries. A publisher "
            "goes on when a subscriber has its message, or with --rate at its times",
            most_connections, settings.subscribers);
  flags.toggle("--connect",
               "connection rate: -c at a time are opened and closed, and again. Latency is that of "
               "TCP and handshake. The server ends TCP, as RFC 6455 §7.1.1 has it, so ports "
               "wait (TIME_WAIT) on its side",
               [&settings] { settings.connect = true; });
  add_count(flags, "--idle",
            "opens N connections, holds them for -d, then sends each a Ping and counts who "
            "answers; with --pid it tells the server's memory for each",
            most_connections, settings.idle);
}

std::string take_size(Settings& settings, std::string_view text) {
  const std::size_t dash = std::min(text.find('-'), text.size());
  std::uint64_t smallest;
  std::uint64_t largest;
  if (!parse_number(text.substr(0, dash), 0, most_bytes, smallest)) return "must be BYTES or A-B";
  largest = smallest;
  if (dash < text.size() && !parse_number(text.substr(dash + 1), smallest, most_bytes, largest)) {
    return "must be BYTES or A-B";
  }
  settings.smallest_bytes = static_cast<std::uint32_t>(smallest);
  settings.largest_bytes = static_cast<std::uint32_t>(largest);
  settings.payload_given = true;
  return {};
}

void add_payload_flags(Flags& flags, Settings& settings) {
  flags.value("-s", "BYTES|A-B",
              "size of a message's payload; of a range every size is as likely (default: 20)",
              [&settings](std::string_view text) { return take_size(settings, text); });
  flags.value("--text", "KIND",
              "ascii, mixed (scripts whose characters take 1 to 4 bytes) or json send text "
              "messages; binary random bytes (default: binary)",
              [&settings](std::string_view text) -> std::string {
                const auto found = std::ranges::find(kind_names, text);
                if (found == std::end(kind_names)) return "must be ascii, mixed, json or binary";
                settings.kind = static_cast<PayloadKind>(found - kind_names);
                settings.payload_given = true;
                return {};
              });
  flags.toggle(
      "--compress",
      "offer permessage-deflate (RFC 7692), and send messages compressed if the server "
      "takes it: those of 64 bytes and more. (Wants --text json or so: random bytes can't be "
      "compressed. Bytes are counted as they are without.)",
      [&settings] { settings.compress = true; });
  flags.toggle("--check",
               "compare the contents of what comes back, too; length and type always are",
               [&settings] { settings.check = settings.payload_given = true; });
}

void add_time_flags(Flags& flags, Settings& settings) {
  add_seconds(flags, "-d", "how long to measure, once all connections are open (default: 10)",
              settings.duration_ms, 1);
  add_seconds(flags, "--warm-up", "load before that which isn't counted (default: 1)",
              settings.warm_up_ms, 0);
  add_seconds(flags, "--timeout",
              "how long a connection may take to open, and the last answers to come (default: 5)",
              settings.timeout_ms, 1);
}

void add_other_flags(Flags& flags, Settings& settings) {
  flags.number("-t", "N", "threads of the generator (default: 1)", 1, 1024,
               [&settings](std::uint64_t n) { settings.threads = static_cast<std::uint32_t>(n); });
  flags.value("--source", "ADDR,A-B,...",
              "addresses of this machine to connect from, in turn, such as 127.0.0.1-127.0.0.9: "
              "each has some 28,000 ports for one server",
              [&settings](std::string_view text) -> std::string {
                auto sources = parse_sources(text);
                if (!sources) return sources.error().message;
                settings.sources = std::move(*sources);
                return {};
              });
  flags.number("--pid", "PID",
               "the server's process: tells its CPU time for each message, in user space and in "
               "the kernel, and its memory for each connection. (Its system calls can't be read "
               "from outside without slowing it; strace -fcp PID counts them)",
               1, std::numeric_limits<pid_t>::max(),
               [&settings](std::uint64_t pid) { settings.pid = static_cast<pid_t>(pid); });
  flags.toggle("--raw-echo",
               "the server is none but sends back our bytes as they are, masked frames and all, as "
               "test/bench/raw_echo does: the limit of what any server can reach",
               [&settings] { settings.raw_echo = true; });
  flags.toggle("--json", "report as one JSON object", [&settings] { settings.json = true; });
  flags.value("--svg", "FILE", "draw the latencies by percentile into FILE",
              [&settings](std::string_view text) -> std::string {
                settings.svg = text;
                return {};
              });
}

std::string take_url(Settings& settings, std::string_view text) {
  if (!settings.url.empty()) return "one URL is enough: \"" + std::string(text) + "\"";
  if (const auto url = ws::http::parse_url(text); !url) {
    return "\"" + std::string(text) + "\": " + std::string(ws::info(url.error()).text);
  }
  settings.url = text;
  return {};
}

}  // namespace

std::string_view name_of(Mode mode) {
  static constexpr std::string_view names[] = {"closed", "open", "fan-out", "connect", "idle"};
  return names[static_cast<std::size_t>(mode)];
}

std::string_view name_of(PayloadKind kind) {
  return kind_names[static_cast<std::size_t>(kind)];
}

Mode Settings::mode() const {
  if (subscribers > 0) return Mode::fan_out;
  if (connect) return Mode::connect;
  if (idle > 0) return Mode::idle;
  return rate > 0 ? Mode::open : Mode::closed;
}

std::string Settings::complete() {
  if (url.empty())
    return "bench needs a URL, such as ws://127.0.0.1:9000/ (see: sockeye help bench)";
  if ((subscribers > 0) + connect + (idle > 0) > 1) {
    return "--subscribers, --connect and --idle exclude each other";
  }
  const bool sends = sends_messages();
  if (!sends && rate > 0) return "--rate is for messages: --connect and --idle send none";
  if (!sends && payload_given)
    return "-s, --text and --check: --connect and --idle send no messages";
  if (outstanding > 0 && (!sends || rate > 0)) return "-p is for a closed loop of messages";
  if (connections > 0 && idle > 0)
    return "--idle says how many connections there are: leave out -c";
  if (raw_echo && (subscribers > 0 || idle > 0)) {
    return "--raw-echo: such a server has no subscribers and answers no Ping";
  }
  if (raw_echo && compress) return "--raw-echo: such a server doesn't compress";
  if (subscribers > 0 && smallest_bytes < Payload::head_bytes) {
    return "-s: with --subscribers a message has at least " + to_text(Payload::head_bytes) +
           " bytes, which say when it was sent";
  }
  if (subscribers > 0 && connections > most_publishers) {
    return "-c: at most " + to_text(most_publishers) + " publishers";
  }
  if (idle > 0) {
    connections = idle;
    warm_up_ms = 0;
  }
  if (connections == 0) connections = subscribers > 0 ? 1 : 100;
  if (outstanding == 0) outstanding = 1;
  if (threads > (subscribers > 0 ? subscribers : connections)) {
    return "-t: more threads than there are connections for";
  }
  return {};
}

Flags make_flags(Settings& settings) {
  Flags flags("bench [OPTIONS] URL",
              "Measures the WebSocket server at ws://HOST[:PORT][/PATH], which is to send every "
              "message back. All connections are opened first; after a warm-up it counts for a "
              "while, and then reports rate, latency and errors. Give the server and this program "
              "a core each (taskset), or they measure each other. A closed loop shows how much a "
              "server can do, but hides its stalls, for it waits with it; an open loop (--rate), "
              "at a rate that it can do, shows how long users wait. The exit status is 0, or 1 if "
              "there were errors or nothing was measured, or 2 after a mistake in the command "
              "line. Ctrl-C ends it early, with a report.");
  add_mode_flags(flags, settings);
  add_payload_flags(flags, settings);
  add_time_flags(flags, settings);
  add_other_flags(flags, settings);
  flags.operand([&settings](std::string_view text) { return take_url(settings, text); });
  return flags;
}

}  // namespace sockeye::app::bench
