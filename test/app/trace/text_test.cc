// SPDX-License-Identifier: MIT
#include "app/trace/text.h"

#include <doctest/doctest.h>

namespace sockeye::app::trace {
namespace {

std::string quoted(std::string_view text) {
  std::string out;
  put_quoted(out, as_bytes(text));
  return out;
}

std::string mixed(std::string_view text) {
  std::string out;
  put_mixed(out, as_bytes(text));
  return out;
}

TEST_CASE("trace: hexadecimal digits") {
  std::string out = "> ";
  put_hex(out, as_bytes("\x81\x05"));
  CHECK(out == "> 81 05");
  put_hex(out, as_bytes("ab"), "");
  CHECK(out == "> 81 056162");
  put_hex(out, {});
  CHECK(out == "> 81 056162");
}

TEST_CASE("trace: a quoted text can be printed anywhere, and read back") {
  CHECK(quoted("") == R"("")");
  CHECK(quoted("Hello") == R"("Hello")");
  CHECK(quoted("a\r\n\t\"\\b") == R"("a\r\n\t\"\\b")");
  CHECK(quoted(std::string_view("\0\x1b[31m\x7f", 7)) == R"("\x00\x1b[31m\x7f")");
  CHECK(quoted("Bäche 🐟") == "\"Bäche 🐟\"");
  // C1 control characters, of which terminals understand some: U+009B is CSI.
  CHECK(quoted("\xc2\x9b"
               "31m\xc2\xa0") == "\"\\xc2\\x9b31m\xc2\xa0\"");
  // What turns the text around: U+202E, U+2066; not U+2026 or U+2190.
  CHECK(quoted("a\u202eb\u2066\u200f") == R"("a\xe2\x80\xaeb\xe2\x81\xa6\xe2\x80\x8f")");
  CHECK(quoted("\u2026\u2190\u200b") == "\"\u2026\u2190\u200b\"");
  CHECK(quoted("\xe2\x82") == R"("\xe2\x82")");
  CHECK(quoted("\xff"
               "ä") == R"("\xff\xc3\xa4")");
}

TEST_CASE("trace: what reads as text stands as text, the rest as digits") {
  CHECK(mixed("") == "");
  CHECK(mixed("ab") == R"("ab")");
  CHECK(mixed("\x03\xe8"
              "bye") == R"(03 e8 "bye")");
  CHECK(mixed("\x03\xe8"
              "by") == "03 e8 62 79");
  CHECK(mixed("abc\n") == R"("abc" 0a)");
  CHECK(mixed("say \"hi\"") == R"("say \"hi\"")");
}

}  // namespace
}  // namespace sockeye::app::trace
