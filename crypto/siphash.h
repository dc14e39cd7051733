// SipHash-2-4: a hash of 64 bits under a secret key.
//
// Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012; section numbers in siphash.h and
// siphash.cc mean that paper. It is for hash tables whose keys a peer chooses, such as the names of
// topics. With a hash that anybody can compute, a peer could choose many keys that fall into one
// place (§7); who doesn't know the key of this one can't. It makes no proof of anything to others:
// 64 bits are few for that.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "net/bytes.h"

namespace sockeye::crypto {

// Each table draws its own at random, and keeps it to itself.
struct SipKey {
  std::uint64_t k0 = 0;
  std::uint64_t k1 = 0;
};

std::uint64_t siphash(const SipKey& key, Bytes message);

}  // namespace sockeye::crypto
