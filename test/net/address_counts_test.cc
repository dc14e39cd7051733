// SPDX-License-Identifier: MIT
#include "net/address_counts.h"

#include <doctest/doctest.h>

#include <map>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "test/support/failing_malloc.h"

using sockeye::net::Address;
using sockeye::net::AddressCounts;
using sockeye::test::MallocWatch;

namespace {

Address host(std::string_view text) {
  const auto address = Address::numeric(text, 1234);
  REQUIRE(address);
  return *address;
}

}  // namespace

TEST_CASE("AddressCounts: up to the limit for each address, and room again when one leaves") {
  AddressCounts counts;
  CHECK(counts.enter(host("192.0.2.1"), 2));
  CHECK(counts.enter(host("192.0.2.1"), 2));
  CHECK(!counts.enter(host("192.0.2.1"), 2));
  CHECK(counts.enter(host("192.0.2.2"), 2));
  counts.leave(host("192.0.2.1"));
  CHECK(counts.enter(host("192.0.2.1"), 2));
  CHECK(counts.size() == 2);
}

TEST_CASE("AddressCounts: an IPv6 /64 counts as one address") {
  AddressCounts counts;
  CHECK(counts.enter(host("2001:db8:0:1::1"), 2));
  CHECK(counts.enter(host("2001:db8:0:1:ffff:ffff:ffff:ffff"), 2));
  CHECK(!counts.enter(host("2001:db8:0:1::2"), 2));
  CHECK(counts.enter(host("2001:db8:0:2::1"), 2));
  CHECK(counts.size() == 2);
}

TEST_CASE("AddressCounts: IPv4 mapped into IPv6 is IPv4 (RFC 4291 §2.5.5.2)") {
  AddressCounts counts;
  CHECK(counts.enter(host("192.0.2.1"), 1));
  CHECK(!counts.enter(host("::ffff:192.0.2.1"), 1));
  CHECK(counts.enter(host("::ffff:192.0.2.2"), 1));
  CHECK(!counts.enter(host("192.0.2.2"), 1));
  // Its neighbours in IPv6 are others: ::1 is in the same /64 as all mapped addresses.
  CHECK(counts.enter(host("::1"), 1));
}

TEST_CASE("AddressCounts: what has no host isn't counted") {
  AddressCounts counts;
  for (int i = 0; i < 10; ++i) CHECK(counts.enter(Address(), 1));
  counts.leave(Address());
  CHECK(counts.size() == 0);
}

TEST_CASE("AddressCounts: does what a map would do, on a random schedule") {
  AddressCounts counts;
  std::map<std::string, int> model;
  std::mt19937 random(20261122);
  for (int i = 0; i < 20'000; ++i) {
    const std::string text = "10." + std::to_string(random() % 2) + "." +
                             std::to_string(random() % 30) + "." + std::to_string(random() % 30);
    if (random() % 2 == 0) {
      const bool expected = model[text] < 3;
      if (expected) ++model[text];
      CHECK(counts.enter(host(text), 3) == expected);
    } else if (model[text] > 0) {
      --model[text];
      counts.leave(host(text));
    }
    if (model[text] == 0) model.erase(text);
    CHECK(counts.size() == model.size());
  }
}

TEST_CASE("AddressCounts: memory goes with its addresses; without any, it refuses and lives on") {
  const MallocWatch memory;
  {
    AddressCounts counts;
    for (int i = 0; i < 1000; ++i) {
      CHECK(
          counts.enter(host("10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250)), 1));
    }
  }
  CHECK(memory.live_blocks() == 0);
}

TEST_CASE("AddressCounts: whichever allocation fails, nothing is lost but that address") {
  for (std::size_t failing = 0;; ++failing) {
    AddressCounts counts;
    int refused = 0;
    bool failed = false;
    {
      const MallocWatch memory(failing);
      for (int i = 0; i < 100; ++i)
        refused += !counts.enter(host("10.0.0." + std::to_string(i)), 1);
      failed = memory.failed();
    }
    CHECK(refused <= 1);
    CHECK(counts.size() == static_cast<std::size_t>(100 - refused));
    for (int i = 0; i < 100; ++i) {
      const bool is_in = !counts.enter(host("10.0.0." + std::to_string(i)), 1);
      if (!is_in) ++refused;
    }
    CHECK(counts.size() == 100);
    if (!failed) break;
  }
}

TEST_CASE("AddressCounts: four threads at once") {
  AddressCounts counts;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&counts, t] {
      for (int round = 0; round < 100; ++round) {
        for (int i = 0; i < 100; ++i) {
          const Address address =
              *Address::numeric("10.0." + std::to_string(t % 2) + "." + std::to_string(i), 0);
          if (counts.enter(address, 1)) counts.leave(address);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(counts.size() == 0);
}
