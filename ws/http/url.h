// WebSocket URLs, as a client is given them: ws://host[:port]/path?query.
//
// RFC 6455 §3, RFC 3986. A view into borrowed text.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "net/result.h"
#include "ws/error.h"

namespace sockeye::ws::http {

struct Url {
  std::string_view host;    // to connect to: a name, or an address without brackets
  std::uint16_t port = 80;  // RFC 6455 §3: 80 where the URL names none
  std::string_view path;    // empty, or begins with "/"
  std::string_view query;   // without its "?"

  // What to ask the server for: /path?query, or "/" (RFC 6455 §3).
  std::string resource_name() const;

  // What Host says: host:port, or host alone where the port is the default one; an IPv6 address in
  // brackets (RFC 6455 §4.1 item 4).
  std::string host_field() const;
};

// Reads `text`, whose bytes the Url keeps viewing. The errors are url_malformed,
// url_scheme_unknown, url_scheme_secure and url_with_fragment.
Result<Url, Error> parse_url(std::string_view text);

}  // namespace sockeye::ws::http
