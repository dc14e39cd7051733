// Masking with the vector registers of x86-64 processors: 16 bytes with SSE2, 32 with AVX2.
//
// RFC 6455 §5.3; read mask_scalar in mask.cc first. The first and the last vector of a payload are
// masked before anything is stored and are stored at the end. They may overlap the vectors between
// (which are aligned, for a store that crosses cache lines costs double) and each other, and give
// the overlap the same bytes. So there is no loop for odd bytes, and nothing is masked twice.
//
//   payload    ....................................................
//   first      |---------|                                          stored last, as is
//   between          |---------|---------|---------|---------|
//   last                                               |---------|
//
// SPDX-License-Identifier: MIT
#if defined(__x86_64__)

#include <immintrin.h>

#include "ws/frame/mask.h"
#include "ws/frame/mask_word.h"

namespace sockeye::ws::frame {
namespace {

// How far `p` is from the next address divisible by `alignment`, a power of two: 1 to `alignment`.
std::size_t distance_to_aligned(const std::uint8_t* p, std::size_t alignment) {
  return alignment - (reinterpret_cast<std::uintptr_t>(p) & (alignment - 1));
}

__m128i load_16(const std::uint8_t* p) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}

void store_16(std::uint8_t* p, __m128i value) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), value);
}

// Four times the key that applies `offset` bytes into the payload.
__m128i key_16(std::uint32_t key, std::size_t offset) {
  return _mm_set1_epi32(static_cast<int>(key_as_in_memory(key_at(key, offset))));
}

[[gnu::target("avx2")]] __m256i load_32(const std::uint8_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}

[[gnu::target("avx2")]] void store_32(std::uint8_t* p, __m256i value) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), value);
}

[[gnu::target("avx2")]] __m256i key_32(std::uint32_t key, std::size_t offset) {
  return _mm256_set1_epi32(static_cast<int>(key_as_in_memory(key_at(key, offset))));
}

// Masks the 32 bytes at `from`, and returns them.
[[gnu::target("avx2")]] inline __m256i mask_32(std::uint8_t* to, const std::uint8_t* from,
                                               __m256i key) {
  const __m256i masked = _mm256_xor_si256(load_32(from), key);
  store_32(to, masked);
  return masked;
}

}  // namespace

bool mask_sse2(std::uint8_t* to, const std::uint8_t* from, std::size_t size, std::uint32_t key) {
  constexpr std::size_t width = 16;
  if (size < width) return mask_scalar(to, from, size, key);

  const std::size_t end = size - width;
  const __m128i first = _mm_xor_si128(load_16(from), key_16(key, 0));
  const __m128i last = _mm_xor_si128(load_16(from + end), key_16(key, end));
  __m128i seen = _mm_or_si128(first, last);

  std::size_t i = distance_to_aligned(to, width);
  const __m128i key_between = key_16(key, i);
  for (; i < end; i += width) {
    const __m128i masked = _mm_xor_si128(load_16(from + i), key_between);
    store_16(to + i, masked);
    seen = _mm_or_si128(seen, masked);
  }

  store_16(to, first);
  store_16(to + end, last);
  return _mm_movemask_epi8(seen) == 0;
}

[[gnu::target("avx2")]] bool mask_avx2(std::uint8_t* to, const std::uint8_t* from, std::size_t size,
                                       std::uint32_t key) {
  constexpr std::size_t width = 32;
  if (size < width) return mask_sse2(to, from, size, key);

  const std::size_t end = size - width;
  const __m256i first = _mm256_xor_si256(load_32(from), key_32(key, 0));
  const __m256i last = _mm256_xor_si256(load_32(from + end), key_32(key, end));
  __m256i seen = _mm256_or_si256(first, last);

  std::size_t i = distance_to_aligned(to, width);
  const __m256i key_between = key_32(key, i);
  for (; i < end && end - i >= 4 * width; i += 4 * width) {
    const __m256i a = mask_32(to + i, from + i, key_between);
    const __m256i b = mask_32(to + i + width, from + i + width, key_between);
    const __m256i c = mask_32(to + i + 2 * width, from + i + 2 * width, key_between);
    const __m256i d = mask_32(to + i + 3 * width, from + i + 3 * width, key_between);
    const __m256i seen_here = _mm256_or_si256(_mm256_or_si256(a, b), _mm256_or_si256(c, d));
    seen = _mm256_or_si256(seen, seen_here);
  }
  for (; i < end; i += width) {
    seen = _mm256_or_si256(seen, mask_32(to + i, from + i, key_between));
  }

  store_32(to, first);
  store_32(to + end, last);
  return _mm256_movemask_epi8(seen) == 0;
}

}  // namespace sockeye::ws::frame

#endif
