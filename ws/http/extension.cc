// SPDX-License-Identifier: MIT
#include "ws/http/extension.h"

#include <cstddef>

#include "ws/http/chars.h"

namespace sockeye::ws::http {

ExtensionReader::Part ExtensionReader::next() {
  if (failed_) return Part::malformed;
  value_.reset();
  if (!in_field_) return next_field();

  skip_blanks();
  if (take(';')) return read_parameter();
  if (take(',')) return read_extension();
  if (!rest_.empty()) return fail();
  return next_field();
}

ExtensionReader::Part ExtensionReader::next_field() {
  const std::optional<std::string_view> text = values_.next();
  in_field_ = text.has_value();
  if (!in_field_) return Part::end;
  rest_ = *text;
  field_has_extension_ = false;
  return read_extension();
}

// extension-list = 1#extension; extension = extension-token *( ";" extension-param )
ExtensionReader::Part ExtensionReader::read_extension() {
  // RFC 9110 §5.6.1.2: a recipient ignores empty elements of a list...
  do {
    skip_blanks();
  } while (take(','));
  if (rest_.empty()) {
    // ...but 1# wants one that isn't.
    return field_has_extension_ ? next_field() : fail();
  }
  field_has_extension_ = true;
  return take_token(name_) ? Part::extension : fail();
}

// extension-param = token [ "=" (token | quoted-string) ]
// White space may stand between any two of these: RFC 6455 §2.1 takes its grammar's rules from
// RFC 2616 (§2.1 there: "implied *LWS").
ExtensionReader::Part ExtensionReader::read_parameter() {
  skip_blanks();
  if (!take_token(name_)) return fail();
  skip_blanks();
  if (!take('=')) return Part::parameter;
  skip_blanks();
  std::string_view value;
  const bool well_formed = take('"') ? take_quoted_token(value) : take_token(value);
  if (!well_formed) return fail();
  value_ = value;
  return Part::parameter;
}

bool ExtensionReader::take_token(std::string_view& token) {
  token = rest_.substr(0, span_of(rest_, token_char));
  rest_.remove_prefix(token.size());
  return !token.empty();
}

// RFC 6455 §9.1: "When using the quoted-string syntax variant, the value after quoted-string
// unescaping MUST conform to the 'token' ABNF." The opening quote has been taken.
bool ExtensionReader::take_quoted_token(std::string_view& token) {
  const std::string_view quoted = rest_;
  std::size_t size = 0;  // without backslashes
  while (!rest_.starts_with('"')) {
    take('\\');  // RFC 9110 §5.6.4: quoted-pair = "\" and the character it stands for
    if (rest_.empty() || !is(rest_.front(), token_char)) return false;
    if (size < unescaped_.size()) unescaped_[size] = rest_.front();
    ++size;
    rest_.remove_prefix(1);
  }
  token = quoted.substr(0, quoted.size() - rest_.size());
  const bool escaped = token.size() > size;
  if (escaped && size <= unescaped_.size()) token = {unescaped_.data(), size};
  take('"');
  return size > 0;
}

bool ExtensionReader::take(char c) {
  if (!rest_.starts_with(c)) return false;
  rest_.remove_prefix(1);
  return true;
}

void ExtensionReader::skip_blanks() {
  while (take(' ') || take('\t')) {
  }
}

ExtensionReader::Part ExtensionReader::fail() {
  failed_ = true;
  return Part::malformed;
}

Error check_extensions(const Head& head) {
  ExtensionReader reader(head);
  while (true) {
    switch (reader.next()) {
      case ExtensionReader::Part::extension:
      case ExtensionReader::Part::parameter:
        break;
      case ExtensionReader::Part::end:
        return Error::none;
      case ExtensionReader::Part::malformed:
        return Error::websocket_extensions_malformed;  // RFC 6455 §9.1
    }
  }
}

}  // namespace sockeye::ws::http
