// SPDX-License-Identifier: MIT
#include "app/decimal.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>

using namespace sockeye::app;

constexpr auto largest = std::numeric_limits<std::uint64_t>::max();

TEST_CASE("to_text and grouped: from nothing to all 64 bits") {
  CHECK(to_text(0) == "0");
  CHECK(to_text(largest) == "18446744073709551615");
  CHECK(grouped(0) == "0");
  CHECK(grouped(999) == "999");
  CHECK(grouped(1'000) == "1,000");
  CHECK(grouped(123'456) == "123,456");
  CHECK(grouped(1'234'567) == "1,234,567");
  CHECK(grouped(largest) == "18,446,744,073,709,551,615");
}

TEST_CASE("fixed: rounds to the decimals asked for") {
  CHECK(fixed(0, 0) == "0");
  CHECK(fixed(0, 2) == "0.00");
  CHECK(fixed(0.966, 2) == "0.97");
  CHECK(fixed(1.05, 3) == "1.050");
  CHECK(fixed(0.994, 2) == "0.99");
  CHECK(fixed(0.996, 2) == "1.00");
  CHECK(fixed(99.5, 0) == "100");
  CHECK(fixed(1.0 / 3, 9) == "0.333333333");
}

TEST_CASE("fixed: negative numbers, but no negative zero") {
  CHECK(fixed(-1.25, 2) == "-1.25");
  CHECK(fixed(-0.5, 0) == "-1");
  CHECK(fixed(-0.004, 2) == "0.00");
}

TEST_CASE("fixed: what can't be written so is a question mark") {
  CHECK(fixed(9'999'999'999'999.25, 2) == "9999999999999.25");
  CHECK(fixed(1e15, 0) == "?");
  CHECK(fixed(-1e14, 1) == "?");
  CHECK(fixed(std::numeric_limits<double>::infinity(), 2) == "?");
  CHECK(fixed(std::numeric_limits<double>::quiet_NaN(), 2) == "?");
}

TEST_CASE("duration_text: three digits, and the next unit where they round to four") {
  CHECK(duration_text(0) == "0 ns");
  CHECK(duration_text(999) == "999 ns");
  CHECK(duration_text(1'000) == "1.00 us");
  CHECK(duration_text(1'234) == "1.23 us");
  CHECK(duration_text(9'994) == "9.99 us");
  CHECK(duration_text(9'996) == "10.0 us");
  CHECK(duration_text(99'940) == "99.9 us");
  CHECK(duration_text(99'960) == "100 us");
  CHECK(duration_text(999'400) == "999 us");
  CHECK(duration_text(999'600) == "1.00 ms");
  CHECK(duration_text(12'345'678) == "12.3 ms");
  CHECK(duration_text(1'500'000'000) == "1.50 s");
  CHECK(duration_text(3'600'000'000'000) == "3600 s");
  CHECK(duration_text(largest) == "18446744074 s");
}

TEST_CASE("size_text: bytes and their thousands") {
  CHECK(size_text(0) == "0 B");
  CHECK(size_text(999) == "999 B");
  CHECK(size_text(1'000) == "1.00 kB");
  CHECK(size_text(16'384) == "16.4 kB");
  CHECK(size_text(3'400'000) == "3.40 MB");
  CHECK(size_text(999'600'000) == "1.00 GB");
  CHECK(size_text(largest) == "18446744 TB");
}
