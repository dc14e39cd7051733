// SPDX-License-Identifier: MIT
#include "ws/http/parser.h"

#include <ctime>

#include <algorithm>
#include <string>

#include "test/ws/http/support.h"

namespace sockeye::ws::http {
namespace {

std::string get(std::string_view fields) {
  return "GET / HTTP/1.1\r\n" + std::string(fields) + "\r\n";
}

// What a request comes to whose head is get("Host: a\r\n" + fields).
std::string got(std::string_view fields = "") {
  return "GET target=/ path=/ query= authority=a 1.1\n[Host]=[a]\n" + std::string(fields) +
         "body= persists";
}

TEST_CASE("RFC 9112 §3: a request line and fields") {
  check_request(
      "GET /chat?room=1?2 HTTP/1.1\r\nHost: example.com:80\r\nX-Empty:\r\nx:  a b\t \r\n\r\n",
      "GET target=/chat?room=1?2 path=/chat query=room=1?2 authority=example.com:80 1.1\n"
      "[Host]=[example.com:80]\n[X-Empty]=[]\n[x]=[a b]\nbody= persists");
}

TEST_CASE("RFC 9112 §9.3.2: what follows a head stays in the input") {
  check_request(get("Host: a\r\n") + "GET /next", got() + " rest=GET /next");
  check_request(get("Host: a\r\n") + "\x81\x85", got() + " rest=\x81\x85");
}

TEST_CASE("RFC 9112 §2.2: one empty line before the request line is ignored, a second is not") {
  check_request("\r\n" + get("Host: a\r\n"), got());
  check_request("\r\n\r\n" + get("Host: a\r\n"), "request_line_malformed");
  check_request("\n" + get("Host: a\r\n"), "line_feed_bare");
  check_request("\rG", "need more");
  check_request("\rGET / HTTP/1.1\r\n", "carriage_return_bare");
}

TEST_CASE("RFC 9112 §3: malformed request lines") {
  for (std::string_view line :
       {"GARBAGE", "GET", "GET ", "GET /", " GET / HTTP/1.1", "GET\t/ HTTP/1.1", "G@T / HTTP/1.1",
        "GE\xc3\x89T / HTTP/1.1", "GET HTTP/1.1", "\x16\x03\x01\x02", "(", "[]"}) {
    check_request(std::string(line) + "\r\nHost: a\r\n\r\n", "request_line_malformed");
  }
}

TEST_CASE("RFC 9112 §3: what can't begin a method is refused at its first byte") {
  check_request("\x16", "request_line_malformed");
  check_request(" ", "request_line_malformed");
  check_request(std::string_view("\0", 1), "request_line_malformed");
}

TEST_CASE("RFC 9112 §3.2: malformed request targets") {
  for (std::string_view target : {"", "chat", "/a b", "/\t", "/#top", "/\"", "/<", "/\x7f",
                                  "/\xc3\xa9", "*", "**", "a:80", "http:/a", "http://", "http:///",
                                  "http://a:b/", "http://u@a/", "ftp://a/", "http://a b/"}) {
    check_request("GET " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n\r\n",
                  "request_target_malformed");
  }
}

TEST_CASE("RFC 9112 §3.2.1: what browsers leave unencoded in a target is accepted") {
  check_request("GET /?q={\\|^`[]}100% HTTP/1.1\r\nHost: a\r\n\r\n",
                "GET target=/?q={\\|^`[]}100% path=/ query=q={\\|^`[]}100% authority=a 1.1\n"
                "[Host]=[a]\nbody= persists");
}

TEST_CASE("RFC 9112 §3.2.2: absolute-form is accepted, and overrides Host") {
  check_request("GET HTTP://b:81/x?y HTTP/1.1\r\nHost: a\r\n\r\n",
                "GET target=HTTP://b:81/x?y path=/x query=y authority=b:81 1.1\n"
                "[Host]=[a]\nbody= persists");
  check_request("GET ws://[::1]?y HTTP/1.1\r\nHost: a\r\n\r\n",
                "GET target=ws://[::1]?y path=/ query=y authority=[::1] 1.1\n"
                "[Host]=[a]\nbody= persists");
  check_request("GET http://b HTTP/1.1\r\n\r\n", "host_missing");
}

TEST_CASE("RFC 9112 §3.2.4: asterisk-form is for OPTIONS") {
  check_request("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
                "OPTIONS target=* path=* query= authority=a 1.1\n[Host]=[a]\nbody= persists");
}

TEST_CASE("RFC 9112 §2.3: versions") {
  const auto with_version = [](std::string_view version) {
    return "GET / " + std::string(version) + "\r\nHost: a\r\n\r\n";
  };
  for (std::string_view version :
       {"HTTP/1", "HTTP/1.", "HTTP/1.10", "http/1.1", "HTTP/a.1", "HTTP/1.x", "HTTP1.1",
        "HTTP/+1.1", "HTTP-1.1", "", "XTTP/1.1"}) {
    check_request(with_version(version), "version_malformed");
  }
  for (std::string_view version : {"HTTP/0.9", "HTTP/2.0", "HTTP/3.0", "HTTP/9.9"}) {
    check_request(with_version(version), "version_unsupported");
  }
  // RFC 9110 §2.5: a higher minor version is read as 1.1.
  check_request(with_version("HTTP/1.9"),
                "GET target=/ path=/ query= authority=a 1.9\n[Host]=[a]\nbody= persists");
  // The preface of HTTP/2.
  check_request("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "version_unsupported");
}

TEST_CASE("RFC 9110 §9.1: methods that are not implemented") {
  for (std::string_view line : {"CONNECT a:80", "TRACE /", "get /", "FOO /", "GETS /", "GET! /"}) {
    check_request(std::string(line) + " HTTP/1.1\r\nHost: a\r\n\r\n", "method_unknown");
  }
  for (std::string_view method : {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"}) {
    check_request(std::string(method) + " / HTTP/1.1\r\nHost: a\r\n\r\n",
                  std::string(method) +
                      " target=/ path=/ query= authority=a 1.1\n[Host]=[a]\n"
                      "body= persists");
  }
}

TEST_CASE("RFC 9112 §3.2: exactly one well-formed Host") {
  check_request(get(""), "host_missing");
  check_request(get("Host: a\r\nHost: a\r\n"), "host_repeated");
  check_request(get("Host: a\r\nhOST: b\r\n"), "host_repeated");
  for (std::string_view host :
       {"", " ", "a b", "a:b", "a:65536", "u@a", "/", "\xc3\xa9", "[::1", "http://a", "a/b"}) {
    check_request(get("Host: " + std::string(host) + "\r\n"), "host_malformed");
  }
  check_request("GET / HTTP/1.0\r\n\r\n",
                "GET target=/ path=/ query= authority= 1.0\nbody= closes");
  check_request("GET / HTTP/1.0\r\nHost: \r\n\r\n", "host_malformed");
}

TEST_CASE("RFC 9112 §5: malformed fields") {
  for (std::string_view line :
       {"X", ":", ": a", "X\xc3\xa9: a", "X Y: a", "(X): a", "X\x7f: a", "\x01: a", "X\t"}) {
    check_request(get("Host: a\r\n" + std::string(line) + "\r\n"), "field_name_malformed");
  }
  for (std::string_view value :
       {std::string_view("\0", 1), std::string_view("a\0b", 3), std::string_view("\x01"),
        std::string_view("a\x1f"), std::string_view("\x7f"), std::string_view("\v"),
        std::string_view("\b")}) {
    check_request(get("Host: a\r\nX: " + std::string(value) + "\r\n"), "field_value_malformed");
  }
}

TEST_CASE("RFC 9110 §5.5: bytes beyond ASCII are opaque in a value") {
  check_request(get("Host: a\r\nX: \x80\xff\xc3\xa9\r\n"), got("[X]=[\x80\xff\xc3\xa9]\n"));
}

TEST_CASE("Smuggling: obs-fold, space before colon, bare CR, bare LF in a head") {
  check_request(get("Host: a\r\nX: a\r\n b\r\n"), "field_folded");
  check_request(get("Host: a\r\nX: a\r\n\tb\r\n"), "field_folded");
  check_request(get(" Host: a\r\n"), "field_folded");
  check_request(get("Host: a\r\n \r\n"), "field_folded");
  check_request(get("Host : a\r\n"), "field_space_before_colon");
  check_request(get("Host\t: a\r\n"), "field_space_before_colon");
  check_request(get("Host: a\r\nContent-Length : 3\r\n"), "field_space_before_colon");

  check_request("GET /\r HTTP/1.1\r\n\r\n", "carriage_return_bare");
  check_request("G\rET / HTTP/1.1\r\n\r\n", "carriage_return_bare");
  check_request("GET / HTTP/1.1\r\r\n\r\n", "carriage_return_bare");
  check_request(get("Host: a\r\nX: a\rY: b\r\n"), "carriage_return_bare");
  check_request(get("Host: a\r\nX: a\r\r\n"), "carriage_return_bare");
  check_request(get("Host: a\r\nX\r: a\r\n"), "carriage_return_bare");
  check_request(get("Host: a\r\n\r\r\n"), "carriage_return_bare");

  check_request("GET / HTTP/1.1\nHost: a\r\n\r\n", "line_feed_bare");
  check_request(get("Host: a\nX: b\r\n"), "line_feed_bare");
  check_request("GET / HTTP/1.1\r\nHost: a\r\n\n", "line_feed_bare");
}

TEST_CASE("Quadratic or unlimited heads: 414 and 431 at the byte where they are sure") {
  Limits limits;
  limits.request_line_bytes = 20;
  limits.head_bytes = 40;
  limits.head_fields = 2;
  // "GET /12345 HTTP/1.1" and its CRLF are 21 bytes.
  check_request("GET /1234 HTTP/1.1\r\nHost: a\r\n\r\n",
                "GET target=/1234 path=/1234 query= authority=a 1.1\n[Host]=[a]\nbody= persists",
                limits);
  check_request("GET /12345 HTTP/1.1\r\nHost: a\r\n\r\n", "request_line_too_long", limits);
  check_request("GET /1234567890123456", "need more", {});
  check_request("GET /123456789012345", "request_line_too_long", limits);
  check_request("GET /12345678901234", "need more", limits);

  // "GET / HTTP/1.1␍␊Host: a␍␊" are 25 bytes, so 15 are left.
  check_request(get("Host: a\r\nX: 12345678\r\n"), got("[X]=[12345678]\n"), limits);
  check_request(get("Host: a\r\nX: 123456789\r\n"), "head_too_large", limits);
  check_request("GET / HTTP/1.1\r\nHost: a\r\nX: 123456789012", "head_too_large", limits);
  check_request("GET / HTTP/1.1\r\nHost: a\r\nX: 12345678901", "need more", limits);

  check_request(get("Host: a\r\nX: \r\nY: \r\n"), "too_many_fields", limits);
  limits.head_bytes = 1 << 20;
  limits.head_fields = 1'000'000;
  std::string many = "Host: a\r\n";
  for (std::size_t i = 1; i < Head::max_fields; ++i) many += "X:\r\n";
  const std::string all = get(many);
  CHECK(read_request({test::piece_of(as_bytes(all))}, limits).ends_with("body= persists"));
  const std::string one_more = get(many + "X:\r\n");
  CHECK(read_request({test::piece_of(as_bytes(one_more))}, limits) == "too_many_fields");
}

// The processor's time for reading a head of about `size` bytes, one byte at a time; the best of
// three, in nanoseconds.
std::int64_t time_of_single_bytes(std::size_t size) {
  Limits limits;
  limits.request_line_bytes = limits.head_bytes = 2 * size;
  const std::string text = get("Host: a\r\nX: " + std::string(size, 'x') + "\r\n");
  const auto now = [] {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
  };
  std::int64_t best = INT64_MAX;
  for (int i = 0; i < 3; ++i) {
    Pool pool;
    RequestParser parser(pool, limits);
    HeadParser::Status status = HeadParser::Status::need_more;
    const std::int64_t start = now();
    for (std::size_t n = 0; n < text.size(); ++n) {
      Bytes byte = as_bytes(text).subspan(n, 1);
      status = parser.parse(byte);
    }
    best = std::min(best, now() - start);
    CHECK(status == HeadParser::Status::complete);
    CHECK(parser.request().field("x")->size() == size);
  }
  return best;
}

TEST_CASE("Quadratic or unlimited heads: 1 MB fed byte by byte costs linear time") {
  // Eight times the bytes cost 8 times as much, and 64 times where the cost is quadratic.
  const std::int64_t small = time_of_single_bytes(128 * 1024);
  const std::int64_t large = time_of_single_bytes(1024 * 1024);
  CHECK(large < 24 * small);
}

TEST_CASE("a head in one piece stays where it lies; keep() moves it") {
  const std::string text = get("Host: a\r\n");
  Pool pool;
  RequestParser parser(pool, Limits{});
  Bytes input = as_bytes(text);
  REQUIRE(parser.parse(input) == HeadParser::Status::complete);
  CHECK(parser.request().method().data() == text.data());
  CHECK(parser.keep());
  CHECK(parser.request().method().data() != text.data());
  CHECK(parser.request().method() == "GET");
  CHECK(parser.request().authority() == "a");

  parser.reset();
  CHECK(!parser.started());
  CHECK(parser.request().field_count() == 0);
  input = as_bytes(text);
  CHECK(parser.parse(input) == HeadParser::Status::complete);
}

TEST_CASE("Slow heads: a head has begun from its first byte to its reset, whatever its progress") {
  Pool pool;
  RequestParser parser(pool, Limits{});
  const std::string text = get("Host: a\r\n");
  CHECK(!parser.started());
  for (std::size_t i = 0; i < text.size(); ++i) {
    Bytes byte = as_bytes(text).subspan(i, 1);
    parser.parse(byte);
    CHECK(parser.started());
  }
}

std::string read_response(const test::Pieces& pieces) {
  Pool pool;
  ResponseParser parser(pool, Limits{});
  std::string outcome = "need more";
  std::string rest;
  for (const test::Piece& original : pieces) {
    const auto piece = std::make_unique<test::Piece>(original);
    Bytes input(*piece);
    if (outcome == "need more") {
      const HeadParser::Status status = parser.parse(input);
      if (status == HeadParser::Status::failed) return std::string(info(parser.error()).name);
      if (status == HeadParser::Status::complete) {
        const Response& response = parser.response();
        outcome = std::to_string(response.status()) + " [" + std::string(response.reason()) +
                  "] 1." + std::to_string(response.version_minor()) + "\n" + head_lines(response);
      }
    }
    rest += as_text(input);
  }
  return outcome + (rest.empty() ? "" : "rest=" + rest);
}

void check_response_head(std::string_view text, std::string_view outcome) {
  CAPTURE(text);
  test::for_each_split(as_bytes(text), [&](const test::Pieces& pieces) {
    CAPTURE(pieces.size());
    CAPTURE(pieces.front().size());
    CHECK(read_response(pieces) == outcome);
  });
}

TEST_CASE("RFC 9112 §4: status lines") {
  check_response_head("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81",
                      "101 [Switching Protocols] 1.1\n[Upgrade]=[websocket]\nrest=\x81");
  check_response_head("HTTP/1.0 404 \r\n\r\n", "404 [] 1.0\n");
  for (std::string_view line :
       {"HTTP/1.1 101", "HTTP/1.1  101 x", "HTTP/1.1 10 x", "HTTP/1.1 1010 x", "HTTP/1.1 1x1 x",
        "HTTP/1.1 101 a\x01", "", "SSH-2.0-OpenSSH", "HTTP/1.1\t101 x", "HTTP/1.1 -11 x"}) {
    check_response_head(std::string(line) + "\r\n\r\n", "response_malformed");
  }
  check_response_head("HTTP/1.1 101 x\ry\r\n\r\n", "carriage_return_bare");
  check_response_head("HTTP/1.1 101 x\n\r\n", "line_feed_bare");
  check_response_head("HTTP/2.0 101 x\r\n\r\n", "version_unsupported");
  check_response_head("HTTP/x.1 101 x\r\n\r\n", "version_malformed");
  check_response_head("HTTP/1.1 101 x\r\nA : b\r\n\r\n", "field_space_before_colon");
  check_response_head("HTTP/1.1 101 x\r\nA: b\r\n c\r\n\r\n", "field_folded");
  check_response_head(std::string("HTTP/1.1 101 ") + std::string(9000, 'x') + "\r\n\r\n",
                      "head_too_large");
}

}  // namespace
}  // namespace sockeye::ws::http
