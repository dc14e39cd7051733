// SPDX-License-Identifier: MIT
#include "ws/frame/frame.h"

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <vector>

namespace sockeye::ws::frame {
namespace {

using Encoded = std::vector<std::uint8_t>;

Encoded encoded(const Header& header) {
  std::array<std::uint8_t, max_header_size> bytes;
  bytes.fill(0xEE);
  const std::size_t size = encode(header, bytes.data());
  for (std::size_t i = size; i < bytes.size(); ++i) CHECK(bytes[i] == 0xEE);
  return {bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)};
}

TEST_CASE("RFC 6455 §5.2: headers as they stand on the wire") {
  CHECK(encoded({.fin = true, .opcode = Opcode::text, .payload_size = 5}) == Encoded{0x81, 0x05});
  CHECK(encoded({.fin = false, .opcode = Opcode::continuation}) == Encoded{0x00, 0x00});
  CHECK(encoded({.fin = true, .rsv = 4, .opcode = Opcode::binary}) == Encoded{0xC2, 0x00});
  CHECK(encoded({.fin = true, .rsv = 3, .opcode = Opcode::close}) == Encoded{0xB8, 0x00});
  CHECK(encoded({.fin = true,
                 .opcode = Opcode::ping,
                 .masked = true,
                 .payload_size = 5,
                 .masking_key = 0x37fa213d}) == Encoded{0x89, 0x85, 0x37, 0xfa, 0x21, 0x3d});
  CHECK(encoded({.fin = true, .opcode = Opcode::binary, .payload_size = 256}) ==
        Encoded{0x82, 0x7E, 0x01, 0x00});
  CHECK(encoded({.fin = true, .opcode = Opcode::binary, .payload_size = 65536}) ==
        Encoded{0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0});
}

TEST_CASE("RFC 6455 §5.2: every header round trips, in the fewest bytes") {
  struct Length {
    std::uint64_t payload_size;
    std::size_t extended;
  };
  constexpr Length lengths[] = {
      {0, 0},          {1, 0},          {125, 0},         {126, 2},
      {127, 2},        {65535, 2},      {65536, 8},       {0x7fffffff, 8},
      {0x80000000, 8}, {0xffffffff, 8}, {0x100000000, 8}, {0x7fffffffffffffff, 8},
  };
  for (const auto& [payload_size, extended] : lengths) {
    for (unsigned bits = 0; bits < 256; ++bits) {
      for (const bool masked : {false, true}) {
        const Header header{.fin = (bits & 0x80) != 0,
                            .rsv = static_cast<std::uint8_t>(bits >> 4 & 7),
                            .opcode = static_cast<Opcode>(bits & 15),
                            .masked = masked,
                            .payload_size = payload_size,
                            .masking_key = masked ? 0x01020384u : 0};
        const Encoded bytes = encoded(header);
        REQUIRE(bytes.size() == 2 + extended + (masked ? 4 : 0));
        REQUIRE(bytes[0] == bits);
        REQUIRE(header_size(bytes[1]) == bytes.size());

        const Header again = decode(bytes.data());
        REQUIRE(again.fin == header.fin);
        REQUIRE(again.rsv == header.rsv);
        REQUIRE(again.opcode == header.opcode);
        REQUIRE(again.masked == masked);
        REQUIRE(again.payload_size == payload_size);
        REQUIRE(again.masking_key == header.masking_key);
        REQUIRE(check_length(again, bytes.size()) == Error::none);
      }
    }
  }
}

TEST_CASE("RFC 6455 §5.2: a length in more bytes than it needs, or with its top bit set") {
  struct Row {
    Encoded bytes;
    Error error;
  };
  const Row rows[] = {
      {{0x82, 126, 0, 0}, Error::length_not_minimal},
      {{0x82, 126, 0, 125}, Error::length_not_minimal},
      {{0x82, 126, 0, 126}, Error::none},
      {{0x82, 127, 0, 0, 0, 0, 0, 0, 0, 0}, Error::length_not_minimal},
      {{0x82, 127, 0, 0, 0, 0, 0, 0, 0, 126}, Error::length_not_minimal},
      {{0x82, 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, Error::length_not_minimal},
      {{0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0}, Error::none},
      {{0x82, 127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, Error::none},
      {{0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0}, Error::length_top_bit_set},
      {{0x82, 127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, Error::length_top_bit_set},
  };
  for (const auto& [bytes, error] : rows) {
    CHECK(check_length(decode(bytes.data()), bytes.size()) == error);
    Encoded masked = bytes;
    masked[1] |= 0x80;
    masked.insert(masked.end(), {1, 2, 3, 4});
    CHECK(check_length(decode(masked.data()), masked.size()) == error);
  }
}

TEST_CASE("RFC 7692 §6: RSV1 may be set where a message begins, if that was agreed; no other bit") {
  for (const bool agreed : {false, true}) {
    for (const std::uint8_t opcode : {0x0, 0x1, 0x2, 0x8, 0x9, 0xa}) {
      for (std::uint8_t rsv = 0; rsv < 8; ++rsv) {
        const auto first = static_cast<std::uint8_t>(0x80 | rsv << 4 | opcode);
        const bool fine = rsv == 0 || (rsv == 4 && agreed && (opcode == 0x1 || opcode == 0x2));
        CAPTURE(first);
        CHECK(check_start(first, 0x80, Role::server, agreed) ==
              (fine ? Error::none : Error::reserved_bit_set));
      }
    }
  }
}

}  // namespace
}  // namespace sockeye::ws::frame
