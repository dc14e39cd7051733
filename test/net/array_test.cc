// SPDX-License-Identifier: MIT
#include "net/array.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <type_traits>
#include <utility>
#include <vector>

#include "test/support/failing_malloc.h"

using sockeye::Array;
using sockeye::test::MallocWatch;

static_assert(!std::is_copy_constructible_v<Array<int>>);
static_assert(!std::is_copy_assignable_v<Array<int>>);
static_assert(std::is_nothrow_move_constructible_v<Array<int>>);
static_assert(std::is_nothrow_move_assignable_v<Array<int>>);

namespace {

struct Item {
  std::uint32_t number = 7;
  std::uint8_t letter = 'x';
  bool operator==(const Item&) const = default;
};

}  // namespace

TEST_CASE("Array: an empty one takes no memory") {
  const MallocWatch memory;
  Array<int> array;
  CHECK(array.empty());
  CHECK(array.size() == 0);
  CHECK(array.capacity() == 0);
  CHECK(array.begin() == array.end());
  CHECK(array.resize(0));
  array.clear();
  CHECK(memory.calls() == 0);
}

TEST_CASE("Array: does what vector does, on a random schedule") {
  std::mt19937 random(20261123);
  Array<Item> array;
  std::vector<Item> model;
  // Runs of one kind of step, so that the array becomes long and short again.
  for (int run = 0; run < 400; ++run) {
    const auto kind = random() % 10;
    for (auto steps = random() % 300; steps > 0; --steps) {
      if (kind < 5) {
        const Item item{static_cast<std::uint32_t>(random()), static_cast<std::uint8_t>(steps)};
        REQUIRE(array.push_back(item));
        model.push_back(item);
      } else if (kind < 9) {
        if (model.empty()) break;
        REQUIRE(array.back() == model.back());
        array.pop_back();
        model.pop_back();
      } else {
        const std::size_t size = random() % 2000;
        REQUIRE(array.resize(size));
        model.resize(size);
        steps = 1;
      }
      REQUIRE(array.size() == model.size());
      REQUIRE(array.empty() == model.empty());
      REQUIRE(array.size() <= array.capacity());
      if (!model.empty()) {
        const std::size_t index = random() % model.size();
        REQUIRE(array[index] == model[index]);
        array[index].number = model[index].number = static_cast<std::uint32_t>(random());
      }
    }
    REQUIRE(std::equal(array.begin(), array.end(), model.begin(), model.end()));
    const Array<Item>& constant = array;
    REQUIRE(std::equal(constant.begin(), constant.end(), model.begin(), model.end()));
  }
}

TEST_CASE("Array: grows by a quarter, so that many cost at most 1.25 of themselves") {
  Array<std::uint64_t> array;
  MallocWatch memory;
  for (std::size_t i = 0; i < 100'000; ++i) {
    REQUIRE(array.push_back(i));
    CHECK(array.capacity() * 4 <= std::max<std::size_t>(array.size(), 16) * 5);
  }
  CHECK(memory.calls() < 50);  // and yet it isn't forever moving
  CHECK(array.back() == 99'999);
}

TEST_CASE("Array: what was far too large shrinks, and not only to grow again") {
  Array<std::uint64_t> array;
  REQUIRE(array.resize(100'000));
  MallocWatch memory;
  while (array.size() > 0) {
    array.pop_back();
    CHECK((array.capacity() <= 16 || array.size() >= array.capacity() / 4));
  }
  CHECK(array.capacity() <= 16);
  CHECK(array.capacity() > 0);
  const std::size_t shrinks = memory.calls();
  CHECK(shrinks < 20);

  // At the edge, some elements more or less are no call.
  REQUIRE(array.resize(1000));
  while (array.capacity() == 1000) array.pop_back();
  CHECK(array.size() == 249);
  CHECK(array.capacity() == 500);
  const std::size_t before = memory.calls();
  for (int i = 0; i < 100; ++i) {
    REQUIRE(array.push_back(1));
    array.pop_back();
  }
  CHECK(memory.calls() == before);
}

TEST_CASE("Array: where shrinking fails, it stays as it is") {
  Array<std::uint64_t> array;
  REQUIRE(array.resize(100));
  for (std::size_t i = 0; i < 100; ++i) array[i] = i;
  {
    MallocWatch memory;
    memory.fail(0, MallocWatch::never);
    while (array.size() > 10) array.pop_back();
    CHECK(memory.failed());
    CHECK(array.capacity() == 100);
  }
  for (std::size_t i = 0; i < 10; ++i) CHECK(array[i] == i);
  array.pop_back();
  CHECK(array.capacity() == 50);
  CHECK(array.back() == 8);
}

TEST_CASE("Array: resize() makes new elements T{}, also where others were before") {
  Array<Item> array;
  Array<int> numbers;
  REQUIRE(array.resize(3));
  REQUIRE(numbers.resize(3));
  for (Item& item : array) {
    CHECK(item == Item{});
    item = {1, 'a'};
  }
  for (int& number : numbers) {
    CHECK(number == 0);
    number = 5;
  }
  REQUIRE(array.resize(1));
  REQUIRE(numbers.resize(1));
  REQUIRE(array.resize(3));
  REQUIRE(numbers.resize(3));
  CHECK(array[0] == Item{1, 'a'});
  CHECK(array[1] == Item{});
  CHECK(array[2] == Item{});
  CHECK(numbers[0] == 5);
  CHECK(numbers[1] == 0);
  CHECK(numbers[2] == 0);
}

TEST_CASE("Array: clear() keeps the memory") {
  Array<int> array;
  REQUIRE(array.resize(100));
  const int* const place = array.begin();
  array.clear();
  CHECK(array.empty());
  CHECK(array.capacity() == 100);
  REQUIRE(array.push_back(1));
  CHECK(array.begin() == place);
}

TEST_CASE("Array: an element of its own may be added") {
  Array<std::uint64_t> array;
  REQUIRE(array.push_back(42));
  for (int i = 0; i < 1000; ++i) REQUIRE(array.push_back(array[0]));
  CHECK(std::ranges::count(array, 42u) == 1001);
}

TEST_CASE("Array: moving hands the memory on") {
  MallocWatch memory;
  {
    Array<int> one;
    REQUIRE(one.push_back(1));
    const int* const place = one.begin();
    Array<int> two = std::move(one);
    CHECK(two.begin() == place);
    CHECK(one.empty());
    CHECK(one.capacity() == 0);
    Array<int> three;
    REQUIRE(three.push_back(3));
    three = std::move(two);
    CHECK(three.begin() == place);
    CHECK(three.size() == 1);
    CHECK(two.empty());
    CHECK(memory.live_blocks() == 1);
    REQUIRE(one.push_back(4));  // and what was moved from works on
    CHECK(one[0] == 4);
  }
  CHECK(memory.live_blocks() == 0);
}

TEST_CASE("Array: whichever allocation fails, nothing is lost but that element, and no memory") {
  for (std::size_t failing = 0; failing < 8; ++failing) {
    CAPTURE(failing);
    MallocWatch memory(failing);
    {
      Array<int> array;
      std::vector<int> kept;
      for (int i = 0; i < 50; ++i) {
        if (array.push_back(i)) {
          kept.push_back(i);
          continue;
        }
        CHECK(array.size() == kept.size());
        CHECK(array.capacity() == kept.size());
      }
      CHECK(memory.failed());
      CHECK(kept.size() == 49);
      CHECK(std::equal(array.begin(), array.end(), kept.begin(), kept.end()));

      memory.fail(0);
      CHECK_FALSE(array.resize(10'000));
      CHECK(std::equal(array.begin(), array.end(), kept.begin(), kept.end()));
    }
    CHECK(memory.live_blocks() == 0);
  }
}

TEST_CASE("Array: more elements than memory has addresses for are refused") {
  Array<std::uint64_t> array;
  REQUIRE(array.push_back(1));
  CHECK_FALSE(array.resize(std::numeric_limits<std::size_t>::max()));
  CHECK_FALSE(array.resize(std::numeric_limits<std::size_t>::max() / 8 + 1));
  CHECK(array.size() == 1);
  CHECK(array[0] == 1);
}
