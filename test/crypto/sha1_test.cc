// SHA-1: the published vectors, every way of cutting a message, and every kernel against each.
//
// SPDX-License-Identifier: MIT
#include "crypto/sha1.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "test/support/runnable.h"
#include "ws/kernels.h"

namespace sockeye::crypto {
namespace {

std::string hex(const Sha1::Digest& digest) {
  std::string text;
  for (const std::uint8_t byte : digest) {
    char two[3];
    std::snprintf(two, sizeof(two), "%02x", unsigned{byte});
    text += two;
  }
  return text;
}

std::string sha1_hex(Sha1Kernel* kernel, std::string_view message) {
  Sha1 sha1(kernel);
  sha1.update(as_bytes(message));
  return hex(sha1.digest());
}

const auto kernels = test::runnable(ws::sha1_kernels());

}  // namespace

TEST_CASE("SHA-1 gives the digests of FIPS 180 and RFC 3174 §7.3, with every kernel") {
  for (const auto& row : kernels) {
    CAPTURE(row.name);
    CHECK(sha1_hex(row.kernel, "abc") == "a9993e364706816aba3e25717850c26c9cd0d89d");
    CHECK(sha1_hex(row.kernel, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
          "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
    CHECK(sha1_hex(row.kernel,
                   "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnop"
                   "qklmnopqrlmnopqrsmnopqrstnopqrstu") ==
          "a49b2446a02c645bf419f995b67091253a04a259");
    CHECK(sha1_hex(row.kernel, std::string(1'000'000, 'a')) ==
          "34aa973cd4c4daa4f61eeb2bdbad27316534016f");

    std::string repeated;
    for (int i = 0; i < 80; ++i) repeated += "01234567";
    CHECK(sha1_hex(row.kernel, repeated) == "dea356a2cddd90c7a7ecedc5ebb563934f460452");
    CHECK(sha1_hex(row.kernel, "a") == "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8");
    CHECK(sha1_hex(row.kernel, "") == "da39a3ee5e6b4b0d3255bfef95601890afd80709");
  }
}

TEST_CASE("SHA-1 gives the digest of RFC 6455 §1.3") {
  const Sha1::Digest expected = {0xb3, 0x7a, 0x4f, 0x2c, 0xc0, 0x62, 0x4f, 0x16, 0x90, 0xf6,
                                 0x46, 0x06, 0xcf, 0x38, 0x59, 0x45, 0xb2, 0xbe, 0xc4, 0xea};
  for (const auto& row : kernels) {
    CAPTURE(row.name);
    Sha1 sha1(row.kernel);
    sha1.update(as_bytes("dGhlIHNhbXBsZSBub25jZQ=="));
    sha1.update(as_bytes("258EAFA5-E914-47DA-95CA-C5AB0DC85B11"));
    CHECK(sha1.digest() == expected);
  }
}

TEST_CASE(
    "SHA-1 is the same however the message is cut: lengths 0 to 300, every split, every kernel") {
  std::vector<std::uint8_t> message(300);
  for (std::size_t i = 0; i < message.size(); ++i)
    message[i] = static_cast<std::uint8_t>(i * 7 + 3);

  for (std::size_t length = 0; length <= message.size(); ++length) {
    const Bytes whole = Bytes(message).first(length);
    Sha1 reference;
    reference.update(whole);
    const Sha1::Digest expected = reference.digest();

    for (const auto& row : kernels) {
      for (std::size_t cut = 0; cut <= length; ++cut) {
        Sha1 sha1(row.kernel);
        sha1.update(whole.first(cut));
        sha1.update(whole.subspan(cut));
        if (sha1.digest() != expected) FAIL(row.name, ": length ", length, ", cut at ", cut);
      }

      Sha1 by_byte(row.kernel);
      for (std::size_t i = 0; i < length; ++i) by_byte.update(whole.subspan(i, 1));
      if (by_byte.digest() != expected) FAIL(row.name, ": length ", length, ", byte by byte");
    }
  }
}

TEST_CASE("SHA-1's kernels work any number of blocks, from any alignment, into any state") {
  std::vector<std::uint8_t> bytes(64 * 5 + 16);
  std::uint32_t noise = 1;
  for (std::uint8_t& byte : bytes) {
    noise = noise * 1664525 + 1013904223;
    byte = static_cast<std::uint8_t>(noise >> 24);
  }
  for (const auto& row : kernels) {
    CAPTURE(row.name);
    for (std::size_t count = 0; count <= 5; ++count) {
      for (std::size_t offset = 0; offset < 16; ++offset) {
        std::array<std::uint32_t, 5> expected = {noise, ~noise, 0, 0xffffffff, 0x80000001};
        std::array<std::uint32_t, 5> state = expected;
        sha1_scalar(expected.data(), bytes.data() + offset, count);
        row.kernel(state.data(), bytes.data() + offset, count);
        CHECK(state == expected);
      }
    }
  }
}

TEST_CASE("SHA-1: taking a digest ends nothing; the message may go on") {
  Sha1 sha1;
  sha1.update(as_bytes("ab"));
  CHECK(sha1.digest() == sha1.digest());
  sha1.update(as_bytes("c"));
  CHECK(hex(sha1.digest()) == "a9993e364706816aba3e25717850c26c9cd0d89d");
}

}  // namespace sockeye::crypto
