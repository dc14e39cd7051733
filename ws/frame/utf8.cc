// SPDX-License-Identifier: MIT
#include "ws/frame/utf8.h"

#include <array>
#include <cstring>

namespace sockeye::ws::frame {
namespace {

// What a character's first byte says about it: its length, and the bounds of its second byte. Any
// further bytes lie in 80..BF. Where no character begins with the byte, the length is 0.
struct Sequence {
  std::uint8_t length;
  std::uint8_t lowest;
  std::uint8_t highest;
};

struct SequenceRow {
  std::uint8_t first;
  std::uint8_t last;
  Sequence sequence;
};

// RFC 3629 §4, rule by rule. The narrower bounds of a second byte keep out what §3 and §10 forbid.
constexpr SequenceRow sequence_rows[] = {
    {0x00, 0x7f, {1, 0, 0}},
    {0xc2, 0xdf, {2, 0x80, 0xbf}},  // C0, C1 could only spell what one byte spells
    {0xe0, 0xe0, {3, 0xa0, 0xbf}},  // below A0: what two bytes spell
    {0xe1, 0xec, {3, 0x80, 0xbf}},
    {0xed, 0xed, {3, 0x80, 0x9f}},  // above 9F: the surrogates of UTF-16, U+D800..DFFF
    {0xee, 0xef, {3, 0x80, 0xbf}},
    {0xf0, 0xf0, {4, 0x90, 0xbf}},  // below 90: what three bytes spell
    {0xf1, 0xf3, {4, 0x80, 0xbf}},
    {0xf4, 0xf4, {4, 0x80, 0x8f}},  // above 8F, and from F5: beyond U+10FFFF
};

constexpr auto sequences = [] {
  std::array<Sequence, 256> table{};
  for (const SequenceRow& row : sequence_rows) {
    for (std::size_t byte = row.first; byte <= row.last; ++byte) table[byte] = row.sequence;
  }
  return table;
}();

constexpr std::uint8_t tail_lowest = 0x80;
constexpr std::uint8_t tail_highest = 0xbf;

bool eight_are_ascii(const std::uint8_t* bytes) {
  std::uint64_t word;
  std::memcpy(&word, bytes, sizeof(word));
  return (word & 0x8080'8080'8080'8080) == 0;
}

// The length of the character at the start of `bytes`; 0 if it is not valid or not whole.
std::size_t character_length(const std::uint8_t* bytes, std::size_t size) {
  const Sequence sequence = sequences[bytes[0]];
  if (sequence.length > size) return 0;
  if (sequence.length >= 2 && (bytes[1] < sequence.lowest || bytes[1] > sequence.highest)) return 0;
  for (std::size_t i = 2; i < sequence.length; ++i) {
    if (bytes[i] < tail_lowest || bytes[i] > tail_highest) return 0;
  }
  return sequence.length;
}

}  // namespace

std::size_t utf8_scalar(const std::uint8_t* bytes, std::size_t size) {
  std::size_t i = 0;
  while (i < size) {
    if (size - i >= 8 && eight_are_ascii(bytes + i)) {
      i += 8;
      continue;
    }
    const std::size_t length = character_length(bytes + i, size - i);
    if (length == 0) break;
    i += length;
  }
  return i;
}

bool Utf8Validator::feed(Bytes piece, Utf8Kernel* kernel) {
  std::size_t i = 0;
  while (wanted_ > 0 && i < piece.size()) {
    if (!feed_byte(piece[i++])) return false;
  }

  i += kernel(piece.data() + i, piece.size() - i);

  while (i < piece.size()) {
    if (!feed_byte(piece[i++])) return false;
  }
  return true;
}

bool Utf8Validator::feed_byte(std::uint8_t byte) {
  if (wanted_ == 0) {
    const Sequence sequence = sequences[byte];
    if (sequence.length == 0) return false;
    wanted_ = static_cast<std::uint8_t>(sequence.length - 1);
    lowest_ = sequence.lowest;
    highest_ = sequence.highest;
    return true;
  }
  if (byte < lowest_ || byte > highest_) return false;
  --wanted_;
  lowest_ = tail_lowest;
  highest_ = tail_highest;
  return true;
}

}  // namespace sockeye::ws::frame
