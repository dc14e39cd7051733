// SPDX-License-Identifier: MIT
#include "app/bench/sources.h"

#include <doctest/doctest.h>

#include <string>

namespace sockeye::app::bench {
namespace {

std::string read(std::string_view text) {
  const auto sources = parse_sources(text);
  if (!sources) return "error";
  std::string all;
  for (const net::Address& address : *sources) all += (all.empty() ? "" : " ") + address.text();
  return all;
}

}  // namespace

TEST_CASE("source addresses: single ones, ranges, and lists of both") {
  CHECK(read("127.0.0.2") == "127.0.0.2:0");
  CHECK(read("127.0.0.254-127.0.1.1") == "127.0.0.254:0 127.0.0.255:0 127.0.1.0:0 127.0.1.1:0");
  CHECK(read("10.0.0.1,127.0.0.2-127.0.0.3,::1") == "10.0.0.1:0 127.0.0.2:0 127.0.0.3:0 [::1]:0");
  CHECK(read("fd00::fffe-fd00::1:1") ==
        "[fd00::fffe]:0 [fd00::ffff]:0 [fd00::1:0]:0 [fd00::1:1]:0");
}

TEST_CASE("source addresses: what is neither is refused") {
  for (const char* text : {"", ",", "x", "127.0.0.1,", "127.0.0.1-", "-127.0.0.1", "127.0.0.1:9000",
                           "127.0.0.2-127.0.0.1", "127.0.0.1-::1", "::1-fd00::1",
                           "127.0.0.1-127.255.0.0", "255.255.255.250-0.0.0.5", "localhost"}) {
    CAPTURE(text);
    CHECK(read(text) == "error");
  }
  CHECK(parse_sources("127.0.0.0-127.0.255.255")->size() == 65'536);
  CHECK(read("127.0.0.0-127.1.0.0") == "error");
  CHECK(read("127.0.0.0-127.0.255.255,127.1.0.0") == "error");
}

}  // namespace sockeye::app::bench
