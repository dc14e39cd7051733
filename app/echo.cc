// SPDX-License-Identifier: MIT
#include "app/echo.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string_view>
#include <utility>

#include "app/descriptors.h"
#include "app/flags.h"
#include "app/inspector.h"
#include "app/page/embedded.h"
#include "app/sandbox.h"
#include "app/server_flags.h"
#include "net/address.h"
#include "net/log.h"
#include "ws/server_group.h"

namespace sockeye::app {

namespace {

// The page loads nothing but its own files, and connects to nothing but its own server.
//
// Its files are there compressed and nothing else. That serves every browser, and whoever names no
// coding may be sent any (RFC 9110 §12.5.3); curl shows them with --compressed.
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
    {"/wire.js", "text/javascript; charset=utf-8", page::wire_js},
    {"/handshake.js", "text/javascript; charset=utf-8", page::handshake_js},
    {"/frame.js", "text/javascript; charset=utf-8", page::frame_js},
    {"/parts.js", "text/javascript; charset=utf-8", page::parts_js},
};

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
  if constexpr (page::is_embedded) {
    for (const File& file : files) {
      if (file.path != request.path()) continue;
      return reply.send(200, file.type, as_bytes(file.text()),
                        {{"Content-Encoding", "gzip"},
                         {"Content-Security-Policy", content_security_policy},
                         {"X-Content-Type-Options", "nosniff"},
                         {"Cache-Control", "no-cache"}});
    }
  }
  reply.refuse(ws::Error::not_found);
}

void Echo::on_upgrade(Upgrade& upgrade) {
  if (inspector_ == nullptr || upgrade.subprotocol() != Inspector::subprotocol) return;
  if (!inspector_->admits(upgrade))
    upgrade.refuse(403, "shown on this machine only: see --inspect\n");
}

void Echo::on_open(Connection& connection) {
  if (inspector_ == nullptr || connection.subprotocol() != Inspector::subprotocol) return;
  connection.set_data(inspector_);
  inspector_->on_open(connection);
}

void Echo::on_close(Connection& connection, Closed) {
  if (connection.data<Inspector>() != nullptr) inspector_->on_close(connection);
}

// A peer that sends and doesn't read would fill our memory with its echoes. So while some wait to
// be read, no more of its messages are taken.
void Echo::on_message(Connection& connection, Message message) {
  if (connection.data<Inspector>() != nullptr) return inspector_->on_message(connection, message);
  if (connection.send(message) == ws::SendResult::queued) connection.pause();
}

void Echo::on_drain(Connection& connection) {
  connection.resume();
}

namespace {

// Gives up what was needed to listen, and isn't to serve.
Result<void, net::Error> give_up_rights(const ServerSettings& settings) {
  if (settings.user) TRY(become(*settings.user));
  if (::geteuid() == 0) net::log(net::LogLevel::info, "serving as root: see --user");
  if (!settings.sandbox) return {};
  SandboxedServer server;
  server.starts_threads = settings.threads > 1;
  for (const std::string& text : settings.addresses) {
    const auto address = net::Address::parse(text);
    const bool is_file = address && address->kind() == net::Address::Kind::path;
    if (is_file) server.socket_files.emplace_back(address->path());
  }
  enter_sandbox(server);
  return {};
}

Flags make_flags(ServerSettings& settings) {
  Flags flags("echo [OPTIONS]",
              "Sends every WebSocket message back to whom it came from. At / it serves a page that "
              "tries this in a browser.");
  add_server_flags(flags, settings);
  return flags;
}

}  // namespace

std::string echo_help() {
  ServerSettings settings;
  return make_flags(settings).help();
}

int run_echo(std::span<char* const> arguments) {
  ServerSettings settings;
  if (!make_flags(settings).parse(arguments)) return exit_usage;
  const std::string mistake = settings.complete();
  if (!mistake.empty()) return complain(mistake, exit_usage);
  net::configure_log(settings.quiet ? net::LogLevel::error : settings.log_level,
                     settings.log_format);
  raise_descriptor_limit();
  // A log whose reader is gone must not end the server.
  ::signal(SIGPIPE, SIG_IGN);
  // Process 1 of a container inherits orphans, which the kernel reaps where nobody asks for them.
  if (::getpid() == 1) ::signal(SIGCHLD, SIG_IGN);

  const auto trace = open_trace(settings.trace, settings.options);
  if (!trace) return report(trace.error());
  const auto inspector = open_inspector(settings.inspect, settings.options);
  if (!inspector) return report(inspector.error());
  ws::ServerGroup group([&inspector] { return std::make_unique<Echo>(inspector->get()); },
                        settings.options, settings.threads);
  if (*inspector) (*inspector)->serve(group);
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
  const auto is_any = [](const std::string& address) { return address.starts_with(":"); };
  if (!settings.quiet && std::ranges::any_of(settings.addresses, is_any)) {
    text += "  reachable at every address of this machine\n";
  }
  if (!url.empty() && !settings.quiet) {
    if (page::is_embedded) text += "  in a browser:   http" + url.substr(2) + "\n";
#ifndef SOCKEYE_WITHOUT_client
    text.append("  in a terminal:  ").append(program_invocation_name).append(" cat ") += url + "\n";
#endif
  }
  if (auto given_up = give_up_rights(settings); !given_up) return report(given_up.error());
  // When the server takes connections, and the signals that stop it: others may wait for this text.
  group.first().loop().post([text] { print(text); });
  return group.run();
}

}  // namespace sockeye::app
