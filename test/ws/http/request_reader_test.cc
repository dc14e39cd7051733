// SPDX-License-Identifier: MIT
#include "ws/http/request_reader.h"

#include <string>
#include <vector>

#include "test/ws/http/support.h"

namespace sockeye::ws::http {
namespace {

using Status = RequestReader::Status;

TEST_CASE("RFC 9112 §9.3.2: pipelined requests come out one after another, however they are cut") {
  const std::string text =
      "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"
      "POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"
      "POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nho\r\n0\r\n\r\n"
      "GET /4 HTTP/1.0\r\n\r\n";
  test::for_each_split(as_bytes(text), [](const test::Pieces& pieces) {
    Pool pool;
    RequestReader reader(pool, Limits{});
    std::string seen;
    for (const test::Piece& original : pieces) {
      const auto piece = std::make_unique<test::Piece>(original);
      Bytes input(*piece);
      Status status;
      while ((status = reader.read(input)) != Status::need_more) {
        REQUIRE(status != Status::failed);
        if (status == Status::head) continue;
        seen += std::string(reader.request().path()) + ":" +
                std::string(as_text(reader.request().body())) + (reader.persists() ? "+" : "-");
        reader.reset();
      }
    }
    CHECK(seen == "/1:+/2:hi+/3:ho+/4:-");
  });
}

TEST_CASE("RFC 9112 §9.3: which connections persist") {
  const auto check = [](std::string_view version, std::string_view connection, bool persists) {
    CAPTURE(version);
    CAPTURE(connection);
    const std::string outcome = read_request({test::piece_of(as_bytes(
        "GET / " + std::string(version) + "\r\nHost: a\r\n" + std::string(connection) + "\r\n"))});
    CHECK(outcome.ends_with(persists ? "persists" : "closes"));
  };
  check("HTTP/1.1", "", true);
  check("HTTP/1.1", "Connection: keep-alive\r\n", true);
  check("HTTP/1.1", "Connection: Close\r\n", false);
  check("HTTP/1.1", "Connection: x\r\nConnection: y, close\r\n", false);
  check("HTTP/1.1", "Connection: keep-alive, close\r\n", false);
  check("HTTP/1.1", "Connection: closed\r\n", true);
  check("HTTP/1.0", "", false);
  check("HTTP/1.0", "Connection: Keep-Alive\r\n", true);
  check("HTTP/1.0", "Connection: keep-alive, close\r\n", false);
}

// Reads a head, and then what it comes to.
Status read_head(RequestReader& reader, std::string_view text) {
  Bytes input = as_bytes(text);
  return reader.read(input);
}

TEST_CASE("RFC 9110 §10.1.1: 100-continue is wanted while none of the body has come") {
  const auto expects = [](std::string_view version, std::string_view fields,
                          std::string_view body) {
    Pool pool;
    RequestReader reader(pool, Limits{});
    REQUIRE(read_head(reader, "POST / " + std::string(version) + "\r\nHost: a\r\n" +
                                  std::string(fields) + "\r\n" + std::string(body)) ==
            Status::head);
    return reader.expects_continue();
  };
  CHECK(expects("HTTP/1.1", "Expect: 100-continue\r\nContent-Length: 2\r\n", ""));
  CHECK(expects("HTTP/1.1", "Expect: 100-Continue\r\nTransfer-Encoding: chunked\r\n", ""));
  CHECK(!expects("HTTP/1.1", "Expect: 100-continue\r\nContent-Length: 2\r\n", "h"));
  CHECK(!expects("HTTP/1.1", "Expect: 100-continue\r\n", ""));
  CHECK(!expects("HTTP/1.1", "Content-Length: 2\r\n", ""));
  CHECK(!expects("HTTP/1.0", "Expect: 100-continue\r\nContent-Length: 2\r\n", ""));
  CHECK(!expects("HTTP/1.0", "Expect: the unexpected\r\nContent-Length: 2\r\n", ""));
}

TEST_CASE("RFC 9110 §10.1.1: 417 to an expectation that is not known") {
  for (std::string_view value : {"100", "200-ok", "100-continue, x", "\xc3\xa9"}) {
    check_request("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: " +
                      std::string(value) + "\r\n\r\nhi",
                  "expectation_unknown");
  }
}

TEST_CASE("a request whose body comes later outlives the input of its head") {
  Pool pool;
  RequestReader reader(pool, Limits{});
  std::string head =
      "POST /path HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
  REQUIRE(read_head(reader, head) == Status::head);
  head.assign(head.size(), '!');
  CHECK(reader.request().path() == "/path");
  Bytes input = as_bytes("hi");
  REQUIRE(reader.read(input) == Status::complete);
  CHECK(reader.request().path() == "/path");
  CHECK(as_text(reader.request().body()) == "hi");
}

TEST_CASE("a request doesn't inherit the body of the one before it") {
  Pool pool;
  RequestReader reader(pool, Limits{});
  Bytes input = as_bytes("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
  REQUIRE(reader.read(input) == Status::head);
  REQUIRE(reader.read(input) == Status::complete);
  CHECK(reader.request().body().size() == 2);
  reader.reset();
  REQUIRE(read_head(reader, "GET / HTTP/1.1\r\nHost: a\r\n\r\n") == Status::head);
  CHECK(reader.request().body().empty());
}

TEST_CASE(
    "after a failure, what was read of this request is there, and nothing of the one before") {
  Pool pool;
  RequestReader reader(pool, Limits{});
  REQUIRE(read_head(reader, "OPTIONS /long/path HTTP/1.1\r\nHost: a\r\n\r\n") == Status::head);
  reader.reset();
  REQUIRE(read_head(reader, "\x16") == Status::failed);
  CHECK(reader.request().method().empty());
  CHECK(reader.request().target().empty());
  CHECK(reader.request().field_count() == 0);

  // The answer to HEAD has no body, whatever was wrong with the rest.
  for (std::string_view text : {"HEAD / HTTP/2.0\r\n", "HEAD < HTTP/1.1\r\n",
                                "HEAD / HTTP/1.1\r\nX\r\n", "HEAD / HTTP/1.1\r\n\r\n"}) {
    reader.reset();
    REQUIRE(read_head(reader, text) == Status::failed);
    CHECK(reader.request().method() == "HEAD");
  }
}

TEST_CASE("whether a request has begun tells a slow head from an idle connection") {
  Pool pool;
  RequestReader reader(pool, Limits{});
  CHECK(!reader.started());
  Bytes input = as_bytes("G");
  CHECK(reader.read(input) == Status::need_more);
  CHECK(reader.started());
  input = as_bytes("ET / HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(reader.read(input) == Status::head);
  CHECK(reader.started());
  CHECK(reader.read(input) == Status::complete);
  reader.reset();
  CHECK(!reader.started());
}

TEST_CASE("an input without bytes changes nothing") {
  Pool pool;
  RequestReader reader(pool, Limits{});
  Bytes nothing;
  CHECK(reader.read(nothing) == Status::need_more);
  Bytes input = as_bytes("GET / HTTP/1.1\r\n");
  CHECK(reader.read(input) == Status::need_more);
  CHECK(reader.read(nothing) == Status::need_more);
  input = as_bytes("Host: a\r\n\r\n");
  CHECK(reader.read(input) == Status::head);
  CHECK(reader.read(nothing) == Status::complete);
}

}  // namespace
}  // namespace sockeye::ws::http
