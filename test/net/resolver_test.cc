// None of these asks a name server.
//
// SPDX-License-Identifier: MIT
#include "net/resolver.h"

#include <doctest/doctest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

using sockeye::net::resolve;

namespace {

std::vector<std::string> texts(std::string_view host) {
  const auto addresses = resolve(host, 9000);
  REQUIRE_MESSAGE(addresses, (addresses ? "" : addresses.error().message));
  std::vector<std::string> result;
  for (const auto& address : *addresses) result.push_back(address.text());
  return result;
}

std::string complaint(std::string_view host) {
  const auto addresses = resolve(host, 9000);
  REQUIRE(!addresses);
  return addresses.error().message;
}

}  // namespace

TEST_CASE("resolve: a numeric host is its own address") {
  CHECK(texts("127.0.0.1") == std::vector<std::string>{"127.0.0.1:9000"});
  CHECK(texts("2001:db8::1") == std::vector<std::string>{"[2001:db8::1]:9000"});
}

TEST_CASE("resolve: localhost is loopback, however it is written (RFC 6761 §6.3)") {
  const std::vector<std::string> loopback{"[::1]:9000", "127.0.0.1:9000"};
  for (const char* host :
       {"localhost", "LocalHost", "localhost.", "a.localhost", "A.b.LOCALHOST."}) {
    CAPTURE(host);
    CHECK(texts(host) == loopback);
  }
}

TEST_CASE("resolve: other names are the system's to answer") {
  CHECK(texts("127.1") == std::vector<std::string>{"127.0.0.1:9000"});  // as inet_aton(3) reads it
}

TEST_CASE("resolve: names that can't exist are refused, and named") {
  CHECK(complaint("") == "cannot resolve \"\": a host name is empty");
  CHECK(complaint({"a\0b", 3}).ends_with("a host name holds no null character"));
  const std::string longest(300, 'a');
  CHECK(complaint(longest).starts_with("cannot resolve \"" + longest + "\": "));
}

TEST_CASE("Threads: several resolve at once, each its own names") {
  std::atomic<int> right{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&right, i] {
      const std::string name = "127." + std::to_string(i + 1);
      const std::string expected = "127.0.0." + std::to_string(i + 1) + ":9000";
      for (int round = 0; round < 100; ++round) {
        const auto known = resolve(name, 9000);
        const auto unknown = resolve(std::string(300, static_cast<char>('a' + i)), 9000);
        right += known && (*known)[0].text() == expected && !unknown;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(right == 400);
}
