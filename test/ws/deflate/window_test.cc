// The window: what it holds, whatever the pieces.
//
// SPDX-License-Identifier: MIT
#include "ws/deflate/window.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>

#include "net/pool.h"
#include "ws/deflate/format.h"

namespace sockeye::ws::deflate {
namespace {

// The last `distance` bytes, piece by piece.
std::string from_window(const Window& window, std::size_t distance) {
  std::string text;
  while (distance > 0) {
    const Bytes piece = window.piece(distance);
    REQUIRE(!piece.empty());
    REQUIRE(piece.size() <= distance);
    text += as_text(piece);
    distance -= piece.size();
  }
  return text;
}

}  // namespace

TEST_CASE("window: keeps the last bytes, whatever the pieces") {
  Pool pool;
  std::mt19937 random(5);
  for (int bits = min_window_bits; bits <= max_window_bits; ++bits) {
    CAPTURE(bits);
    Window window(pool, bits);
    REQUIRE(window.allocated());
    CHECK(window.capacity() == std::size_t{1} << bits);
    std::string all;
    for (int i = 0; i < 60; ++i) {
      const std::size_t most = std::size_t{4} << random() % static_cast<unsigned>(bits);
      std::string piece(random() % most, ' ');
      for (char& c : piece) c = static_cast<char>(random());
      window.append(as_bytes(piece));
      all += piece;
      REQUIRE(window.size() == std::min(all.size(), window.capacity()));
      CHECK(from_window(window, window.size()) == all.substr(all.size() - window.size()));
      if (window.size() == 0) continue;
      const std::size_t distance = 1 + random() % window.size();
      CHECK(from_window(window, distance) == all.substr(all.size() - distance));
    }
    window.clear();
    CHECK(window.size() == 0);
    window.append(as_bytes("again"));
    CHECK(from_window(window, window.size()) == "again");
  }
}

TEST_CASE("window: does without memory") {
  MemoryBudget budget(300);
  Pool pool;
  pool.draw_on(&budget);
  CHECK_FALSE(Window(pool, 9).allocated());
  CHECK(Window(pool, 8).allocated());
  CHECK(budget.used_bytes() == 0);
}

TEST_CASE("window: takes 2^bits bytes of the pool, and little beside them") {
  MemoryBudget budget(1 << 20);
  Pool pool;
  pool.draw_on(&budget);
  const Window window(pool, max_window_bits);
  CHECK(budget.used_bytes() == 32'768);
  CHECK(sizeof(Window) <= 40);
}

}  // namespace sockeye::ws::deflate
