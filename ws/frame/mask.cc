// SPDX-License-Identifier: MIT
#include "ws/frame/mask.h"

#include <cstring>

#include "ws/frame/mask_word.h"

namespace sockeye::ws::frame {

// RFC 6455 §5.3: octet i of the result is octet i of the payload XOR octet i MOD 4 of the key.
bool mask_scalar(std::uint8_t* to, const std::uint8_t* from, std::size_t size, std::uint32_t key) {
  // Eight bytes at a time: twice the key, so the next word begins with its first octet again.
  const std::uint64_t key_word = std::uint64_t{key_as_in_memory(key)} * 0x1'0000'0001u;
  std::uint64_t seen = 0;  // the bits that any word has
  std::size_t i = 0;
  for (; size - i >= sizeof(key_word); i += sizeof(key_word)) {
    std::uint64_t word;
    std::memcpy(&word, from + i, sizeof(word));
    word ^= key_word;
    std::memcpy(to + i, &word, sizeof(word));
    seen |= word;
  }

  // And what is left, byte by byte, as §5.3 has it.
  for (; i < size; ++i) {
    to[i] = static_cast<std::uint8_t>(from[i] ^ (key_at(key, i) >> 24));
    seen |= to[i];
  }
  return (seen & 0x8080'8080'8080'8080) == 0;
}

}  // namespace sockeye::ws::frame
