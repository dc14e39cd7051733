// SPDX-License-Identifier: MIT
#include "ws/prepared_message.h"

#include "ws/endpoint.h"

namespace sockeye::ws {

PreparedMessage::PreparedMessage(Endpoint& endpoint, Opcode opcode, Bytes payload)
    : opcode_(opcode), message_(payload), deflated_(endpoint.loop().pool()) {}

Payload PreparedMessage::compressed(Protocol& protocol) {
  Variant& variant = variants_[protocol.sent_side().window_bits];
  if (!variant.known) {
    const Payload payload = protocol.compress(message_);
    const std::size_t size = payload.compressed ? payload.bytes.size() : 0;
    const bool kept = size == 0 || deflated_.append(payload.bytes);
    protocol.release_compressed();
    if (!kept) return {message_};  // there is no memory for it, so it goes as it is
    variant = {true, payload.compressed, deflated_.size() - size, size};
  }
  if (!variant.compressed) return {message_};
  return {deflated_.bytes().subspan(variant.begin, variant.size), true};
}

}  // namespace sockeye::ws
