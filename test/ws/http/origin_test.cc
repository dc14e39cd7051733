// SPDX-License-Identifier: MIT
#include "ws/http/origin.h"

#include <string>

#include "test/ws/http/support.h"

namespace sockeye::ws::http {
namespace {

OriginPolicy policy(std::string_view text) {
  auto parsed = OriginPolicy::parse(text);
  REQUIRE(parsed);
  return *parsed;
}

// What the policy says to a request for `host` from a page of `origin`.
Error check(const OriginPolicy& policy, std::string_view host, std::string_view origin) {
  const ParsedRequest request("GET / HTTP/1.1\r\nHost: " + std::string(host) +
                              "\r\nOrigin: " + std::string(origin) + "\r\n\r\n");
  return policy.check(request);
}

TEST_CASE(
    "Cross-site hijacking: only pages of the same origin may connect, unless told otherwise") {
  const OriginPolicy same;
  CHECK(check(same, "a.example", "http://a.example") == Error::none);
  CHECK(check(same, "A.Example", "HTTP://a.EXAMPLE") == Error::none);
  CHECK(check(same, "a.example:9000", "http://a.example:9000") == Error::none);
  CHECK(check(same, "[::1]:9000", "http://[::1]:9000") == Error::none);
  // Default ports, and a proxy that speaks TLS in front.
  CHECK(check(same, "a.example:80", "http://a.example") == Error::none);
  CHECK(check(same, "a.example", "http://a.example:80") == Error::none);
  CHECK(check(same, "a.example", "https://a.example") == Error::none);
  CHECK(check(same, "a.example:443", "https://a.example") == Error::none);

  for (std::string_view origin :
       {"http://b.example", "http://evil-a.example", "http://a.example.evil", "http://a.example:81",
        "https://a.example:80", "http://sub.a.example", "null", "chrome-extension://a.example",
        "file://a.example", "ws://a.example"}) {
    CAPTURE(origin);
    CHECK(check(same, "a.example", origin) == Error::origin_not_allowed);
  }
  CHECK(check(same, "a.example:80", "https://a.example") == Error::origin_not_allowed);
  CHECK(check(same, "a.example:9000", "http://a.example") == Error::origin_not_allowed);
}

TEST_CASE("a list has no wildcards, nor the words that stand alone") {
  for (std::string_view text : {"*", "*.a.example", "any,a.example", "a.example,same"}) {
    CAPTURE(text);
    CHECK(!OriginPolicy::parse(text));
  }
}

TEST_CASE(
    "Cross-site hijacking: absent Origin is no page; malformed or repeated Origin is refused") {
  const OriginPolicy same;
  CHECK(same.check(ParsedRequest("GET / HTTP/1.1\r\nHost: a\r\n\r\n")) == Error::none);
  for (std::string_view origin :
       {"", "a.example", "http:a.example", "http://", "://a.example", "http://a.example/",
        "http://a.example/x", "http://u@a.example", "http://a.example:x", "http://a.example:65536",
        "http://a.example http://b.example", "Null", "http://\xc3\xa9", "ht tp://a.example"}) {
    CAPTURE(origin);
    CHECK(check(same, "a.example", origin) == Error::origin_malformed);
  }
  CHECK(same.check(ParsedRequest("GET / HTTP/1.1\r\nHost: a\r\nOrigin: http://a\r\n"
                                 "Origin: http://a\r\n\r\n")) == Error::origin_malformed);
}

TEST_CASE("RFC 9112 §3.2.2: the target's host counts, where it names one") {
  const OriginPolicy same;
  CHECK(
      same.check(ParsedRequest("GET http://b/ HTTP/1.1\r\nHost: a\r\nOrigin: http://a\r\n\r\n")) ==
      Error::origin_not_allowed);
  CHECK(same.check(ParsedRequest(
            "GET http://b/ HTTP/1.1\r\nHost: a\r\nOrigin: http://b\r\n\r\n")) == Error::none);
}

TEST_CASE("a list of origins") {
  const OriginPolicy listed =
      policy("b.example, c.example:8080,https://d.example, chrome-extension://abc");
  CHECK(check(listed, "a", "http://b.example") == Error::none);
  CHECK(check(listed, "a", "https://B.example:443") == Error::none);
  CHECK(check(listed, "a", "http://b.example:8080") == Error::origin_not_allowed);
  CHECK(check(listed, "a", "http://c.example:8080") == Error::none);
  CHECK(check(listed, "a", "http://c.example") == Error::origin_not_allowed);
  CHECK(check(listed, "a", "https://d.example") == Error::none);
  CHECK(check(listed, "a", "http://d.example") == Error::origin_not_allowed);
  CHECK(check(listed, "a", "chrome-extension://abc") == Error::none);
  CHECK(check(listed, "a", "chrome-extension://abd") == Error::origin_not_allowed);
  CHECK(check(listed, "a", "null") == Error::origin_not_allowed);
  // The server's own pages are not in the list.
  CHECK(check(listed, "a", "http://a") == Error::origin_not_allowed);
}

TEST_CASE("any origin") {
  const OriginPolicy any = policy("any");
  for (std::string_view origin : {"http://b.example", "null", "", "?"}) {
    CHECK(check(any, "a", origin) == Error::none);
  }
}

TEST_CASE("origin policies that can't be read say which entry it is") {
  CHECK(check(policy("same"), "a", "http://a") == Error::none);
  CHECK(check(policy("same"), "a", "http://b") == Error::origin_not_allowed);
  CHECK(OriginPolicy::parse("a, b/c, d").error() == "b/c");
  CHECK(OriginPolicy::parse("http://").error() == "http://");
  CHECK(OriginPolicy::parse("a:x").error() == "a:x");
  CHECK(OriginPolicy::parse("").error().empty());
  CHECK(OriginPolicy::parse(",").error() == ",");
}

}  // namespace
}  // namespace sockeye::ws::http
