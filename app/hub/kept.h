// A message of a topic, as the hub keeps it for those who come later or come back.
//
// Immutable, and shared by all that have yet to send it.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>

#include "net/bytes.h"
#include "net/shared.h"

namespace sockeye::app::hub {

class Kept final : public Shared {
 public:
  // Null where there is no memory, or `budget` is spent.
  static Kept* create(MemoryBudget& budget, std::uint64_t id, std::uint64_t at_ms, bool is_text,
                      Bytes payload) {
    const std::size_t size = size_of(payload.size());
    void* block = allocate(&budget, size);
    if (block == nullptr) return nullptr;
    Kept* made = new (block) Kept(&budget, size, id, at_ms, is_text, payload.size());
    copy_bytes(reinterpret_cast<std::uint8_t*>(made + 1), payload);
    return made;
  }

  // What a message of `payload_size` bytes takes.
  static constexpr std::size_t size_of(std::size_t payload_size);

  Bytes payload() const { return {reinterpret_cast<const std::uint8_t*>(this + 1), payload_size_}; }

  const std::uint64_t id;
  const std::uint64_t at_ms;  // when it was published, on the monotonic clock
  const bool is_text;

 private:
  Kept(MemoryBudget* budget, std::size_t size, std::uint64_t own_id, std::uint64_t now_ms,
       bool text, std::size_t payload_size)
      : Shared(budget, size),
        id(own_id),
        at_ms(now_ms),
        is_text(text),
        payload_size_(payload_size) {}

  const std::size_t payload_size_;
};

constexpr std::size_t Kept::size_of(std::size_t payload_size) {
  return sizeof(Kept) + payload_size;
}

}  // namespace sockeye::app::hub
