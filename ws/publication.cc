// SPDX-License-Identifier: MIT
#include "ws/publication.h"

#include <array>
#include <limits>
#include <new>

namespace sockeye::ws {

Publication* Publication::create(MemoryBudget* budget, std::string_view topic, std::uint64_t hash,
                                 Form form, frame::Opcode opcode, Bytes payload, Handle except) {
  constexpr std::size_t most = Pool::largest_block;
  if (topic.size() > std::numeric_limits<std::uint16_t>::max() || payload.size() > most) {
    return nullptr;
  }
  std::array<std::uint8_t, frame::max_header_size> header;
  std::size_t header_size = 0;
  if (form == Form::message) {
    // RFC 6455 §6.1: one frame, which a server doesn't mask (§5.1).
    header_size = frame::encode({.fin = true,
                                 .rsv = 0,
                                 .opcode = opcode,
                                 .masked = false,
                                 .payload_size = payload.size(),
                                 .masking_key = 0},
                                header.data());
  }
  const std::size_t size = sizeof(Publication) + topic.size() + header_size + payload.size();
  void* block = allocate(budget, size);
  if (block == nullptr) return nullptr;
  auto* made = new (block) Publication(budget, size);
  made->hash_ = hash;
  made->except_ = except;
  made->payload_size_ = payload.size();
  made->topic_size_ = static_cast<std::uint32_t>(topic.size());
  made->header_size_ = static_cast<std::uint8_t>(header_size);
  made->form_ = form;
  made->opcode_ = opcode;
  auto* to = reinterpret_cast<std::uint8_t*>(made + 1);
  to = copy_bytes(to, as_bytes(topic));
  to = copy_bytes(to, Bytes(header).first(header_size));
  copy_bytes(to, payload);
  return made;
}

}  // namespace sockeye::ws
