// SPDX-License-Identifier: MIT
#include "app/bench/error_counts.h"

#include <doctest/doctest.h>

#include <string>

namespace sockeye::app::bench {

TEST_CASE("ErrorCounts: by kind, in the order in which they came") {
  ErrorCounts errors;
  CHECK(errors.total() == 0);
  errors.add("b");
  errors.add("a", 5);
  errors.add("b");
  errors.add("c", 0);
  CHECK(errors.total() == 7);
  REQUIRE(errors.entries().size() == 2);
  CHECK(errors.entries()[0].kind == "b");
  CHECK(errors.entries()[0].count == 2);
  CHECK(errors.entries()[1].count == 5);
}

TEST_CASE("ErrorCounts: merged, they are as if counted in one place") {
  ErrorCounts one, other;
  one.add("a", 1);
  other.add("b", 2);
  other.add("a", 3);
  one.merge(other);
  CHECK(one.total() == 6);
  CHECK(one.entries()[0].count == 4);
  CHECK(one.entries()[1].count == 2);
}

TEST_CASE("ErrorCounts: however many kinds a server invents, few are kept") {
  ErrorCounts errors;
  for (int code = 3000; code < 4000; ++code) errors.add("closed with code " + std::to_string(code));
  CHECK(errors.total() == 1000);
  REQUIRE(errors.entries().size() == ErrorCounts::most_kinds + 1);
  CHECK(errors.entries().back().kind == "others");
  CHECK(errors.entries().back().count == 1000 - ErrorCounts::most_kinds);
}

}  // namespace sockeye::app::bench
