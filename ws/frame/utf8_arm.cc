// UTF-8 validation with the vector registers of AArch64 processors, 16 bytes at a time.
//
// RFC 3629 §3 and §4. Read utf8_pairs.h first, which says what the tables hold, and utf8_x86.cc for
// how vectors look back and overlap.
//
// SPDX-License-Identifier: MIT
#if defined(__aarch64__)

#include <arm_neon.h>

#include <algorithm>

#include "ws/frame/utf8.h"
#include "ws/frame/utf8_pairs.h"

namespace sockeye::ws::frame {
namespace {

constexpr std::size_t width = 16;
constexpr std::size_t before = 3;  // what the first vector needs before it
constexpr std::size_t head = 8;    // given so many, the scalar kernel gets that far

// Whether any of the 16 bytes at `p` makes an error together with those before it.
bool errors_in_16(const std::uint8_t* p) {
  const uint8x16_t byte = vld1q_u8(p);
  const uint8x16_t one_before = vld1q_u8(p - 1);
  const uint8x16_t two_before = vld1q_u8(p - 2);
  const uint8x16_t three_before = vld1q_u8(p - 3);

  const uint8x16_t first_upper =
      vqtbl1q_u8(vld1q_u8(errors_by_first_upper.data()), vshrq_n_u8(one_before, 4));
  const uint8x16_t first_lower =
      vqtbl1q_u8(vld1q_u8(errors_by_first_lower.data()), vandq_u8(one_before, vdupq_n_u8(0x0f)));
  const uint8x16_t second_upper =
      vqtbl1q_u8(vld1q_u8(errors_by_second_upper.data()), vshrq_n_u8(byte, 4));
  const uint8x16_t errors = vandq_u8(vandq_u8(first_upper, first_lower), second_upper);

  const uint8x16_t third = vqsubq_u8(two_before, vdupq_n_u8(third_byte_threshold));
  const uint8x16_t fourth = vqsubq_u8(three_before, vdupq_n_u8(fourth_byte_threshold));
  const uint8x16_t asked_for = vandq_u8(vorrq_u8(third, fourth), vdupq_n_u8(third_or_fourth_bit));

  return vmaxvq_u8(veorq_u8(errors, asked_for)) != 0;
}

}  // namespace

std::size_t utf8_neon(const std::uint8_t* bytes, std::size_t size) {
  if (size < before + width) return utf8_scalar(bytes, size);

  std::size_t i = utf8_scalar(bytes, head);
  if (i < before) return i;
  for (; i < size; i += width) {
    const std::uint8_t* vector = bytes + std::min(i, size - width);
    const bool ascii = vmaxvq_u8(vld1q_u8(vector)) < 0x80 && vector[-1] < 0x80;
    if (!ascii && errors_in_16(vector)) return whole_characters(bytes, i);
  }
  return whole_characters(bytes, size);
}

}  // namespace sockeye::ws::frame

#endif
