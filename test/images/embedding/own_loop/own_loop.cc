// A program with an event loop of its own, here poll(2), which drives a server beside what else it
// has to do: each line that is typed goes to all clients, and what they send is printed. It needs
// to know one descriptor and one call.
//
// SPDX-License-Identifier: MIT
#include <poll.h>
#include <unistd.h>

#include <iostream>
#include <string_view>

#include "ws/server.h"

struct Print : sockeye::ws::Handler {
  void on_message(Connection&, Message message) override {
    std::cout << message.text() << std::endl;
  }
};

int main() {
  Print print;
  sockeye::ws::Server server(print, {.limits = {.ping_interval_ms = 500}});
  auto address = server.listen("127.0.0.1:0");
  if (!address) return sockeye::report(address.error());
  auto descriptor = server.loop().descriptor();
  if (!descriptor) return sockeye::report(descriptor.error());
  std::cout << "listening on ws://" << address->text() << std::endl;

  pollfd polled[] = {{STDIN_FILENO, POLLIN, 0}, {*descriptor, POLLIN, 0}};
  while (!server.stopped()) {
    poll(polled, 2, -1);
    if (polled[1].revents != 0) server.loop().turn(0);
    if (polled[0].revents == 0) continue;
    char line[1000];
    const ssize_t size = read(STDIN_FILENO, line, sizeof line);
    if (size > 0) {
      const std::string_view text(line, static_cast<std::size_t>(size));
      server.for_each([text](auto& connection) { connection.send_text(text); });
    } else {
      server.stop();
      polled[0].fd = -1;  // no longer polled
    }
  }
}
