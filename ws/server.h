// A WebSocket server on one loop.
//
//   struct Demo : sockeye::ws::Handler { ... };
//   Demo demo;
//   sockeye::ws::Server server(demo);
//   auto bound = server.listen("127.0.0.1:9000");
//   if (!bound) return sockeye::report(bound.error());
//   return server.run();
//
// A program with an event loop of its own doesn't call run(): see Loop::descriptor() in net/loop.h.
//
// For several threads see ws/server_group.h. Everything but post() of its loop belongs to the
// thread that calls run().
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "net/address.h"
#include "net/listener.h"
#include "net/signals.h"
#include "net/timers.h"
#include "ws/endpoint.h"

namespace sockeye::ws {

class Server final : public Endpoint, public net::Listener::Owner, private net::Timer {
 public:
  // `handler` must outlive the server, and so must `loop`, where one is given.
  explicit Server(Handler& handler, Options options = {}, net::Loop* loop = nullptr);
  ~Server();

  // Listens on one more address, written as net/address.h says. Returns where it really listens.
  Result<net::Address, net::Error> listen(std::string_view address);
  Result<net::Address, net::Error> listen(
      const net::Address& address, net::Listener::Sharing sharing = net::Listener::Sharing::alone,
      int shared_descriptor = -1);

  // Runs the loop until stop() has done its work. Returns an exit status for main: 0.
  int run();

  // Stops gracefully: no more connections are accepted, those that are open are closed with code
  // 1001 in batches over the first half of limits.stop_timeout_ms, so that clients that come back
  // at once don't all come together; what is left at its end is dropped. Called again: drops all.
  void stop();
  bool stopping() const { return stopping_; }
  // stop() has done its work: where run() returns, and where a program that drives the loop itself
  // may go.
  bool stopped() const { return stopping_ && connections_.count() == 0 && holds_ == 0; }

  // run() goes on until release() was called as often as hold(): for those that this server's
  // signals are to reach as well.
  void hold() { ++holds_; }
  void release();

  // For the listeners.
  void on_accept(net::Fd fd, const net::Address& peer) override;
  void on_turn_away(int fd) override;

  const std::vector<std::unique_ptr<net::Listener>>& listeners() const { return listeners_; }

 private:
  // SIGINT and SIGTERM, as events of the loop.
  class SignalWatcher final : public net::Watcher {
   public:
    explicit SignalWatcher(Server& server) : server_(server) {}
    Result<void, net::Error> open();

   private:
    void on_events(std::uint32_t events) override;

    Server& server_;
    net::Signals signals_;
  };

  Error admit(Connection& connection, const net::Address& peer);
  void turn_away(int fd, Error error);
  void on_timer(std::uint64_t now_ms) override;
  void on_connection_gone(bool admitted) override;
  void close_batch(std::uint64_t now_ms);
  void drop_all();

  std::vector<std::unique_ptr<net::Listener>> listeners_;
  SignalWatcher signals_{*this};
  bool stopping_ = false;
  std::uint32_t holds_ = 0;
  std::uint64_t stop_deadline_ms_ = 0;
  std::uint32_t refusals_ = 0;   // connections that weren't admitted and are being told so
  std::uint32_t stop_next_ = 0;  // the place in connections_ where the next batch begins
};

}  // namespace sockeye::ws
