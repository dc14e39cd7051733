// A client that sends what it is given, right or wrong, so that a page can show what a server makes
// of it (app/violations.h).
//
// It is on the server's own loop, at the other end of a socket pair: it needs no network, and no
// right to connect. It opens a WebSocket, sends its bytes, and reads until the server ends.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "net/fd.h"
#include "net/loop.h"

namespace sockeye::app {

class RawClient final : public net::Watcher {
 public:
  // `target`: the request's. `bytes` follow the handshake; they are at most some KB. `done` is
  // called on the agenda, when the client may be destroyed.
  RawClient(net::Loop& loop, std::string_view target, std::string_view bytes,
            std::function<void(RawClient&)> done);

  // Makes the pair; returns the server's end, or nothing, with errno.
  net::Fd start();

 private:
  void on_events(std::uint32_t events) override;
  void on_agenda() override;

  net::Loop& loop_;
  std::string unsent_;
  std::function<void(RawClient&)> done_;
  net::Fd fd_;
};

}  // namespace sockeye::app
