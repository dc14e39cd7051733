// A chat: "/name Ann" gives a client a name, and anything else goes to all under that name. Names
// are in a std::map, and a client without one is met with an exception, as in most programs.
//
// SPDX-License-Identifier: MIT
#include <iostream>
#include <map>
#include <stdexcept>
#include <string>

#include "ws/server.h"

struct Chat : sockeye::ws::Handler {
  sockeye::ws::Server server{*this};
  std::map<const Connection*, std::string> names;

  void on_message(Connection& connection, Message message) override try {
    const std::string text(message.text());
    if (text.starts_with("/name ")) {
      names[&connection] = text.substr(6);
    } else {
      const std::string line = names.at(&connection) + ": " + text;  // throws std::out_of_range
      server.for_each([&line](Connection& other) { other.send_text(line); });
    }
  } catch (const std::out_of_range&) {
    connection.send_text("Who are you? Say /name Ann, or whatever your name is.");
  }

  void on_close(Connection& connection, Closed) override { names.erase(&connection); }
};

int main() {
  Chat chat;
  auto address = chat.server.listen("127.0.0.1:0");
  if (!address) return sockeye::report(address.error());
  std::cout << "listening on ws://" << address->text() << std::endl;
  return chat.server.run();
}
