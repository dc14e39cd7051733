// Takes a fuzzer's input apart: a few choices from its end, the rest as data.
//
// Choices come from the end, so that a corpus file begins with the bytes that it is about.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "net/bytes.h"

namespace sockeye::test {

class FuzzInput {
 public:
  FuzzInput(const std::uint8_t* data, std::size_t size) : rest_(data, size) {}

  // The last byte, or 0 where there is none.
  std::uint8_t choice() {
    if (rest_.empty()) return 0;
    const std::uint8_t choice = rest_.back();
    rest_ = rest_.first(rest_.size() - 1);
    return choice;
  }

  Bytes data() const { return rest_; }

 private:
  Bytes rest_;
};

// Cuts data into pieces whose sizes are drawn from a seed. Each is an allocation of its own, so
// that a read beyond its end is seen.
class FuzzPieces {
 public:
  FuzzPieces(Bytes data, std::uint8_t seed) : rest_(data), state_(seed * 2654435761u + 1) {}

  bool at_end() const { return rest_.empty(); }

  MutableBytes next() {
    state_ = state_ * 1664525 + 1013904223;
    // Mostly a few bytes, sometimes many.
    const std::size_t wanted =
        (state_ >> 24) % 4 == 0 ? 1 + (state_ >> 8) % 1000 : 1 + (state_ >> 16) % 8;
    const Bytes piece = rest_.first(std::min(wanted, rest_.size()));
    rest_ = rest_.subspan(piece.size());
    piece_ = std::make_unique<std::uint8_t[]>(piece.size());
    copy_bytes(piece_.get(), piece);
    return {piece_.get(), piece.size()};
  }

 private:
  Bytes rest_;
  std::uint32_t state_;
  std::unique_ptr<std::uint8_t[]> piece_;
};

// The fuzzer's assert: says what differs, and stops.
inline void expect_equal(const std::string& one, const std::string& other, const char* what) {
  if (one == other) return;
  std::fprintf(stderr, "%s:\n%s\n--- but ---\n%s\n", what, one.c_str(), other.c_str());
  std::abort();
}

inline void expect(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

}  // namespace sockeye::test
