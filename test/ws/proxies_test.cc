// SPDX-License-Identifier: MIT
#include "ws/proxies.h"

#include <string>
#include <string_view>

#include "test/ws/http/support.h"

using sockeye::net::Networks;
using sockeye::ws::forwarded_for;
using sockeye::ws::http::ParsedRequest;

namespace {

// Where a request with these fields comes from, to a server that trusts `trusted`.
std::string client(std::string_view fields, std::string_view trusted = "127.0.0.1,10.0.0.0/8") {
  const ParsedRequest request("GET / HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n");
  const auto address = forwarded_for(request, *Networks::parse(trusted));
  if (!address) return "nobody knows";
  const std::string text = address->text();
  return text.substr(0, text.rfind(':'));
}

}  // namespace

TEST_CASE("X-Forwarded-For: the last address that isn't a trusted proxy's") {
  CHECK(client("X-Forwarded-For: 192.0.2.7\r\n") == "192.0.2.7");
  CHECK(client("X-Forwarded-For: 192.0.2.7, 10.0.0.1\r\n") == "192.0.2.7");
  CHECK(client("X-Forwarded-For: 192.0.2.7, 10.0.0.1, 10.0.0.2\r\n") == "192.0.2.7");
  CHECK(client("X-Forwarded-For: 2001:db8::7\r\n") == "[2001:db8::7]");
}

TEST_CASE("X-Forwarded-For: what a client invents stands before what a proxy saw") {
  CHECK(client("X-Forwarded-For: 198.51.100.1, 192.0.2.7\r\n") == "192.0.2.7");
  CHECK(client("X-Forwarded-For: 10.0.0.1, 192.0.2.7\r\n") == "192.0.2.7");
  CHECK(client("X-Forwarded-For: nonsense, 192.0.2.7, 10.0.0.1\r\n") == "192.0.2.7");
  CHECK(client("X-Forwarded-For: 192.0.2.7, nonsense, 10.0.0.1\r\n") == "nobody knows");
}

TEST_CASE("X-Forwarded-For: several fields are one list (RFC 9110 §5.3)") {
  CHECK(client("X-Forwarded-For: 198.51.100.1\r\nx-forwarded-for: 192.0.2.7\r\n") == "192.0.2.7");
  CHECK(client("X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-For: 10.0.0.1\r\n") == "192.0.2.7");
}

TEST_CASE("X-Forwarded-For: where all are trusted it is the first; without any, nobody knows") {
  CHECK(client("X-Forwarded-For: 10.0.0.9, 10.0.0.1\r\n") == "10.0.0.9");
  CHECK(client("") == "nobody knows");
  CHECK(client("X-Forwarded-For: \r\n") == "nobody knows");
  CHECK(client("X-Forwarded-For: ,,\r\n") == "nobody knows");
}

TEST_CASE("X-Forwarded-For: with ports and brackets, and mapped into IPv6") {
  CHECK(client("X-Forwarded-For: 192.0.2.7:4711\r\n") == "192.0.2.7");
  CHECK(client("X-Forwarded-For: [2001:db8::7]:4711\r\n") == "[2001:db8::7]");
  CHECK(client("X-Forwarded-For: [2001:db8::7]\r\n") == "[2001:db8::7]");
  CHECK(client("X-Forwarded-For: ::ffff:192.0.2.7\r\n") == "192.0.2.7");
  CHECK(client("X-Forwarded-For: 192.0.2.7, ::ffff:10.0.0.1\r\n") == "192.0.2.7");
  CHECK(client("X-Forwarded-For: 192.0.2.7, unix:\r\n", "unix") == "192.0.2.7");
  for (const std::string_view text : {"unknown", ":9000", "unix:/x", "fd:3", "_hidden", "1.2.3"}) {
    CHECK(client("X-Forwarded-For: " + std::string(text) + "\r\n") == "nobody knows");
  }
}
