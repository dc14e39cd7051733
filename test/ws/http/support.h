// What the tests of ws/http share: requests fed in pieces, and outcomes as one comparable text.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <ostream>
#include <string>
#include <string_view>

#include "net/pool.h"
#include "test/support/splits.h"
#include "ws/error.h"
#include "ws/http/parser.h"
#include "ws/http/request_reader.h"
#include "ws/http/writer.h"
#include "ws/limits.h"

namespace sockeye::ws {

// For doctest: failures by their names.
inline std::ostream& operator<<(std::ostream& out, Error error) {
  return out << info(error).name;
}

}  // namespace sockeye::ws

namespace sockeye::ws::http {

inline std::string head_lines(const Head& head) {
  std::string text;
  for (std::size_t i = 0; i < head.field_count(); ++i) {
    const Field field = head.field_at(i);
    text += "[" + std::string(field.name) + "]=[" + std::string(field.value) + "]\n";
  }
  return text;
}

inline std::string describe(const Request& request) {
  return std::string(request.method()) + " target=" + std::string(request.target()) +
         " path=" + std::string(request.path()) + " query=" + std::string(request.query()) +
         " authority=" + std::string(request.authority()) + " 1." +
         std::to_string(request.version_minor()) + "\n" + head_lines(request);
}

// Feeds pieces as a connection would: each lies in memory of its own that goes away with it.
// Returns what came of it: the request and all bytes after it, "need more", or the error's name.
inline std::string read_request(const test::Pieces& pieces, const Limits& limits = {}) {
  Pool pool;
  RequestReader reader(pool, limits);
  std::string outcome = "need more";
  std::string rest;
  bool done = false;
  bool seen_head = false;
  for (const test::Piece& original : pieces) {
    const auto piece = std::make_unique<test::Piece>(original);
    Bytes input(*piece);
    while (!done) {
      const RequestReader::Status status = reader.read(input);
      if (status == RequestReader::Status::need_more) {
        CHECK(input.empty());
        break;
      }
      if (status == RequestReader::Status::head) {
        CHECK(!seen_head);
        seen_head = true;
        continue;
      }
      done = true;
      if (status == RequestReader::Status::failed) {
        CHECK(!describe(reader.request()).empty());  // what was read so far can still be looked at
        return std::string(info(reader.error()).name);
      }
      CHECK(seen_head);
      outcome = describe(reader.request()) +
                "body=" + std::string(as_text(reader.request().body())) +
                (reader.persists() ? " persists" : " closes");
    }
    rest += as_text(input);
  }
  return outcome + (rest.empty() ? "" : " rest=" + rest);
}

// Checks the outcome of `text` in every way of cutting it.
inline void check_request(std::string_view text, std::string_view outcome,
                          const Limits& limits = {}) {
  CAPTURE(text);
  test::for_each_split(as_bytes(text), [&](const test::Pieces& pieces) {
    CAPTURE(pieces.size());
    CAPTURE(pieces.front().size());
    CHECK(read_request(pieces, limits) == outcome);
  });
}

// A refusal, in a string of its own.
inline std::string refused(Error error, BodyMode body = BodyMode::sent) {
  net::Text<refusal_bytes> text;
  return std::string(refusal(text, error, body));
}

// A request parsed from a text of its own, for tests of what comes after parsing.
class ParsedRequest {
 public:
  explicit ParsedRequest(std::string text) : text_(std::move(text)), parser_(pool_, Limits{}) {
    Bytes input = as_bytes(text_);
    CAPTURE(text_);
    REQUIRE(parser_.parse(input) == HeadParser::Status::complete);
  }
  operator const Request&() const { return parser_.request(); }

 private:
  const std::string text_;
  Pool pool_;
  RequestParser parser_;
};

// The same for a response.
class ParsedResponse {
 public:
  explicit ParsedResponse(std::string text) : text_(std::move(text)), parser_(pool_, Limits{}) {
    Bytes input = as_bytes(text_);
    CAPTURE(text_);
    REQUIRE(parser_.parse(input) == HeadParser::Status::complete);
  }
  operator const Response&() const { return parser_.response(); }

 private:
  const std::string text_;
  Pool pool_;
  ResponseParser parser_;
};

}  // namespace sockeye::ws::http
