// What each byte may be in an HTTP head, as one table; and the small words built on it.
//
// RFC 9110 §5.5 and §5.6.2, RFC 9112 §3.2, RFC 3986 §3.2.2. Pure functions over borrowed text.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sockeye::ws::http {

// Bits of the table; a byte may be of several classes.
enum CharClass : std::uint8_t {
  token_char = 1,   // RFC 9110 §5.6.2: tchar
  value_char = 2,   // RFC 9110 §5.5: VCHAR, obs-text, SP and HTAB
  target_char = 4,  // what is accepted in a request target; see below
  host_char = 8,    // RFC 3986 §3.2.2: reg-name and IPv4address, percent-encoding included
  digit = 16,
  hex_digit = 32,
};

namespace detail {

constexpr std::array<std::uint8_t, 256> classify() {
  std::array<std::uint8_t, 256> table{};
  const auto mark = [&table](std::string_view chars, int classes) {
    for (char c : chars) table[static_cast<unsigned char>(c)] |= static_cast<std::uint8_t>(classes);
  };
  for (unsigned c = 0x20; c < 0x100; ++c) {
    if (c != 0x7f) table[c] |= value_char;
  }
  mark("\t", value_char);

  // RFC 3986 would have some of these percent-encoded, but browsers send { | } [ ] ^ ` \ in a query
  // as they are (WHATWG URL §1.3). What no browser leaves as it is stays out: < > " and #.
  for (unsigned c = 0x21; c < 0x7f; ++c) table[c] |= target_char;
  for (char c : {'<', '>', '"', '#'}) {
    table[static_cast<unsigned char>(c)] &= static_cast<std::uint8_t>(~target_char);
  }

  mark("0123456789", token_char | host_char | digit | hex_digit);
  mark("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", token_char | host_char);
  mark("ABCDEFabcdef", hex_digit);
  mark("!#$%&'*+-.^_`|~", token_char);
  mark("-._~!$&'()*+,;=%", host_char);
  return table;
}

inline constexpr std::array<std::uint8_t, 256> char_classes = classify();

}  // namespace detail

constexpr bool is(char c, CharClass wanted) {
  return (detail::char_classes[static_cast<unsigned char>(c)] & wanted) != 0;
}

// How many bytes at the start of `text` are of the class.
constexpr std::size_t span_of(std::string_view text, CharClass wanted) {
  std::size_t n = 0;
  while (n < text.size() && is(text[n], wanted)) ++n;
  return n;
}

// Non-empty, and of the class throughout.
constexpr bool consists_of(std::string_view text, CharClass wanted) {
  return !text.empty() && span_of(text, wanted) == text.size();
}

// RFC 9110 §5.6.2: token = 1*tchar.
constexpr bool is_token(std::string_view text) {
  return consists_of(text, token_char);
}

constexpr char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

// RFC 6455 §2.1: ASCII letters are equal in either case; all other bytes must be the same.
constexpr bool equal_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

// `text` without the optional white space (RFC 9110 §5.6.3: SP and HTAB) around it.
constexpr std::string_view trim(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

}  // namespace sockeye::ws::http
