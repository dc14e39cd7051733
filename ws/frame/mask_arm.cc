// Masking with the vector registers of AArch64 processors, 16 bytes at a time.
//
// RFC 6455 §5.3; read mask_scalar in mask.cc first, and mask_x86.cc for how the first and the last
// vector overlap the others.
//
// SPDX-License-Identifier: MIT
#if defined(__aarch64__)

#include <arm_neon.h>

#include "ws/frame/mask.h"
#include "ws/frame/mask_word.h"

namespace sockeye::ws::frame {
namespace {

uint8x16_t key_16(std::uint32_t key, std::size_t offset) {
  return vreinterpretq_u8_u32(vdupq_n_u32(key_as_in_memory(key_at(key, offset))));
}

}  // namespace

bool mask_neon(std::uint8_t* to, const std::uint8_t* from, std::size_t size, std::uint32_t key) {
  constexpr std::size_t width = 16;
  if (size < width) return mask_scalar(to, from, size, key);

  const std::size_t end = size - width;
  const uint8x16_t first = veorq_u8(vld1q_u8(from), key_16(key, 0));
  const uint8x16_t last = veorq_u8(vld1q_u8(from + end), key_16(key, end));
  uint8x16_t seen = vorrq_u8(first, last);

  std::size_t i = width - (reinterpret_cast<std::uintptr_t>(to) & (width - 1));
  const uint8x16_t key_between = key_16(key, i);
  for (; i < end; i += width) {
    const uint8x16_t masked = veorq_u8(vld1q_u8(from + i), key_between);
    vst1q_u8(to + i, masked);
    seen = vorrq_u8(seen, masked);
  }

  vst1q_u8(to, first);
  vst1q_u8(to + end, last);
  return vmaxvq_u8(seen) < 0x80;
}

}  // namespace sockeye::ws::frame

#endif
