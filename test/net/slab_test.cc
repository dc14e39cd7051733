// SPDX-License-Identifier: MIT
#include "net/slab.h"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <set>
#include <vector>

#include "test/support/failing_malloc.h"

using sockeye::Slab;
using sockeye::SlabKey;
using sockeye::test::MallocWatch;

namespace {

struct Item {
  explicit Item(int its_number) : number(its_number) { ++living; }
  ~Item() { --living; }
  Item(const Item&) = delete;
  Item& operator=(const Item&) = delete;

  int number;
  inline static int living = 0;
};

// Fills a block of 64 KiB quickly; the larger one has two places in a block.
template <std::size_t size>
struct Large {
  unsigned char bytes[size] = {};
};

template <typename T>
std::vector<T*> all(Slab<T>& slab) {
  std::vector<T*> found;
  for (std::uint32_t i = 0; T* object = slab.next(i);) found.push_back(object);
  return found;
}

}  // namespace

TEST_CASE("Slab: makes objects from arguments, counts them, and ends them") {
  Slab<Item> slab;
  CHECK(slab.count() == 0);
  Item* one = slab.create(1);
  Item* two = slab.create(2);
  REQUIRE(one != nullptr);
  CHECK(one->number == 1);
  CHECK(two->number == 2);
  CHECK(slab.count() == 2);
  CHECK(Item::living == 2);
  slab.destroy(one);
  CHECK(slab.count() == 1);
  CHECK(Item::living == 1);
  slab.destroy(two);
  CHECK(Item::living == 0);
}

TEST_CASE("Slab: a place that was never used holds nothing, whatever its memory holds") {
  // The slab's block will mostly be this memory, in which every generation is odd.
  constexpr std::size_t block_bytes = 64 * 1024;
  for (const std::size_t size : {block_bytes, block_bytes - 16, block_bytes - 32}) {
    void* volatile used = std::malloc(size);
    std::memset(used, 1, size);
    std::free(used);
    Slab<Item> slab;
    Item* item = slab.create(1);
    CHECK(all(slab) == std::vector{item});
    CHECK(slab.find({1, 0x01010101}) == nullptr);
    slab.destroy(item);
  }
}

TEST_CASE("Slab: a key finds its object, and nothing when that is gone") {
  Slab<Item> slab;
  Item* item = slab.create(1);
  const SlabKey key = slab.key(item);
  CHECK(slab.find(key) == item);
  slab.destroy(item);
  CHECK(slab.find(key) == nullptr);
}

TEST_CASE("Slab: a key doesn't find the next object in the same place, ever") {
  Slab<Item> slab;
  std::vector<SlabKey> old;
  for (int i = 0; i < 100; ++i) {
    Item* item = slab.create(i);
    const SlabKey key = slab.key(item);
    CHECK(slab.find(key) == item);
    for (const SlabKey& former : old) {
      REQUIRE(former.index == key.index);  // it is the same place
      REQUIRE(slab.find(former) == nullptr);
    }
    old.push_back(key);
    slab.destroy(item);
  }
}

TEST_CASE("Slab: keys that name nothing find nothing") {
  Slab<Item> slab;
  CHECK(slab.find(SlabKey{}) == nullptr);
  CHECK(slab.find(SlabKey{0, 1}) == nullptr);  // there is no memory yet
  Item* item = slab.create(1);
  const SlabKey key = slab.key(item);
  CHECK(slab.find(SlabKey{}) == nullptr);
  CHECK(slab.find({key.index, key.generation + 1}) == nullptr);
  CHECK(slab.find({key.index, key.generation + 2}) == nullptr);
  CHECK(slab.find({key.index + 1, 0}) == nullptr);  // a place where nothing has lived yet
  CHECK(slab.find({key.index + 1, key.generation}) == nullptr);
  CHECK(slab.find({UINT32_MAX, key.generation}) == nullptr);
  slab.destroy(item);
}

TEST_CASE_TEMPLATE("Slab: grows by blocks, and every object has its own place and key", T, Large<1>,
                   Large<100>, Large<5000>, Large<40000>, Large<200000>) {
  const std::size_t count = sizeof(T) > 1000 ? 100 : 20000;
  Slab<T> slab;
  std::vector<T*> objects;
  for (std::size_t i = 0; i < count; ++i) {
    objects.push_back(slab.create());
    REQUIRE(objects.back() != nullptr);
    objects.back()->bytes[0] = objects.back()->bytes[sizeof(T) - 1] = 0xff;
  }
  CHECK(std::set<T*>(objects.begin(), objects.end()).size() == count);
  for (T* object : objects) CHECK(slab.find(slab.key(object)) == object);
  CHECK(all(slab).size() == count);
  for (T* object : objects) slab.destroy(object);
  CHECK(all(slab).empty());
}

TEST_CASE("Slab: places are taken again before memory is") {
  Slab<Item> slab;
  std::vector<Item*> items;
  for (int i = 0; i < 10000; ++i) items.push_back(slab.create(i));
  const std::set<Item*> places(items.begin(), items.end());
  for (Item* item : items) slab.destroy(item);
  items.clear();
  for (int i = 0; i < 10000; ++i) items.push_back(slab.create(i));
  CHECK(std::set<Item*>(items.begin(), items.end()) == places);
  for (Item* item : items) slab.destroy(item);
}

TEST_CASE("Slab: next() comes by all objects, in the order of their places") {
  Slab<Item> slab;
  CHECK(all(slab).empty());
  std::vector<Item*> items;
  for (int i = 0; i < 9; ++i) items.push_back(slab.create(i));
  CHECK(all(slab) == items);
  for (const int gone : {0, 4, 8}) slab.destroy(items[static_cast<std::size_t>(gone)]);
  CHECK(all(slab) == std::vector{items[1], items[2], items[3], items[5], items[6], items[7]});
  for (Item* item : all(slab)) slab.destroy(item);
  CHECK(all(slab).empty());
}

TEST_CASE("Slab: objects may go while next() walks") {
  Slab<Item> slab;
  for (int i = 0; i < 10; ++i) slab.create(i);
  std::vector<int> seen;
  std::uint32_t place = 0;
  while (Item* item = slab.next(place)) {
    seen.push_back(item->number);
    slab.destroy(item);  // the one we stand at
    if (std::uint32_t ahead = place; Item* following = slab.next(ahead)) slab.destroy(following);
  }
  CHECK(seen == std::vector{0, 2, 4, 6, 8});
  CHECK(slab.count() == 0);
}

TEST_CASE("Slab: without memory create() gives null, and what lives lives on") {
  for (const std::size_t failing : {0, 1, 3}) {
    CAPTURE(failing);
    const MallocWatch memory(failing);
    Slab<Large<40000>> slab;
    std::vector<Large<40000>*> objects;
    while (auto* object = slab.create()) {
      objects.push_back(object);
      REQUIRE(objects.size() < 100);
    }
    CHECK(memory.failed());
    CHECK(slab.count() == objects.size());
    auto* next = slab.create();  // the system has memory again
    REQUIRE(next != nullptr);
    objects.push_back(next);
    CHECK(all(slab) == objects);
    for (auto* object : objects) slab.destroy(object);
  }
}
