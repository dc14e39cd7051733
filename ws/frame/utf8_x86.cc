// UTF-8 validation with the vector registers of x86-64 processors: 16 bytes with SSSE3, 32 with
// AVX2.
//
// RFC 3629 §3 and §4. Read utf8_pairs.h first: it says what the tables hold.
//
// Every vector is checked against the three bytes before it, which are simply loaded from memory
// one, two and three bytes earlier. So a vector may begin anywhere from the fourth byte on, even
// within a character, and the last one may overlap the one before.
//
// SPDX-License-Identifier: MIT
#if defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>

#include "ws/frame/utf8.h"
#include "ws/frame/utf8_pairs.h"

namespace sockeye::ws::frame {
namespace {

// What the first vector needs before it, and how many bytes the scalar kernel must be given to get
// that far: at most the last three of them are a character that their end cuts.
constexpr std::size_t before = 3;
constexpr std::size_t head = 8;

[[gnu::target("ssse3")]] __m128i load_16(const std::uint8_t* p) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}

[[gnu::target("ssse3")]] __m128i every_16(std::uint8_t value) {
  return _mm_set1_epi8(static_cast<char>(value));
}

[[gnu::target("ssse3")]] __m128i upper_16(__m128i bytes) {
  return _mm_and_si128(_mm_srli_epi16(bytes, 4), every_16(0x0f));
}

// Whether any of the 16 bytes at `p` makes an error together with those before it.
[[gnu::target("ssse3")]] bool errors_in_16(const std::uint8_t* p) {
  const __m128i byte = load_16(p);
  const __m128i one_before = load_16(p - 1);
  const __m128i two_before = load_16(p - 2);
  const __m128i three_before = load_16(p - 3);

  const __m128i first_upper =
      _mm_shuffle_epi8(load_16(errors_by_first_upper.data()), upper_16(one_before));
  const __m128i first_lower = _mm_shuffle_epi8(load_16(errors_by_first_lower.data()),
                                               _mm_and_si128(one_before, every_16(0x0f)));
  const __m128i second_upper =
      _mm_shuffle_epi8(load_16(errors_by_second_upper.data()), upper_16(byte));
  const __m128i errors = _mm_and_si128(_mm_and_si128(first_upper, first_lower), second_upper);

  const __m128i third = _mm_subs_epu8(two_before, every_16(third_byte_threshold));
  const __m128i fourth = _mm_subs_epu8(three_before, every_16(fourth_byte_threshold));
  const __m128i asked_for =
      _mm_and_si128(_mm_or_si128(third, fourth), every_16(third_or_fourth_bit));

  const __m128i none = _mm_cmpeq_epi8(errors, asked_for);
  return _mm_movemask_epi8(none) != 0xffff;
}

[[gnu::target("avx2")]] __m256i load_32(const std::uint8_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}

// A table for both halves of a register: AVX2 looks up in each half by itself.
[[gnu::target("avx2")]] __m256i table_32(const std::array<std::uint8_t, 16>& table) {
  return _mm256_broadcastsi128_si256(
      _mm_loadu_si128(reinterpret_cast<const __m128i*>(table.data())));
}

[[gnu::target("avx2")]] __m256i every_32(std::uint8_t value) {
  return _mm256_set1_epi8(static_cast<char>(value));
}

[[gnu::target("avx2")]] __m256i upper_32(__m256i bytes) {
  return _mm256_and_si256(_mm256_srli_epi16(bytes, 4), every_32(0x0f));
}

// Not zero where any of the 32 bytes at `p` makes an error together with those before it.
[[gnu::target("avx2")]] inline __m256i errors_32(const std::uint8_t* p) {
  const __m256i byte = load_32(p);
  const __m256i one_before = load_32(p - 1);
  const __m256i two_before = load_32(p - 2);
  const __m256i three_before = load_32(p - 3);

  const __m256i first_upper =
      _mm256_shuffle_epi8(table_32(errors_by_first_upper), upper_32(one_before));
  const __m256i first_lower = _mm256_shuffle_epi8(table_32(errors_by_first_lower),
                                                  _mm256_and_si256(one_before, every_32(0x0f)));
  const __m256i second_upper =
      _mm256_shuffle_epi8(table_32(errors_by_second_upper), upper_32(byte));
  const __m256i errors = _mm256_and_si256(_mm256_and_si256(first_upper, first_lower), second_upper);

  const __m256i third = _mm256_subs_epu8(two_before, every_32(third_byte_threshold));
  const __m256i fourth = _mm256_subs_epu8(three_before, every_32(fourth_byte_threshold));
  const __m256i asked_for =
      _mm256_and_si256(_mm256_or_si256(third, fourth), every_32(third_or_fourth_bit));

  return _mm256_xor_si256(errors, asked_for);
}

// Whether any of the 4 x 32 bytes at `p` does. Text is mostly right, so one look at all is enough.
[[gnu::target("avx2")]] bool errors_in_128(const std::uint8_t* p) {
  const __m256i first = _mm256_or_si256(errors_32(p), errors_32(p + 32));
  const __m256i second = _mm256_or_si256(errors_32(p + 64), errors_32(p + 96));
  const __m256i errors = _mm256_or_si256(first, second);
  return _mm256_testz_si256(errors, errors) == 0;
}

[[gnu::target("avx2")]] bool errors_in_32(const std::uint8_t* p) {
  const __m256i errors = errors_32(p);
  return _mm256_testz_si256(errors, errors) == 0;
}

[[gnu::target("avx2")]] bool ascii_128(const std::uint8_t* p) {
  const __m256i first = _mm256_or_si256(load_32(p), load_32(p + 32));
  const __m256i second = _mm256_or_si256(load_32(p + 64), load_32(p + 96));
  return _mm256_movemask_epi8(_mm256_or_si256(first, second)) == 0;
}

}  // namespace

[[gnu::target("ssse3")]] std::size_t utf8_ssse3(const std::uint8_t* bytes, std::size_t size) {
  constexpr std::size_t width = 16;
  if (size < before + width) return utf8_scalar(bytes, size);

  std::size_t i = utf8_scalar(bytes, head);
  if (i < before) return i;
  for (; i < size; i += width) {
    const std::uint8_t* vector = bytes + std::min(i, size - width);
    const bool ascii = _mm_movemask_epi8(load_16(vector)) == 0 && vector[-1] < 0x80;
    if (!ascii && errors_in_16(vector)) return whole_characters(bytes, i);
  }
  return whole_characters(bytes, size);
}

[[gnu::target("avx2")]] std::size_t utf8_avx2(const std::uint8_t* bytes, std::size_t size) {
  constexpr std::size_t width = 32;
  if (size < before + width) return utf8_ssse3(bytes, size);

  std::size_t i = utf8_scalar(bytes, head);
  if (i < before) return i;
  for (; size - i >= 4 * width; i += 4 * width) {
    const bool ascii = ascii_128(bytes + i) && bytes[i - 1] < 0x80;
    if (!ascii && errors_in_128(bytes + i)) break;
  }
  for (; i < size; i += width) {
    const std::uint8_t* vector = bytes + std::min(i, size - width);
    const bool ascii = _mm256_movemask_epi8(load_32(vector)) == 0 && vector[-1] < 0x80;
    if (!ascii && errors_in_32(vector)) return whole_characters(bytes, i);
  }
  return whole_characters(bytes, size);
}

}  // namespace sockeye::ws::frame

#endif
