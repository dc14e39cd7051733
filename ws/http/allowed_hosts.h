// Which names the server answers to: the check of Host.
//
// RFC 6455 §10.2. An attacker's page can point the attacker's own name at 127.0.0.1 ("DNS
// rebinding"); Origin and Host then agree, and only a list of the server's own names tells the two
// apart. Servers on loopback, or in a private network, want one.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "net/result.h"
#include "ws/error.h"
#include "ws/http/request.h"

namespace sockeye::ws::http {

class AllowedHosts {
 public:
  // All of them.
  AllowedHosts() = default;

  // A list with commas: each entry HOST (at any port) or HOST:PORT. The error is the entry that
  // can't be read, a part of `text`.
  static Result<AllowedHosts, std::string_view> parse(std::string_view text);

  // Error::none where the request is for an allowed host; host_not_allowed otherwise.
  Error check(const Request& request) const;

  bool operator==(const AllowedHosts&) const = default;

 private:
  std::vector<std::string> entries_;  // none: all hosts are allowed
};

}  // namespace sockeye::ws::http
