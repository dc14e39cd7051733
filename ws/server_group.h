// The same server on several threads: a loop, a handler and connections for each, and nothing
// shared between them but the counts that limits are for (ws/admission.h), and topics: what is
// published in one reaches the subscribers of all (ws/topics.h).
//
// TCP addresses are listened on once per thread (SO_REUSEPORT), and the kernel spreads connections
// by a hash of their addresses: no thread hands connections to another, and none is woken in vain.
// Unix sockets and inherited descriptors have no such thing; the threads share the one socket, and
// EPOLLEXCLUSIVE wakes one of them for a connection.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "ws/server.h"

namespace sockeye::ws {

class ServerGroup {
 public:
  // `make_handler` is called once per thread, here; each handler is used by its own thread only.
  // `threads` is at least 1.
  ServerGroup(std::function<std::unique_ptr<Handler>()> make_handler, Options options,
              unsigned threads);
  ~ServerGroup();

  // Has all threads listen on one more address. Returns where they really listen.
  Result<net::Address, net::Error> listen(std::string_view address);

  // Runs the first server in the calling thread, and each other one in a thread of its own, until
  // all have stopped: on a signal, or when stop() of the first is called. Returns an exit status.
  int run();

  Server& first() { return *servers_.front(); }
  // Each belongs to its own thread, but for its loop's post().
  const std::vector<std::unique_ptr<Server>>& servers() const { return servers_; }

 private:
  Admission admission_;
  TopicGroup topics_;
  std::vector<std::unique_ptr<Handler>> handlers_;
  std::vector<std::unique_ptr<Server>> servers_;
};

}  // namespace sockeye::ws
