// Base64: the published vectors, every short input both ways, and everything strict decoding
// refuses.
//
// SPDX-License-Identifier: MIT
#include "crypto/base64.h"

#include <doctest/doctest.h>

#include <array>
#include <string>
#include <vector>

namespace sockeye::crypto {
namespace {

std::string encode(Bytes bytes) {
  std::string text(base64_encoded_size(bytes.size()), '?');
  CHECK(base64_encode(bytes, text).size() == text.size());
  return text;
}

std::optional<std::vector<std::uint8_t>> decode(std::string_view text) {
  std::vector<std::uint8_t> bytes(text.size());
  const auto size = base64_decode(text, bytes);
  if (!size) return std::nullopt;
  bytes.resize(*size);
  return bytes;
}

bool refused(std::string_view text) {
  return !decode(text).has_value();
}

}  // namespace

TEST_CASE("Base64 gives the vectors of RFC 4648 §10, both ways") {
  const struct {
    std::string_view plain;
    std::string_view text;
  } vectors[] = {
      {"", ""},
      {"f", "Zg=="},
      {"fo", "Zm8="},
      {"foo", "Zm9v"},
      {"foob", "Zm9vYg=="},
      {"fooba", "Zm9vYmE="},
      {"foobar", "Zm9vYmFy"},
  };
  for (const auto& vector : vectors) {
    CAPTURE(vector.plain);
    CHECK(encode(as_bytes(vector.plain)) == vector.text);
    const auto bytes = decode(vector.text);
    REQUIRE(bytes);
    CHECK(as_text(*bytes) == vector.plain);
  }
}

TEST_CASE("Base64 of the raw digest of RFC 6455 §1.3 is its Sec-WebSocket-Accept") {
  constexpr std::array<std::uint8_t, 20> digest = {0xb3, 0x7a, 0x4f, 0x2c, 0xc0, 0x62, 0x4f,
                                                   0x16, 0x90, 0xf6, 0x46, 0x06, 0xcf, 0x38,
                                                   0x59, 0x45, 0xb2, 0xbe, 0xc4, 0xea};
  CHECK(encode(digest) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST_CASE("Base64 comes back as it went: every input of one and two bytes, lengths 0 to 100") {
  for (unsigned value = 0; value < 0x10000; ++value) {
    const std::vector<std::uint8_t> two = {static_cast<std::uint8_t>(value >> 8),
                                           static_cast<std::uint8_t>(value)};
    if (decode(encode(two)) != two) FAIL("two bytes: ", value);
    const std::vector<std::uint8_t> one = {static_cast<std::uint8_t>(value)};
    if (decode(encode(one)) != one) FAIL("one byte: ", value);
  }
  std::vector<std::uint8_t> bytes;
  for (std::size_t length = 0; length <= 100; ++length) {
    CHECK(decode(encode(bytes)) == bytes);
    bytes.push_back(static_cast<std::uint8_t>(length * 151 + 17));
  }
}

TEST_CASE(
    "Base64 has one text for any bytes: of all last groups exactly the canonical decode (§3.5)") {
  constexpr std::string_view alphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  int of_one_byte = 0;
  int of_two_bytes = 0;
  for (const char a : alphabet) {
    for (const char b : alphabet) {
      if (decode(std::string{a, b, '=', '='})) ++of_one_byte;
      for (const char c : alphabet) {
        if (decode(std::string{a, b, c, '='})) ++of_two_bytes;
      }
    }
  }
  CHECK(of_one_byte == 0x100);
  CHECK(of_two_bytes == 0x10000);
}

TEST_CASE("Base64 refuses every byte outside the alphabet, at every place (§3.3)") {
  constexpr std::string_view alphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (int value = 0; value < 256; ++value) {
    const char letter = static_cast<char>(value);
    const bool known = alphabet.find(letter) != std::string_view::npos;
    for (std::size_t place = 0; place < 8; ++place) {
      std::string text = "AAAAAAAA";
      text[place] = letter;
      const bool pads = letter == '=' && place == 7;
      CHECK(refused(text) == !(known || pads));
    }
  }
}

TEST_CASE("Base64 refuses missing, surplus and misplaced padding (§3.2)") {
  for (const std::string_view text :
       {"Z",        "Zg",         "Zg=",      "Zm8",   "Zm9vY",    "Zm9vYg",    "Zm9vYg=",
        "=",        "==",         "===",      "====",  "Z===",     "Zg===",     "Zg====",
        "Zm9v=",    "Zm9v==",     "Zm9v====", "=Zg=",  "Z=g=",     "Zg=A",      "Zg==Zg==",
        "Zm8=Zm8=", "Zm9vYg==\n", " Zg==",    "Zg ==", "Zg==\r\n", "Zm9v\nYg=="}) {
    CAPTURE(text);
    CHECK(refused(text));
  }
}

TEST_CASE("Base64 decodes into a buffer of the exact size, and refuses what does not fit") {
  constexpr std::string_view text = "dGhlIHNhbXBsZSBub25jZQ==";  // RFC 6455 §1.3: 16 bytes
  std::array<std::uint8_t, 17> bytes{};
  bytes[16] = 0xee;
  CHECK(base64_decode(text, MutableBytes(bytes).first(16)) == 16);
  CHECK(as_text(Bytes(bytes).first(16)) == "the sample nonce");
  CHECK(bytes[16] == 0xee);
  CHECK(base64_decode(text, bytes) == 16);
  CHECK_FALSE(base64_decode(text, MutableBytes(bytes).first(15)));
  CHECK(base64_decode("", MutableBytes()) == 0);
}

}  // namespace sockeye::crypto
