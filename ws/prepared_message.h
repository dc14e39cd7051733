// A message that goes to many connections: it is compressed once for all of those that keep no
// context (RFC 7692 §7.1.1), and not for each of them.
//
//   PreparedMessage news(endpoint, Opcode::text, as_bytes(text));
//   endpoint.for_each([&news](Connection& connection) { connection.send(news); });
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>

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

  // What a connection without a context, and with such a window, is to send; from the first call
  // for that window on it is there. Nothing where there is no memory.
  std::optional<Payload> compressed(Protocol& protocol);

  const Opcode opcode_;
  const Bytes message_;
  Buffer deflated_;
  Payload payload_;
  std::uint8_t window_bits_ = 0;  // those that payload_ is for; 0: none yet
};

}  // namespace sockeye::ws
