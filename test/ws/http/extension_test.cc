// SPDX-License-Identifier: MIT
#include "ws/http/extension.h"

#include <string>

#include "test/ws/http/support.h"

namespace sockeye::ws::http {
namespace {

// "name(parameter,parameter=value)" for each extension; "!" where the grammar is broken.
std::string parts(ExtensionReader reader) {
  std::string text;
  while (true) {
    const ExtensionReader::Part part = reader.next();
    switch (part) {
      case ExtensionReader::Part::extension:
        text += (text.empty() ? "" : " ") + std::string(reader.name());
        CHECK(!reader.value());
        break;
      case ExtensionReader::Part::parameter:
        text += ";" + std::string(reader.name());
        if (reader.value()) text += "=" + std::string(*reader.value());
        break;
      case ExtensionReader::Part::end:
      case ExtensionReader::Part::malformed:
        CHECK(reader.next() == part);
        return text + (part == ExtensionReader::Part::malformed ? "!" : "");
    }
  }
}

std::string parts(std::string_view text) {
  return parts(ExtensionReader(text));
}

TEST_CASE("RFC 6455 §9.1: extensions and their parameters") {
  CHECK(parts("foo") == "foo");
  CHECK(parts("permessage-deflate; client_max_window_bits; server_max_window_bits=10") ==
        "permessage-deflate;client_max_window_bits;server_max_window_bits=10");
  CHECK(parts("foo, bar; baz=2") == "foo bar;baz=2");
  CHECK(parts("foo;a;b=1,bar,foo;a") == "foo;a;b=1 bar foo;a");
  CHECK(parts("\tfoo ;\ta = 1 ,\t bar\t") == "foo;a=1 bar");
  CHECK(parts(" , ,foo,, bar,") == "foo bar");
}

TEST_CASE("RFC 6455 §9.1: a quoted value is a token once it is unescaped") {
  CHECK(parts("foo; a=\"10\"") == "foo;a=10");
  CHECK(parts("foo; a=\"1\\0\"; b") == "foo;a=10;b");
  for (const std::size_t size : {32u, 33u, 10'000u}) {
    const std::string value(size, 'x');
    CHECK(parts("foo; a=\"" + value + "\"; b") == "foo;a=" + value + ";b");
    CHECK(parts("foo; a=\"" + value + " \"; b") == "foo!");
  }
  for (std::string_view value : {"\"\"", "\"", "\"1", "\"1 0\"", "\"1,0\"", "\"\\\"\"", "\"1\\",
                                 "\"1\\\"", "\"a\"b", "\"\xc3\xa9\"", "\"\\\\\""}) {
    CAPTURE(value);
    CHECK(parts("foo; a=" + std::string(value)).ends_with('!'));
  }
}

TEST_CASE("RFC 6455 §9.1: a value with backslashes, and longer than any extension's, keeps them") {
  std::string escaped;
  for (int i = 0; i < 32; ++i) escaped += "\\x";
  CHECK(parts("foo; a=\"" + escaped + "\"; b") == "foo;a=" + std::string(32, 'x') + ";b");
  CHECK(parts("foo; a=\"" + escaped + "x\"; b") == "foo;a=" + escaped + "x;b");
  CHECK(parts("foo; a=\"" + escaped + "x\\\"; b") == "foo!");
}

TEST_CASE("RFC 6455 §9.1: what breaks the grammar") {
  for (std::string_view text : {"",           " ",         ",",
                                ", ,",        ";",         "foo;",
                                "foo; ",      "foo;;a",    "foo; =1",
                                "foo; a=",    "foo; a= ",  "foo; a==1",
                                "foo bar",    "foo; a b",  "foo; a=1 2",
                                "foo=1",      "\"foo\"",   "foo; \"a\"",
                                "foo, ;a",    "foo/1",     "f\xc3\xb6\xc3\xb6",
                                "foo; a=(1)", "foo; a=1;", "foo:"}) {
    CAPTURE(text);
    CHECK(parts(text).ends_with('!'));
  }
}

TEST_CASE("RFC 6455 §9.1: several fields are one list") {
  const auto with = [](std::string_view fields) {
    return "GET / HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n";
  };
  const ParsedRequest two(
      with("Sec-WebSocket-Extensions: foo\r\nX: y\r\n"
           "sec-websocket-extensions: bar; baz=2, foo\r\n"));
  CHECK(parts(ExtensionReader(static_cast<const Request&>(two))) == "foo bar;baz=2 foo");
  CHECK(check_extensions(two) == Error::none);

  const ParsedRequest none(with(""));
  CHECK(parts(ExtensionReader(static_cast<const Request&>(none))).empty());
  CHECK(check_extensions(none) == Error::none);

  // An extension doesn't go on in the next field.
  const ParsedRequest cut(
      with("Sec-WebSocket-Extensions: foo;\r\nSec-WebSocket-Extensions: a\r\n"));
  CHECK(check_extensions(cut) == Error::websocket_extensions_malformed);
  const ParsedRequest empty(with("Sec-WebSocket-Extensions: foo\r\nSec-WebSocket-Extensions:\r\n"));
  CHECK(check_extensions(empty) == Error::websocket_extensions_malformed);
}

}  // namespace
}  // namespace sockeye::ws::http
