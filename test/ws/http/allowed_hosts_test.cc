// SPDX-License-Identifier: MIT
#include "ws/http/allowed_hosts.h"

#include <string>

#include "test/ws/http/support.h"

namespace sockeye::ws::http {
namespace {

Error check(const AllowedHosts& hosts, std::string_view host) {
  return hosts.check(ParsedRequest("GET / HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n"));
}

TEST_CASE("DNS rebinding: only the server's own names are answered to") {
  const auto hosts = AllowedHosts::parse("localhost, chat.example:9000,[::1]");
  REQUIRE(hosts);
  CHECK(check(*hosts, "localhost") == Error::none);
  CHECK(check(*hosts, "LocalHost:9000") == Error::none);
  CHECK(check(*hosts, "chat.example:9000") == Error::none);
  CHECK(check(*hosts, "[::1]:1") == Error::none);
  CHECK(check(*hosts, "chat.example") == Error::host_not_allowed);
  CHECK(check(*hosts, "chat.example:9001") == Error::host_not_allowed);
  CHECK(check(*hosts, "attacker.example") == Error::host_not_allowed);
  CHECK(check(*hosts, "localhost.attacker.example") == Error::host_not_allowed);
  CHECK(hosts->check(ParsedRequest("GET / HTTP/1.0\r\n\r\n")) == Error::host_not_allowed);
  CHECK(hosts->check(
            ParsedRequest("GET http://attacker.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n")) ==
        Error::host_not_allowed);
}

TEST_CASE("without a list, all hosts are answered to") {
  CHECK(check(AllowedHosts(), "anything.example") == Error::none);
}

TEST_CASE("host lists that can't be read say which entry it is") {
  CHECK(AllowedHosts::parse("a, http://b").error() == "http://b");
  CHECK(AllowedHosts::parse("").error().empty());
}

}  // namespace
}  // namespace sockeye::ws::http
