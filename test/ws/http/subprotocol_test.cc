// SPDX-License-Identifier: MIT
#include "ws/http/subprotocol.h"

#include <array>
#include <string>

#include "test/ws/http/support.h"

namespace sockeye::ws::http {
namespace {

std::string offering(std::string_view fields) {
  return "GET / HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n";
}

Error check(std::string_view list) {
  return check_subprotocols(
      ParsedRequest(offering("Sec-WebSocket-Protocol: " + std::string(list) + "\r\n")));
}

TEST_CASE("RFC 6455 §4.1 item 10: subprotocols are unique tokens") {
  CHECK(check("chat") == Error::none);
  CHECK(check("chat, superchat,v1.x") == Error::none);
  CHECK(check("chat, CHAT") == Error::none);
  CHECK(check("chat, superchat, chat") == Error::websocket_protocol_repeated);
  for (std::string_view list : {"", ",", "a b", "a, b c", "\"chat\"", "a/b", "a;b", "\xc3\xa9"}) {
    CAPTURE(list);
    CHECK(check(list) == Error::websocket_protocol_malformed);
  }
  CHECK(check_subprotocols(ParsedRequest(offering(""))) == Error::none);
  CHECK(check_subprotocols(ParsedRequest(
            offering("Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: b, a\r\n"))) ==
        Error::websocket_protocol_repeated);
}

TEST_CASE("the number of subprotocols is limited") {
  std::string list = "p0";
  for (std::size_t i = 1; i < max_subprotocols; ++i) list += ",p" + std::to_string(i);
  CHECK(check(list) == Error::none);
  CHECK(check(list + ",q") == Error::websocket_protocol_malformed);
}

TEST_CASE("RFC 6455 §4.2.2 item 5: the server chooses one that was offered") {
  const ParsedRequest request(offering("Sec-WebSocket-Protocol: chat, v2\r\n"));
  constexpr std::array<std::string_view, 3> supported = {"v3", "v2", "chat"};
  CHECK(choose_subprotocol(request, supported) == "v2");
  CHECK(choose_subprotocol(request, {}).empty());
  constexpr std::array<std::string_view, 1> other = {"Chat"};
  CHECK(choose_subprotocol(request, other).empty());
  CHECK(offers_subprotocol(request, "chat"));
  CHECK(!offers_subprotocol(request, "CHAT"));
  CHECK(!offers_subprotocol(request, ""));
}

}  // namespace
}  // namespace sockeye::ws::http
