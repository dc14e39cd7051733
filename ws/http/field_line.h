// One field line: a name, a colon, a value. For heads and for the trailers of chunked bodies.
//
// RFC 9112 §5. Pure functions over borrowed text.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

#include "net/result.h"
#include "ws/error.h"
#include "ws/http/head.h"

namespace sockeye::ws::http {

// Reads `line`, which comes without its CRLF and isn't empty. The field's parts are views of it.
Result<Field, Error> parse_field_line(std::string_view line);

// What is wrong with a line that breaks its grammar: `error`, or that a CR stands in it. No class
// of characters has CR in it, so every CR inside of a line comes by here.
Error malformed(std::string_view line, Error error);

}  // namespace sockeye::ws::http
