// Step 6 of 6: a chat. What one says goes to all others.
//
// New here are what belongs to a connection (set_data), all of a server's connections (for_each),
// and a message that is made once for many of them (PreparedMessage). The server is one thread, so
// nothing needs a lock.
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

#include "ws/connection.h"
#include "ws/prepared_message.h"
#include "ws/server.h"

struct Guest {
  int number;
};

class Chat : public sockeye::ws::Handler {
 public:
  void on_open(Connection& connection) override {
    connection.set_data(new Guest{++guests_});
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
    delete connection.data<Guest>();
  }

 private:
  // All is sent at the end of the loop's turn, to each in one call of the system, however much was
  // said in it. For a guest who reads too slowly it waits in memory; send() answers `dropped` when
  // that would be more than limits.buffered_bytes, and the others don't notice.
  void tell_others(Connection& speaker, const std::string& what) {
    const std::string text = "guest " + std::to_string(speaker.data<Guest>()->number) + what;
    std::printf("%s\n", text.c_str());
    sockeye::ws::Endpoint& server = speaker.endpoint();
    sockeye::ws::PreparedMessage message(server, sockeye::ws::Opcode::text,
                                         sockeye::as_bytes(text));
    server.for_each([&](Connection& connection) {
      if (&connection != &speaker) connection.send(message);
    });
  }

  int guests_ = 0;
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
