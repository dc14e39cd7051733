// The grammar of Sec-WebSocket-Extensions: which extensions, with which parameters.
//
// RFC 6455 §9.1. What an extension's parameters mean is the business of that extension. A reader
// that allocates nothing: it hands out one part after another.
//
//   permessage-deflate; client_max_window_bits; server_max_window_bits="10", x-other
//   └ extension ─────┘  └ parameter ─────────┘  └ parameter with value ───┘  └ extension
//
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "ws/error.h"
#include "ws/http/head.h"
#include "ws/http/list.h"

namespace sockeye::ws::http {

class ExtensionReader {
 public:
  enum class Part : std::uint8_t { extension, parameter, end, malformed };

  // Reads all Sec-WebSocket-Extensions fields of `head`, which must outlive the reader. RFC 6455
  // §9.1: they are one list.
  explicit ExtensionReader(const Head& head) : values_(head, "sec-websocket-extensions") {}

  // Reads `text` as if it were the only such field.
  explicit ExtensionReader(std::string_view text) : values_(text) {}

  // The next part. A parameter belongs to the extension before it. At `end` and `malformed` it
  // stays.
  Part next();

  // The extension's or the parameter's name: a token.
  std::string_view name() const { return name_; }

  // The parameter's value, a token, without its quotes and backslashes; nothing where there is no
  // "=". Holds until the next call of next(). One that has backslashes, and more than 32 characters
  // beside them, keeps them: no extension defines such a value, and what has a backslash in it is
  // equal to none that one does.
  std::optional<std::string_view> value() const { return value_; }

 private:
  Part next_field();
  Part read_extension();
  Part read_parameter();
  bool take_token(std::string_view& token);
  bool take_quoted_token(std::string_view& token);
  bool take(char c);
  void skip_blanks();
  Part fail();

  FieldValues values_;
  std::string_view rest_;  // of the field that is being read
  bool in_field_ = false;
  bool failed_ = false;
  bool field_has_extension_ = false;
  std::string_view name_;
  std::optional<std::string_view> value_;
  std::array<char, 32> unescaped_;  // value_, where it had backslashes
};

// websocket_extensions_malformed where the fields of `head` break the grammar; none where they are
// well-formed or absent.
Error check_extensions(const Head& head);

}  // namespace sockeye::ws::http
