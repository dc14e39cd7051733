// SPDX-License-Identifier: MIT
#include "app/echo.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "app/flags.h"
#include "app/page/embedded.h"
#include "net/log.h"
#include "net/text.h"
#include "ws/http/chars.h"
#include "ws/server_group.h"

namespace sockeye::app {

namespace {

constexpr std::string_view default_address = "127.0.0.1:9000";

// The page loads nothing but its own two files, and connects to nothing but its own server.
constexpr std::string_view content_security_policy = "default-src 'self'; frame-ancestors 'none'";

struct File {
  std::string_view path;
  std::string_view type;
  std::string_view (*text)();
};

constexpr File files[] = {
    {"/", "text/html; charset=utf-8", page::index_html},
    {"/page.css", "text/css; charset=utf-8", page::page_css},
    {"/page.js", "text/javascript; charset=utf-8", page::page_js},
};

struct Settings {
  ws::Options options;
  std::vector<std::string> addresses;
  unsigned threads = 1;
  net::LogLevel log_level = net::LogLevel::warn;
  net::LogFormat log_format = net::LogFormat::text;
  bool quiet = false;
};

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

Flags make_flags(Settings& settings) {
  ws::Options& options = settings.options;
  ws::Limits& limits = options.limits;
  constexpr std::uint64_t most_seconds = 4'000'000;  // of milliseconds in 32 bits
  const auto milliseconds = [](std::uint32_t& to) {
    return [&to](std::uint64_t seconds) { to = static_cast<std::uint32_t>(seconds * 1000); };
  };

  Flags flags("echo [OPTIONS]",
              "Sends every WebSocket message back to whom it came from. At / it serves a page that "
              "tries this in a browser.");
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
  flags.number("--max-message", "BYTES",
               "close connections with code 1009 whose messages are larger (default: 16777216)", 0,
               std::uint64_t{1} << 40, [&limits](std::uint64_t bytes) {
                 limits.message_bytes = bytes;
                 // An answer as large as the largest message must fit twice: see Echo.
                 limits.buffered_bytes = std::max<std::size_t>(limits.buffered_bytes, 2 * bytes);
               });
  flags.value("--origin", "WHICH",
              "whose pages may connect: same (the page's host is this server's), any, or a list "
              "HOST[,HOST...] (default: same)",
              [&options](std::string_view text) -> std::string {
                auto policy = ws::http::OriginPolicy::parse(text);
                if (!policy) return "\"" + std::string(policy.error()) + "\" is not a host";
                options.origin = std::move(*policy);
                return {};
              });
  flags.value("--host", "HOST[,HOST...]",
              "answer only requests for these hosts, against DNS rebinding (default: all)",
              [&options](std::string_view text) -> std::string {
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
  flags.number("--idle-timeout", "SECONDS",
               "close connections that were silent for so long, not even answering a Ping; 0: "
               "never (default: 120)",
               0, most_seconds, milliseconds(limits.idle_timeout_ms));
  flags.number("--ping-interval", "SECONDS",
               "send a Ping after so much silence; 0: never (default: 30)", 0, most_seconds,
               milliseconds(limits.ping_interval_ms));
  flags.number(
      "--max-connections", "N", "answer further ones with 503 (default: 100000)", 1, 1'000'000'000,
      [&limits](std::uint64_t count) { limits.connections = static_cast<std::uint32_t>(count); });
  flags.number(
      "--threads", "N", "serve with N threads (default: 1)", 1, 1024,
      [&settings](std::uint64_t count) { settings.threads = static_cast<unsigned>(count); });
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
  return flags;
}

// "sockeye: listening on ws://127.0.0.1:9000/", which other programs may read.
std::string announcement(const net::Address& address) {
  const bool has_url =
      address.kind() == net::Address::Kind::ip || address.kind() == net::Address::Kind::any;
  const std::string text = address.text();
  const std::string host = text.starts_with(":") ? "127.0.0.1" : "";
  return "sockeye: listening on " + (has_url ? "ws://" + host + text + "/" : text) + "\n";
}

}  // namespace

void Echo::on_request(const Request& request, Reply& reply) {
  if (request.method() != "GET" && request.method() != "HEAD") {
    return reply.refuse(ws::Error::method_not_allowed);
  }
  for (const File& file : files) {
    if (file.path != request.path()) continue;
    return reply.send(200, file.type, as_bytes(file.text()),
                      {{"Content-Security-Policy", content_security_policy},
                       {"X-Content-Type-Options", "nosniff"},
                       {"Cache-Control", "no-cache"}});
  }
  reply.refuse(ws::Error::not_found);
}

// A peer that sends and doesn't read would fill our memory with its echoes. So while some wait to
// be read, no more of its messages are taken.
void Echo::on_message(Connection& connection, Message message) {
  if (connection.send(message) == ws::SendResult::queued) connection.pause();
}

void Echo::on_drain(Connection& connection) {
  connection.resume();
}

std::string echo_help() {
  Settings settings;
  return make_flags(settings).help();
}

int run_echo(std::span<char* const> arguments) {
  Settings settings;
  if (!make_flags(settings).parse(arguments)) return exit_usage;
  net::configure_log(settings.quiet ? net::LogLevel::error : settings.log_level,
                     settings.log_format);
  // A log whose reader is gone must not end the server.
  ::signal(SIGPIPE, SIG_IGN);
  const std::string mistake = inherited_addresses(settings.addresses);
  if (!mistake.empty()) return complain(mistake, exit_usage);
  if (settings.addresses.empty()) settings.addresses.emplace_back(default_address);

  ws::ServerGroup group([] { return std::make_unique<Echo>(); }, settings.options,
                        settings.threads);
  std::string text;
  std::string url;
  for (const std::string& address : settings.addresses) {
    auto bound = group.listen(address);
    if (!bound) return report(bound.error());
    const std::string line = announcement(*bound);
    if (url.empty() && line.find("ws://") != std::string::npos) {
      url = line.substr(line.find("ws://"));
      url.pop_back();
    }
    text += line;
  }
  if (!url.empty() && !settings.quiet) {
    text += "  in a browser:   http" + url.substr(2) + "\n";
    text += "  in a terminal:  build/sockeye cat " + url + "\n";
  }
  print(text);
  return group.run();
}

}  // namespace sockeye::app
