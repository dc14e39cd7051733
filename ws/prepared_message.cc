// SPDX-License-Identifier: MIT
#include "ws/prepared_message.h"

#include "ws/endpoint.h"

namespace sockeye::ws {

PreparedMessage::PreparedMessage(Endpoint& endpoint, Opcode opcode, Bytes payload)
    : opcode_(opcode), message_(payload), deflated_(endpoint.loop().pool()) {}

std::optional<Payload> PreparedMessage::compressed(Protocol& protocol) {
  const std::uint8_t window_bits = protocol.sent_side().window_bits;
  if (window_bits_ == window_bits) return payload_;
  const auto payload = protocol.compress(message_);
  if (!payload) return std::nullopt;
  payload_ = *payload;
  if (payload->compressed) {
    deflated_.clear();
    if (!deflated_.append(payload->bytes)) return std::nullopt;
    payload_.bytes = deflated_.bytes();
  }
  protocol.release_compressed();
  window_bits_ = window_bits;
  return payload_;
}

}  // namespace sockeye::ws
