// SPDX-License-Identifier: MIT
#include "ws/http/authority.h"

#include <doctest/doctest.h>

namespace sockeye::ws::http {
namespace {

TEST_CASE("RFC 3986 §3.2: host and port") {
  const auto check = [](std::string_view text, std::string_view host, int port) {
    CAPTURE(text);
    const auto authority = parse_authority(text);
    REQUIRE(authority);
    CHECK(authority->host == host);
    CHECK((authority->port ? *authority->port : -1) == port);
  };
  check("example.com", "example.com", -1);
  check("example.com:", "example.com", -1);
  check("example.com:0", "example.com", 0);
  check("example.com:65535", "example.com", 65535);
  check("127.0.0.1:9000", "127.0.0.1", 9000);
  check("[::1]", "[::1]", -1);
  check("[::ffff:127.0.0.1]:80", "[::ffff:127.0.0.1]", 80);
  check("a_b", "a_b", -1);
  check("a%2fb%C3%A9", "a%2fb%C3%A9", -1);
}

TEST_CASE("RFC 3986 §3.2: what is no host and port") {
  for (std::string_view text : {"",
                                ":80",
                                "example.com:65536",
                                "example.com:99999999999999999999",
                                "example.com:-1",
                                "example.com:+1",
                                "example.com:8 0",
                                "a:b",
                                "a:1:2",
                                "::1",
                                "[::1",
                                "[]",
                                "[:]",
                                "[::1]80",
                                "[::1]x",
                                "[::g]",
                                "user@example.com",
                                "a b",
                                "a/b",
                                "a?b",
                                "a#b",
                                "a\\b",
                                "ex\xc3\xa4mple",
                                "a\"b",
                                "a%b",
                                "%",
                                "a%2",
                                "a%2:80",
                                "a%zz"}) {
    CAPTURE(text);
    CHECK(!parse_authority(text));
  }
}

}  // namespace
}  // namespace sockeye::ws::http
