// SPDX-License-Identifier: MIT
#include "app/admin.h"

#include <utility>

namespace sockeye::app {

namespace {

// Those who ask are few and near; what a stranger could do here is bounded by so much.
ws::Options options() {
  ws::Options options;
  options.limits.connections = 100;
  options.limits.request_body_bytes = 1024;
  options.stop_on_signals = false;
  return options;
}

}  // namespace

Admin::Admin(const Metrics& metrics, net::Loop& loop)
    : metrics_(metrics), server_(*this, options(), &loop) {}

Result<net::Address, net::Error> Admin::listen(std::string_view address) {
  return server_.listen(address);
}

void Admin::on_upgrade(Upgrade& upgrade) {
  upgrade.refuse(404, "no WebSocket here\n");
}

void Admin::on_request(const Request& request, Reply& reply) {
  if (!metrics_.serve(request, reply)) reply.refuse(ws::Error::not_found);
}

}  // namespace sockeye::app
