// Step 5 of 6: the echo server once more, with the library.
//
// What the steps before it left out is there: both sides' closing handshakes, limits and deadlines
// for all that a peer can do (ws/limits.h), a check of which pages may connect, messages in
// fragments, text that is UTF-8, SIMD, graceful stopping. What remains to be written is what the
// server is for: a Handler (ws/handler.h), whose methods are called with what peers do.
//
//   g++ -std=c++20 -I. app/examples/5_echo.cc build/libsockeye.a -o build/5_echo
//   build/5_echo 9000
//   echo Hello | build/sockeye cat ws://127.0.0.1:9000/
//
// prints Hello. A browser may connect from the server's own pages alone (RFC 6455 §10.2), so the
// console to try this in is that of http://127.0.0.1:9000/, which says that it wants a WebSocket.
//
// SPDX-License-Identifier: MIT
#include <cstdio>
#include <string>

#include "ws/connection.h"
#include "ws/server.h"

struct Echo : sockeye::ws::Handler {
  // A message shows memory of the library, until this returns; what is sent is copied or gone by
  // then. `queued`: the peer doesn't read as fast as it sends. Without the pause its echoes would
  // pile up in memory.
  void on_message(Connection& connection, Message message) override {
    if (connection.send(message) == sockeye::ws::SendResult::queued) connection.pause();
  }

  void on_drain(Connection& connection) override { connection.resume(); }

  void on_close(Connection&, Closed closed) override {
    std::printf("closed with code %d\n", closed.code);  // RFC 6455 §7.4
  }
};

int main(int count, char** arguments) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  Echo echo;
  sockeye::ws::Server server(echo);
  const std::string port = count > 1 ? arguments[1] : "9000";
  auto bound = server.listen("127.0.0.1:" + port);
  if (!bound) return sockeye::report(bound.error());
  std::printf("listening on ws://%s/\n", bound->text().c_str());
  return server.run();  // until SIGINT or SIGTERM
}
