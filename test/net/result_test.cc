// SPDX-License-Identifier: MIT
#include "net/result.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>

using sockeye::Result;

namespace {

enum class Fault { none, odd, large };

Result<int, Fault> half(int number) {
  if (number % 2 != 0) return Fault::odd;
  return number / 2;
}

Result<int, Fault> quarter(int number, int& steps) {
  const int once = TRY(half(number));
  ++steps;
  const int twice = TRY(half(once));
  ++steps;
  return twice;
}

Result<void, Fault> check(int number) {
  if (number > 100) return Fault::large;
  return {};
}

Result<std::unique_ptr<int>, Fault> boxed(int number) {
  TRY(check(number));
  return std::make_unique<int>(number);
}

Result<int, Fault> unboxed(int number) {
  const std::unique_ptr<int> box = TRY(boxed(number));
  return *box;
}

}  // namespace

TEST_CASE("Result: holds a value, or the reason why there is none") {
  const auto four = half(8);
  REQUIRE(four);
  CHECK(*four == 4);
  const auto nothing = half(7);
  REQUIRE(!nothing);
  CHECK(nothing.error() == Fault::odd);
}

TEST_CASE("Result: of nothing still tells success from failure") {
  CHECK(check(100));
  const auto failed = check(101);
  REQUIRE(!failed);
  CHECK(failed.error() == Fault::large);
}

TEST_CASE("Result: the value may be changed, reached through, and moved out") {
  Result<std::string, Fault> text(std::string("abc"));
  *text += "d";
  CHECK(text->size() == 4);
  const std::string taken = text.take();
  CHECK(taken == "abcd");
}

TEST_CASE("TRY: gives the value, or returns the error at once") {
  int steps = 0;
  CHECK(*quarter(12, steps) == 3);
  CHECK(steps == 2);
  CHECK(quarter(10, steps).error() == Fault::odd);  // 5 can't be halved
  CHECK(steps == 3);
  CHECK(quarter(9, steps).error() == Fault::odd);
  CHECK(steps == 3);
}

TEST_CASE("TRY: works where there is no value, and moves one that can't be copied") {
  CHECK(*unboxed(7) == 7);
  CHECK(unboxed(101).error() == Fault::large);
}
