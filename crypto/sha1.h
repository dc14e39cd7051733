// SHA-1: a fingerprint of 20 bytes for a message of any length.
//
// FIPS 180-4; section numbers in sha1.h and sha1.cc mean that document. RFC 6455 §4.2.2 has the
// server prove with it that it read the client's handshake. Nothing here relies on SHA-1 being
// hard to collide, which it no longer is; do not use it where that matters.
//
// This is the first file of the reading tour. Next: crypto/base64.h.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "net/bytes.h"

namespace sockeye::crypto {

// The compression function (§6.1.2): works `count` blocks of 64 bytes into the five words of
// `state`. There is a portable one, and one per processor that has instructions for it.
using Sha1Kernel = void(std::uint32_t state[5], const std::uint8_t* blocks, std::size_t count);

Sha1Kernel sha1_scalar;
Sha1Kernel sha1_sha;  // x86-64 with the SHA extensions: sha1_x86.cc

class Sha1 {
 public:
  using Digest = std::array<std::uint8_t, 20>;

  explicit Sha1(Sha1Kernel* kernel = sha1_scalar) : kernel_(kernel) {}

  // Appends to the message. The bytes are not referred to afterwards.
  void update(Bytes bytes);

  // The digest of the message so far; more may be appended.
  Digest digest() const;

 private:
  static constexpr std::size_t block_size = 64;

  Sha1Kernel* kernel_;

  // §5.3.1: the initial hash value.
  std::array<std::uint32_t, 5> state_ = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476,
                                         0xc3d2e1f0};

  std::uint64_t size_ = 0;  // of the message so far, in bytes
  std::array<std::uint8_t, block_size>
      pending_{};  // the size_ % block_size bytes not yet in state_
};

}  // namespace sockeye::crypto
