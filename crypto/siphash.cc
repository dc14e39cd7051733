// SPDX-License-Identifier: MIT
#include "crypto/siphash.h"

#include <bit>
#include <cstddef>

namespace sockeye::crypto {
namespace {

// §2.1: the state is four words, which begin as the key, twice, xored with the letters
// "somepseudorandomlygeneratedbytes".
struct State {
  std::uint64_t v0, v1, v2, v3;

  explicit State(const SipKey& key)
      : v0(key.k0 ^ 0x736f6d6570736575),
        v1(key.k1 ^ 0x646f72616e646f6d),
        v2(key.k0 ^ 0x6c7967656e657261),
        v3(key.k1 ^ 0x7465646279746573) {}

  // §2.2, figure 2.1: a SipRound. It adds, rotates and xors, so that it takes the same time
  // whatever is in the words.
  void round() {
    v0 += v1;
    v1 = std::rotl(v1, 13) ^ v0;
    v0 = std::rotl(v0, 32);
    v2 += v3;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1;
    v1 = std::rotl(v1, 17) ^ v2;
    v2 = std::rotl(v2, 32);
  }

  // Compression: the "2" of SipHash-2-4.
  void compress(std::uint64_t word) {
    v3 ^= word;
    round();
    round();
    v0 ^= word;
  }

  // Finalization: the "4".
  std::uint64_t finish() {
    v2 ^= 0xff;
    for (int i = 0; i < 4; ++i) round();
    return v0 ^ v1 ^ v2 ^ v3;
  }
};

}  // namespace

std::uint64_t siphash(const SipKey& key, Bytes message) {
  State state(key);
  const std::size_t size = message.size();
  for (; message.size() >= 8; message = message.subspan(8)) {
    state.compress(load_le64(message.data()));
  }

  // The last word: what bytes are left, zeros, and in the highest byte the message's length.
  std::uint64_t last = std::uint64_t{size} << 56;
  for (std::size_t i = 0; i < message.size(); ++i) last |= std::uint64_t{message[i]} << 8 * i;
  state.compress(last);
  return state.finish();
}

}  // namespace sockeye::crypto
