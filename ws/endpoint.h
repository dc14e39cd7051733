// What a server and a client have in common: a loop, connections, and how they are to behave.
//
// An endpoint belongs to one thread, its loop's. It owns its connections; they refer to it.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/random.h"
#include "net/loop.h"
#include "net/slab.h"
#include "net/tap.h"
#include "ws/admission.h"
#include "ws/connection.h"
#include "ws/counts.h"
#include "ws/deflate/permessage_deflate.h"
#include "ws/handler.h"
#include "ws/http/allowed_hosts.h"
#include "ws/http/origin.h"
#include "ws/limits.h"
#include "ws/protocol.h"
#include "ws/proxies.h"
#include "ws/topics.h"

namespace sockeye::ws {

// permessage-deflate, RFC 7692. What connections keep for it together is held to
// limits.contexts_bytes.
struct Compression {
  // How large a window each side may compress with, at most, and whether it stays from one message
  // to the next (§7.1). A server's: what it agrees to; a client's: what it offers.
  deflate::Parameters windows = {};
  deflate::Level level = deflate::Level::fast;
  std::size_t threshold_bytes = 64;  // messages of less are sent as they are

  bool operator==(const Compression&) const = default;
};

// What happens to a subscriber of topics for whom limits.subscriber_bytes wait already.
enum class SlowSubscribers : std::uint8_t {
  drop,   // it doesn't get the newest messages
  close,  // it is closed with code 1013; a stream is dropped
};

struct Options {
  Limits limits = {};

  SlowSubscribers slow_subscribers = SlowSubscribers::drop;

  // Messages come in on_chunk() as they arrive, and are never held in memory whole.
  bool in_chunks = false;

  // A server's: the subprotocols it speaks, best first. A client's: those it offers. At most
  // max_subprotocols.
  std::vector<std::string> subprotocols = {};

  // Without, nothing is compressed. Not with in_chunks: a compressed message is inflated whole.
  std::optional<Compression> compression = {};

  // A server's: whose pages may connect. The pages of its own host, unless told otherwise.
  http::OriginPolicy origin = {};

  // A server's: the names it answers to. All, unless told otherwise.
  http::AllowedHosts hosts = {};

  // A server's: who may tell it where a connection comes from. Nobody, unless told otherwise.
  Proxies proxies = {};

  // A server's: run() ends gracefully on SIGINT and SIGTERM, at once on a second one. It blocks
  // them in its thread; threads that were started before have to block them, too (see
  // net/signals.h).
  bool stop_on_signals = true;

  // For so long a loop that has nothing to do asks for events before it sleeps: lower latency, for
  // processor time. 0: not at all.
  std::uint32_t busy_poll_us = 0;

  // What the limits for all connections together are counted on: those of number, of number from
  // one address, and of memory. It has to outlive the endpoint; with null it has one of its own.
  // (Endpoints that share a loop share the memory of the first of them, which should go last.)
  Admission* admission = nullptr;

  // A server's: called each time stop() is.
  std::function<void()> on_stop = {};

  // Sees all bytes of all connections, such as a trace does (net/tap.h), and must outlive them. A
  // loop has one: endpoints that share a loop share the first one's that is not null.
  net::Tap* tap = nullptr;

  // A client's: the server is no WebSocket server but sends back the bytes that it gets, after the
  // handshake. What comes is held to the rules for a client's frames. For measurements of what
  // echoing costs without WebSocket.
  bool own_frames_return = false;

  // A client's: where its nonces and masking keys come from (RFC 6455 §10.3). The system, unless
  // told otherwise; what is given here must outlive the client.
  crypto::Random* random = nullptr;
};

class Endpoint {
 public:
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  net::Loop& loop() { return loop_; }
  const net::Loop& loop() const { return loop_; }
  const Options& options() const { return options_; }
  // A server's.
  Topics& topics() { return topics_; }
  std::size_t connection_count() const { return connections_.count(); }
  // To be read from any thread.
  const Counts& counts() const { return counts_; }
  const Admission& admission() const { return admission_; }

  // Calls `function` with every connection that is open, in no particular order.
  template <typename Function>
  void for_each(Function function) {
    for (std::uint32_t i = 0; Connection* connection = connections_.next(i);) {
      if (connection->is_open()) function(*connection);
    }
  }

 protected:
  // With `loop`, the endpoint lives on it beside others, and `loop` must outlive it; without, it
  // has one of its own. `handler` must outlive the endpoint.
  Endpoint(Handler& handler, Options options, frame::Role role, net::Loop* loop);

  // Drops all connections, without on_close(). Not to be called from within a turn of the loop.
  ~Endpoint();

  // Gets the loop and the kernels ready; to be called before the first connection.
  Result<void, net::Error> prepare();

  Result<void, net::Error> prepare_compression();

  // Runs the loop until `end_run()`, which does nothing while someone else runs it: a loop that is
  // shared goes on for the others.
  void run_loop();
  void end_run() {
    if (running_) loop_.stop();
  }

  // Destroys a connection.
  void remove(Connection& connection);

  // Called when a connection is gone; its place is free already. `admitted`: it wasn't one of those
  // that were refused at once.
  virtual void on_connection_gone(bool admitted) = 0;

  Handler& handler_;
  Options options_;
  Admission own_admission_;
  Admission& admission_;
  std::vector<std::string_view> subprotocols_;  // views of those in options_
  std::unique_ptr<net::Loop> own_loop_;
  net::Loop& loop_;
  std::unique_ptr<deflate::MessageCodec> codec_;  // with options_.compression
  Settings settings_;
  crypto::SystemRandom system_random_;
  crypto::Random& random_;
  Counts counts_;
  Slab<Connection> connections_;
  Topics topics_{*this};
  bool prepared_ = false;

 private:
  friend class Connection;
  friend class Handle;
  friend class Topics;

  bool running_ = false;  // in run_loop()
};

}  // namespace sockeye::ws
