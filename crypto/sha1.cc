// SPDX-License-Identifier: MIT
#include "crypto/sha1.h"

#include <algorithm>
#include <bit>

namespace sockeye::crypto {
namespace {

// The working variables a..e, and what one of the eighty rounds does with them (§6.1.2, step 3).
struct Variables {
  std::uint32_t a, b, c, d, e;

  void round(std::uint32_t f, std::uint32_t constant, std::uint32_t word) {
    const std::uint32_t next = std::rotl(a, 5) + f + e + constant + word;
    e = d;
    d = c;
    c = std::rotl(b, 30);
    b = a;
    a = next;
  }

  // §4.1.1: the functions of the rounds. Each works on the 32 bit positions independently.
  std::uint32_t choose() const { return (b & c) ^ (~b & d); }
  std::uint32_t parity() const { return b ^ c ^ d; }
  std::uint32_t majority() const { return (b & c) ^ (b & d) ^ (c & d); }
};

}  // namespace

void sha1_scalar(std::uint32_t state[5], const std::uint8_t* blocks, std::size_t count) {
  for (const std::uint8_t* block = blocks; count > 0; --count, block += 64) {
    // §6.1.2, step 1: the message schedule stretches the 16 words of the block to 80.
    std::uint32_t w[80];
    for (int t = 0; t < 16; ++t) w[t] = load_be32(block + 4 * t);
    for (int t = 16; t < 80; ++t) w[t] = std::rotl(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);

    // Steps 2 and 3, with the constants of §4.2.1.
    Variables v = {state[0], state[1], state[2], state[3], state[4]};
    int t = 0;
    for (; t < 20; ++t) v.round(v.choose(), 0x5a827999, w[t]);
    for (; t < 40; ++t) v.round(v.parity(), 0x6ed9eba1, w[t]);
    for (; t < 60; ++t) v.round(v.majority(), 0x8f1bbcdc, w[t]);
    for (; t < 80; ++t) v.round(v.parity(), 0xca62c1d6, w[t]);

    // Step 4.
    state[0] += v.a;
    state[1] += v.b;
    state[2] += v.c;
    state[3] += v.d;
    state[4] += v.e;
  }
}

void Sha1::update(Bytes bytes) {
  const std::size_t held = size_ % block_size;
  size_ += bytes.size();

  // Fill up the block that an earlier update began.
  if (held > 0) {
    const std::size_t taken = std::min(block_size - held, bytes.size());
    copy_bytes(pending_.data() + held, bytes.first(taken));
    bytes = bytes.subspan(taken);
    if (held + taken < block_size) return;
    kernel_(state_.data(), pending_.data(), 1);
  }

  // Whole blocks go in from where they lie; what is left waits for its block's other bytes.
  const std::size_t whole = bytes.size() / block_size;
  kernel_(state_.data(), bytes.data(), whole);
  copy_bytes(pending_.data(), bytes.subspan(whole * block_size));
}

Sha1::Digest Sha1::digest() const {
  // §5.1.1: the message is padded with one 1 bit, zeros, and its length in bits as 64 bits, up to
  // the end of a block. Where the marker and the length find no room, that is the next block's end.
  const std::size_t held = size_ % block_size;
  const std::size_t blocks = held + 1 + sizeof(std::uint64_t) <= block_size ? 1 : 2;
  std::array<std::uint8_t, 2 * block_size> last{};
  std::uint8_t* marker = copy_bytes(last.data(), Bytes(pending_).first(held));
  *marker = 0x80;
  store_be64(last.data() + blocks * block_size - sizeof(std::uint64_t), size_ * 8);

  std::array<std::uint32_t, 5> state = state_;
  kernel_(state.data(), last.data(), blocks);

  Digest digest;
  for (std::size_t i = 0; i < state.size(); ++i) store_be32(digest.data() + 4 * i, state[i]);
  return digest;
}

}  // namespace sockeye::crypto
