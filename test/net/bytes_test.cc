// SPDX-License-Identifier: MIT
#include "net/bytes.h"

#include <doctest/doctest.h>

#include <array>
#include <cstdint>

using sockeye::as_bytes;
using sockeye::as_text;
using sockeye::Bytes;

TEST_CASE("bytes: text and bytes are two views of the same memory") {
  constexpr std::string_view text("a\0\xff", 3);
  const Bytes bytes = as_bytes(text);
  REQUIRE(bytes.size() == 3);
  CHECK(bytes[0] == 'a');
  CHECK(bytes[1] == 0);
  CHECK(bytes[2] == 0xff);
  CHECK(as_text(bytes) == text);
  CHECK(as_text(bytes).data() == text.data());
  CHECK(as_text({}).empty());
  CHECK(as_bytes({}).empty());
}

TEST_CASE("copy_bytes: returns what follows the copy, and copies nothing to null") {
  std::array<std::uint8_t, 4> to{1, 2, 3, 4};
  CHECK(sockeye::copy_bytes(to.data() + 1, as_bytes("xy")) == to.data() + 3);
  CHECK(to == std::array<std::uint8_t, 4>{1, 'x', 'y', 4});
  CHECK(sockeye::copy_bytes(to.data(), {}) == to.data());
  CHECK(sockeye::copy_bytes(nullptr, {}) == nullptr);
}

TEST_CASE("load_be, store_be: the most significant byte first, at any address") {
  constexpr std::uint8_t wire[] = {0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10};
  std::uint8_t memory[16] = {};
  for (std::size_t offset = 0; offset < 8; ++offset) {
    std::uint8_t* p = memory + offset;
    std::memcpy(p, wire, sizeof wire);
    CHECK(sockeye::load_be16(p) == 0xfedc);
    CHECK(sockeye::load_be32(p) == 0xfedcba98);
    CHECK(sockeye::load_be64(p) == 0xfedcba9876543210);

    std::memset(p, 0, sizeof wire);
    sockeye::store_be16(p, 0xfedc);
    CHECK(std::memcmp(p, "\xfe\xdc\0", 3) == 0);
    sockeye::store_be32(p, 0xfedcba98);
    CHECK(std::memcmp(p, "\xfe\xdc\xba\x98\0", 5) == 0);
    sockeye::store_be64(p, 0xfedcba9876543210);
    CHECK(std::memcmp(p, wire, 8) == 0);
  }
}

TEST_CASE("load_le, store_le: the least significant byte first, at any address") {
  constexpr std::uint8_t bytes[] = {0x10, 0x32, 0x54, 0x76, 0x98, 0xba, 0xdc, 0xfe};
  std::uint8_t memory[16] = {};
  for (std::size_t offset = 0; offset < 8; ++offset) {
    std::uint8_t* p = memory + offset;
    std::memcpy(p, bytes, sizeof bytes);
    CHECK(sockeye::load_le32(p) == 0x76543210);
    CHECK(sockeye::load_le64(p) == 0xfedcba9876543210);

    std::memset(p, 0, sizeof bytes);
    sockeye::store_le64(p, 0xfedcba9876543210);
    CHECK(std::memcmp(p, bytes, 8) == 0);
  }
}
