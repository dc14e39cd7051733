// SPDX-License-Identifier: MIT
#include "net/buffer.h"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "test/support/failing_malloc.h"

using sockeye::as_bytes;
using sockeye::as_text;
using sockeye::Buffer;
using sockeye::Pool;

TEST_CASE("Buffer: has no memory until it needs some") {
  Pool pool;
  Buffer buffer(pool);
  CHECK(buffer.size() == 0);
  CHECK(buffer.capacity() == 0);
  CHECK(buffer.bytes().empty());
  CHECK(buffer.space().empty());
  CHECK(buffer.append({}));
  CHECK(buffer.capacity() == 0);
}

TEST_CASE("Buffer: what is appended stays in order, over every growth") {
  Pool pool;
  Buffer buffer(pool);
  std::string expected;
  for (std::size_t size = 0; size < 500; ++size) {
    const std::string piece(size, static_cast<char>('a' + size % 26));
    REQUIRE(buffer.append(as_bytes(piece)));
    expected += piece;
    CHECK(buffer.size() == expected.size());
    CHECK(buffer.capacity() >= buffer.size());
  }
  CHECK(as_text(buffer.bytes()) == expected);
}

TEST_CASE("Buffer: grows in powers of two, so that appending costs constant time on average") {
  Pool pool;
  Buffer buffer(pool);
  int growths = 0;
  for (int i = 0; i < 65536; ++i) {
    const std::size_t before = buffer.capacity();
    REQUIRE(buffer.append(as_bytes("x")));
    growths += buffer.capacity() != before;
  }
  CHECK(growths == 11);  // 64, 128, … 65536
}

TEST_CASE("Buffer: space is written to directly, and committed") {
  Pool pool;
  Buffer buffer(pool);
  REQUIRE(buffer.append(as_bytes("ab")));
  REQUIRE(buffer.reserve(100));
  CHECK(buffer.capacity() == 128);  // all of the pool's block
  CHECK(buffer.space().size() == 126);
  sockeye::copy_bytes(buffer.space().data(), as_bytes("cdef"));
  buffer.commit(3);
  CHECK(as_text(buffer.bytes()) == "abcde");
  CHECK(buffer.space().size() == 123);
}

TEST_CASE("Buffer: clear keeps the memory, reserve never shrinks") {
  Pool pool;
  Buffer buffer(pool);
  REQUIRE(buffer.reserve(1000));
  const auto* data = buffer.space().data();
  REQUIRE(buffer.append(as_bytes("abc")));
  buffer.clear();
  CHECK(buffer.size() == 0);
  REQUIRE(buffer.reserve(10));
  CHECK(buffer.capacity() == 1024);
  CHECK(buffer.space().data() == data);
}

TEST_CASE("Buffer: its memory goes back to the pool, the old at a growth and the last at its end") {
  Pool pool;
  const void* first = nullptr;
  {
    Buffer buffer(pool);
    REQUIRE(buffer.reserve(64));
    first = buffer.space().data();
    REQUIRE(buffer.reserve(65));
    void* block = pool.allocate(64);
    CHECK(block == first);
    pool.release(block, 64);
  }
  Buffer next(pool);
  REQUIRE(next.reserve(128));
  CHECK(next.capacity() == 128);
}

TEST_CASE("Buffer: growth that fails changes nothing") {
  Pool pool;
  Buffer buffer(pool);
  REQUIRE(buffer.append(as_bytes("abc")));
  const std::size_t capacity = buffer.capacity();
  CHECK(!buffer.reserve(Pool::largest_block + 1));
  // A size that wraps round when it is added to what is there. (Nothing is read from here.)
  CHECK(!buffer.append({buffer.bytes().data(), SIZE_MAX - 1}));
  CHECK(!buffer.append({buffer.bytes().data(), Pool::largest_block - 2}));
  {
    const sockeye::test::MallocWatch memory(/*failing_call=*/0);
    CHECK(!buffer.reserve(65));
    CHECK(memory.failed());
  }
  CHECK(buffer.capacity() == capacity);
  CHECK(as_text(buffer.bytes()) == "abc");
}
