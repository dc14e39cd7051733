// SPDX-License-Identifier: MIT
#include "ws/prepared_message.h"

#include <doctest/doctest.h>

#include <algorithm>
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

TEST_CASE("PreparedMessage: where memory is short, some get nothing, and none anything else") {
  const deflate::Parameters wants_small{.server = small, .client = {}};
  std::string text;
  for (int i = 0; i < 3'000; ++i) text += "message " + std::to_string(i * i) + ", ";
  bool all_served = false;
  for (std::size_t limit = 20'000; !all_served; limit += 20'000) {
    Audience audience({.server = keeps_nothing, .client = keeps_nothing},
                      {{}, wants_small, {}, wants_small, {}});
    MemoryBudget budget(limit);
    Pool& pool = audience.loop.pool();
    pool.keep_up_to(0);
    MemoryBudget* const before = pool.budget();
    pool.draw_on(&budget);
    PreparedMessage message(audience.server, Opcode::text, as_bytes(text));
    const std::string other(30'000, 'x');
    std::size_t sent = 0;
    audience.server.for_each([&](Connection& connection) {
      if (connection.send_text(other) == SendResult::closing) return;
      sent += connection.send(message) != SendResult::closing;
    });
    pool.draw_on(before);
    const auto received = [&] {
      return static_cast<std::size_t>(
          std::count(audience.texts.begin(), audience.texts.end(), text));
    };
    REQUIRE(audience.until([&] { return received() == sent; }));
    for (const std::string& one : audience.texts) CHECK((one == text || one == other));
    all_served = sent == 5;
  }
}

TEST_CASE("PreparedMessage: what is smaller than the threshold isn't compressed") {
  Audience audience({.server = keeps_nothing, .client = keeps_nothing}, {{}, {}});
  // (Only what is compressed stays the same when memory changes.)
  std::string text(63, 'a');
  audience.send(text, std::string(63, 'b'));
  CHECK(audience.texts == std::vector<std::string>{std::string(63, 'a'), std::string(63, 'b')});
  text = std::string(64, 'a');
  audience.send(text, std::string(64, 'b'));
  CHECK(audience.texts == std::vector<std::string>(2, std::string(64, 'a')));
}

}  // namespace
}  // namespace sockeye::ws
