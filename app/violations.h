// Clients that break one rule each, so that a page can show what a server answers: browsers keep
// the rules whatever a page wants.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "net/fd.h"
#include "net/loop.h"
#include "ws/error.h"

namespace sockeye::app {

// What a client sends after its opening handshake, and what that is.
struct Violation {
  ws::Error error;
  std::string_view bytes;
};

std::span<const Violation> violations();

// One such client, on the server's own loop and at the other end of a socket pair: it needs no
// network, and no right to connect. It sends what it has to, and reads until the server ends.
class Violator final : public net::Watcher {
 public:
  // `target`: the request's. `done` is called on the agenda, when the violator may be destroyed.
  Violator(net::Loop& loop, const Violation& violation, std::string_view target,
           std::function<void(Violator&)> done);

  // Makes the pair; returns the server's end, or nothing, with errno.
  net::Fd start();

 private:
  void on_events(std::uint32_t events) override;
  void on_agenda() override;

  net::Loop& loop_;
  std::string unsent_;
  std::function<void(Violator&)> done_;
  net::Fd fd_;
};

}  // namespace sockeye::app
