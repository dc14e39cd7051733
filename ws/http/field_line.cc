// SPDX-License-Identifier: MIT
#include "ws/http/field_line.h"

#include <cstddef>

#include "ws/http/chars.h"

namespace sockeye::ws::http {

// RFC 9112 §5: field-line = field-name ":" OWS field-value OWS.
Result<Field, Error> parse_field_line(std::string_view line) {
  // RFC 9112 §5.2 forbids folded lines; §2.2 wants white space before the first field refused too.
  if (line.front() == ' ' || line.front() == '\t') return Error::field_folded;

  const std::size_t name_size = span_of(line, token_char);
  const std::string_view rest = line.substr(name_size);
  if (name_size == 0 || !rest.starts_with(':')) {
    // RFC 9112 §5.1: space before the colon has led readers to differ, so it must be refused.
    const bool spaced = name_size > 0 && trim(rest).starts_with(':');
    return malformed(line, spaced ? Error::field_space_before_colon : Error::field_name_malformed);
  }

  const std::string_view value = rest.substr(1);
  if (span_of(value, value_char) < value.size()) {
    return malformed(line, Error::field_value_malformed);
  }
  return Field{line.substr(0, name_size), trim(value)};
}

Error malformed(std::string_view line, Error error) {
  return line.find('\r') == std::string_view::npos ? error : Error::carriage_return_bare;
}

}  // namespace sockeye::ws::http
