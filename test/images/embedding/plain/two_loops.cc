// Two servers, each with a loop and a thread of its own, that share nothing. The main thread has no
// loop: it waits for its input to end, and then has them stop.
//
// SPDX-License-Identifier: MIT
#include <iostream>
#include <string>
#include <thread>

#include "ws/server.h"

struct Echo : sockeye::ws::Handler {
  void on_message(Connection& connection, Message message) override { connection.send(message); }
};

struct Site {
  Echo echo;
  sockeye::ws::Server server{echo, {.stop_on_signals = false}};
  std::thread thread;

  bool listen() {
    auto address = server.listen("127.0.0.1:0");
    if (!address) return sockeye::report(address.error()) == 0;
    std::cout << "listening on ws://" << address->text() << std::endl;
    return true;
  }
  void start() {
    thread = std::thread([this] { server.run(); });
  }
  void stop() {
    server.loop().post([this] { server.stop(); });
    thread.join();
  }
};

int main() {
  Site first;
  Site second;
  if (!first.listen() || !second.listen()) return 1;
  first.start();
  second.start();
  for (std::string line; std::getline(std::cin, line);) {
  }
  first.stop();
  second.stop();
}
