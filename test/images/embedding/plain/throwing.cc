// Throws on demand, from wherever the library calls: "catch" is caught where it was thrown, and all
// others get out. main() would catch them, but that they never come there.
//
// SPDX-License-Identifier: MIT
#include <iostream>
#include <stdexcept>
#include <string>

#include "ws/server.h"

[[noreturn]] static void fail(const std::string& where) {
  throw std::runtime_error("thrown in " + where);
}

struct Throwing : sockeye::ws::Handler {
  sockeye::ws::Options options{.on_stop = [] { fail("on_stop"); }};
  sockeye::ws::Server server{*this, options};

  void on_message(Connection& connection, Message message) override {
    if (message.text() == "on_message") fail("on_message");
    if (message.text() == "post") server.loop().post([] { fail("post"); });
    if (message.text() == "on_stop") server.stop();
    if (message.text() == "on_close") connection.abort();
    if (message.text() != "catch") return;
    try {
      fail("on_message");
    } catch (const std::exception& error) {
      connection.send_text(error.what());
    }
  }

  void on_close(Connection&, Closed) override { fail("on_close"); }
};

int main() try {
  Throwing throwing;
  auto address = throwing.server.listen("127.0.0.1:0");
  if (!address) return sockeye::report(address.error());
  std::cout << "listening on ws://" << address->text() << std::endl;
  return throwing.server.run();
} catch (const std::exception& error) {
  std::cerr << "caught in main: " << error.what() << std::endl;
}
