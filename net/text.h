// A line of text in a buffer of fixed size: no allocation, and no printf, which costs a static
// binary 16 KB and reads its arguments at run time.
//
//   Text<64> line;
//   line.put("fd ").put_decimal(7).put(" at 0x").put_hex(0x2a, 4);   // "fd 7 at 0x002a"
//
// What doesn't fit is cut off, and truncated() says so. Part of the floor.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

namespace sockeye::net {

// The part of Text that doesn't depend on its size: what functions that write text take.
class TextWriter {
 public:
  TextWriter(const TextWriter&) = delete;
  TextWriter& operator=(const TextWriter&) = delete;

  TextWriter& put(std::string_view text);

  // Numbers have at least `digits` digits, 16 at most, with zeros before them. One is put whole or
  // not at all: half of a number would be another number.
  template <std::integral Integer>
  TextWriter& put_decimal(Integer value, unsigned digits = 1) {
    const auto magnitude = static_cast<std::uint64_t>(value);
    if constexpr (std::is_signed_v<Integer>) {
      if (value < 0) return put_number(true, 0 - magnitude, 10, digits);
    }
    return put_number(false, magnitude, 10, digits);
  }

  // Lower case.
  TextWriter& put_hex(std::uint64_t value, unsigned digits = 1) {
    return put_number(false, value, 16, digits);
  }

  // What was written. Valid until the next call of a non-const function.
  std::string_view view() const { return {bytes_, size_}; }
  std::size_t size() const { return size_; }
  std::size_t room() const { return capacity_ - size_; }
  bool truncated() const { return truncated_; }

  // Takes back what was written after the first `size` bytes, and that something was cut off.
  void rewind(std::size_t size);

 protected:
  TextWriter(char* bytes, std::size_t capacity) : bytes_(bytes), capacity_(capacity) {}
  ~TextWriter() = default;

 private:
  TextWriter& put_number(bool negative, std::uint64_t magnitude, int base, unsigned digits);

  char* bytes_;
  std::size_t capacity_;
  std::size_t size_ = 0;
  bool truncated_ = false;
};

template <std::size_t Capacity>
class Text final : public TextWriter {
 public:
  Text() : TextWriter(storage_, Capacity) {}

 private:
  char storage_[Capacity];
};

}  // namespace sockeye::net
