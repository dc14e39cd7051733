// RFC 3629 (UTF-8), RFC 8259 (JSON).
//
// SPDX-License-Identifier: MIT
#include "app/bench/payload.h"

#include <string>
#include <string_view>

#include "app/decimal.h"

namespace sockeye::app::bench {

namespace {

// A message ends up to three bytes later than where it would from the buffer's begin, and the byte
// after it tells whether a character ends there.
constexpr std::size_t room_bytes = 4;

// Words in scripts that take one, two, three and four bytes a character.
constexpr std::string_view words[] = {
    "sockeye", "salmon", "für",  "Bäche",    "saumon", "λίμνη", "река", "лосось",
    "سمك",     "नदी",    "紅鮭", "川を上る", "연어",   "แม่น้ำ",  "🐟",    "🌊",
};

// Marsaglia: "Xorshift RNGs", Journal of Statistical Software 8 (2003). Any odd pattern would do.
std::uint64_t roll(std::uint64_t& dice) {
  dice ^= dice << 13;
  dice ^= dice >> 7;
  dice ^= dice << 17;
  return dice;
}

std::string random_bytes(std::size_t size) {
  std::string text(size, '\0');
  std::uint64_t dice = 0x9e3779b97f4a7c15;
  for (char& byte : text) byte = static_cast<char>(roll(dice) >> 56);
  return text;
}

std::string ascii(std::size_t size) {
  std::string text(size, ' ');
  std::uint64_t dice = 0x9e3779b97f4a7c15;
  for (char& letter : text) letter = static_cast<char>(' ' + (roll(dice) >> 32) % 95);
  return text;
}

std::string mixed(std::size_t size) {
  std::string text = ascii(Payload::head_bytes + room_bytes);
  std::uint64_t dice = 0x9e3779b97f4a7c15;
  while (text.size() < size) {
    text += ' ';
    text += words[(roll(dice) >> 32) % std::size(words)];
  }
  text.resize(size);
  return text;
}

// An array of small objects, made up to `size` bytes with the space that JSON allows between them.
std::string json(std::size_t size) {
  if (size < 2) return std::string(size, '1');
  std::string text = "[";
  for (std::uint64_t i = 1;; ++i) {
    std::string object = "{\"id\":" + to_text(i) + ",\"river\":\"";
    object.append(words[i % std::size(words)]).append("\",\"open\":true}");
    if (text.size() + 1 + object.size() + 1 > size) break;
    if (i > 1) text += ',';
    text += object;
  }
  text.resize(size - 1, ' ');
  return text + "]";
}

std::string make(PayloadKind kind, std::size_t size) {
  switch (kind) {
    case PayloadKind::binary:
      return random_bytes(size + room_bytes);
    case PayloadKind::ascii:
      return ascii(size + room_bytes);
    case PayloadKind::mixed:
      return mixed(size + room_bytes);
    case PayloadKind::json:
      return json(size) + std::string(room_bytes, ' ');
  }
  return {};
}

}  // namespace

Payload::Payload(PayloadKind kind, std::size_t smallest, std::size_t largest)
    : smallest_(smallest), spread_(largest - smallest), is_text_(kind != PayloadKind::binary) {
  const std::string text = make(kind, largest);
  bytes_.assign(text.begin(), text.end());
}

MutableBytes Payload::message(std::size_t size) {
  std::size_t begin = 0;
  // RFC 3629 §3: the second and later bytes of a character are 10xxxxxx.
  if (is_text_) {
    while ((bytes_[begin + size] & 0xc0) == 0x80) ++begin;
  }
  return MutableBytes(bytes_).subspan(begin, size);
}

std::size_t Payload::next_size() {
  if (spread_ == 0) return smallest_;
  return smallest_ + static_cast<std::size_t>((roll(dice_) >> 16) % (spread_ + 1));
}

}  // namespace sockeye::app::bench
