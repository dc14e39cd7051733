// SPDX-License-Identifier: MIT
#include "app/server_flags.h"

#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <string_view>
#include <utility>

#include "app/decimal.h"
#include "app/init.h"
#include "net/address.h"
#include "net/networks.h"
#include "net/text.h"
#include "ws/http/allowed_hosts.h"
#include "ws/http/chars.h"
#include "ws/http/origin.h"
#include "ws/proxies.h"

namespace sockeye::app {

namespace {

constexpr std::string_view default_address = "127.0.0.1:9000";
constexpr std::string_view default_address_of_machine = ":9000";
constexpr const char* given_twice = "is given twice; its parts are separated by commas";
constexpr std::uint64_t most_seconds = 4'000'000;  // of milliseconds in 32 bits
constexpr std::uint64_t most_bytes = std::uint64_t{1} << 40;

// systemd's socket activation, sd_listen_fds(3): descriptors from 3 on, if they are meant for us.
std::string inherited_addresses(std::vector<std::string>& addresses) {
  const char* count_text = std::getenv("LISTEN_FDS");
  const char* pid_text = std::getenv("LISTEN_PID");
  if (count_text == nullptr || pid_text == nullptr) return {};
  std::uint64_t pid;
  std::uint64_t count;
  const auto own_pid = static_cast<std::uint64_t>(::getpid());
  if (!parse_number(pid_text, own_pid, own_pid, pid)) return {};
  if (!parse_number(count_text, 0, 1000, count)) return "LISTEN_FDS must be a number";
  for (std::uint64_t i = 0; i < count; ++i) {
    addresses.emplace_back(net::Text<24>().put("fd:").put_decimal(3 + i).view());
  }
  return {};
}

// Adds flags for limits; the default that the help names is what `to` holds by now.
class LimitFlags {
 public:
  explicit LimitFlags(Flags& flags) : flags_(flags) {}

  template <typename Integer>
  void bytes(const char* name, const char* help, Integer& to) {
    const auto set = [&to](std::uint64_t size) {
      to = static_cast<Integer>(std::min<std::uint64_t>(size, std::numeric_limits<Integer>::max()));
    };
    flags_.number(name, "BYTES", help, 1, most_bytes, set, to);
  }
  void seconds(const char* name, const char* help, std::uint32_t& to_ms, std::uint64_t lowest = 0) {
    const auto set = [&to_ms](std::uint64_t seconds) {
      to_ms = static_cast<std::uint32_t>(seconds * 1000);
    };
    flags_.number(name, "SECONDS", help, lowest, most_seconds, set, to_ms / 1000);
  }
  template <typename Integer>
  void count(const char* name, const char* help, std::uint64_t lowest, std::uint64_t highest,
             Integer& to) {
    const auto set = [&to](std::uint64_t count) { to = static_cast<Integer>(count); };
    flags_.number(name, "N", help, lowest, highest, set, to);
  }

 private:
  Flags& flags_;
};

void add_address_flags(Flags& flags, ServerSettings& settings) {
  flags.value("--listen", "ADDR",
              "listen on ADDR: 127.0.0.1:9000, [::1]:9000, :9000 (all addresses), "
              "unix:/run/x.sock, unix:@name, fd:3; may be repeated (default: 127.0.0.1:9000)",
              [&settings](std::string_view text) -> std::string {
                if (auto address = net::Address::parse(text); !address) {
                  return address.error().message;
                }
                settings.addresses.emplace_back(text);
                return {};
              });
  flags.value("--port", "N", "short for --listen 127.0.0.1:N",
              [&settings](std::string_view text) -> std::string {
                std::uint64_t port;
                if (!parse_number(text, 0, 65535, port)) return "must be a number from 0 to 65535";
                settings.addresses.push_back("127.0.0.1:" + std::string(text));
                return {};
              });
  LimitFlags(flags).count("--threads", "serve with N threads", 1, 1024, settings.threads);
  flags.number("--busy-poll", "USEC",
               "ask for events for so many microseconds before sleeping: lower latency, for a core "
               "that is busy all the time (default: 0)",
               0, 1'000'000, [&settings](std::uint64_t microseconds) {
                 settings.options.busy_poll_us = static_cast<std::uint32_t>(microseconds);
               });
}

void add_handshake_flags(Flags& flags, ws::Options& options) {
  flags.value("--origin", "WHICH",
              "whose pages may connect: same (the page's host is this server's), any, or a list "
              "of [SCHEME://]HOST[:PORT], without wildcards (default: same)",
              [&options, given = false](std::string_view text) mutable -> std::string {
                if (std::exchange(given, true)) return given_twice;
                auto policy = ws::http::OriginPolicy::parse(text);
                if (!policy) return "\"" + std::string(policy.error()) + "\" is not a host";
                options.origin = std::move(*policy);
                return {};
              });
  flags.value("--host", "HOST[:PORT],...",
              "answer only requests for these hosts, against DNS rebinding (default: all)",
              [&options, given = false](std::string_view text) mutable -> std::string {
                if (std::exchange(given, true)) return given_twice;
                auto hosts = ws::http::AllowedHosts::parse(text);
                if (!hosts) return "\"" + std::string(hosts.error()) + "\" is not a host";
                options.hosts = std::move(*hosts);
                return {};
              });
  flags.value("--subprotocol", "NAME", "speak this subprotocol; may be repeated, best one first",
              [&options](std::string_view text) -> std::string {
                if (!ws::http::is_token(text)) return "must be a token, as RFC 6455 §4.1 says";
                options.subprotocols.emplace_back(text);
                return {};
              });
}

void add_size_flags(Flags& flags, ServerSettings& settings) {
  ws::Limits& limits = settings.options.limits;
  LimitFlags add(flags);
  add.bytes("--max-message", "close connections with code 1009 whose messages are larger",
            limits.message_bytes);
  add.count("--max-fragments",
            "close connections with code 1008 whose messages have more fragments", 1,
            std::numeric_limits<std::uint32_t>::max(), limits.message_fragments);
  flags.number("--max-buffered", "BYTES",
               "keep so much for a peer that doesn't read, at most (default: 33554432, or twice "
               "--max-message, which is the least)",
               1, most_bytes, [&settings, &limits](std::uint64_t size) {
                 limits.buffered_bytes = static_cast<std::size_t>(
                     std::min<std::uint64_t>(size, std::numeric_limits<std::size_t>::max()));
                 settings.buffered_given = true;
               });
  add.bytes("--max-memory",
            "hold so much for all peers together, at most: parts of messages and what waits to be "
            "sent, in blocks of up to twice their size",
            limits.memory_bytes);
  add.count("--max-connections", "answer further ones with 503", 1, 1'000'000'000,
            limits.connections);
  add.count("--max-connections-per-address",
            "answer further ones from the same IPv4 address or IPv6 /64 with 429; 0: no limit", 0,
            1'000'000'000, limits.connections_per_address);
}

void add_time_flags(Flags& flags, ws::Limits& limits) {
  LimitFlags add(flags);
  add.seconds("--head-timeout", "a request's head has to arrive within; 0: whenever",
              limits.head_timeout_ms);
  add.seconds("--keep-alive-timeout", "a connection may wait so long for its next request; 0: ever",
              limits.keep_alive_timeout_ms);
  add.seconds("--ping-interval", "send a Ping after so much silence; 0: never",
              limits.ping_interval_ms);
  add.seconds("--idle-timeout",
              "close connections that were silent for so long, not even answering a Ping; 0: never",
              limits.idle_timeout_ms);
  add.seconds("--message-timeout", "a message has to arrive whole within; 0: whenever",
              limits.message_timeout_ms);
  add.seconds(
      "--max-lifetime",
      "close every WebSocket after so long, or up to a tenth less, with code 1001; 0: never",
      limits.lifetime_ms);
  add.seconds("--close-timeout", "wait so long for the peer's half of the closing handshake",
              limits.close_timeout_ms, 1);
  add.seconds("--stop-timeout", "on SIGTERM, be done after so long; 0: when all have closed",
              limits.stop_timeout_ms);
}

void add_compression_flags(Flags& flags, ServerSettings& settings) {
  using Compress = ServerSettings::Compress;
  ws::Compression& compression = settings.compression;
  flags.value(
      "--compress", "HOW",
      "permessage-deflate (RFC 7692), with clients that offer it: off; shared (each message "
      "for itself, so that a connection takes no memory for it); dedicated (messages refer "
      "to those before them, and become smaller: up to 150 KB for each connection) "
      "(default: off)",
      [&settings](std::string_view text) -> std::string {
        if (text == "off") {
          settings.compress = Compress::off;
        } else if (text == "shared") {
          settings.compress = Compress::shared;
        } else if (text == "dedicated") {
          settings.compress = Compress::dedicated;
        } else {
          return "must be off, shared or dedicated";
        }
        return {};
      });
  LimitFlags add(flags);
  add.bytes("--compress-threshold", "send messages as they are that are smaller than this",
            compression.threshold_bytes);
  flags.value("--compress-level", "LEVEL",
              "fast, or small: a little smaller, in two to four times the time (default: fast)",
              [&compression](std::string_view text) -> std::string {
                if (text != "fast" && text != "small") return "must be fast or small";
                compression.level =
                    text == "fast" ? ws::deflate::Level::fast : ws::deflate::Level::small;
                return {};
              });
  flags.number("--compress-window", "BITS",
               "refer back by 2^BITS bytes at most, which takes less memory with --compress "
               "dedicated (default: 15)",
               ws::deflate::min_window_bits, ws::deflate::max_window_bits,
               [&compression](std::uint64_t bits) {
                 compression.windows.server.window_bits = static_cast<std::uint8_t>(bits);
                 compression.windows.client.window_bits = static_cast<std::uint8_t>(bits);
               });
  add.bytes("--compress-memory",
            "with --compress dedicated, keep so much for all connections together, at most; later "
            "ones are served as with shared",
            settings.options.limits.contexts_bytes);
}

void add_proxy_flags(Flags& flags, ServerSettings& settings) {
  using Tell = ws::Proxies::Tell;
  ws::Proxies& proxies = settings.options.proxies;
  flags.value("--proxy", "HOW",
              "how a trusted proxy tells where a client is: protocol (the PROXY protocol, version "
              "1 or 2, on every connection), or forwarded-for (the field X-Forwarded-For)",
              [&proxies](std::string_view text) -> std::string {
                if (text == "protocol") {
                  proxies.tell = Tell::proxy_protocol;
                } else if (text == "forwarded-for") {
                  proxies.tell = Tell::forwarded_for;
                } else {
                  return "must be protocol or forwarded-for";
                }
                return {};
              });
  flags.value("--trust", "ADDR[/BITS],...",
              "the proxies that are believed; unix: all on Unix sockets (default: "
              "127.0.0.0/8,::1,unix)",
              [&settings, &proxies](std::string_view text) -> std::string {
                if (std::exchange(settings.trust_given, true)) return given_twice;
                auto networks = net::Networks::parse(text);
                if (!networks) return networks.error().message;
                proxies.trusted = std::move(*networks);
                return {};
              });
}

void add_sandbox_flags(Flags& flags, ServerSettings& settings) {
  flags.value("--user", "NAME|UID[:GID]",
              "become this user when all addresses are bound (default: stay who it is; GID: UID)",
              [&settings](std::string_view text) -> std::string {
                settings.user = parse_user(text);
                return settings.user ? "" : "must be a name, a number or two of them";
              });
  flags.toggle("--no-sandbox",
               "keep rights that the server doesn't need: opening files, all system calls",
               [&settings] { settings.sandbox = false; });
}

[[maybe_unused]] void add_metrics_flags(Flags& flags, ServerSettings& settings) {
  flags.toggle("--metrics",
               "answer requests for /metrics, figures for Prometheus, and for /healthz",
               [&settings] { settings.metrics = true; });
  flags.value("--admin", "ADDR",
              "the same on ADDR, and only there, whatever the limits for others; in one of the "
              "forms of --listen",
              [&settings](std::string_view text) -> std::string {
                if (!settings.admin.empty()) return "is given twice";
                if (auto address = net::Address::parse(text); !address) {
                  return address.error().message;
                }
                settings.admin = text;
                return {};
              });
}

void add_log_flags(Flags& flags, ServerSettings& settings) {
  flags.value("--log-level", "LEVEL", "off, error, warn, info or debug (default: warn)",
              [&settings](std::string_view text) -> std::string {
                const auto level = net::parse_log_level(text);
                if (!level) return "must be off, error, warn, info or debug";
                settings.log_level = *level;
                return {};
              });
  flags.value("--log-format", "FORMAT", "text or json (default: text)",
              [&settings](std::string_view text) -> std::string {
                const auto format = net::parse_log_format(text);
                if (!format) return "must be text or json";
                settings.log_format = *format;
                return {};
              });
  flags.toggle("--quiet", "log errors only, and print nothing but the addresses",
               [&settings] { settings.quiet = true; });
}

void add_init_flag(Flags& flags, ServerSettings& settings) {
  flags.toggle("--init",
               "as process 1, and the only program: load /modules/*.ko, set the network up as the "
               "kernel's ip= says, start the server again if it crashes, power off on SIGTERM or "
               "ctrl-alt-del; listens on :9000 unless told otherwise. A program named init does so "
               "by itself",
               [&settings] { settings.init = true; });
}

}  // namespace

void add_server_flags(Flags& flags, ServerSettings& settings) {
  add_address_flags(flags, settings);
  add_handshake_flags(flags, settings.options);
  add_size_flags(flags, settings);
  add_time_flags(flags, settings.options.limits);
  add_compression_flags(flags, settings);
  add_proxy_flags(flags, settings);
#ifndef SOCKEYE_WITHOUT_static
  flags.value(
      "--static", "DIR",
      "serve the files in DIR beside WebSocket: index.html for a folder, NAME.gz for NAME "
      "where a client accepts gzip; nothing outside of DIR, and no name with a dot in front",
      [&settings](std::string_view text) -> std::string {
        if (text.empty()) return "must be a folder";
        settings.static_folder = text;
        return {};
      });
#endif
  add_sandbox_flags(flags, settings);
#ifndef SOCKEYE_WITHOUT_metrics
  add_metrics_flags(flags, settings);
#endif
  add_log_flags(flags, settings);
  add_trace_flags(flags, settings.trace);
#if !defined(SOCKEYE_WITHOUT_trace) && !defined(SOCKEYE_WITHOUT_page)
  flags.toggle("--inspect",
               "let the page at / show all connections, with what is sent over them: for a server "
               "that is yours alone",
               [&settings] { settings.inspect = true; });
#endif
  if (can_be_init) add_init_flag(flags, settings);
}

std::string ServerSettings::complete() {
  std::string mistake = inherited_addresses(addresses);
  if (!mistake.empty()) return mistake;
  if (init && !has_init()) return "--init is for process 1, and this is not it";
  if (addresses.empty()) {
    addresses.emplace_back(has_init() ? default_address_of_machine : default_address);
  }

  // A message as large as the largest has to fit behind another one that waits.
  ws::Limits& limits = options.limits;
  const std::uint64_t two_messages = 2 * limits.message_bytes;
  if (buffered_given && limits.buffered_bytes < two_messages) {
    return "--max-buffered must be at least twice --max-message";
  }
  if (!buffered_given) {
    limits.buffered_bytes = static_cast<std::size_t>(std::clamp<std::uint64_t>(
        two_messages, limits.buffered_bytes, std::numeric_limits<std::size_t>::max()));
  }
  // A message that grows holds two blocks, of sizes that are powers of two. Compressed, it is there
  // as it came and as it is meant, and its answer takes as much.
  const std::uint64_t largest_message =
      (compress == Compress::off ? 2 : 4) * std::bit_ceil(limits.message_bytes);
  if (limits.memory_bytes < largest_message) {
    return "--max-memory must be at least " + to_text(largest_message) + ", for --max-message " +
           to_text(limits.message_bytes);
  }
  if (limits.ping_interval_ms >= limits.idle_timeout_ms && limits.idle_timeout_ms != 0 &&
      limits.ping_interval_ms != 0) {
    return "--idle-timeout must be longer than --ping-interval, or nobody is asked first";
  }
  if (compress == Compress::off && compression != ws::Compression()) {
    return "--compress-threshold, --compress-level and --compress-window need --compress";
  }
  if (compress != Compress::dedicated && limits.contexts_bytes != ws::Limits().contexts_bytes) {
    return "--compress-memory needs --compress dedicated";
  }
  if (compress != Compress::off) {
    compression.windows.server.context_takeover = compress == Compress::dedicated;
    compression.windows.client.context_takeover = compress == Compress::dedicated;
    // Of a client that keeps nothing, nothing is kept either, whatever its window.
    if (compress == Compress::shared) {
      compression.windows.client.window_bits = ws::deflate::max_window_bits;
    }
    options.compression = compression;
  }
  if (metrics && !admin.empty())
    return "--admin has /metrics there and nowhere else: not --metrics";
  if (trust_given && options.proxies.tell == ws::Proxies::Tell::nothing) {
    return "--trust needs --proxy";
  }
  return {};
}

}  // namespace sockeye::app
