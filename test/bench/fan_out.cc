// A server that publishes each message that it gets to all of its connections, with the library's
// topics: what fan_out.py measures.  fan_out [PORT [TOPICS [own]]]
//
// Each connection subscribes to the topic in which messages are published, and to so many TOPICS
// beside it in which nothing ever happens: the same ones for all connections, or each its own.
//
// SPDX-License-Identifier: MIT
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "ws/connection.h"
#include "ws/server.h"
#include "ws/topics.h"

namespace {

using namespace sockeye;

constexpr std::string_view published = "news";

class FanOut final : public ws::Handler {
 public:
  FanOut(unsigned topics, bool own) : topics_(topics), own_(own) {}

  void on_open(Connection& connection) override {
    subscribe(connection, std::string(published));
    const std::string prefix = own_ ? std::to_string(connections_++) + "/" : "";
    for (unsigned i = 0; i < topics_; ++i) subscribe(connection, prefix + std::to_string(i));
  }

  void on_message(Connection& connection, Message message) override {
    connection.endpoint().topics().publish(published, message.opcode(), message.bytes());
  }

 private:
  void subscribe(Connection& connection, const std::string& topic) {
    if (!connection.subscribe(topic)) std::abort();
  }

  const unsigned topics_;
  const bool own_;
  unsigned connections_ = 0;
};

}  // namespace

int main(int count, char** arguments) {
  const std::string port = count > 1 ? arguments[1] : "0";
  const auto topics =
      static_cast<unsigned>(count > 2 ? std::strtoul(arguments[2], nullptr, 10) : 0);
  FanOut fan_out(topics, count > 3 && std::string_view(arguments[3]) == "own");
  ws::Server server(fan_out);
  const auto bound = server.listen("127.0.0.1:" + port);
  if (!bound) return report(bound.error());
  std::printf("listening on %s\n", bound->text().c_str());
  std::fflush(stdout);
  return server.run();
}
