// The options that every subcommand has which is a server: where to listen, whom to serve, how much
// each may take, whom to believe, what to log.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "app/flags.h"
#include "app/trace/trace.h"
#include "app/user.h"
#include "net/log.h"
#include "ws/endpoint.h"

namespace sockeye::app {

struct ServerSettings {
  ws::Options options;
  std::vector<std::string> addresses;
  unsigned threads = 1;
  net::LogLevel log_level = net::LogLevel::warn;
  net::LogFormat log_format = net::LogFormat::text;
  bool quiet = false;
  bool init = false;
  std::optional<User> user;
  bool sandbox = true;
  TraceSettings trace;
  bool inspect = false;
  bool metrics = false;
  std::string admin;          // where --metrics' pages are in its place; empty: nowhere
  std::string static_folder;  // empty: none

  // To be called when all flags are read: adds the sockets that were inherited, and what is left to
  // say where nothing was. Returns what contradicts itself, or nothing.
  std::string complete();

  enum class Compress : std::uint8_t { off, shared, dedicated };
  Compress compress = Compress::off;
  ws::Compression compression;  // how, until complete()
  bool buffered_given = false;
  bool trust_given = false;
};

// `settings` must stay as long as `flags`.
void add_server_flags(Flags& flags, ServerSettings& settings);

}  // namespace sockeye::app
