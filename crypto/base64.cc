// SPDX-License-Identifier: MIT
#include "crypto/base64.h"

#include <algorithm>
#include <cassert>
#include <cstdint>

namespace sockeye::crypto {
namespace {

// §4, table 1: the letter at index n stands for the six bits of n.
constexpr std::string_view alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

// Three bytes are 24 bits are four letters:
//
//   bytes     aaaaaaaa bbbbbbbb cccccccc
//   letters   aaaaaa aabbbb bbbbcc cccccc
//
// A last group of one or two bytes is filled up with zero bits to two or three letters, and with
// '=' to four (§4).

std::string_view base64_encode(Bytes bytes, std::span<char> text) {
  assert(text.size() >= base64_encoded_size(bytes.size()));
  char* out = text.data();
  while (!bytes.empty()) {
    const Bytes group = bytes.first(std::min<std::size_t>(3, bytes.size()));
    bytes = bytes.subspan(group.size());

    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < 3; ++i) bits = bits << 8 | (i < group.size() ? group[i] : 0u);
    for (std::size_t i = 0; i < 4; ++i) {
      *out++ = i <= group.size() ? alphabet[bits >> (18 - 6 * i) & 0x3f] : '=';
    }
  }
  return {text.data(), out};
}

std::optional<std::size_t> base64_decode(std::string_view text, MutableBytes bytes) {
  if (text.size() % 4 != 0) return std::nullopt;  // §3.2: padding is not optional
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  const std::size_t size = text.size() / 4 * 3 - padding;
  if (size > bytes.size()) return std::nullopt;
  text.remove_suffix(padding);

  std::uint8_t* out = bytes.data();
  while (!text.empty()) {
    const std::string_view group = text.substr(0, 4);
    text.remove_prefix(group.size());

    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      const std::size_t value = i < group.size() ? alphabet.find(group[i]) : 0;
      // §3.3: letters outside the alphabet are refused, and so is '=' anywhere but at the end.
      if (value == std::string_view::npos) return std::nullopt;
      bits = bits << 6 | static_cast<std::uint32_t>(value);
    }
    for (std::size_t i = 1; i < group.size(); ++i) {
      *out++ = static_cast<std::uint8_t>(bits >> 16);
      bits = bits << 8 & 0xffffff;
    }
    if (bits != 0) return std::nullopt;  // §3.5: the bits that fill up the last letter are zero
  }
  return size;
}

}  // namespace sockeye::crypto
