// Tells all clients ten times a second what time it is. The clock is a thread of its own, which
// reaches the clients by the one call that other threads may make: post().
//
// SPDX-License-Identifier: MIT
#include <chrono>
#include <ctime>
#include <iostream>
#include <string>
#include <thread>

#include "ws/server.h"

using sockeye::ws::Server;

void tell_time(std::stop_token stop, Server& server) {
  while (!stop.stop_requested()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    std::string time = std::to_string(std::time(nullptr));
    server.loop().post([&server, time] {
      server.for_each([&time](auto& connection) { connection.send_text(time); });
    });
  }
}

int main() {
  sockeye::ws::Handler handler;
  Server server(handler);
  auto address = server.listen("127.0.0.1:0");
  if (!address) return sockeye::report(address.error());
  std::cout << "listening on ws://" << address->text() << std::endl;
  std::jthread clock;
  // run() blocks the signals that stop it, and a thread that is started after that inherits it:
  // started here, the clock would take the signal, and the program would end by it.
  server.loop().post([&] { clock = std::jthread(tell_time, std::ref(server)); });
  return server.run();
}
