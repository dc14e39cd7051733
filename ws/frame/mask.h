// Masking: XOR with a key of four bytes that repeats.
//
// RFC 6455 §5.3. What a client sends is masked, so that nobody chooses the bytes that pass a proxy
// (§10.3). Masking twice with the same key gives the original, so one function does both ways.
//
// mask.cc is the text to read; mask_x86.cc and mask_arm.cc do the same with wider registers.
// Next on the reading tour: ws/frame/utf8.h.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace sockeye::ws::frame {

// Writes `size` bytes from `from`, masked, to `to`: in place where the two are equal; otherwise
// they must not overlap. No other byte is read or written. Both may have any alignment.
//
// `key` holds the four octets of the masking key as on the wire, the first one highest, as
// load_be32 gives them. It applies from its first octet on; see key_at for a later part of a
// payload.
//
// Returns whether all that was written is ASCII, no byte with its highest bit set. Next to the
// masking it costs nothing, and ASCII needs no further check where it has to be UTF-8.
using MaskKernel = bool(std::uint8_t* to, const std::uint8_t* from, std::size_t size,
                        std::uint32_t key);

MaskKernel mask_scalar;
MaskKernel mask_sse2;  // x86-64: mask_x86.cc
MaskKernel mask_avx2;
MaskKernel mask_neon;  // AArch64: mask_arm.cc

// The key for the part of a payload that begins `offset` bytes in: octet offset MOD 4 comes first.
constexpr std::uint32_t key_at(std::uint32_t key, std::uint64_t offset) {
  return std::rotl(key, static_cast<int>(offset % 4 * 8));
}

}  // namespace sockeye::ws::frame
