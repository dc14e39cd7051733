// UTF-8: is a text message, arriving in pieces, well-formed so far?
//
// RFC 3629 §3 and §4; RFC 6455 §8.1: an endpoint that finds text which is not UTF-8 fails the
// connection. The verdict comes with the first byte that cannot be part of any well-formed text,
// not at the end of the message: a peer may be gigabytes away from that end.
//
// utf8.cc is the text to read; utf8_x86.cc and utf8_arm.cc check many bytes at once.
// Next on the reading tour: ws/frame/assembler.h.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

#include "net/bytes.h"

namespace sockeye::ws::frame {

// Checks bytes that begin at the start of a character. Returns the length of a prefix that consists
// of whole, valid characters. What follows that prefix is for the caller to look at: a character
// that the end cuts, of three bytes at most, or a bad byte within the next few.
using Utf8Kernel = std::size_t(const std::uint8_t* bytes, std::size_t size);

Utf8Kernel utf8_scalar;
Utf8Kernel utf8_ssse3;  // x86-64: utf8_x86.cc
Utf8Kernel utf8_avx2;
Utf8Kernel utf8_neon;  // AArch64: utf8_arm.cc

// Unmasking and checking alternate over blocks of this size, which stay in the processor's
// first-level cache meanwhile; a multiple of the key's 4 bytes.
inline constexpr std::size_t block_bytes = 8 * 1024;

class Utf8Validator {
 public:
  // Takes the next piece of the text. False at its first bad byte; feed nothing more then.
  bool feed(Bytes piece, Utf8Kernel* kernel);

  // Whether the text may end here: no character is half done.
  bool complete() const { return wanted_ == 0; }

  // Starts a new text.
  void reset() { *this = {}; }

 private:
  bool feed_byte(std::uint8_t byte);

  // Of a character that the last piece cut: how many more bytes it wants, and the bounds of the
  // next one.
  std::uint8_t wanted_ = 0;
  std::uint8_t lowest_ = 0;
  std::uint8_t highest_ = 0;
};

}  // namespace sockeye::ws::frame
