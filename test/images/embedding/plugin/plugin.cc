// A shared library with a server in it, for a host that knows nothing of C++: serve() runs an echo
// server until SIGTERM.
//
// SPDX-License-Identifier: MIT
#include <iostream>

#include "ws/server.h"

struct Echo : sockeye::ws::Handler {
  void on_message(Connection& connection, Message message) override { connection.send(message); }
};

extern "C" [[gnu::visibility("default")]] int serve() {
  Echo echo;
  sockeye::ws::Server server(echo);
  auto address = server.listen("127.0.0.1:0");
  if (!address) return sockeye::report(address.error());
  std::cout << "listening on ws://" << address->text() << std::endl;
  return server.run();
}
