// A message that goes to many connections: it is compressed once for all of those that keep no
// context (RFC 7692 §7.1.1), and not for each of them.
//
//   PreparedMessage news(endpoint, Opcode::text, as_bytes(text));
//   endpoint.for_each([&news](Connection& connection) { connection.send(news); });
//
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>

#include "net/buffer.h"
#include "net/bytes.h"
#include "ws/protocol.h"

namespace sockeye::ws {

class Connection;
class Endpoint;

class PreparedMessage {
 public:
  // For connections of `endpoint`, in its thread. `payload` isn't copied: both must stay as long as
  // this does.
  PreparedMessage(Endpoint& endpoint, Opcode opcode, Bytes payload);

  Opcode opcode() const { return opcode_; }
  Bytes bytes() const { return message_; }

 private:
  friend class Connection;

  // Without a context, what is sent depends on the window's size alone.
  struct Variant {
    bool known = false;
    bool compressed = false;
    std::size_t begin = 0;  // in deflated_
    std::size_t size = 0;
  };

  // What a connection that keeps no context is to send. Compressed with the first call for its
  // window; the bytes are valid until the next call.
  Payload compressed(Protocol& protocol);

  const Opcode opcode_;
  const Bytes message_;
  std::array<Variant, deflate::max_window_bits + 1> variants_;
  Buffer deflated_;  // of all variants, one behind the other
};

}  // namespace sockeye::ws
