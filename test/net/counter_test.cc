// SPDX-License-Identifier: MIT
#include "net/counter.h"

#include <doctest/doctest.h>

#include <thread>

using sockeye::net::Counter;
using sockeye::net::Part;

TEST_CASE("Counter: counts, up and down") {
  Counter counter;
  CHECK(counter.value() == 0);
  counter.add();
  counter.add(10);
  counter.subtract(3);
  CHECK(counter.value() == 8);
  counter.set(5);
  counter.subtract();
  CHECK(counter.value() == 4);
}

TEST_CASE("Counter: another thread sees it grow, and never go back") {
  constexpr std::size_t last = 100'000;
  Counter counter;
  std::thread writer([&counter] {
    for (std::size_t i = 0; i < last; ++i) counter.add();
  });
  bool grows = true;
  for (std::size_t seen = 0; seen < last;) {
    const std::size_t now = counter.value();
    grows = grows && now >= seen;
    seen = now;
  }
  writer.join();
  CHECK(grows);
  CHECK(counter.value() == last);
}

TEST_CASE("Part: counts in the total for as long as it lives") {
  Counter total;
  Part first(total);
  first += 10;
  {
    Part second(total);
    second += 5;
    first -= 3;
    CHECK(std::size_t{first} == 7);
    CHECK(std::size_t{second} == 5);
    CHECK(total.value() == 12);
  }
  CHECK(total.value() == 7);
}
