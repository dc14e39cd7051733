// sockeye echo: sends every message back to whom it came from, and serves a page that tries it.
//
// The last file of the reading tour: what a program does with the library.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <string>

#include "app/serve.h"
#include "ws/connection.h"
#include "ws/handler.h"

namespace sockeye::app {

class Echo final : public ws::Handler {
 public:
  explicit Echo(const Facilities& facilities) : facilities_(facilities) {}

  void on_upgrade(Upgrade& upgrade) override;
  void on_request(const Request& request, Reply& reply) override;
  void on_open(Connection& connection) override;
  void on_message(Connection& connection, Message message) override;
  void on_drain(Connection& connection) override;
  void on_close(Connection& connection, Closed closed) override;

 private:
  const Facilities facilities_;
};

// The subcommand; `arguments` are those after "echo". Returns the exit status.
int run_echo(std::span<char* const> arguments);
std::string echo_help();

}  // namespace sockeye::app
