// SPDX-License-Identifier: MIT
#include "net/hash_map.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <unordered_map>
#include <vector>

#include "test/support/failing_malloc.h"

using sockeye::HashMap;
using sockeye::test::MallocWatch;

namespace {

struct Entry {
  std::uint32_t key;
  std::uint32_t value;
};
using Map = HashMap<Entry>;

Entry* find(Map& map, std::uint64_t hash, std::uint32_t key) {
  return map.find(hash, [key](const Entry& entry) { return entry.key == key; });
}

std::vector<std::uint32_t> keys(Map& map) {
  std::vector<std::uint32_t> found;
  map.for_each([&](const Entry& entry) { found.push_back(entry.key); });
  std::ranges::sort(found);
  return found;
}

// What a good hash does with small numbers (the finalizer of splitmix64).
std::uint64_t mix(std::uint64_t x) {
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
  x = (x ^ x >> 27) * 0x94d049bb133111eb;
  return x ^ x >> 31;
}

// And worse ones: neighbours, few homes, one home, the last slots of every table, one hash.
using Hash = std::uint64_t(std::uint64_t key);
constexpr std::array<Hash*, 6> hashes = {
    mix,
    [](std::uint64_t key) { return key; },
    [](std::uint64_t key) { return key % 3; },
    [](std::uint64_t key) { return key << 40; },
    [](std::uint64_t key) { return ~(key % 4); },
    [](std::uint64_t) { return std::uint64_t{0}; },
};

}  // namespace

TEST_CASE("HashMap: an empty one has nothing, and no memory") {
  const MallocWatch memory;
  Map map;
  CHECK(map.size() == 0);
  CHECK(map.capacity() == 0);
  CHECK(find(map, 1, 1) == nullptr);
  CHECK(keys(map).empty());
  CHECK(memory.calls() == 0);
}

TEST_CASE("HashMap: does what unordered_map does, on random schedules, with good hashes and bad") {
  for (std::size_t which = 0; which < hashes.size(); ++which) {
    CAPTURE(which);
    Hash* const hash = hashes[which];
    std::mt19937 random(static_cast<unsigned>(20261123 + which));
    Map map;
    std::unordered_map<std::uint32_t, std::uint32_t> model;
    for (std::uint32_t step = 0; step < 20'000; ++step) {
      const std::uint32_t key = random() % 300;
      Entry* const entry = find(map, hash(key), key);
      const auto modelled = model.find(key);
      REQUIRE((entry != nullptr) == (modelled != model.end()));
      if (entry != nullptr) {
        REQUIRE(entry->key == key);
        REQUIRE(entry->value == modelled->second);
        map.erase(entry);
        model.erase(modelled);
      } else {
        const Entry* const added = map.insert(hash(key), {key, step});
        REQUIRE(added != nullptr);
        REQUIRE(added->value == step);
        model[key] = step;
      }
      REQUIRE(map.size() == model.size());
      if (step % 1000 != 0) continue;
      std::vector<std::uint32_t> modelled_keys;
      for (const auto& [its_key, value] : model) modelled_keys.push_back(its_key);
      std::ranges::sort(modelled_keys);
      REQUIRE(keys(map) == modelled_keys);
    }
    CHECK(map.capacity() <= 512);
  }
}

// Every table of eight slots with five values in it, at whatever homes, loses them in two orders.
// Clusters that go round the end of the table are among them.
TEST_CASE("HashMap: taking a value out hides no other, wherever they lie") {
  constexpr std::uint32_t count = 5;
  for (std::uint32_t homes = 0; homes < 1u << 3 * count; ++homes) {
    const auto home = [homes](std::uint32_t key) { return std::uint64_t{homes >> 3 * key & 7}; };
    for (const std::uint32_t stride : {1u, 2u}) {
      Map map;
      for (std::uint32_t key = 0; key < count; ++key) {
        REQUIRE(map.insert(home(key), {key, 0}) != nullptr);
      }
      std::array<bool, count> gone{};
      for (std::uint32_t i = 0; i < count; ++i) {
        const std::uint32_t victim = (homes + i * stride) % count;
        map.erase(find(map, home(victim), victim));
        gone[victim] = true;
        for (std::uint32_t key = 0; key < count; ++key) {
          if ((find(map, home(key), key) == nullptr) != gone[key]) FAIL(homes, " ", victim);
        }
      }
      if (map.size() != 0 || map.capacity() != 8) FAIL(homes);
    }
  }
}

TEST_CASE("HashMap: values that come and go take no more room than those that are there") {
  Map map;
  for (std::uint32_t key = 0; key < 100'000; ++key) {
    REQUIRE(map.insert(mix(key), {key, 0}) != nullptr);
    if (key >= 5) map.erase(find(map, mix(key - 5), key - 5));
    // A search for what isn't there ends, too: there are free slots, and no markers.
    CHECK(find(map, mix(~key), ~key) == nullptr);
  }
  CHECK(map.size() == 5);
  CHECK(map.capacity() == 8);
}

TEST_CASE("HashMap: at most three quarters are taken, and doubling makes room") {
  Map map;
  std::size_t capacity = 0;
  for (std::uint32_t key = 0; key < 10'000; ++key) {
    REQUIRE(map.insert(mix(key), {key, 0}) != nullptr);
    CHECK(map.size() * 4 <= map.capacity() * 3);
    if (map.capacity() != capacity) {
      CHECK(map.size() - 1 == capacity / 4 * 3);
      CHECK((capacity == 0 || map.capacity() == 2 * capacity));
      capacity = map.capacity();
    }
  }
}

TEST_CASE("HashMap: only values of the same hash are looked at, and growth looks at none") {
  Map map;
  for (std::uint32_t key = 0; key < 1000; ++key) {
    REQUIRE(map.insert(mix(key), {key, 0}) != nullptr);
  }
  for (std::uint32_t key = 0; key < 1000; ++key) {
    int looks = 0;
    const auto is_same = [&](const Entry& entry) {
      ++looks;
      return entry.key == key;
    };
    CHECK(map.find(mix(key), is_same) != nullptr);
    CHECK(looks == 1);
    CHECK(map.find(mix(key + 1000), is_same) == nullptr);
    CHECK(looks == 1);
  }
}

TEST_CASE("HashMap: the whole hash counts") {
  Map map;
  for (unsigned bit = 0; bit < 64; ++bit) {
    REQUIRE(map.insert(std::uint64_t{1} << bit, {bit, 0}) != nullptr);
  }
  for (unsigned bit = 0; bit < 64; ++bit) {
    const Entry* entry = map.find(std::uint64_t{1} << bit, [](const Entry&) { return true; });
    REQUIRE(entry != nullptr);
    CHECK(entry->key == bit);
  }
}

TEST_CASE("HashMap: a hash of 0 is like any other") {
  Map map;
  REQUIRE(map.insert(0, {0, 0}) != nullptr);
  REQUIRE(map.insert(1, {1, 1}) != nullptr);
  CHECK(find(map, 0, 0) != nullptr);
  CHECK(find(map, 1, 1) != nullptr);
  CHECK(find(map, 0, 2) == nullptr);
  map.erase(find(map, 0, 0));
  CHECK(find(map, 0, 0) == nullptr);
  CHECK(keys(map) == std::vector<std::uint32_t>{1});
}

TEST_CASE("HashMap: find() and for_each() let values be changed where they lie") {
  Map map;
  for (std::uint32_t key = 0; key < 100; ++key) {
    REQUIRE(map.insert(mix(key), {key, 1}) != nullptr);
  }
  find(map, mix(7), 7)->value = 5;
  map.for_each([](Entry& entry) { entry.value *= 2; });
  for (std::uint32_t key = 0; key < 100; ++key) {
    CHECK(find(map, mix(key), key)->value == (key == 7 ? 10 : 2));
  }
}

TEST_CASE("HashMap: holds pointers, and small and odd-sized values") {
  HashMap<const char*> pointers;
  const char* const text = "text";
  REQUIRE(pointers.insert(1, text) != nullptr);
  CHECK(*pointers.find(1, [](const char*) { return true; }) == text);
  pointers.erase(pointers.find(1, [](const char*) { return true; }));
  CHECK(pointers.size() == 0);

  struct Odd {
    std::uint8_t bytes[11];
  };
  HashMap<Odd> odd;
  for (std::uint8_t i = 0; i < 100; ++i) REQUIRE(odd.insert(i, {{i}}) != nullptr);
  for (std::uint8_t i = 0; i < 100; ++i) {
    Odd* const found = odd.find(i, [i](const Odd& value) { return value.bytes[0] == i; });
    REQUIRE(found != nullptr);
    odd.erase(found);
  }
  CHECK(odd.size() == 0);
}

TEST_CASE("HashMap: whichever allocation fails, nothing is lost but that value, and no memory") {
  for (std::size_t failing = 0; failing < 5; ++failing) {
    CAPTURE(failing);
    MallocWatch memory(failing);
    {
      Map map;
      std::vector<std::uint32_t> kept;
      std::size_t refused = 0;
      for (std::uint32_t key = 0; key < 50; ++key) {
        const std::size_t capacity = map.capacity();
        if (map.insert(mix(key), {key, 0}) != nullptr) {
          kept.push_back(key);
        } else {
          ++refused;
          CHECK(map.capacity() == capacity);
          CHECK(keys(map) == kept);
          CHECK(find(map, mix(key), key) == nullptr);
        }
      }
      CHECK(refused == 1);
      CHECK(map.size() == kept.size());
      CHECK(keys(map) == kept);
    }
    CHECK(memory.live_blocks() == 0);
  }
}
