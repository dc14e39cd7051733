// SPDX-License-Identifier: MIT
#include "ws/http/handshake.h"

#include <array>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "test/ws/http/support.h"
#include "ws/http/origin.h"
#include "ws/http/writer.h"

namespace sockeye::ws::http {
namespace {

// The nonce whose Base64 is RFC 6455 §1.3's key.
constexpr std::array<std::uint8_t, 16> sample_nonce = {'t', 'h', 'e', ' ', 's', 'a', 'm', 'p',
                                                       'l', 'e', ' ', 'n', 'o', 'n', 'c', 'e'};

// RFC 6455 §1.2, with §1.3's key.
constexpr std::string_view sample_request =
    "GET /chat HTTP/1.1\r\n"
    "Host: server.example.com\r\n"
    "Upgrade: websocket\r\n"
    "Connection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Origin: http://example.com\r\n"
    "Sec-WebSocket-Protocol: chat, superchat\r\n"
    "Sec-WebSocket-Version: 13\r\n"
    "\r\n";
constexpr std::string_view sample_response =
    "HTTP/1.1 101 Switching Protocols\r\n"
    "Upgrade: websocket\r\n"
    "Connection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
    "Sec-WebSocket-Protocol: chat\r\n"
    "\r\n";

std::string_view text_of(const AcceptValue& accept) {
  return {accept.data(), accept.size()};
}

// What the functions of these names write, in strings of their own.
Result<std::string, Error> response_to(const Request& request, const Choice& choice) {
  net::Text<response_head_bytes> text;
  return std::string(TRY(upgrade_response(text, request, choice, crypto::sha1_scalar)));
}
Result<std::string, Error> request_of(const Offer& offer) {
  net::Text<request_head_bytes> text;
  return std::string(TRY(upgrade_request(text, offer)));
}

TEST_CASE("RFC 6455 §1.3: the example's key and its answer") {
  CHECK(text_of(accept_value("dGhlIHNhbXBsZSBub25jZQ==", crypto::sha1_scalar)) ==
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST_CASE("RFC 6455 §1.2: the example's handshake, byte for byte") {
  const ParsedRequest request{std::string(sample_request)};
  CHECK(wants_upgrade(request));
  CHECK(check_upgrade(request) == Error::none);
  const auto response = response_to(request, {.subprotocol = "chat", .extensions = {}});
  REQUIRE(response);
  CHECK(*response == sample_response);

  const auto url = parse_url("ws://server.example.com/chat");
  REQUIRE(url);
  constexpr std::array<std::string_view, 2> subprotocols = {"chat", "superchat"};
  const Offer offer{.url = *url,
                    .nonce = sample_nonce,
                    .subprotocols = subprotocols,
                    .extensions = {},
                    .origin = "http://example.com",
                    .extra_fields = {}};
  const auto written = request_of(offer);
  REQUIRE(written);
  // The example has Version last; §4.1 numbers it before Protocol. The order means nothing.
  CHECK(*written ==
        "GET /chat HTTP/1.1\r\n"
        "Host: server.example.com\r\n"
        "Upgrade: websocket\r\n"
        "Connection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Origin: http://example.com\r\n"
        "Sec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Protocol: chat, superchat\r\n"
        "\r\n");
  CHECK(check_upgrade(ParsedRequest(*written)) == Error::none);
  CHECK(check_response(ParsedResponse(*response), offer, crypto::sha1_scalar) == Error::none);
}

// ---- Server ----

using FieldList = std::vector<std::pair<std::string, std::string>>;

FieldList good_fields() {
  return {{"Host", "a"},
          {"Upgrade", "websocket"},
          {"Connection", "Upgrade"},
          {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="},
          {"Sec-WebSocket-Version", "13"}};
}

std::string request_text(const FieldList& fields, std::string_view line = "GET / HTTP/1.1") {
  std::string text = std::string(line) + "\r\n";
  for (const auto& [name, value] : fields) text += name + ": " + value + "\r\n";
  return text + "\r\n";
}

// The handshake with one field's value replaced; without the field where there is no value; with
// fields of that name for each of several.
Error verdict(std::string_view name, const std::vector<std::string>& values) {
  FieldList fields = good_fields();
  std::erase_if(fields, [name](const auto& field) { return field.first == name; });
  for (const std::string& value : values) fields.emplace_back(name, value);
  const std::string text = request_text(fields);

  Pool pool;
  RequestParser parser(pool, Limits{});
  Bytes input = as_bytes(text);
  if (parser.parse(input) == HeadParser::Status::failed) return parser.error();
  return check_upgrade(parser.request());
}

TEST_CASE("Absent, empty, doubled, non-ASCII, over-long fields: Host") {
  CHECK(verdict("Host", {}) == Error::host_missing);
  CHECK(verdict("Host", {""}) == Error::host_malformed);
  CHECK(verdict("Host", {"a", "a"}) == Error::host_repeated);
  CHECK(verdict("Host", {"\xc3\xa9"}) == Error::host_malformed);
  CHECK(verdict("Host", {std::string(17'000, 'a')}) == Error::head_too_large);
}

TEST_CASE("Absent, empty, doubled, non-ASCII, over-long fields: Upgrade") {
  CHECK(verdict("Upgrade", {}) == Error::upgrade_not_websocket);
  CHECK(verdict("Upgrade", {""}) == Error::upgrade_not_websocket);
  CHECK(verdict("Upgrade", {"websocket", "websocket"}) == Error::none);
  CHECK(verdict("Upgrade", {"h2c", "WebSocket"}) == Error::none);
  CHECK(verdict("Upgrade", {"h2c, WEBSOCKET"}) == Error::none);
  CHECK(verdict("Upgrade", {"h2c"}) == Error::upgrade_not_websocket);
  CHECK(verdict("Upgrade", {"websockets"}) == Error::upgrade_not_websocket);
  CHECK(verdict("Upgrade", {"websocket/13"}) == Error::upgrade_not_websocket);
  CHECK(verdict("Upgrade", {"websocket\xc3\xa9"}) == Error::upgrade_not_websocket);
  CHECK(verdict("Upgrade", {std::string(10'000, 'w')}) == Error::upgrade_not_websocket);
  CHECK(verdict("Upgrade", {std::string(17'000, 'w')}) == Error::head_too_large);
}

TEST_CASE("Absent, empty, doubled, non-ASCII, over-long fields: Connection") {
  CHECK(verdict("Connection", {}) == Error::connection_lacks_upgrade);
  CHECK(verdict("Connection", {""}) == Error::connection_lacks_upgrade);
  CHECK(verdict("Connection", {"keep-alive"}) == Error::connection_lacks_upgrade);
  CHECK(verdict("Connection", {"keep-alive", "upgrade"}) == Error::none);
  CHECK(verdict("Connection", {"keep-alive, UPGRADE"}) == Error::none);
  CHECK(verdict("Connection", {"Upgrade", "Upgrade"}) == Error::none);
  CHECK(verdict("Connection", {"Upgrade\xc3\xa9"}) == Error::connection_lacks_upgrade);
  CHECK(verdict("Connection", {"not Upgrade"}) == Error::connection_lacks_upgrade);
  CHECK(verdict("Connection", {std::string(10'000, 'u')}) == Error::connection_lacks_upgrade);
}

TEST_CASE("Absent, empty, doubled, non-ASCII, over-long fields: Sec-WebSocket-Key") {
  const std::string name = "Sec-WebSocket-Key";
  const std::string key = "dGhlIHNhbXBsZSBub25jZQ==";
  CHECK(verdict(name, {}) == Error::websocket_key_missing);
  CHECK(verdict(name, {key, key}) == Error::websocket_key_repeated);
  for (const std::string value :
       {"", "=", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZQ===",
        "dGhlIHNhbXBsZSBub25jZR==",  // bits left over
        "dGhlIHNhbXBsZSBub25jZSE=",  // 17 bytes
        "dGhlIHNhbXBsZSBub25j",      // 15 bytes
        "dGhlIHNhbXBsZSBub25j ZQ==", "dGhlIHNhbXBsZSBub25jZ\xc3\xa9", "dGhlIHNhbXBsZSBub25jZQ==, x",
        "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9="
        "="}) {
    CAPTURE(value);
    CHECK(verdict(name, {value}) == Error::websocket_key_malformed);
  }
  CHECK(verdict(name, {std::string(10'000, 'A')}) == Error::websocket_key_malformed);
}

TEST_CASE("Absent, empty, doubled, non-ASCII, over-long fields: Sec-WebSocket-Version") {
  const std::string name = "Sec-WebSocket-Version";
  CHECK(verdict(name, {}) == Error::websocket_version_missing);
  CHECK(verdict(name, {"13", "13"}) == Error::websocket_version_repeated);
  for (const std::string value :
       {"", "8", "7", "0", "14", "13, 8", "013", "+13", "1", "130", "13.0", "\xd9\xa1\xd9\xa3"}) {
    CAPTURE(value);
    CHECK(verdict(name, {value}) == Error::websocket_version_unsupported);
  }
  CHECK(verdict(name, {std::string(10'000, '1')}) == Error::websocket_version_unsupported);
}

TEST_CASE("Wrong version: every refusal over the version is a 426 that names 13") {
  for (Error error : {Error::websocket_version_missing, Error::websocket_version_repeated,
                      Error::websocket_version_unsupported}) {
    CHECK(refused(error).starts_with("HTTP/1.1 426 "));
    CHECK(refused(error).find("\r\nSec-WebSocket-Version: 13\r\n") != std::string::npos);
  }
}

TEST_CASE("Absent, empty, doubled, non-ASCII, over-long fields: Sec-WebSocket-Protocol") {
  const std::string name = "Sec-WebSocket-Protocol";
  CHECK(verdict(name, {}) == Error::none);
  CHECK(verdict(name, {""}) == Error::websocket_protocol_malformed);
  CHECK(verdict(name, {"a", "b"}) == Error::none);
  CHECK(verdict(name, {"a", "a"}) == Error::websocket_protocol_repeated);
  CHECK(verdict(name, {"\xc3\xa9"}) == Error::websocket_protocol_malformed);
  CHECK(verdict(name, {std::string(10'000, 'a')}) == Error::none);
}

TEST_CASE("Absent, empty, doubled, non-ASCII, over-long fields: Sec-WebSocket-Extensions") {
  const std::string name = "Sec-WebSocket-Extensions";
  CHECK(verdict(name, {}) == Error::none);
  CHECK(verdict(name, {""}) == Error::websocket_extensions_malformed);
  CHECK(verdict(name, {"a", "a; b=c"}) == Error::none);
  CHECK(verdict(name, {"\xc3\xa9"}) == Error::websocket_extensions_malformed);
  CHECK(verdict(name, {std::string(10'000, 'a')}) == Error::none);
}

TEST_CASE("Smuggling: an upgrade with a body") {
  CHECK(verdict("Content-Length", {"5"}) == Error::upgrade_with_body);
  CHECK(verdict("Content-Length", {"x"}) == Error::upgrade_with_body);
  CHECK(verdict("Content-Length", {"0"}) == Error::none);
  CHECK(verdict("Content-Length", {"000"}) == Error::none);
  CHECK(verdict("Transfer-Encoding", {"chunked"}) == Error::upgrade_with_body);
  CHECK(verdict("Transfer-Encoding", {""}) == Error::upgrade_with_body);
}

TEST_CASE("RFC 6455 §4.2.1 item 1: the handshake is an HTTP/1.1 GET") {
  CHECK(check_upgrade(ParsedRequest(request_text(good_fields(), "POST / HTTP/1.1"))) ==
        Error::upgrade_method_not_get);
  CHECK(check_upgrade(ParsedRequest(request_text(good_fields(), "HEAD / HTTP/1.1"))) ==
        Error::upgrade_method_not_get);
  CHECK(check_upgrade(ParsedRequest(request_text(good_fields(), "GET / HTTP/1.0"))) ==
        Error::upgrade_version_not_1_1);
  CHECK(check_upgrade(ParsedRequest(request_text(good_fields(), "GET /?x HTTP/1.1"))) ==
        Error::none);
}

TEST_CASE("which requests are meant as an upgrade") {
  const auto wants = [](const FieldList& fields, std::string_view line = "GET / HTTP/1.1") {
    return wants_upgrade(ParsedRequest(request_text(fields, line)));
  };
  CHECK(wants(good_fields()));
  CHECK(wants({{"Host", "a"}, {"Upgrade", "WebSocket"}}));
  CHECK(wants({{"Host", "a"}, {"Sec-WebSocket-Key", "x"}}));
  CHECK(!wants({{"Host", "a"}}));
  CHECK(!wants({{"Host", "a"}, {"Upgrade", "h2c"}, {"Connection", "Upgrade"}}));
  // RFC 9110 §7.8: Upgrade in HTTP/1.0 is ignored. A key still says what is meant.
  CHECK(!wants({{"Host", "a"}, {"Upgrade", "websocket"}}, "GET / HTTP/1.0"));
  CHECK(wants(good_fields(), "GET / HTTP/1.0"));
}

TEST_CASE("RFC 6455 §4.2.2 item 5: what was chosen stands in the response") {
  FieldList fields = good_fields();
  fields.emplace_back("Sec-WebSocket-Protocol", "chat");
  const ParsedRequest request(request_text(fields));
  const auto respond = [&request](std::string_view subprotocol, std::string_view extensions) {
    return response_to(request, {subprotocol, extensions});
  };
  const std::string head =
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
  CHECK(*respond("", "") == head + "\r\n");
  CHECK(*respond("chat", "x; y=1") ==
        head + "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: x; y=1\r\n\r\n");
  CHECK(respond("other", "").error() == Error::websocket_protocol_malformed);
  CHECK(respond("chat\r\nX: y", "").error() == Error::websocket_protocol_malformed);
}

TEST_CASE("Response splitting: CR, LF and NUL in a chosen extension") {
  const ParsedRequest request(request_text(good_fields()));
  for (std::string_view text :
       {std::string_view("x\r\nY: z"), std::string_view("x\n"), std::string_view("x\0", 2)}) {
    const auto response = response_to(request, {{}, text});
    REQUIRE(!response);
    CHECK(response.error() == Error::field_value_malformed);
  }
}

TEST_CASE("a response for which there is no room is head_too_large") {
  const ParsedRequest request(request_text(good_fields()));
  CHECK(response_to(request, {{}, std::string(response_head_bytes - 256, 'x')}));
  const auto response = response_to(request, {{}, std::string(response_head_bytes, 'x')});
  REQUIRE(!response);
  CHECK(response.error() == Error::head_too_large);
}

// ---- Client ----

Offer plain_offer() {
  return {.url = *parse_url("ws://a:9000/x?y"),
          .nonce = sample_nonce,
          .subprotocols = {},
          .extensions = {},
          .origin = {},
          .extra_fields = {}};
}

TEST_CASE("RFC 6455 §4.1: the client's handshake, at its shortest and at its longest") {
  CHECK(*request_of(plain_offer()) ==
        "GET /x?y HTTP/1.1\r\nHost: a:9000\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n");

  Offer offer = plain_offer();
  const std::array<Field, 2> extra = {Field{"Cookie", "c=1"}, Field{"Authorization", "Basic eA=="}};
  constexpr std::array<std::string_view, 2> subprotocols = {"v2", "v1"};
  offer.extra_fields = extra;
  offer.subprotocols = subprotocols;
  offer.extensions = "x-one; a=1, x-two";
  offer.origin = "http://a:9000";
  CHECK(*request_of(offer) ==
        "GET /x?y HTTP/1.1\r\nHost: a:9000\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://a:9000\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: v2, v1\r\n"
        "Sec-WebSocket-Extensions: x-one; a=1, x-two\r\n"
        "Cookie: c=1\r\nAuthorization: Basic eA==\r\n\r\n");
  const ParsedRequest parsed(*request_of(offer));
  CHECK(check_upgrade(parsed) == Error::none);
  CHECK(OriginPolicy().check(parsed) == Error::none);
}

TEST_CASE("Response splitting: the client's own arguments can't add a line") {
  const auto extra = [](std::string_view name, std::string_view value) {
    Offer offer = plain_offer();
    const std::array<Field, 1> fields = {Field{name, value}};
    offer.extra_fields = fields;
    const auto request = request_of(offer);
    return request ? Error::none : request.error();
  };
  CHECK(extra("X", "y") == Error::none);
  CHECK(extra("X", "y\r\nZ: z") == Error::field_value_malformed);
  CHECK(extra("X\r\nZ", "y") == Error::field_name_malformed);
  for (std::string_view name : {"Host", "upgrade", "CONNECTION", "Origin", "Sec-WebSocket-Key",
                                "Sec-WebSocket-Protocol", "Content-Length", "Transfer-Encoding"}) {
    CHECK(extra(name, "y") == Error::field_reserved);
  }

  Offer offer = plain_offer();
  offer.origin = "http://a\r\nX: y";
  CHECK(request_of(offer).error() == Error::field_value_malformed);

  offer = plain_offer();
  constexpr std::array<std::string_view, 1> no_token = {"a b"};
  offer.subprotocols = no_token;
  CHECK(request_of(offer).error() == Error::websocket_protocol_malformed);
  constexpr std::array<std::string_view, 2> repeated = {"a", "a"};
  offer.subprotocols = repeated;
  CHECK(request_of(offer).error() == Error::websocket_protocol_repeated);
}

TEST_CASE("a request for which there is no room is head_too_large") {
  Offer offer = plain_offer();
  const std::string fits(request_head_bytes - 256, 'x');
  offer.origin = fits;
  CHECK(request_of(offer));
  const std::string too_long(request_head_bytes, 'x');
  offer.origin = too_long;
  CHECK(request_of(offer).error() == Error::head_too_large);
}

FieldList good_response_fields() {
  return {{"Upgrade", "websocket"},
          {"Connection", "Upgrade"},
          {"Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="}};
}

Error response_verdict(const std::string& name, const std::vector<std::string>& values,
                       const Offer& offer = plain_offer()) {
  FieldList fields = good_response_fields();
  std::erase_if(fields, [&name](const auto& field) { return field.first == name; });
  for (const std::string& value : values) fields.emplace_back(name, value);
  const ParsedResponse response(request_text(fields, "HTTP/1.1 101 Switching Protocols"));
  return check_response(response, offer, crypto::sha1_scalar);
}

TEST_CASE("RFC 6455 §4.1: the server's response, field by field") {
  CHECK(response_verdict("X", {}) == Error::none);
  for (std::string_view line : {"HTTP/1.1 200 OK", "HTTP/1.1 301 Moved", "HTTP/1.1 401 No",
                                "HTTP/1.1 426 Upgrade Required", "HTTP/1.1 100 Continue"}) {
    const ParsedResponse response(request_text(good_response_fields(), line));
    CHECK(check_response(response, plain_offer(), crypto::sha1_scalar) ==
          Error::response_status_not_101);
  }

  CHECK(response_verdict("Upgrade", {"WebSocket"}) == Error::none);
  CHECK(response_verdict("Upgrade", {}) == Error::response_upgrade_missing);
  CHECK(response_verdict("Upgrade", {""}) == Error::response_upgrade_missing);
  CHECK(response_verdict("Upgrade", {"h2c"}) == Error::response_upgrade_missing);
  CHECK(response_verdict("Upgrade", {"websocket, h2c"}) == Error::response_upgrade_missing);
  CHECK(response_verdict("Upgrade", {"websocket", "websocket"}) == Error::response_upgrade_missing);

  CHECK(response_verdict("Connection", {"keep-alive, upgrade"}) == Error::none);
  CHECK(response_verdict("Connection", {}) == Error::response_connection_missing);
  CHECK(response_verdict("Connection", {""}) == Error::response_connection_missing);
  CHECK(response_verdict("Connection", {"close"}) == Error::response_connection_missing);
}

TEST_CASE("RFC 6455 §4.1: Sec-WebSocket-Accept must be the one that belongs to the key") {
  const std::string name = "Sec-WebSocket-Accept";
  const std::string good = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
  CHECK(response_verdict(name, {}) == Error::response_accept_missing);
  CHECK(response_verdict(name, {good, good}) == Error::response_accept_repeated);
  CHECK(response_verdict(name, {"\t" + good + " "}) == Error::none);
  for (const std::string value : {"", "S3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo",
                                  "s3pPLMBiTxaQ9kYGzzhZRbK+xOo==",
                                  // The digest's hexadecimal text in Base64: a common mistake.
                                  "YjM3YTRmMmNjMDYyNGYxNjkwZjY0NjA2Y2YzODU5NDViMmJlYzRlYQ=="}) {
    CAPTURE(value);
    CHECK(response_verdict(name, {value}) == Error::response_accept_wrong);
  }
}

TEST_CASE("RFC 6455 §4.1: nothing may be chosen that was not offered") {
  const std::string protocol = "Sec-WebSocket-Protocol";
  const std::string extensions = "Sec-WebSocket-Extensions";
  Offer offer = plain_offer();
  constexpr std::array<std::string_view, 2> subprotocols = {"v2", "v1"};
  CHECK(response_verdict(protocol, {"v1"}, offer) == Error::response_protocol_not_offered);
  offer.subprotocols = subprotocols;
  CHECK(response_verdict(protocol, {}, offer) == Error::none);
  CHECK(response_verdict(protocol, {"v1"}, offer) == Error::none);
  CHECK(response_verdict(protocol, {"V1"}, offer) == Error::response_protocol_not_offered);
  CHECK(response_verdict(protocol, {""}, offer) == Error::response_protocol_not_offered);
  CHECK(response_verdict(protocol, {"v1, v2"}, offer) == Error::response_protocol_not_offered);
  CHECK(response_verdict(protocol, {"v1", "v1"}, offer) == Error::response_protocol_repeated);

  CHECK(response_verdict(extensions, {"x"}, offer) == Error::response_extension_not_offered);
  offer.extensions = "x; a, y";
  CHECK(response_verdict(extensions, {"x; a=1"}, offer) == Error::none);
  CHECK(response_verdict(extensions, {"y", "x"}, offer) == Error::none);
  CHECK(response_verdict(extensions, {"a"}, offer) == Error::response_extension_not_offered);
  CHECK(response_verdict(extensions, {"x, z"}, offer) == Error::response_extension_not_offered);
  CHECK(response_verdict(extensions, {"x;"}, offer) == Error::response_extensions_malformed);
  CHECK(response_verdict(extensions, {""}, offer) == Error::response_extensions_malformed);
}

}  // namespace
}  // namespace sockeye::ws::http
