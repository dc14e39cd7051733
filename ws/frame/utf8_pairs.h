// Internal to the UTF-8 kernels: which pairs of neighbouring bytes betray an error.
//
// RFC 3629 §3 and §4, after John Keiser and Daniel Lemire, "Validating UTF-8 In Less Than One
// Instruction Per Byte", Software: Practice and Experience 51(5), 2021 (arXiv:2010.03090).
//
// The paper's observation: nearly every error shows in two neighbouring bytes, and there of the
// first byte in its two halves, of the second in its upper half alone. So let there be eight
// errors, each described by three sets of half bytes. A table per half, with 16 entries, has bit n
// set where the half byte belongs to error n's set; a processor with a byte shuffle looks up 16 or
// 32 halves at once. The AND of the three entries is then the set of errors that this pair of bytes
// shows.
//
// What two bytes cannot show is a third or fourth byte of a character: 80..BF after 80..BF, which
// is right if a lead byte stands two or three bytes before, and wrong if none does. The last row of
// the table finds the pair; the kernels toggle its bit where a lead byte asks for such a pair.
// The bit is then left over both where there is one too many and where there is one too few.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace sockeye::ws::frame {

// A set of half bytes: bit n is set where n belongs to it.
using Halves = std::uint16_t;

constexpr Halves half(int value) {
  return static_cast<Halves>(1 << value);
}

constexpr Halves halves(int first, int last) {
  return static_cast<Halves>((2 << last) - (1 << first));
}

struct BadPair {
  Halves first_upper;
  Halves first_lower;
  Halves second_upper;
};

constexpr Halves any_half = halves(0x0, 0xf);
constexpr Halves ascii_upper = halves(0x0, 0x7);
constexpr Halves tail_upper = halves(0x8, 0xb);
constexpr Halves lead_upper = halves(0xc, 0xf);

// Row n is error n. The patterns show the bits of both bytes.
constexpr std::array<BadPair, 8> bad_pairs = {{
    // 11______ 0_______, 11______ 11______: a lead byte without its second byte
    {lead_upper, any_half, ascii_upper | lead_upper},
    // 0_______ 10______: a second byte without a lead byte
    {ascii_upper, any_half, tail_upper},
    // 1100000_ 10______: C0, C1: what one byte spells, in two
    {half(0xc), halves(0x0, 0x1), tail_upper},
    // 11100000 100_____: below E0 A0: what two bytes spell, in three
    {half(0xe), half(0x0), halves(0x8, 0x9)},
    // 11101101 101_____: from ED A0: a surrogate
    {half(0xe), half(0xd), halves(0xa, 0xb)},
    // 11110100 1001____, 11110100 101_____: from F4 90: beyond U+10FFFF; and F5..FF before the same
    {half(0xf), halves(0x4, 0xf), halves(0x9, 0xb)},
    // 11110000 1000____: below F0 90: what three bytes spell, in four; and F5..FF before the same
    {half(0xf), half(0x0) | halves(0x5, 0xf), half(0x8)},
    // 10______ 10______: a third or fourth byte, for which a lead byte must ask (see above)
    {tail_upper, any_half, tail_upper},
}};

constexpr std::uint8_t third_or_fourth_bit = 0x80;  // of the last row

// For each half byte, the errors whose set `part` it belongs to.
constexpr std::array<std::uint8_t, 16> errors_by_half(Halves BadPair::*part) {
  std::array<std::uint8_t, 16> table{};
  for (std::size_t value = 0; value < table.size(); ++value) {
    for (std::size_t error = 0; error < bad_pairs.size(); ++error) {
      const bool member = (bad_pairs[error].*part >> value & 1) != 0;
      table[value] = static_cast<std::uint8_t>(table[value] | int{member} << error);
    }
  }
  return table;
}

alignas(16) inline constexpr auto errors_by_first_upper = errors_by_half(&BadPair::first_upper);
alignas(16) inline constexpr auto errors_by_first_lower = errors_by_half(&BadPair::first_lower);
alignas(16) inline constexpr auto errors_by_second_upper = errors_by_half(&BadPair::second_upper);

// Subtracted from a lead byte with saturation, these leave third_or_fourth_bit set exactly where
// the lead byte asks for a third byte (E0..FF), or for a fourth one (F0..FF).
constexpr std::uint8_t third_byte_threshold = 0xe0 - 0x80;
constexpr std::uint8_t fourth_byte_threshold = 0xf0 - 0x80;

// The length of bytes[0, size), which show no error so far, without a character that the end cuts.
// A lead byte's upper bits count its character's bytes (RFC 3629 §3): 110_____, 1110____, 11110___.
// `size` is at least 3.
inline std::size_t whole_characters(const std::uint8_t* bytes, std::size_t size) {
  for (std::size_t back = 1; back <= 3; ++back) {
    const auto announced = static_cast<std::size_t>(std::countl_one(bytes[size - back]));
    if (announced == 1) continue;  // 10______: its lead byte is further back
    return announced > back ? size - back : size;
  }
  return size;
}

}  // namespace sockeye::ws::frame
