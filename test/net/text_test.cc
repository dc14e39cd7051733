// SPDX-License-Identifier: MIT
#include "net/text.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>

using sockeye::net::Text;

TEST_CASE("Text: starts empty") {
  const Text<8> text;
  CHECK(text.view() == "");
  CHECK(text.room() == 8);
  CHECK(!text.truncated());
}

TEST_CASE("Text: puts texts and numbers one after the other") {
  Text<64> text;
  text.put("fd ").put_decimal(7).put(" at 0x").put_hex(0x2a, 4);
  CHECK(text.view() == "fd 7 at 0x002a");
  CHECK(text.size() == 14);
  CHECK(text.room() == 50);
  CHECK(!text.truncated());
}

TEST_CASE("Text: the smallest and the largest number of every width") {
  Text<128> text;
  const auto both = [&]<typename Integer>(Integer) {
    text.rewind(0);
    text.put_decimal(std::numeric_limits<Integer>::min()).put(" ");
    text.put_decimal(std::numeric_limits<Integer>::max());
    return text.view();
  };
  CHECK(both(std::int8_t{}) == "-128 127");
  CHECK(both(std::uint8_t{}) == "0 255");
  CHECK(both(std::int32_t{}) == "-2147483648 2147483647");
  CHECK(both(std::int64_t{}) == "-9223372036854775808 9223372036854775807");
  CHECK(both(std::uint64_t{}) == "0 18446744073709551615");
}

TEST_CASE("Text: zeros fill a number up to its least digits") {
  Text<64> text;
  text.put_decimal(5, 3).put(" ").put_decimal(-5, 3).put(" ").put_decimal(12345, 3);
  CHECK(text.view() == "005 -005 12345");
  text.rewind(0);
  text.put_hex(0).put(" ").put_hex(0xabc, 2).put(" ").put_hex(0x1f, 16);
  CHECK(text.view() == "0 abc 000000000000001f");
  text.rewind(0);
  text.put_hex(std::numeric_limits<std::uint64_t>::max(), 16);
  CHECK(text.view() == "ffffffffffffffff");
}

TEST_CASE("Text: what doesn't fit is cut off, and that is known") {
  Text<4> text;
  text.put("abcd");
  CHECK(!text.truncated());
  text.put("");
  CHECK(!text.truncated());
  text.put("e");
  CHECK(text.view() == "abcd");
  CHECK(text.truncated());
  CHECK(text.room() == 0);
}

TEST_CASE("Text: a text is cut in the middle") {
  Text<4> text;
  text.put("ab").put("cdef");
  CHECK(text.view() == "abcd");
  CHECK(text.truncated());
}

TEST_CASE("Text: a number is put whole or not at all") {
  Text<4> text;
  text.put("ab").put_decimal(123);
  CHECK(text.view() == "ab");
  CHECK(text.truncated());
  text.rewind(2);
  text.put_decimal(12);
  CHECK(text.view() == "ab12");
  CHECK(!text.truncated());
}

TEST_CASE("Text: rewind takes back what was put last, and that it was too long") {
  Text<4> text;
  text.put("ab").put("cdef");
  text.rewind(1);
  CHECK(text.view() == "a");
  CHECK(!text.truncated());
}
