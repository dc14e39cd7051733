// SPDX-License-Identifier: MIT
#include "app/machine.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>

#include <string>

using namespace sockeye::app;

namespace {

// What was read, as text: "ADDRESS GATEWAY NETMASK DEVICE", or "no".
std::string read(std::string_view text) {
  const auto ip = parse_ip(text);
  if (!ip) return "no";
  const auto host = [](in_addr address) {
    char written[INET_ADDRSTRLEN];
    return std::string(::inet_ntop(AF_INET, &address, written, sizeof written));
  };
  return host(ip->address) + " " + host(ip->gateway) + " " + host(ip->netmask) + " " +
         std::string(ip->device);
}

}  // namespace

TEST_CASE("ip=: all parts, as the kernel documents them") {
  CHECK(read("10.0.2.15:10.0.2.1:10.0.2.2:255.255.255.0:fish:eth1:off") ==
        "10.0.2.15 10.0.2.2 255.255.255.0 eth1");
  CHECK(read("10.0.2.15::10.0.2.2:255.255.255.0::eth0:none:10.0.2.3:10.0.2.4:10.0.2.5") ==
        "10.0.2.15 10.0.2.2 255.255.255.0 eth0");
}

TEST_CASE("ip=: parts that are empty or missing") {
  CHECK(read("10.0.2.15") == "10.0.2.15 0.0.0.0 0.0.0.0 eth0");
  CHECK(read("10.0.2.15:") == "10.0.2.15 0.0.0.0 0.0.0.0 eth0");
  CHECK(read("10.0.2.15:::255.0.0.0") == "10.0.2.15 0.0.0.0 255.0.0.0 eth0");
  CHECK(read("10.0.2.15::10.0.2.2") == "10.0.2.15 10.0.2.2 0.0.0.0 eth0");
  CHECK(read("10.0.2.15::::::") == "10.0.2.15 0.0.0.0 0.0.0.0 eth0");
}

TEST_CASE("ip=: off leaves the network as it is") {
  for (const char* text : {"", "off", "none"}) {
    const auto ip = parse_ip(text);
    REQUIRE(ip);
    CHECK(ip->address.s_addr == 0);
  }
}

TEST_CASE("ip=: DHCP and the like, which isn't there") {
  for (const char* text : {"dhcp", "on", "any", ":::::eth0:dhcp", "::::::", ":", ":::::eth0:off",
                           "10.0.2.15:::::eth0:dhcp", "10.0.2.15::::::any"}) {
    CAPTURE(text);
    CHECK(read(text) == "no");
  }
}

TEST_CASE("ip=: what is no IPv4 address") {
  for (const char* text :
       {"10.0.2", "10.0.2.256", "10.0.2.15 ", "10.0.2.15::gateway", "10.0.2.15::10.0.2.2:24",
        "10.0.2.15:::0xffffff00", "::1", "[fe80", "10.0.2.15::10.0.2.2%1"}) {
    CAPTURE(text);
    CHECK(read(text) == "no");
  }
}
