// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "net/bytes.h"
#include "ws/deflate/match.h"
#include "ws/deflate/symbols.h"

namespace sockeye::ws::deflate {

enum class Level : std::uint8_t { fast, normal };

constexpr std::size_t max_compressed_size(std::size_t message_size) {
  return message_size + 5 * (message_size / 16384 + 1) + 16;
}

class Deflater {
 public:
  static std::unique_ptr<Deflater> make(Level level, int window_bits);
  std::size_t compress(Bytes message, MutableBytes output, Symbols& symbols);
  void forget();

 private:
  Deflater() = default;
  void make_room(std::size_t wanted);
  Level level_;
  std::size_t window_;
  std::size_t slack_;
  std::unique_ptr<Position[]> tables_;
  std::size_t table_size_;
  std::unique_ptr<std::uint8_t[]> history_;
  std::size_t history_size_ = 0;
  std::uint32_t position_ = 1;
  std::uint32_t oldest_ = 1;
  int window_bits_;
};

}  // namespace sockeye::ws::deflate
