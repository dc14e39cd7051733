// What --admin listens for: the figures and the health of a server, on an address of their own.
//
// A server beside the server's own, on its first loop: neither's limits, proxies, hosts or origins
// are the other's. What both draw on is --max-memory, and the loop: one that is too late for its
// clients doesn't answer here either. While the server lets go of its clients, this goes on
// answering; it ends with the loop.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

#include "app/metrics.h"
#include "net/address.h"
#include "net/error.h"
#include "net/loop.h"
#include "net/result.h"
#include "ws/handler.h"
#include "ws/server.h"

namespace sockeye::app {

#ifdef SOCKEYE_WITHOUT_metrics

class Admin {
 public:
  Admin(const Metrics&, net::Loop&) {}
  Result<net::Address, net::Error> listen(std::string_view) { return net::Address(); }
};

#else

class Admin final : private ws::Handler {
 public:
  // `metrics`, and the server whose loop it is, must outlive it.
  Admin(const Metrics& metrics, net::Loop& loop);

  Result<net::Address, net::Error> listen(std::string_view address);

 private:
  void on_upgrade(Upgrade& upgrade) override;
  void on_request(const Request& request, Reply& reply) override;

  const Metrics& metrics_;
  ws::Server server_;
};

#endif

}  // namespace sockeye::app
