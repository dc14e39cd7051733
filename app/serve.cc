// SPDX-License-Identifier: MIT
#include "app/serve.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/admin.h"
#include "app/descriptors.h"
#include "app/flags.h"
#include "app/inspector.h"
#include "app/metrics.h"
#include "app/sandbox.h"
#include "app/static_files.h"
#include "net/address.h"
#include "net/log.h"

namespace sockeye::app {

namespace {

// "sockeye: listening on ws://127.0.0.1:9000/", which other programs may read.
std::string announcement(const net::Address& address, const std::string& what = "listening",
                         const std::string& scheme = "ws://") {
  const bool has_url =
      address.kind() == net::Address::Kind::ip || address.kind() == net::Address::Kind::any;
  const std::string text = address.text();
  const std::string host = text.starts_with(":") ? "127.0.0.1" : "";
  return "sockeye: " + what + " on " + (has_url ? scheme + host + text + "/" : text) + "\n";
}

// Gives up what was needed to listen, and isn't to serve.
Result<void, net::Error> give_up_rights(const ServerSettings& settings, const StaticFiles* files) {
  if (settings.user) TRY(become(*settings.user));
  if (::geteuid() == 0) net::log(net::LogLevel::info, "serving as root: see --user");
  if (!settings.sandbox) return {};
  SandboxedServer server;
  server.starts_threads = settings.threads > 1;
  if (files != nullptr) server.readable_folder = files->folder();
  std::vector<std::string> addresses = settings.addresses;
  addresses.push_back(settings.admin);
  for (const std::string& text : addresses) {
    const auto address = net::Address::parse(text);
    const bool is_file = address && address->kind() == net::Address::Kind::path;
    if (is_file) server.socket_files.emplace_back(address->path());
  }
  enter_sandbox(server);
  return {};
}

}  // namespace

int serve(ServerSettings& settings, const Service& service) {
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
  const auto files = open_static_files(settings.static_folder);
  if (!files) return report(files.error());
  Metrics metrics;
  settings.options.on_stop = [&metrics] { metrics.stop(); };
  const Facilities facilities{.inspector = inspector->get(),
                              .metrics = settings.metrics ? &metrics : nullptr,
                              .files = files->get()};
  ws::ServerGroup group([&] { return service.make_handler(facilities); }, settings.options,
                        settings.threads);
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
  std::optional<Admin> admin;
  if (!settings.admin.empty()) {
    auto bound = admin.emplace(metrics, group.first().loop()).listen(settings.admin);
    if (!bound) return report(bound.error());
    text += announcement(*bound, "metrics", "http://");
  }
  if (settings.metrics || admin) metrics.watch(group);
  const auto is_any = [](const std::string& address) { return address.starts_with(":"); };
  if (!settings.quiet && std::ranges::any_of(settings.addresses, is_any)) {
    text += "  reachable at every address of this machine\n";
  }
  if (!url.empty() && !settings.quiet) {
    if (service.has_page) text += "  in a browser:   http" + url.substr(2) + "\n";
#ifndef SOCKEYE_WITHOUT_client
    text.append("  in a terminal:  ").append(program_invocation_name).append(" cat ") +=
        url + std::string(service.path) + "\n";
#endif
  }
  if (auto given_up = give_up_rights(settings, files->get()); !given_up)
    return report(given_up.error());
  // When the server takes connections, and the signals that stop it: others may wait for this text.
  group.first().loop().post([text] { print(text); });
  const auto companion = service.make_companion ? service.make_companion(group) : nullptr;
  return group.run();
}

}  // namespace sockeye::app
