// SPDX-License-Identifier: MIT
#include "ws/http/chars.h"

#include <doctest/doctest.h>

#include <cctype>
#include <string_view>

namespace sockeye::ws::http {
namespace {

TEST_CASE("RFC 9110 §5.6.2: the 256 bytes, token or not") {
  for (int c = 0; c < 256; ++c) {
    CAPTURE(c);
    const bool expected =
        c < 128 && (std::isalnum(c) ||
                    (c != 0 && std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) !=
                                   std::string_view::npos));
    CHECK(is(static_cast<char>(c), token_char) == expected);
  }
}

TEST_CASE("RFC 9110 §5.5: the 256 bytes, in a field's value or not") {
  for (int c = 0; c < 256; ++c) {
    CAPTURE(c);
    CHECK(is(static_cast<char>(c), value_char) == (c == '\t' || (c >= 0x20 && c != 0x7f)));
  }
}

TEST_CASE("request targets are visible ASCII without < > \" and #") {
  for (int c = 0; c < 256; ++c) {
    CAPTURE(c);
    const bool expected = c > 0x20 && c < 0x7f && c != '<' && c != '>' && c != '"' && c != '#';
    CHECK(is(static_cast<char>(c), target_char) == expected);
  }
}

TEST_CASE("RFC 3986 §3.2.2: the 256 bytes, in a host or not") {
  for (int c = 0; c < 256; ++c) {
    CAPTURE(c);
    const bool expected =
        c < 128 && (std::isalnum(c) ||
                    (c != 0 && std::string_view("-._~!$&'()*+,;=%").find(static_cast<char>(c)) !=
                                   std::string_view::npos));
    CHECK(is(static_cast<char>(c), host_char) == expected);
  }
}

TEST_CASE("only ASCII letters are equal in either case") {
  CHECK(equal_ignoring_case("WebSocket", "websocket"));
  CHECK(!equal_ignoring_case("websocket", "websocke"));
  CHECK(!equal_ignoring_case("@", "`"));
  CHECK(!equal_ignoring_case("[", "{"));
  CHECK(!equal_ignoring_case("\xc4", "\xe4"));
  CHECK(equal_ignoring_case("", ""));
}

TEST_CASE("RFC 9110 §5.6.3: optional white space is SP and HTAB") {
  CHECK(trim(" \ta b\t ") == "a b");
  CHECK(trim("\va") == "\va");
  CHECK(trim(" \t") == "");
}

}  // namespace
}  // namespace sockeye::ws::http
