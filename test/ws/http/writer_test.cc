// SPDX-License-Identifier: MIT
#include "ws/http/writer.h"

#include <string>

#include "test/ws/http/support.h"

namespace sockeye::ws::http {
namespace {

TEST_CASE("RFC 9112 §4: a response's head") {
  net::Text<256> text;
  const auto head = HeadWriter::response(text, 200)
                        .field("Content-Type", "text/html")
                        .field("Content-Length", 12)
                        .finish();
  REQUIRE(head);
  CHECK(*head == "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 12\r\n\r\n");
  // RFC 9112 §4: the space after the status is there even where no phrase follows.
  net::Text<256> other;
  CHECK(*HeadWriter::response(other, 299).finish() == "HTTP/1.1 299 \r\n\r\n");
}

TEST_CASE("RFC 9112 §3: a request's head") {
  net::Text<256> text;
  CHECK(*HeadWriter::request(text, "GET", "/a?b").field("Host", "x").finish() ==
        "GET /a?b HTTP/1.1\r\nHost: x\r\n\r\n");
}

// A head of 33 bytes in a text of `Capacity`.
template <std::size_t Capacity>
Result<std::string, Error> head_in() {
  net::Text<Capacity> text;
  return std::string(TRY(HeadWriter::response(text, 200).field("Aa", "bb").field("C", 1).finish()));
}

TEST_CASE("a head that doesn't fit is head_too_large, and never cut") {
  CHECK(*head_in<33>() == "HTTP/1.1 200 OK\r\nAa: bb\r\nC: 1\r\n\r\n");
  CHECK(head_in<32>().error() == Error::head_too_large);  // cut in the empty line
  CHECK(head_in<30>().error() == Error::head_too_large);
  CHECK(head_in<26>().error() == Error::head_too_large);  // in the second field
  CHECK(head_in<20>().error() == Error::head_too_large);  // in the first
  CHECK(head_in<3>().error() == Error::head_too_large);   // in the first line

  // What fits again after something that didn't makes no head.
  net::Text<64> text;
  const std::string long_value(64, 'x');
  const auto head = HeadWriter::response(text, 200).field("X", long_value).finish();
  REQUIRE(!head);
  CHECK(head.error() == Error::head_too_large);
}

TEST_CASE("numbers in fields are written whole") {
  net::Text<256> text;
  CHECK(*HeadWriter::response(text, 200).field("X", 0).field("Y", ~std::uint64_t{0}).finish() ==
        "HTTP/1.1 200 OK\r\nX: 0\r\nY: 18446744073709551615\r\n\r\n");
}

TEST_CASE("Response splitting: no control character gets into a head") {
  for (int c = 0; c < 256; ++c) {
    CAPTURE(c);
    const std::string value = std::string("a") + static_cast<char>(c) + "b";
    net::Text<256> text;
    const auto head = HeadWriter::response(text, 200).field("X", value).field("Y", "fine").finish();
    const bool is_control = (c < 0x20 && c != '\t') || c == 0x7f;
    if (is_control) {
      REQUIRE(!head);
      CHECK(head.error() == Error::field_value_malformed);
    } else {
      REQUIRE(head);
      CHECK(*head == "HTTP/1.1 200 OK\r\nX: " + value + "\r\nY: fine\r\n\r\n");
    }
  }
  for (std::string_view target : {"/\r\nX: y", "/a b", "", "/\x7f", "/#"}) {
    net::Text<256> text;
    CHECK(HeadWriter::request(text, "GET", target).finish().error() ==
          Error::request_target_malformed);
  }
  for (std::string_view name : {"", "X Y", "X:", "X\r\nY", "\xc3\xa9"}) {
    net::Text<256> text;
    CHECK(HeadWriter::response(text, 200).field(name, "a").finish().error() ==
          Error::field_name_malformed);
  }
  for (std::string_view value : {" a", "a ", "\ta"}) {
    net::Text<256> text;
    CHECK(HeadWriter::response(text, 200).field("X", value).finish().error() ==
          Error::field_value_malformed);
  }
}

TEST_CASE("a refusal names the rule and closes") {
  CHECK(refused(Error::host_missing) ==
        "HTTP/1.1 400 Bad Request\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n"
        "Content-Length: 65\r\n"
        "Connection: close\r\n"
        "\r\n"
        "400 Bad Request: an HTTP/1.1 request needs Host (RFC 9112 §3.2)\n");
}

TEST_CASE("Wrong version: 426 with the version that is spoken here") {
  const std::string answer = refused(Error::websocket_version_unsupported);
  CHECK(answer.starts_with("HTTP/1.1 426 Upgrade Required\r\n"));
  CHECK(answer.find("\r\nUpgrade: websocket\r\n") != std::string::npos);
  CHECK(answer.find("\r\nSec-WebSocket-Version: 13\r\n") != std::string::npos);
  CHECK(answer.find("\r\nConnection: Upgrade, close\r\n") != std::string::npos);
  CHECK(answer.find("(RFC 6455 §4.4)\n") != std::string::npos);
}

TEST_CASE("RFC 9110 §15.5.6: 405 says what is allowed") {
  CHECK(refused(Error::method_not_allowed).find("\r\nAllow: GET, HEAD\r\n") != std::string::npos);
  CHECK(refused(Error::upgrade_method_not_get).find("\r\nAllow: GET\r\n") != std::string::npos);
}

TEST_CASE("RFC 9110 §9.3.2: the answer to HEAD is the same, without the body") {
  const std::string whole = refused(Error::not_found);
  const std::string head = refused(Error::not_found, BodyMode::left_out);
  CHECK(head == whole.substr(0, whole.find("\r\n\r\n") + 4));
}

TEST_CASE("every refusal is a well-formed response, with the length that it says") {
  for (int i = 0; i < static_cast<int>(Error::count_); ++i) {
    const ErrorInfo& row = info(static_cast<Error>(i));
    if (row.http_status == 0) continue;
    CAPTURE(row.name);
    const std::string answer = refused(row.error);
    Pool pool;
    ResponseParser parser(pool, Limits{});
    Bytes input = as_bytes(answer);
    REQUIRE(parser.parse(input) == HeadParser::Status::complete);
    CHECK(parser.response().status() == row.http_status);
    CHECK(parser.response().field("content-length") == std::to_string(input.size()));
    CHECK(as_text(input).ends_with(")\n"));
    CHECK(as_text(input).find(row.text) != std::string_view::npos);
    CHECK(as_text(input).find(row.section) != std::string_view::npos);
  }
}

}  // namespace
}  // namespace sockeye::ws::http
