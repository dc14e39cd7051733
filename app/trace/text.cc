// SPDX-License-Identifier: MIT
#include "app/trace/text.h"

#include <algorithm>

#include "net/text.h"
#include "ws/frame/utf8.h"

namespace sockeye::app::trace {

namespace {

constexpr std::string_view digits = "0123456789abcdef";

bool is_printable(std::uint8_t byte) {
  return byte >= ' ' && byte < 0x7f;
}

void put_hex_byte(std::string& out, std::uint8_t byte) {
  out += digits[byte >> 4];
  out += digits[byte & 0xf];
}

// What moves about the text around it: marks and embeddings of direction, UAX #9.
bool is_direction(Bytes text) {
  if (text.size() < 3 || text[0] != 0xe2) return false;
  if (text[1] == 0x80)
    return text[2] >= 0x8e && text[2] <= 0xae && (text[2] < 0x90 || text[2] > 0xa9);
  return text[1] == 0x81 && text[2] >= 0xa6 && text[2] <= 0xa9;
}

void put_escaped(std::string& out, std::uint8_t byte) {
  switch (byte) {
    case '\r':
      out += "\\r";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\t':
      out += "\\t";
      return;
    case '"':
    case '\\':
      out += '\\';
      out += static_cast<char>(byte);
      return;
  }
  if (is_printable(byte)) {
    out += static_cast<char>(byte);
  } else {
    out += "\\x";
    put_hex_byte(out, byte);
  }
}

}  // namespace

void put_decimal(std::string& out, std::uint64_t value) {
  net::Text<20> text;
  out += text.put_decimal(value).view();
}

void put_hex(std::string& out, Bytes bytes, std::string_view between) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i > 0) out += between;
    put_hex_byte(out, bytes[i]);
  }
}

void put_quoted(std::string& out, Bytes bytes) {
  ws::frame::Utf8Validator validator;
  const bool is_utf8 = validator.feed(bytes, ws::frame::utf8_scalar) && validator.complete();
  out += '"';
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    // U+0080 to U+009F are control characters, too: c2 80 to c2 9f.
    const bool is_control = bytes[i] == 0xc2 && i + 1 < bytes.size() && bytes[i + 1] < 0xa0;
    if (is_utf8 && is_control) {
      out += "\\xc2";
      put_escaped(out, bytes[++i]);
    } else if (is_utf8 && is_direction(bytes.subspan(i))) {
      for (const std::uint8_t byte : bytes.subspan(i, 3)) put_escaped(out, byte);
      i += 2;
    } else if (is_utf8 && bytes[i] >= 0x80) {
      out += static_cast<char>(bytes[i]);
    } else {
      put_escaped(out, bytes[i]);
    }
  }
  out += '"';
}

void put_mixed(std::string& out, Bytes bytes) {
  constexpr std::ptrdiff_t shortest_text = 3;
  auto at = bytes.begin();
  while (at != bytes.end()) {
    if (at != bytes.begin()) out += ' ';
    const auto end = std::ranges::find_if_not(at, bytes.end(), is_printable);
    if (end - at >= shortest_text || (at == bytes.begin() && end == bytes.end())) {
      put_quoted(out, {at, end});
      at = end;
    } else {
      put_hex_byte(out, *at++);
    }
  }
}

}  // namespace sockeye::app::trace
