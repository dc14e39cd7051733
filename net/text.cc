// SPDX-License-Identifier: MIT
#include "net/text.h"

#include <algorithm>
#include <cassert>
#include <charconv>
#include <cstring>

namespace sockeye::net {

TextWriter& TextWriter::put(std::string_view text) {
  const std::size_t size = std::min(text.size(), room());
  if (size > 0) std::memcpy(bytes_ + size_, text.data(), size);
  size_ += size;
  truncated_ |= size < text.size();
  return *this;
}

TextWriter& TextWriter::put_number(bool negative, std::uint64_t magnitude, int base,
                                   unsigned digits) {
  constexpr std::size_t most_zeros = 16;
  constexpr std::size_t most_digits = 20;  // of 2^64 - 1
  assert(digits <= most_zeros);
  // A sign, zeros as they are needed, and the number: written from the middle to both ends.
  char text[1 + most_zeros + most_digits];
  char* const number = text + 1 + most_zeros;
  const char* const end = std::to_chars(number, text + sizeof text, magnitude, base).ptr;
  char* first = number;
  while (end - first < static_cast<std::ptrdiff_t>(digits)) *--first = '0';
  if (negative) *--first = '-';

  const std::string_view whole(first, end);
  if (whole.size() <= room()) return put(whole);
  truncated_ = true;
  return *this;
}

void TextWriter::rewind(std::size_t size) {
  assert(size <= size_);
  size_ = size;
  truncated_ = false;
}

}  // namespace sockeye::net
