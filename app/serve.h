// What a subcommand that is a server does around its handlers: listens, announces where, gives up
// the rights that it needs no more, and serves until a signal stops it.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "app/server_flags.h"
#include "ws/handler.h"
#include "ws/server_group.h"

namespace sockeye::app {

class Inspector;
class Metrics;
class StaticFiles;

// What handlers hand some of their requests to; null: it isn't asked for. All outlive the handlers.
struct Facilities {
  Inspector* inspector = nullptr;      // the wire page's connections
  const Metrics* metrics = nullptr;    // /metrics and /healthz
  const StaticFiles* files = nullptr;  // --static; before the page
};

class Companion {
 public:
  virtual ~Companion() = default;
};

struct Service {
  // Called once for each thread.
  std::function<std::unique_ptr<ws::Handler>(const Facilities&)> make_handler;
  // Whether "/" is worth a look in a browser.
  bool has_page = false;
  // What follows the server's URL in what a terminal is told to try.
  std::string_view path = {};
  // Makes what is to live beside the servers while they run, if there is such a thing.
  std::function<std::unique_ptr<Companion>(ws::ServerGroup&)> make_companion = {};
};

// Returns the exit status.
int serve(ServerSettings& settings, const Service& service);

}  // namespace sockeye::app
