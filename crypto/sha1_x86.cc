// SHA-1's compression function with the SHA extensions of x86-64 processors.
//
// FIPS 180-4 §6.1.2; read sha1_scalar in sha1.cc first. One instruction does four rounds, others
// compute four words of the message schedule, so the eighty rounds are twenty steps.
//
// SPDX-License-Identifier: MIT
#if defined(__x86_64__)

#include <immintrin.h>

#include <bit>

#include "crypto/sha1.h"

namespace sockeye::crypto {

// The variables a, b, c, d are one vector `abcd`, with a in the highest of its four lanes. The
// fifth, e, needs no place of its own: e is what a was four rounds before, rotated by 30 bits.
// sha1nexte (_mm_sha1nexte_epu32) does that rotation and adds the result to the first of four
// schedule words, where sha1rnds4 expects it.
[[gnu::target("sha,ssse3")]] void sha1_sha(std::uint32_t state[5], const std::uint8_t* blocks,
                                           std::size_t count) {
  const __m128i to_big_endian = _mm_set_epi64x(0x0001020304050607, 0x08090a0b0c0d0e0f);
  const __m128i initial = _mm_loadu_si128(reinterpret_cast<const __m128i*>(state));
  __m128i abcd = _mm_shuffle_epi32(initial, _MM_SHUFFLE(0, 1, 2, 3));  // a from lowest to highest
  std::uint32_t e = state[4];

  for (const std::uint8_t* block = blocks; count > 0; --count, block += 64) {
    // Step 1: the schedule, w[i] holding the words of rounds 4i to 4i + 3.
    __m128i w[20];
    for (int i = 0; i < 4; ++i) {
      const __m128i words = _mm_loadu_si128(reinterpret_cast<const __m128i*>(block) + i);
      w[i] = _mm_shuffle_epi8(words, to_big_endian);
    }
    for (int i = 4; i < 20; ++i) {
      const __m128i sum = _mm_xor_si128(_mm_sha1msg1_epu32(w[i - 4], w[i - 3]), w[i - 2]);
      w[i] = _mm_sha1msg2_epu32(sum, w[i - 1]);
    }

    // Steps 2 and 3. `earlier` is abcd as it was four rounds ago; before the first round, a vector
    // whose highest lane gives e when rotated.
    const __m128i abcd_before = abcd;
    __m128i earlier = _mm_set_epi32(static_cast<int>(std::rotr(e, 30)), 0, 0, 0);
    int i = 0;
    for (; i < 5; ++i) {
      const __m128i words = _mm_sha1nexte_epu32(earlier, w[i]);
      earlier = abcd;
      abcd = _mm_sha1rnds4_epu32(abcd, words, 0);  // choose
    }
    for (; i < 10; ++i) {
      const __m128i words = _mm_sha1nexte_epu32(earlier, w[i]);
      earlier = abcd;
      abcd = _mm_sha1rnds4_epu32(abcd, words, 1);  // parity
    }
    for (; i < 15; ++i) {
      const __m128i words = _mm_sha1nexte_epu32(earlier, w[i]);
      earlier = abcd;
      abcd = _mm_sha1rnds4_epu32(abcd, words, 2);  // majority
    }
    for (; i < 20; ++i) {
      const __m128i words = _mm_sha1nexte_epu32(earlier, w[i]);
      earlier = abcd;
      abcd = _mm_sha1rnds4_epu32(abcd, words, 3);  // parity
    }

    // Step 4.
    abcd = _mm_add_epi32(abcd, abcd_before);
    const __m128i highest_first = _mm_shuffle_epi32(earlier, _MM_SHUFFLE(0, 1, 2, 3));
    e += std::rotl(static_cast<std::uint32_t>(_mm_cvtsi128_si32(highest_first)), 30);
  }

  _mm_storeu_si128(reinterpret_cast<__m128i*>(state),
                   _mm_shuffle_epi32(abcd, _MM_SHUFFLE(0, 1, 2, 3)));
  state[4] = e;
}

}  // namespace sockeye::crypto

#endif
