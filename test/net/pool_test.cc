// SPDX-License-Identifier: MIT
#include "net/pool.h"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "test/support/failing_malloc.h"

using sockeye::MemoryBudget;
using sockeye::Pool;
using sockeye::test::MallocWatch;

TEST_CASE("Pool: blocks come in powers of two, from 64 bytes on") {
  CHECK(Pool::block_size(0) == 64);
  CHECK(Pool::block_size(1) == 64);
  CHECK(Pool::block_size(64) == 64);
  CHECK(Pool::block_size(65) == 128);
  CHECK(Pool::block_size(4096) == 4096);
  CHECK(Pool::block_size(4097) == 8192);
  CHECK(Pool::block_size(Pool::largest_block - 1) == Pool::largest_block);
  CHECK(Pool::block_size(Pool::largest_block) == Pool::largest_block);
}

TEST_CASE("Pool: all of a block may be used, for any type") {
  Pool pool;
  for (std::size_t size = 0; size < 300; ++size) {
    void* block = pool.allocate(size);
    REQUIRE(block != nullptr);
    CHECK(reinterpret_cast<std::uintptr_t>(block) % alignof(std::max_align_t) == 0);
    std::memset(block, 0xff, Pool::block_size(size));  // ASan would object
    pool.release(block, size);
  }
}

TEST_CASE("Pool: a released block is the next one of its class, and of no other") {
  Pool pool;
  void* small = pool.allocate(64);
  void* large = pool.allocate(65);
  pool.release(small, 64);
  pool.release(large, 65);
  CHECK(pool.allocate(128) == large);
  CHECK(pool.allocate(1) == small);
  pool.release(small, 64);
  pool.release(large, 128);
}

TEST_CASE("Pool: the last one in is the first one out, while it is warm") {
  Pool pool;
  std::vector<void*> blocks;
  for (int i = 0; i < 100; ++i) blocks.push_back(pool.allocate(1000));
  for (void* block : blocks) pool.release(block, 1000);
  for (std::size_t i = blocks.size(); i-- > 0;) CHECK(pool.allocate(1000) == blocks[i]);
  for (void* block : blocks) pool.release(block, 1000);
}

TEST_CASE("Pool: keeps no more than its limit; what was taken again doesn't count") {
  const MallocWatch memory;
  Pool pool(/*kept_limit_bytes=*/192);
  for (int round = 0; round < 3; ++round) {
    void* one = pool.allocate(64);
    void* two = pool.allocate(64);
    void* other = pool.allocate(128);
    CHECK(memory.live_blocks() == 3);
    pool.release(one, 64);
    pool.release(other, 128);
    CHECK(memory.live_blocks() == 3);
    pool.release(two, 64);  // over the limit: this one goes back to the system
    CHECK(memory.live_blocks() == 2);
    CHECK(pool.allocate(64) == one);
    pool.release(one, 64);
  }
}

TEST_CASE("Pool: a block larger than the limit is never kept, and with a limit of 0 none is") {
  const MallocWatch memory;
  Pool pool(1000);
  pool.release(pool.allocate(1024), 1024);
  CHECK(memory.live_blocks() == 0);
  Pool keeps_nothing(0);
  keeps_nothing.release(keeps_nothing.allocate(64), 64);
  CHECK(memory.live_blocks() == 0);
}

TEST_CASE("Pool: the limit may change while some is kept") {
  const MallocWatch memory;
  Pool pool(0);
  pool.keep_up_to(1 << 20);
  void* one = pool.allocate(1 << 19);
  void* two = pool.allocate(1 << 19);
  pool.release(one, 1 << 19);
  pool.release(two, 1 << 19);
  CHECK(memory.live_blocks() == 2);
  void* third = pool.allocate(64);
  pool.keep_up_to(64);  // less than there is: what comes back now is over it
  pool.release(third, 64);
  CHECK(memory.live_blocks() == 2);
  CHECK(pool.allocate(1 << 19) == two);
  pool.release(two, 1 << 19);
  CHECK(memory.live_blocks() == 1);
}

TEST_CASE("Pool: steady traffic asks the system for nothing, and at the end all goes back") {
  const MallocWatch memory;
  {
    Pool pool;
    std::size_t after_first_round = 0;
    for (int round = 0; round < 100; ++round) {
      std::vector<void*> blocks;
      for (std::size_t size = 1; size < 100'000; size *= 3) blocks.push_back(pool.allocate(size));
      for (std::size_t i = 0, size = 1; size < 100'000; size *= 3) pool.release(blocks[i++], size);
      if (round == 0) after_first_round = memory.calls();
    }
    CHECK(memory.calls() == after_first_round);
  }
  CHECK(memory.live_blocks() == 0);
}

TEST_CASE("Pool: null may be released") {
  Pool pool;
  pool.release(nullptr, 64);
  void* block = pool.allocate(64);
  CHECK(block != nullptr);
  pool.release(block, 64);
}

TEST_CASE("Pool: without memory it gives null, and works on") {
  Pool pool;
  const MallocWatch memory(/*failing_call=*/1);
  void* block = pool.allocate(64);
  CHECK(block != nullptr);
  CHECK(pool.allocate(64) == nullptr);
  pool.release(block, 64);
  CHECK(pool.allocate(64) == block);
  pool.release(block, 64);
}

TEST_CASE("MemoryBudget: gives up to its limit, and not a byte more") {
  MemoryBudget budget(100);
  CHECK(budget.take(60));
  CHECK(!budget.take(41));
  CHECK(budget.take(40));
  CHECK(!budget.take(1));
  CHECK(!budget.take(static_cast<std::size_t>(-1)));  // a sum that would overflow
  CHECK(budget.used_bytes() == 100);
  budget.give_back(30);
  CHECK(budget.take(30));
}

TEST_CASE("Pool: what it has given out counts on its budget, what it keeps doesn't") {
  MemoryBudget budget(1000);
  Pool pool;
  pool.draw_on(&budget);
  for (int i = 0; i < 2; ++i) {  // from the system, and from what is kept
    void* one = pool.allocate(500);
    REQUIRE(one != nullptr);
    CHECK(budget.used_bytes() == 512);
    CHECK(pool.allocate(500) == nullptr);
    CHECK(budget.used_bytes() == 512);
    pool.release(one, 500);
    CHECK(budget.used_bytes() == 0);
  }
}

TEST_CASE("Pool: two pools share a budget, and what one keeps is no loss to the other") {
  MemoryBudget budget(256);
  Pool one;
  Pool two;
  one.draw_on(&budget);
  two.draw_on(&budget);
  void* first = one.allocate(128);
  void* second = two.allocate(128);
  CHECK(one.allocate(64) == nullptr);
  two.release(second, 128);
  second = one.allocate(64);
  CHECK(second != nullptr);
  one.release(second, 64);
  one.release(first, 128);
  CHECK(budget.used_bytes() == 0);
}

TEST_CASE("Pool: what it holds moves with it to another budget, and off it") {
  MemoryBudget first(1024);
  MemoryBudget small(64);
  Pool pool;
  void* early = pool.allocate(128);
  pool.draw_on(&first);
  CHECK(first.used_bytes() == 128);
  pool.draw_on(&small);
  CHECK(first.used_bytes() == 0);
  CHECK(small.used_bytes() == 128);
  CHECK(pool.allocate(64) == nullptr);
  pool.draw_on(nullptr);
  CHECK(small.used_bytes() == 0);
  pool.release(early, 128);
}

TEST_CASE("Pool: memory that the system refuses is not counted") {
  MemoryBudget budget(1024);
  Pool pool;
  pool.draw_on(&budget);
  const MallocWatch memory(0);
  CHECK(pool.allocate(64) == nullptr);
  CHECK(budget.used_bytes() == 0);
}
