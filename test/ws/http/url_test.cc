// SPDX-License-Identifier: MIT
#include "ws/http/url.h"

#include "test/ws/http/support.h"

namespace sockeye::ws::http {
namespace {

TEST_CASE("RFC 6455 §3: ws URLs") {
  const auto check = [](std::string_view text, std::string_view host, int port,
                        std::string_view resource, std::string_view host_field) {
    CAPTURE(text);
    const auto url = parse_url(text);
    REQUIRE(url);
    CHECK(url->host == host);
    CHECK(url->port == port);
    CHECK(url->resource_name() == resource);
    CHECK(url->host_field() == host_field);
  };
  check("ws://example.com", "example.com", 80, "/", "example.com");
  check("ws://example.com:80/", "example.com", 80, "/", "example.com");
  check("WS://example.com:9000/chat?a=b?c", "example.com", 9000, "/chat?a=b?c", "example.com:9000");
  check("ws://example.com?a", "example.com", 80, "/?a", "example.com");
  check("ws://example.com/?", "example.com", 80, "/", "example.com");
  check("ws://example.com:/x", "example.com", 80, "/x", "example.com");
  check("ws://127.0.0.1:9000/", "127.0.0.1", 9000, "/", "127.0.0.1:9000");
  check("ws://[::1]:9000/", "::1", 9000, "/", "[::1]:9000");
  check("ws://[2001:db8::1]", "2001:db8::1", 80, "/", "[2001:db8::1]");
  check("ws://a/b://c", "a", 80, "/b://c", "a");
}

TEST_CASE("RFC 6455 §3: what is no ws URL") {
  const auto check = [](std::string_view text, Error error) {
    CAPTURE(text);
    const auto url = parse_url(text);
    REQUIRE(!url);
    CHECK(url.error() == error);
  };
  check("wss://example.com/", Error::url_scheme_secure);
  check("WSS://example.com/", Error::url_scheme_secure);
  check("http://example.com/", Error::url_scheme_unknown);
  check("://example.com/", Error::url_scheme_unknown);
  check("ws://example.com/#top", Error::url_with_fragment);
  check("ws://example.com#", Error::url_with_fragment);
  for (std::string_view text :
       {"", "example.com", "ws:example.com", "ws:/example.com", "ws://", "ws:///path", "ws://:9000",
        "ws://a:0/", "ws://a:65536/", "ws://a:b/", "ws://user@a/", "ws://a b/", "ws://a/b c",
        "ws://[::1", "ws://::1/", "ws://a/\r\n", "ws://a/\xc3\xa9", "ws://\xc3\xa9/"}) {
    check(text, Error::url_malformed);
  }
}

}  // namespace
}  // namespace sockeye::ws::http
