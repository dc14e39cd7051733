// A WebSocket client: any number of connections on one loop.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "net/connector.h"
#include "net/timers.h"
#include "ws/endpoint.h"

namespace sockeye::ws {

// What one connection's handshake says beside the URL.
struct ConnectOptions {
  std::string origin = {};                                             // empty: no Origin field
  std::vector<std::pair<std::string, std::string>> extra_fields = {};  // names and values
  void* data = nullptr;                                                // becomes Connection::data()
  net::Address source = {};                  // of this machine; Kind::none: the system chooses
  std::vector<net::Address> addresses = {};  // where the URL's host is; empty: it is resolved
};

class Client final : public Endpoint {
 public:
  // `handler` must outlive the client, and so must `loop`, where one is given.
  explicit Client(Handler& handler, Options options = {}, net::Loop* loop = nullptr);
  ~Client();

  // Starts to connect to "ws://host[:port]/path?query". Host names are resolved here and now,
  // which may block, unless `options` say where they are. What comes of it is told to the handler:
  // on_open() or on_connect_failure(). An error means that nothing was started.
  Result<void, net::Error> connect(std::string_view url, const ConnectOptions& options = {});

  // Runs the loop until no connection is open or under way.
  void run();

 private:
  class Attempt;

  void on_connection_gone(bool admitted) override;
  void finished(Attempt& attempt);
  bool idle() const;

  std::vector<std::unique_ptr<Attempt>> attempts_;
};

}  // namespace sockeye::ws
