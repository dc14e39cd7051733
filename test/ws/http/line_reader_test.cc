// SPDX-License-Identifier: MIT
#include "ws/http/line_reader.h"

#include <string>

#include "test/ws/http/support.h"

namespace sockeye::ws::http {
namespace {

constexpr std::size_t no_limit = 1 << 20;

// All lines with a "|" after each, and then what stopped the reader.
std::string read_lines(const test::Pieces& pieces, std::size_t head_limit, std::size_t line_limit) {
  Pool pool;
  LineReader lines(pool, head_limit);
  std::string read;
  for (const test::Piece& original : pieces) {
    const auto piece = std::make_unique<test::Piece>(original);
    Bytes input(*piece);
    while (true) {
      const LineReader::Status status = lines.next(input, line_limit, Error::request_line_too_long);
      if (status == LineReader::Status::failed) return read + std::string(info(lines.error()).name);
      if (status == LineReader::Status::need_more) break;
      read.append(lines.begin() + lines.line_begin(), lines.line_size()) += '|';
    }
    CHECK(input.empty());
  }
  return read;
}

void check_lines(std::string_view text, std::string_view expected,
                 std::size_t head_limit = no_limit, std::size_t line_limit = no_limit) {
  CAPTURE(text);
  test::for_each_split(as_bytes(text), [&](const test::Pieces& pieces) {
    CAPTURE(pieces.size());
    CAPTURE(pieces.front().size());
    CHECK(read_lines(pieces, head_limit, line_limit) == expected);
  });
}

TEST_CASE("RFC 9112 §2.2: lines end with CRLF, wherever they are cut") {
  check_lines("one\r\n\r\nthree\r\nfo", "one||three|");
  check_lines("\r\n", "|");
  check_lines("a\rb\r\n", "a\rb|");  // a CR inside of a line is for the line's grammar to refuse
}

TEST_CASE("RFC 9112 §2.2: a bare LF ends nothing") {
  check_lines("\n", "line_feed_bare");
  check_lines("one\ntwo\r\n", "line_feed_bare");
  check_lines("one\r\n\n", "one|line_feed_bare");
  check_lines("one\r\n\r\n\n", "one||line_feed_bare");
}

TEST_CASE("limits count the CRLF, and are the same for every cut") {
  check_lines("abc\r\nde\r\n", "abc|de|", no_limit, 5);
  check_lines("abcd\r\nde\r\n", "request_line_too_long", no_limit, 5);
  check_lines("abc\r\nde\r\n", "abc|de|head_too_large", 9, no_limit);
  check_lines("abc\r\nde\r\n", "abc|head_too_large", 8, no_limit);
}

TEST_CASE("a limit is passed as soon as its last byte is there and the line has no end") {
  Pool pool;
  LineReader lines(pool, no_limit);
  Bytes input = as_bytes("abcd");
  CHECK(lines.next(input, 5, Error::request_line_too_long) == LineReader::Status::need_more);
  input = as_bytes("e");
  CHECK(lines.next(input, 5, Error::request_line_too_long) == LineReader::Status::failed);
  CHECK(lines.error() == Error::request_line_too_long);
}

TEST_CASE("a head in one piece is read where it lies") {
  const std::string text = "one\r\ntwo\r\n\r\n";
  Pool pool;
  LineReader lines(pool, no_limit);
  Bytes input = as_bytes(text);
  for (int i = 0; i < 3; ++i) {
    REQUIRE(lines.next(input, no_limit, Error::none) == LineReader::Status::line);
    CHECK(lines.begin() == text.data());
  }
  CHECK(lines.keep());
  CHECK(lines.begin() != text.data());
  CHECK(std::string_view(lines.begin(), lines.taken()) == text);
  lines.restart();
  CHECK(lines.taken() == 0);
}

}  // namespace
}  // namespace sockeye::ws::http
