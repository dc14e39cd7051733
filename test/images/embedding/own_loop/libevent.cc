// The same with libevent in place of poll(2): an echo server as one of its events.
//
// SPDX-License-Identifier: MIT
#include <event2/event.h>

#include <csignal>
#include <iostream>

#include "ws/server.h"

struct Program : sockeye::ws::Handler {
  sockeye::ws::Server server{*this, {.limits = {.ping_interval_ms = 500}}};
  event_base* base = event_base_new();

  void on_message(Connection& connection, Message message) override { connection.send(message); }
};

static void on_ready(int, short, void* data) {
  Program& program = *static_cast<Program*>(data);
  program.server.loop().turn(0);
  if (program.server.stopped()) event_base_loopbreak(program.base);
}

static void on_signal(int, short, void* data) {
  static_cast<Program*>(data)->server.stop();
}

int main() {
  Program program;
  auto address = program.server.listen("127.0.0.1:0");
  if (!address) return sockeye::report(address.error());
  auto descriptor = program.server.loop().descriptor();
  if (!descriptor) return sockeye::report(descriptor.error());

  event* ready = event_new(program.base, *descriptor, EV_READ | EV_PERSIST, on_ready, &program);
  event* stop = event_new(program.base, SIGTERM, EV_SIGNAL | EV_PERSIST, on_signal, &program);
  event_add(ready, nullptr);
  event_add(stop, nullptr);
  std::cout << "listening on ws://" << address->text() << std::endl;
  event_base_dispatch(program.base);
  event_free(stop);
  event_free(ready);
  event_base_free(program.base);
}
