// SPDX-License-Identifier: MIT
#include "ws/prepared_message.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "test/support/server_rig.h"
#include "ws/client.h"

namespace sockeye::ws {
namespace {

using test::Recorder;
using test::ServerRig;

// Three clients of one server: by how much of a window they want, and whether it stays.
struct Audience : ServerRig {
  Audience(const deflate::Parameters& agreed_to,
           const std::vector<deflate::Parameters>& clients_want)
      : ServerRig({.compression = Compression{.windows = agreed_to}}) {
    for (const deflate::Parameters& wanted : clients_want) {
      told.push_back(std::make_unique<Recorder>());
      told.back()->message = [this](Connection&, Message message) {
        texts.emplace_back(message.text());
      };
      clients.push_back(std::make_unique<Client>(
          *told.back(), Options{.compression = Compression{.windows = wanted}}, &loop));
      REQUIRE(clients.back()->connect("ws://" + address.text() + "/"));
      REQUIRE(until([&] { return told.back()->has("open"); }));
    }
    REQUIRE(until([&] { return handler.count("open") == clients_want.size(); }));
  }

  // To all of them; `between` each two sends, the program's memory changes to that.
  void send(std::string& text, const std::string& between) {
    PreparedMessage message(server, Opcode::text, as_bytes(text));
    texts.clear();
    server.for_each([&](Connection& connection) {
      CHECK(connection.send(message) == SendResult::sent);
      text = between;
    });
    REQUIRE(until([&] { return texts.size() == clients.size(); }));
  }

  std::vector<std::unique_ptr<Recorder>> told;
  std::vector<std::unique_ptr<Client>> clients;
  std::vector<std::string> texts;
};

constexpr deflate::Parameters::Side keeps_nothing{.context_takeover = false};
constexpr deflate::Parameters::Side small{.context_takeover = false, .window_bits = 9};

TEST_CASE("PreparedMessage: it is compressed once for all that keep no context") {
  Audience audience({.server = keeps_nothing, .client = keeps_nothing}, {{}, {}, {}});
  std::string text(1'000, 'a');
  // Whatever is in memory later, what goes out is what was compressed first.
  audience.send(text, std::string(1'000, 'b'));
  CHECK(audience.texts == std::vector<std::string>(3, std::string(1'000, 'a')));
}

TEST_CASE("PreparedMessage: connections with a window, or a context, of their own get theirs") {
  const deflate::Parameters wants_none{.server = keeps_nothing, .client = {}};
  const deflate::Parameters wants_small{.server = small, .client = {}};
  Audience audience({}, {wants_none, {}, wants_small, {}, wants_none});
  std::string text;
  for (int i = 0; i < 300; ++i) text += "message " + std::to_string(i * i) + ", ";
  const std::string same = text;
  for (int round = 0; round < 3; ++round) {
    audience.send(text, same);
    CHECK(audience.texts == std::vector<std::string>(5, same));
  }
}

TEST_CASE("PreparedMessage: what is too small to be compressed goes as it is") {
  Audience audience({.server = keeps_nothing, .client = keeps_nothing}, {{}, {}});
  std::string text = "short";
  audience.send(text, "other");
  CHECK(audience.texts == std::vector<std::string>{"short", "other"});
}

}  // namespace
}  // namespace sockeye::ws
