// A host and perhaps a port, as in Host, in Origin and in URLs: example.com:8080, [::1]:9000.
//
// RFC 3986 §3.2. A view into borrowed text.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace sockeye::ws::http {

struct Authority {
  std::string_view host;              // never empty; an IPv6 address keeps its brackets
  std::optional<std::uint16_t> port;  // none in "example.com" and in "example.com:"
};

// Nothing where `text` is not `uri-host [":" port]` (RFC 9110 §7.2). User information ("user@") is
// no part of that.
std::optional<Authority> parse_authority(std::string_view text);

}  // namespace sockeye::ws::http
