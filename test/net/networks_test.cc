// SPDX-License-Identifier: MIT
#include "net/networks.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

using sockeye::net::Address;
using sockeye::net::Networks;

namespace {

bool contains(std::string_view networks, std::string_view host) {
  const auto parsed = Networks::parse(networks);
  REQUIRE(parsed);
  return parsed->contains(*Address::numeric(host, 80));
}

}  // namespace

TEST_CASE("Networks: an address alone is that one") {
  CHECK(contains("192.0.2.1", "192.0.2.1"));
  CHECK(!contains("192.0.2.1", "192.0.2.0"));
  CHECK(contains("2001:db8::1", "2001:db8::1"));
  CHECK(!contains("2001:db8::1", "2001:db8::2"));
}

TEST_CASE("Networks: a prefix of any length, to the bit") {
  for (unsigned bits = 1; bits <= 32; ++bits) {
    const std::string text = "128.0.0.0/" + std::to_string(bits);
    CHECK(contains(text, "128.0.0.0"));
    CHECK(contains(text, "128.0.0.1") == (bits < 32));
    CHECK(contains(text, "192.0.0.0") == (bits < 2));
    CHECK(!contains(text, "0.0.0.0"));
  }
  CHECK(contains("0.0.0.0/0", "255.255.255.255"));
  CHECK(!contains("0.0.0.0/0", "::1"));  // of IPv4
  CHECK(contains("::/0", "192.0.2.1"));  // of all
  CHECK(contains("2001:db8::/33", "2001:db8:7fff::1"));
  CHECK(!contains("2001:db8::/33", "2001:db8:8000::1"));
}

TEST_CASE("Networks: several; IPv4 mapped into IPv6 is IPv4") {
  CHECK(contains("10.0.0.0/8,192.168.0.0/16", "10.1.2.3"));
  CHECK(contains("10.0.0.0/8,192.168.0.0/16", "192.168.2.3"));
  CHECK(!contains("10.0.0.0/8,192.168.0.0/16", "192.169.2.3"));
  CHECK(contains("10.0.0.0/8", "::ffff:10.1.2.3"));
  CHECK(contains("::ffff:10.0.0.1", "10.0.0.1"));
}

TEST_CASE("Networks: Unix peers, which have no address, are named") {
  CHECK(Networks::parse("unix")->contains(Address()));
  CHECK(Networks::parse("::1,unix")->contains(*Address::parse("unix:/run/x")));
  CHECK(!Networks::parse("::/0")->contains(Address()));
  CHECK(!Networks().contains(Address()));
  CHECK(!contains("unix", "127.0.0.1"));
}

TEST_CASE("Networks: this machine") {
  CHECK(Networks::local().contains(*Address::numeric("127.9.9.9", 1)));
  CHECK(Networks::local().contains(*Address::numeric("::1", 1)));
  CHECK(Networks::local().contains(Address()));
  CHECK(!Networks::local().contains(*Address::numeric("10.0.0.1", 1)));
}

TEST_CASE("Networks: every malformed text is refused, and quoted") {
  for (const std::string_view text :
       {"", "10.0.0.1,", ",10.0.0.1", "10.0.0.1, ::1", "localhost", "10.0.0.0/33", "10.0.0.0/",
        "10.0.0.0/-1", "10.0.0.0/8x", "10.0.0.0/ 8", "::/129", "10.0.0.1/8", "2001:db8::1/64",
        "fe80::1%2", "[::1]", "10.0.0.1:80", "/8", "unix:/x", "10.0.0.0/4294967304"}) {
    CAPTURE(text);
    const auto parsed = Networks::parse(text);
    REQUIRE(!parsed);
    CHECK(parsed.error().message.starts_with("\""));
  }
}
