// Which pages may connect: the check of Origin.
//
// RFC 6455 §4.2.2 item 4 and §10.2, RFC 6454. A browser lets any page open a WebSocket to any
// server, with the user's cookies; it only says, in Origin, which page it was. A server that
// doesn't look serves every page on the web. So the default is the server's own pages alone.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "net/result.h"
#include "ws/error.h"
#include "ws/http/request.h"

namespace sockeye::ws::http {

class OriginPolicy {
 public:
  // Pages whose host and port are those that the request is for.
  OriginPolicy() = default;

  // "same", "any", or a list with commas: each entry HOST, HOST:PORT or SCHEME://HOST[:PORT].
  // Without a port, an entry means the default port of the page's scheme. The error is the entry
  // that can't be read, a part of `text`.
  static Result<OriginPolicy, std::string_view> parse(std::string_view text);

  // Error::none where the request may be accepted; origin_malformed or origin_not_allowed
  // otherwise. A request without Origin doesn't come from a page, and is accepted.
  Error check(const Request& request) const;

 private:
  enum class Kind : std::uint8_t { same, any, listed };

  Kind kind_ = Kind::same;
  std::vector<std::string> entries_;
};

}  // namespace sockeye::ws::http
