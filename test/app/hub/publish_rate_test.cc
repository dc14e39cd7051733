// How often an address may publish.
//
// SPDX-License-Identifier: MIT
#include "app/hub/publish_rate.h"

#include <doctest/doctest.h>

#include <string>

#include "test/support/failing_malloc.h"

namespace sockeye::app::hub {
namespace {

constexpr crypto::SipKey key{1, 2};

net::Address at(const std::string& host) {
  const auto address = net::Address::parse(host + ":1");
  REQUIRE(address);
  return *address;
}

TEST_CASE("hub: an address may publish so often in a second, and at once as often as that") {
  PublishRate rate(key, 5);
  const auto one = at("192.0.2.1");
  const auto taken = [&](const net::Address& who, std::uint64_t now_ms) {
    int count = 0;
    while (count < 100 && rate.take(who, now_ms)) ++count;
    return count;
  };
  CHECK(taken(one, 1000) == 5);
  CHECK(taken(one, 1000) == 0);
  CHECK(taken(at("192.0.2.2"), 1000) == 5);
  CHECK(taken(one, 1199) == 0);
  CHECK(taken(one, 1200) == 1);
  CHECK(taken(one, 1600) == 2);
  CHECK(taken(one, 1'000'000) == 5);
  // IPv6 counts by its first 64 bits.
  CHECK(taken(at("[2001:db8::1]"), 0) == 5);
  CHECK(taken(at("[2001:db8::2]"), 0) == 0);
  CHECK(taken(at("[2001:db8:0:1::2]"), 0) == 5);
}

TEST_CASE("hub: without a limit, or an address, everybody may") {
  PublishRate unlimited(key, 0);
  PublishRate rate(key, 1);
  for (int i = 0; i < 100; ++i) {
    CHECK(unlimited.take(at("192.0.2.1"), 0));
    CHECK(rate.take(net::Address(), 0));
  }
}

TEST_CASE("hub: addresses that are silent aren't counted for long") {
  PublishRate rate(key, 2);
  for (int i = 0; i < 20'000; ++i) {
    CHECK(rate.take(at("10." + std::to_string(i / 65536) + "." + std::to_string(i / 256 % 256) +
                       "." + std::to_string(i % 256)),
                    static_cast<std::uint64_t>(i)));
  }
  CHECK(rate.size() <= 5200);
}

TEST_CASE("hub: where an address can't be counted, it may not") {
  PublishRate rate(key, 1);
  test::MallocWatch watch(0);
  CHECK(!rate.take(at("192.0.2.1"), 0));
}

}  // namespace
}  // namespace sockeye::app::hub
