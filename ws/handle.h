// How to find a connection later, and to learn that it is gone.
//
// Belongs to the thread of its connection's loop; others may keep it and hand it back.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "net/slab.h"

namespace sockeye::ws {

class Connection;
class Endpoint;

// Names a connection for as long as its server or client lives; once it is gone, get() says so.
class Handle {
 public:
  Handle() = default;
  Connection* get() const;  // null once on_close() was called, or the handshake has failed
  bool operator==(const Handle&) const = default;

 private:
  friend class Connection;
  friend class Topics;
  Handle(Endpoint* endpoint, SlabKey key) : endpoint_(endpoint), key_(key) {}

  Endpoint* endpoint_ = nullptr;
  SlabKey key_;
};

}  // namespace sockeye::ws
