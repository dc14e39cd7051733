// Internal to the masking kernels: the key, and words of payload, as the processor loads them.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <bit>
#include <cstdint>

#include "net/bytes.h"

namespace sockeye::ws::frame {

// The key as a word whose bytes lie in memory in the order of the wire, whatever the processor's.
inline std::uint32_t key_as_in_memory(std::uint32_t key) {
  std::array<std::uint8_t, 4> octets;
  store_be32(octets.data(), key);
  return std::bit_cast<std::uint32_t>(octets);
}

}  // namespace sockeye::ws::frame
