// SPDX-License-Identifier: MIT
#include "ws/http/body.h"

#include <string>

#include "test/ws/http/support.h"

namespace sockeye::ws::http {
namespace {

std::string post(std::string_view fields, std::string_view body) {
  return "POST / HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n" + std::string(body);
}

void check_body(std::string_view fields, std::string_view body, std::string_view outcome,
                const Limits& limits = {}) {
  const std::string text = post(fields, body);
  CAPTURE(text);
  test::for_each_split(as_bytes(text), [&](const test::Pieces& pieces) {
    CAPTURE(pieces.size());
    CAPTURE(pieces.front().size());
    std::string read = read_request(pieces, limits);
    const std::size_t begin = read.find("body=");
    CHECK(read.substr(begin == std::string::npos ? 0 : begin) == outcome);
  });
}

void check_chunked(std::string_view body, std::string_view outcome, const Limits& limits = {}) {
  check_body("Transfer-Encoding: chunked\r\n", body, outcome, limits);
}

TEST_CASE("RFC 9112 §6.2: a body of Content-Length") {
  check_body("Content-Length: 5\r\n", "helloGET", "body=hello persists rest=GET");
  check_body("Content-Length: 0\r\n", "GET", "body= persists rest=GET");
  check_body("Content-Length: 005\r\n", "hello", "body=hello persists");
  check_body("Content-Length: 5\r\n", "hell", "need more");
  check_body("", "GET", "body= persists rest=GET");
}

TEST_CASE("Smuggling: Content-Length that is no number") {
  for (std::string_view value :
       {"", "+5", "-5", "5 5", "5,5", "5, 5", "0x5", "5.0", "five", "5;", "\xd9\xa5", "1e1"}) {
    check_body("Content-Length: " + std::string(value) + "\r\n", "hello",
               "content_length_malformed");
  }
}

TEST_CASE("Smuggling: two CLs") {
  check_body("Content-Length: 5\r\nContent-Length: 6\r\n", "hello!", "content_length_repeated");
  check_body("Content-Length: 5\r\ncontent-length: 5\r\n", "hello", "content_length_repeated");
}

TEST_CASE("Smuggling: CL+TE") {
  check_body("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n",
             "transfer_encoding_with_length");
  check_body("Transfer-Encoding: chunked\r\nContent-Length: x\r\n", "0\r\n\r\n",
             "transfer_encoding_with_length");
  check_body("Transfer-Encoding: gzip\r\nContent-Length: 5\r\n", "hello",
             "transfer_encoding_with_length");
}

TEST_CASE("Smuggling: TE.TE") {
  for (std::string_view fields :
       {"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding: identity\r\n", "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: \"chunked\"\r\n", "Transfer-Encoding: chunked;q=1\r\n",
        "Transfer-Encoding: chunked gzip\r\n", "Transfer-Encoding: chunked, gzip\r\n",
        "Transfer-Encoding:\r\n", "Transfer-Encoding: ,\r\n"}) {
    check_body(fields, "0\r\n\r\n", "transfer_encoding_malformed");
  }
  check_body("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n", "transfer_encoding_unknown");
  check_body("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n",
             "transfer_encoding_unknown");
  check_body("Transfer-Encoding: \vchunked\r\n", "0\r\n\r\n", "field_value_malformed");
  check_body("Transfer-Encoding : chunked\r\n", "0\r\n\r\n", "field_space_before_colon");
  check_body("Transfer-Encoding: CHUNKED\r\n", "0\r\n\r\n", "body= persists");
}

TEST_CASE("RFC 9112 §6.1: HTTP/1.0 has no Transfer-Encoding") {
  check_request("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                "transfer_encoding_in_http_1_0");
}

TEST_CASE("RFC 9112 §7.1: chunks are joined, extensions and trailers dropped") {
  check_chunked("5\r\nhello\r\n7\r\n, world\r\n0\r\n\r\nGET",
                "body=hello, world persists rest=GET");
  check_chunked("0\r\n\r\n", "body= persists");
  check_chunked("00A\r\n0123456789\r\n000\r\n\r\n", "body=0123456789 persists");
  check_chunked("a\r\n0123456789\r\n0\r\n\r\n", "body=0123456789 persists");
  check_chunked("2;a=b;c=\"d;e\"\r\nhi\r\n0;last\r\nX: y\r\nZ:\r\n\r\n!",
                "body=hi persists rest=!");
  check_chunked("2 \t;a\r\nhi\r\n0\r\n\r\n", "body=hi persists");
  check_chunked("2\r\nhi\r\n0\r\n", "need more");
}

TEST_CASE("Smuggling: bad chunk sizes") {
  for (std::string_view line :
       {"", "g", "-1", "+1", "0x1", " 1", "1 ", "1 2", "1,", "1\t", ";a", "00000000000000001",
        "10000000000000000", "\xff", "1\x01", "1;\x01", "1;\x7f"}) {
    check_chunked(std::string(line) + "\r\na\r\n0\r\n\r\n", "chunk_malformed");
  }
  for (std::string_view size : {"10001", "ffffffff", "100000000", "7fffffffffffffff",
                                "8000000000000000", "ffffffffffffffff"}) {
    check_chunked(std::string(size) + "\r\na\r\n0\r\n\r\n", "body_too_large");
  }
}

TEST_CASE("Smuggling: bare CR or LF in a chunked body") {
  check_chunked("1\na\r\n0\r\n\r\n", "line_feed_bare");
  check_chunked("1;a\na\r\n0\r\n\r\n", "line_feed_bare");
  check_chunked("1;a\rb\r\na\r\n0\r\n\r\n", "carriage_return_bare");
  check_chunked("1\r\r\na\r\n0\r\n\r\n", "carriage_return_bare");
  check_chunked("1\r\na\n0\r\n\r\n", "line_feed_bare");
  check_chunked("1\r\nabc\r\n0\r\n\r\n", "chunk_malformed");
  check_chunked("1\r\na0\r\n\r\n", "chunk_malformed");
  check_chunked("0\r\n\n", "line_feed_bare");
  check_chunked("0\r\nX: a\n\r\n", "line_feed_bare");
}

TEST_CASE("RFC 9112 §7.1.2: trailers are fields") {
  check_chunked("0\r\n X: a\r\n\r\n", "field_folded");
  check_chunked("0\r\nX : a\r\n\r\n", "field_space_before_colon");
  check_chunked("0\r\nGET / HTTP/1.1\r\n\r\n", "field_name_malformed");
  check_chunked("0\r\nX: \x01\r\n\r\n", "field_value_malformed");
}

TEST_CASE("RFC 9110 §15.5.14: 413 as soon as the size is known") {
  Limits limits;
  limits.request_body_bytes = 8;
  check_body("Content-Length: 8\r\n", "12345678", "body=12345678 persists", limits);
  check_body("Content-Length: 9\r\n", "", "body_too_large", limits);
  check_body("Content-Length: 18446744073709551615\r\n", "", "body_too_large", limits);
  check_body("Content-Length: 18446744073709551616\r\n", "", "body_too_large", limits);
  check_body("Content-Length: 99999999999999999999999999\r\n", "", "body_too_large", limits);
  check_chunked("5\r\nhello\r\n3\r\nyou\r\n0\r\n\r\n", "body=helloyou persists", limits);
  check_chunked("5\r\nhello\r\n4\r\n", "body_too_large", limits);
  check_chunked("9\r\n", "body_too_large", limits);
}

TEST_CASE("RFC 9112 §7.1.1: chunk extensions and trailers together take no more than a head") {
  Limits limits;
  limits.head_bytes = 70;  // enough for the head of these requests, which is 63 bytes
  const std::string x60(60, 'x');
  check_chunked("1;" + x60 + "\r\na\r\n0\r\n\r\n", "body=a persists", limits);
  check_chunked("1;" + x60 + "\r\na\r\n1;" + x60 + "\r\nb\r\n0\r\n\r\n",
                "chunk_extensions_too_long", limits);
  check_chunked("1;" + std::string(70, 'x') + "\r\n", "chunk_extensions_too_long", limits);
  check_chunked("1;" + x60 + x60, "chunk_extensions_too_long", limits);
  check_chunked("1;" + x60 + "\r\na\r\n0\r\nX: " + x60 + "\r\n\r\n", "head_too_large", limits);
  check_chunked("0\r\nX: " + x60 + "\r\n\r\n", "body= persists", limits);
  check_chunked("0\r\nX: " + x60 + "\r\nY: " + x60, "head_too_large", limits);
}

TEST_CASE("a body of known length that came whole is not copied") {
  Pool pool;
  BodyReader reader(pool, Limits{});
  const std::string text = "hello";
  REQUIRE(reader.start({.length = 5}) == Error::none);
  Bytes input = as_bytes(text);
  REQUIRE(reader.read(input) == BodyReader::Status::complete);
  CHECK(reader.body().data() == as_bytes(text).data());
}

}  // namespace
}  // namespace sockeye::ws::http
