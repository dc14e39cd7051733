// What a request for a file says; test/e2e/static_test.mjs has the files themselves.
//
// SPDX-License-Identifier: MIT
#include "app/static_files.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "app/static_request.h"

using namespace sockeye::app;
using namespace std::string_view_literals;
using sockeye::ws::http::FieldValues;

namespace {

std::optional<std::string> decoded(std::string_view path) {
  sockeye::net::Text<longest_file_path + 16> name;
  if (!decode_path(path, name)) return std::nullopt;
  return std::string(name.view());
}

bool has_tag(std::string_view list) {
  return has_entity_tag(FieldValues(list), "\"a,b-1\"");
}

bool takes_gzip(std::string_view list) {
  return accepts_gzip(FieldValues(list));
}

using Kind = Range::Kind;

bool is_part(std::string_view value, std::uint64_t of, std::uint64_t first, std::uint64_t size) {
  const Range range = read_range(value, of);
  return range.kind == Kind::part && range.first == first && range.size == size;
}

}  // namespace

TEST_CASE("RFC 3986 §2.1: a path is decoded once") {
  CHECK(decoded("/") == "");
  CHECK(decoded("/a") == "a");
  CHECK(decoded("/a/b.txt") == "a/b.txt");
  CHECK(decoded("/a/") == "a/");
  CHECK(decoded("/a%20b/%63%C3%a9") == "a b/c\xc3\xa9");
  CHECK(decoded("/a.b./c..") == "a.b./c..");
  CHECK(decoded("/%2561") == "%61");
  CHECK(decoded("/a%252fb") == "a%2fb");
  CHECK(decoded("/a\\..\\b") == "a\\..\\b");
  CHECK(decoded("/a+b~") == "a+b~");
}

TEST_CASE("a path that names a hidden file, another folder, or nothing that can be, is none") {
  for (const std::string_view path : {"/.",
                                      "/..",
                                      "/../a",
                                      "/a/..",
                                      "/a/../b",
                                      "/a/./b",
                                      "/.git/config",
                                      "/a/.b",
                                      "/.a/b",
                                      "/...",
                                      "/%2e%2e/a",
                                      "/%2E%2e/",
                                      "/.%2e/a",
                                      "/%2e./a",
                                      "/%2ehidden",
                                      "/a/%2e%2e%2fb",
                                      "/a%2fb",
                                      "/a%2Fb",
                                      "/%2fetc/passwd",
                                      "/a%00",
                                      "/%00",
                                      "/a%00.txt",
                                      "//",
                                      "//evil",
                                      "/a//b",
                                      "/a//",
                                      "%2fa",
                                      "*",
                                      "",
                                      "a",
                                      "/%",
                                      "/%4",
                                      "/a%",
                                      "/a%4",
                                      "/%zz",
                                      "/%4g",
                                      "/%g4",
                                      "/%%41",
                                      "/%u0041"}) {
    CAPTURE(path);
    CHECK(decoded(path) == std::nullopt);
  }
}

TEST_CASE("overlong encodings of dots and slashes are letters like others (RFC 3629 §3)") {
  CHECK(decoded("/%c0%ae%c0%ae/a") == "\xc0\xae\xc0\xae/a");
  CHECK(decoded("/a%c0%afb") ==
        "a\xc0\xaf"
        "b");
  CHECK(decoded("/%e0%80%ae") == "\xe0\x80\xae");
}

TEST_CASE("a path as long as the longest is taken, and no longer one") {
  const std::string longest(longest_file_path, 'a');
  CHECK(decoded("/" + longest) == longest);
  CHECK(decoded("/" + longest + "a") == std::nullopt);
  CHECK(decoded("/" + longest + longest) == std::nullopt);
}

TEST_CASE("types come from the last suffix, in whatever case") {
  CHECK(content_type("index.html") == "text/html; charset=utf-8");
  CHECK(content_type("A.B.JS") == "text/javascript; charset=utf-8");
  CHECK(content_type("a/b.min.css") == "text/css; charset=utf-8");
  CHECK(content_type("a.json") == "application/json");
  CHECK(content_type("photo.JPeG") == "image/jpeg");
  CHECK(content_type("module.wasm") == "application/wasm");
  CHECK(content_type("a.tar.gz") == "application/gzip");
  for (const std::string_view name : {"html", "a", "a.", "a.unknown", "a.htmlx", "html.d/a"}) {
    CHECK(content_type(name) == "application/octet-stream");
  }
}

TEST_CASE("RFC 9110 §13.1.2: If-None-Match is a list of tags, compared weakly, or a star") {
  for (const std::string_view list :
       {"\"a,b-1\"", "W/\"a,b-1\"", "*", "\"x\", \"a,b-1\"", "\"x\",W/\"a,b-1\",\"y\"",
        ",, \"a,b-1\"", "\"x\"\t,\t\"a,b-1\"", "\"\", \"a,b-1\""}) {
    CAPTURE(list);
    CHECK(has_tag(list));
  }
  for (const std::string_view list :
       {"", ",", "\"x\"", "a,b-1", "\"a\", \"b-1\"", "\"a,b-1", "a,b-1\"", "w/\"a,b-1\"",
        "\"A,B-1\"", "\"x\" garbage \"a,b-1\"", "\"x, \"a,b-1\"", "W/", "W/*", "**", "\""}) {
    CAPTURE(list);
    CHECK(!has_tag(list));
  }
}

TEST_CASE("RFC 9110 §12.5.3: gzip is taken where it has a weight, by name or by the star") {
  for (const std::string_view list :
       {"gzip", "GZIP", "deflate, gzip", "gzip;q=1", "gzip;q=0.001", "gzip ; q=0.5",
        "gzip; Q=1.000", "*", "*;q=0.5", "identity;q=0, *", "*;q=0, gzip", "br, gzip;q=0.2, *;q=0",
        ", gzip"}) {
    CAPTURE(list);
    CHECK(takes_gzip(list));
  }
  for (const std::string_view list :
       {"", "identity", "br, deflate", "gzip;q=0", "gzip;q=0.000", "gzip; q=0.", "*;q=0",
        "gzip;q=0, *", "*, gzip;q=0", "gzip;q=", "gzip;q=x", "gzip;q=1x", "gzip;q=.5",
        "gzip;level=9", "gzipped", "x;gzip"}) {
    CAPTURE(list);
    CHECK(!takes_gzip(list));
  }
}

TEST_CASE("RFC 9110 §14.1.2: a range of bytes, from the front or from the end") {
  CHECK(is_part("bytes=0-0", 10, 0, 1));
  CHECK(is_part("bytes=0-9", 10, 0, 10));
  CHECK(is_part("bytes=2-5", 10, 2, 4));
  CHECK(is_part("bytes=9-", 10, 9, 1));
  CHECK(is_part("bytes=0-", 10, 0, 10));
  CHECK(is_part("bytes=-1", 10, 9, 1));
  CHECK(is_part("bytes=-10", 10, 0, 10));
  CHECK(is_part("bytes=-11", 10, 0, 10));
  CHECK(is_part("BYTES= 5-7", 10, 5, 3));
  CHECK(is_part("bytes=5-99999999999999999999999999", 10, 5, 5));
  CHECK(is_part("bytes=-99999999999999999999999999", 10, 0, 10));
  CHECK(is_part("bytes=4294967296-4294967297", std::uint64_t{1} << 40, std::uint64_t{1} << 32, 2));
}

TEST_CASE("RFC 9110 §15.5.17: a range that begins behind the end can't be satisfied") {
  for (const std::string_view value :
       {"bytes=10-", "bytes=10-20", "bytes=-0", "bytes=-00", "bytes=18446744073709551615-",
        "bytes=18446744073709551616-", "bytes=99999999999999999999999-"}) {
    CAPTURE(value);
    CHECK(read_range(value, 10).kind == Kind::unsatisfiable);
  }
  CHECK(read_range("bytes=0-", 0).kind == Kind::unsatisfiable);
}

TEST_CASE("RFC 9110 §14.2: what is malformed, or several ranges, or of other units, is ignored") {
  for (const std::string_view value : {"",
                                       "bytes",
                                       "bytes=",
                                       "bytes=-",
                                       "bytes=--1",
                                       "bytes=1",
                                       "bytes=a-b",
                                       "bytes=5-2",
                                       "bytes=1-x",
                                       "bytes=1-2-3",
                                       "bytes=0-1,3-4",
                                       "bytes=0-1,",
                                       "bytes=,0-1",
                                       "bytes =0-1",
                                       "bytes 0-1",
                                       "lines=0-1",
                                       "bytes=0 - 1",
                                       "bytes=+1-2",
                                       "bytes=0x1-2",
                                       "bytes=1.5-2",
                                       "bytes=-5-"}) {
    CAPTURE(value);
    CHECK(read_range(value, 10).kind == Kind::whole);
  }
  CHECK(read_range("bytes=-5", 0).kind == Kind::whole);
}

TEST_CASE("StaticFiles: a folder that isn't there is an error that names it; none is asked for") {
  const auto missing = open_static_files("/nowhere/at/all");
  REQUIRE(!missing);
  CHECK(missing.error().message.find("/nowhere/at/all") != std::string::npos);
  CHECK(!open_static_files("/etc/passwd"));
  const auto none = open_static_files("");
  REQUIRE(none);
  CHECK(*none == nullptr);
}
