// SPDX-License-Identifier: MIT
#include "ws/http/writer.h"

#include <string>

#include "test/ws/http/support.h"

namespace sockeye::ws::http {
namespace {

TEST_CASE("RFC 9112 §4: a response's head") {
  const auto head = HeadWriter::response(200)
                        .field("Content-Type", "text/html")
                        .field("Content-Length", 12)
                        .finish();
  REQUIRE(head);
  CHECK(*head == "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 12\r\n\r\n");
  // RFC 9112 §4: the space after the status is there even where no phrase follows.
  CHECK(*HeadWriter::response(299).finish() == "HTTP/1.1 299 \r\n\r\n");
}

TEST_CASE("RFC 9112 §3: a request's head") {
  CHECK(*HeadWriter::request("GET", "/a?b").field("Host", "x").finish() ==
        "GET /a?b HTTP/1.1\r\nHost: x\r\n\r\n");
}

TEST_CASE("Response splitting: no control character gets into a head") {
  for (int c = 0; c < 256; ++c) {
    CAPTURE(c);
    const std::string value = std::string("a") + static_cast<char>(c) + "b";
    const auto head = HeadWriter::response(200).field("X", value).field("Y", "fine").finish();
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
    CHECK(HeadWriter::request("GET", target).finish().error() == Error::request_target_malformed);
  }
  for (std::string_view name : {"", "X Y", "X:", "X\r\nY", "\xc3\xa9"}) {
    CHECK(HeadWriter::response(200).field(name, "a").finish().error() ==
          Error::field_name_malformed);
  }
  for (std::string_view value : {" a", "a ", "\ta"}) {
    CHECK(HeadWriter::response(200).field("X", value).finish().error() ==
          Error::field_value_malformed);
  }
}

TEST_CASE("a refusal names the rule and closes") {
  CHECK(refusal(Error::host_missing) ==
        "HTTP/1.1 400 Bad Request\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n"
        "Content-Length: 65\r\n"
        "Connection: close\r\n"
        "\r\n"
        "400 Bad Request: an HTTP/1.1 request needs Host (RFC 9112 §3.2)\n");
}

TEST_CASE("Wrong version: 426 with the version that is spoken here") {
  const std::string answer = refusal(Error::websocket_version_unsupported);
  CHECK(answer.starts_with("HTTP/1.1 426 Upgrade Required\r\n"));
  CHECK(answer.find("\r\nUpgrade: websocket\r\n") != std::string::npos);
  CHECK(answer.find("\r\nSec-WebSocket-Version: 13\r\n") != std::string::npos);
  CHECK(answer.find("\r\nConnection: Upgrade, close\r\n") != std::string::npos);
  CHECK(answer.find("(RFC 6455 §4.4)\n") != std::string::npos);
}

TEST_CASE("RFC 9110 §15.5.6: 405 says what is allowed") {
  CHECK(refusal(Error::method_not_allowed).find("\r\nAllow: GET, HEAD\r\n") != std::string::npos);
  CHECK(refusal(Error::upgrade_method_not_get).find("\r\nAllow: GET\r\n") != std::string::npos);
}

TEST_CASE("RFC 9110 §9.3.2: the answer to HEAD is the same, without the body") {
  const std::string whole = refusal(Error::not_found);
  const std::string head = refusal(Error::not_found, BodyMode::left_out);
  CHECK(head == whole.substr(0, whole.find("\r\n\r\n") + 4));
}

TEST_CASE("every refusal is a well-formed response, with the length that it says") {
  for (int i = 0; i < static_cast<int>(Error::count_); ++i) {
    const ErrorInfo& row = info(static_cast<Error>(i));
    if (row.http_status == 0) continue;
    CAPTURE(row.name);
    const std::string answer = refusal(row.error);
    Pool pool;
    ResponseParser parser(pool, Limits{});
    Bytes input = as_bytes(answer);
    REQUIRE(parser.parse(input) == HeadParser::Status::complete);
    CHECK(parser.response().status() == row.http_status);
    CHECK(parser.response().field("content-length") == std::to_string(input.size()));
    CHECK(as_text(input).find(row.text) != std::string_view::npos);
    CHECK(as_text(input).find(row.section) != std::string_view::npos);
  }
}

}  // namespace
}  // namespace sockeye::ws::http
