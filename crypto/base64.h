// Base64: bytes as text over 64 letters, six bits to the letter.
//
// RFC 4648 §4; section numbers mean that document. RFC 6455 §4.1 sends the handshake's key in it,
// and §4.2.2 the answer: the Base64 of SHA-1's raw 20 bytes, not of their hexadecimal text.
//
// Next on the reading tour: ws/http/handshake.h.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include "net/bytes.h"

namespace sockeye::crypto {

// How many letters, padding included, `bytes` bytes turn into.
constexpr std::size_t base64_encoded_size(std::size_t bytes) {
  return (bytes + 2) / 3 * 4;
}

// Writes the Base64 of `bytes` to the start of `text`, which must have room for it
// (base64_encoded_size), and returns what it wrote.
std::string_view base64_encode(Bytes bytes, std::span<char> text);

// Writes the bytes that `text` stands for to the start of `bytes` and returns their number.
// Nothing, where `text` is not the one correct encoding of any bytes (a foreign letter, white
// space, missing or surplus padding, bits left over that are not zero), or where they do not fit
// into `bytes`; what `bytes` holds is unspecified then.
std::optional<std::size_t> base64_decode(std::string_view text, MutableBytes bytes);

}  // namespace sockeye::crypto
