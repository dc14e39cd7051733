// SPDX-License-Identifier: MIT
#include "ws/server_group.h"

#include <doctest/doctest.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "test/support/server_rig.h"

namespace sockeye::ws {
namespace {

using test::close_with;
using test::Peer;
using test::Received;
using test::text;
using test::text_frame;
using test::upgrade_request;

constexpr unsigned threads = 4;

// Tally over all threads; each has a handler of its own.
struct Tally {
  std::atomic<int> open{0};
  std::atomic<int> closed{0};
  std::atomic<int> going_away{0};
};

struct Echo final : Handler {
  explicit Echo(Tally& counts_) : counts(counts_) {}
  void on_open(Connection&) override {
    thread = std::this_thread::get_id();
    ++counts.open;
  }
  void on_message(Connection& connection, Message message) override {
    if (std::this_thread::get_id() == thread) connection.send(message);
  }
  void on_close(Connection&, Closed closed) override {
    ++counts.closed;
    counts.going_away += closed.code == close_code::going_away;
  }

  Tally& counts;
  std::thread::id thread;
};

// A group that runs in threads of its own until it is stopped.
class RunningGroup {
 public:
  explicit RunningGroup(Options options = {}, std::string_view where = "127.0.0.1:0")
      : group_([this] { return std::make_unique<Echo>(counts); }, without_signals(options),
               threads) {
    auto bound = group_.listen(where);
    REQUIRE(bound);
    address = *bound;
    runner_ = std::thread([this] { status = group_.run(); });
  }
  ~RunningGroup() {
    if (runner_.joinable()) stop();
  }

  void stop() {
    ask_to_stop();
    runner_.join();
  }
  void ask_to_stop() {
    group_.first().loop().post([this] { group_.first().stop(); });
  }
  void join() { runner_.join(); }

  Tally counts;
  net::Address address;
  int status = -1;

 private:
  static Options without_signals(Options options) {
    options.stop_on_signals = false;
    return options;
  }

  ServerGroup group_;
  std::thread runner_;
};

// Waits until `done`, for ten seconds at most.
template <typename Done>
bool wait_until(Done done) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!done()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    ::poll(nullptr, 0, 1);
  }
  return true;
}

Peer open(const net::Address& address) {
  Peer peer(address);
  peer.send(upgrade_request());
  REQUIRE(wait_until([&] { return peer.receive(), peer.take_head().has_value(); }));
  return peer;
}

// Sends one message and waits for its echo.
bool round_trip(Peer& peer, const std::string& payload) {
  peer.send(text(payload));
  std::optional<Received> received;
  const bool arrived =
      wait_until([&] { return peer.receive(), (received = peer.take_frame()).has_value(); });
  return arrived && *received == Received{text_frame, payload};
}

}  // namespace

TEST_CASE("four threads: every client gets its own messages back, over TCP and a Unix socket") {
  for (const std::string_view where : {"127.0.0.1:0", "unix:@sockeye-server-group-test"}) {
    CAPTURE(where);
    RunningGroup group({}, where);
    constexpr int clients = 3;
    constexpr int connections = 10;
    std::atomic<int> right{0};
    std::vector<std::thread> programs;
    for (int c = 0; c < clients; ++c) {
      programs.emplace_back([&group, &right, c] {
        std::vector<Peer> peers;
        for (int i = 0; i < connections; ++i) peers.push_back(open(group.address));
        for (int round = 0; round < 10; ++round) {
          for (int i = 0; i < connections; ++i) {
            right += round_trip(peers[static_cast<std::size_t>(i)],
                                std::to_string(c) + " " + std::to_string(i));
          }
        }
      });
    }
    for (std::thread& program : programs) program.join();
    CHECK(right == clients * connections * 10);
    CHECK(group.counts.open == clients * connections);
    group.stop();
    CHECK(group.status == 0);
    CHECK(group.counts.closed == clients * connections);
  }
}

TEST_CASE("stop of the first server stops all: 1001 to everybody, and run returns") {
  RunningGroup group;
  std::vector<Peer> peers;
  for (int i = 0; i < 20; ++i) peers.push_back(open(group.address));
  group.ask_to_stop();
  for (Peer& peer : peers) {
    std::optional<Received> received;
    REQUIRE(wait_until([&] { return peer.receive(), (received = peer.take_frame()).has_value(); }));
    CHECK(received->opcode == test::close_frame);
    peer.send(close_with(1001));
  }
  group.join();
  CHECK(group.status == 0);
  CHECK(group.counts.going_away == 20);
}

TEST_CASE("a second stop drops what is left in every thread") {
  RunningGroup group;
  std::vector<Peer> peers;
  for (int i = 0; i < 20; ++i) peers.push_back(open(group.address));
  group.ask_to_stop();
  group.ask_to_stop();
  group.join();
  CHECK(group.counts.closed == 20);
  CHECK(group.counts.going_away == 0);
}

TEST_CASE("limits.connections holds for all threads together") {
  RunningGroup group({.limits = {.connections = 8}});
  std::vector<Peer> peers;
  int accepted = 0;
  int refused = 0;
  for (int i = 0; i < 20; ++i) {
    Peer peer(group.address);
    peer.try_send(upgrade_request());
    std::optional<std::string> head;
    REQUIRE(wait_until([&] { return peer.receive(), (head = peer.take_head()).has_value(); }));
    accepted += head->starts_with("HTTP/1.1 101 ");
    refused += head->starts_with("HTTP/1.1 503 ");
    peers.push_back(std::move(peer));
  }
  CHECK(accepted == 8);
  CHECK(refused == 12);
  peers.clear();
  REQUIRE(wait_until([&] { return group.counts.closed == 8; }));
  Peer again = open(group.address);
  CHECK(round_trip(again, "room again"));
}

TEST_CASE("tasks posted to a loop while it works are run there") {
  RunningGroup group;
  Tally counts;
  std::atomic<int> ran{0};
  ServerGroup other([&counts] { return std::make_unique<Echo>(counts); },
                    {.stop_on_signals = false}, 2);
  REQUIRE(other.listen("127.0.0.1:0"));
  std::thread runner([&other] { other.run(); });
  std::vector<std::thread> posters;
  for (int i = 0; i < 4; ++i) {
    posters.emplace_back([&] {
      for (int j = 0; j < 100; ++j) other.first().loop().post([&ran] { ++ran; });
    });
  }
  for (std::thread& poster : posters) poster.join();
  CHECK(wait_until([&ran] { return ran == 400; }));
  other.first().loop().post([&other] { other.first().stop(); });
  runner.join();
}

// Echoes, and has other threads know of its connections: by its loop, and a handle to ask there.
struct Reachable final : Handler {
  struct Place {
    net::Loop* loop;
    Handle handle;
  };
  struct Places {
    std::mutex mutex;
    std::vector<Place> opened;  // guarded by the mutex; not taken out when they close

    std::optional<Place> pick(std::size_t number) {
      const std::lock_guard lock(mutex);
      if (opened.empty()) return std::nullopt;
      return opened[number % opened.size()];
    }
  };

  Reachable(Tally& counts_, Places& places_) : counts(counts_), places(places_) {}
  void on_open(Connection& connection) override {
    ++counts.open;
    const std::lock_guard lock(places.mutex);
    places.opened.push_back({&connection.endpoint().loop(), connection.handle()});
  }
  void on_message(Connection& connection, Message message) override { connection.send(message); }
  void on_close(Connection&, Closed closed) override {
    ++counts.closed;
    counts.going_away += closed.code == close_code::going_away;
  }

  Tally& counts;
  Places& places;
};

// A client's whole life, which the server's end may cut short at any point. False where it got
// something that nobody sent to it.
bool come_and_go(const net::Address& address, int number) {
  net::Fd socket(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(socket.get(), address.data(), address.size()) != 0) return true;  // it has stopped
  Peer peer(std::move(socket));
  const std::string payload(static_cast<std::size_t>(number) % 300, 'x');
  peer.try_send(upgrade_request());
  if (!wait_until([&] { return peer.receive(), peer.ended() || peer.take_head(); })) return false;
  for (int i = 0; i < 5; ++i) peer.try_send(text(payload));
  if (number % 3 == 0) {
    peer.reset();
    return true;
  }
  int echoes = 0;
  while (echoes < 5) {
    std::optional<Received> frame;
    const bool came =
        wait_until([&] { return peer.receive(), (frame = peer.take_frame()) || peer.ended(); });
    if (!came) return false;
    if (!frame || frame->opcode == test::close_frame) break;
    if (frame->payload == payload) {
      ++echoes;
    } else if (frame->payload != "posted") {
      return false;
    }
  }
  if (number % 3 == 1) peer.try_send(close_with(1000));
  return true;
}

TEST_CASE("Threads: clients come and go, others post, and a signal stops it all in the middle") {
  Tally counts;
  Reachable::Places places;
  ServerGroup group([&] { return std::make_unique<Reachable>(counts, places); }, {}, threads);
  const auto bound = group.listen("127.0.0.1:0");
  REQUIRE(bound);
  int status = -1;
  std::thread runner([&] { status = group.run(); });
  std::atomic<bool> runs{false};
  group.first().loop().post([&runs] { runs = true; });
  const bool started = wait_until([&runs] { return runs.load(); });

  std::vector<Peer> guests;  // who stay to the end
  for (int i = 0; i < 8; ++i) guests.push_back(open(*bound));

  std::atomic<bool> done{false};
  std::atomic<int> wrong{0};
  std::atomic<int> posted{0};
  std::vector<std::thread> others;
  for (int client = 0; client < 3; ++client) {
    others.emplace_back([&, client] {
      for (int i = client; !done; ++i) wrong += !come_and_go(*bound, i);
    });
  }
  for (int poster = 0; poster < 2; ++poster) {
    others.emplace_back([&, poster] {
      for (std::size_t i = static_cast<std::size_t>(poster); !done; ++i) {
        if (const auto place = places.pick(i * 31)) {
          place->loop->post([handle = place->handle, &posted] {
            if (Connection* connection = handle.get()) {
              posted += connection->send_text("posted") != SendResult::closing;
            }
          });
        }
        ::poll(nullptr, 0, 1);
      }
    });
  }
  const bool busy = wait_until([&] { return counts.open >= 200 && posted >= 20; });
  // To the thread that reads the signals: this one would end the tests.
  ::pthread_kill(runner.native_handle(), SIGTERM);
  int told = 0;
  for (Peer& guest : guests) {
    std::optional<Received> frame;
    do {
      wait_until([&] { return guest.receive(), (frame = guest.take_frame()) || guest.ended(); });
    } while (frame && frame->opcode != test::close_frame);
    told += frame.has_value();
    guest.try_send(close_with(1001));
  }
  runner.join();
  done = true;
  for (std::thread& other : others) other.join();

  CHECK(started);
  CHECK(busy);
  CHECK(status == 0);
  CHECK(wrong == 0);
  CHECK(counts.closed == counts.open);
  CHECK(told == 8);
  CHECK(counts.going_away >= 8);
}

TEST_CASE("an address that can't be listened on is an error of the whole group") {
  Tally counts;
  ServerGroup group([&counts] { return std::make_unique<Echo>(counts); }, {}, 2);
  CHECK(!group.listen("nonsense"));
  CHECK(!group.listen("192.0.2.1:1"));  // RFC 5737: nobody's address
}

}  // namespace sockeye::ws
