// A message on its way to the subscribers of a topic: framed once, whoever gets it.
//
// Immutable, and held by all that have yet to send it, in any thread (net/shared.h).
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "net/bytes.h"
#include "net/pool.h"
#include "net/shared.h"
#include "ws/frame/frame.h"
#include "ws/handle.h"

namespace sockeye::ws {

class Publication final : public Shared {
 public:
  // What it is to its subscribers.
  enum class Form : std::uint8_t {
    message,  // a message of WebSocket, as a server's frame (RFC 6455 §6.1)
    raw,      // a part of a plain HTTP response's body, as it is
  };

  // Copies all of it. `hash` is the topic's. `except` won't get it. Null where there is no memory,
  // or `budget`, which may be null, is spent.
  static Publication* create(MemoryBudget* budget, std::string_view topic, std::uint64_t hash,
                             Form form, frame::Opcode opcode, Bytes payload, Handle except);

  std::string_view topic() const {
    return {reinterpret_cast<const char*>(this + 1), static_cast<std::size_t>(topic_size_)};
  }
  std::uint64_t hash() const { return hash_; }
  Form form() const { return form_; }
  frame::Opcode opcode() const { return opcode_; }
  Handle except() const { return except_; }

  // What is sent: a whole frame, not compressed; or raw bytes.
  Bytes wire() const { return {begin(), header_size_ + payload_size_}; }
  Bytes payload() const { return {begin() + header_size_, payload_size_}; }

 private:
  Publication(MemoryBudget* budget, std::size_t size) : Shared(budget, size) {}

  // Behind this head, in the same block: the topic's name, the frame's header, the payload.
  const std::uint8_t* begin() const {
    return reinterpret_cast<const std::uint8_t*>(this + 1) + topic_size_;
  }

  std::uint64_t hash_ = 0;
  Handle except_;
  std::size_t payload_size_ = 0;
  std::uint32_t topic_size_ = 0;
  std::uint8_t header_size_ = 0;
  Form form_ = Form::message;
  frame::Opcode opcode_ = frame::Opcode::text;
};

}  // namespace sockeye::ws
