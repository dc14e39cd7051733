// Step 6 of 6: a chat. What one says goes to all others.
//
// New here are what belongs to a connection (set_data), and a topic (ws/topics.h): connections
// subscribe to it, and what is published to it goes to all of them.
//
//   g++ -std=c++20 -I. app/examples/6_chat.cc build/libsockeye.a -o build/6_chat
//   build/6_chat 9000
//   build/sockeye cat ws://127.0.0.1:9000/
//
// The last of these in two terminals or more: what is typed in one appears in the others.
//
// SPDX-License-Identifier: MIT
#include <cstdio>
#include <string>

#include "ws/server.h"

struct Chat : sockeye::ws::Handler {
  int guests = 0;

  void on_open(Connection& connection) override {
    connection.set_data(new std::string("guest " + std::to_string(++guests)));
    connection.subscribe("chat");
    tell_others(connection, " comes in");
  }

  void on_message(Connection& connection, Message message) override {
    // RFC 6455 §7.4.1: 1003, for data of a kind that isn't taken.
    if (!message.is_text()) return connection.close(1003, "text only");
    tell_others(connection, ": " + std::string(message.text()));
  }

  // Comes once for each on_open(), however the connection ends.
  void on_close(Connection& connection, Closed) override {
    tell_others(connection, " leaves");
    delete connection.data<std::string>();
  }

  // All is sent at the end of the loop's turn: framed once, and to each in one call of the system,
  // however much was said. Who reads too slowly misses the newest, and the others don't notice.
  void tell_others(Connection& speaker, const std::string& what) {
    const std::string text = *speaker.data<std::string>() + what;
    std::printf("%s\n", text.c_str());
    speaker.publish("chat", text);
  }
};

int main(int count, char** arguments) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  Chat chat;
  sockeye::ws::Server server(chat);
  const std::string port = count > 1 ? arguments[1] : "9000";
  auto bound = server.listen("127.0.0.1:" + port);
  if (!bound) return sockeye::report(bound.error());
  std::printf("listening on ws://%s/\n", bound->text().c_str());
  return server.run();
}
