// Every way of cutting an input that a test has to try: whole, byte by byte, and in two everywhere.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "net/bytes.h"

namespace sockeye::test {

// Each piece is an allocation of its own, so that a read beyond its end is seen by ASan.
using Piece = std::vector<std::uint8_t>;
using Pieces = std::vector<Piece>;

inline Piece piece_of(Bytes bytes) {
  return Piece(bytes.begin(), bytes.end());
}

// Calls check(const Pieces&) once for each way of cutting `input`.
template <typename Check>
void for_each_split(Bytes input, Check check) {
  check(Pieces{piece_of(input)});

  Pieces single_bytes;
  for (std::size_t i = 0; i < input.size(); ++i) single_bytes.push_back({input[i]});
  check(single_bytes);

  for (std::size_t cut = 1; cut < input.size(); ++cut) {
    check(Pieces{piece_of(input.first(cut)), piece_of(input.subspan(cut))});
  }
}

}  // namespace sockeye::test
