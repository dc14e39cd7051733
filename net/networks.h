// A set of addresses, as people write it: "127.0.0.0/8,::1,10.1.2.3,unix".
//
// Each part is an IPv4 or IPv6 address, for that one alone or with a prefix length for a network
// (RFC 4632 §3.1), or "unix" for peers on Unix sockets. A value; nothing is shared.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "net/address.h"
#include "net/error.h"
#include "net/result.h"

namespace sockeye::net {

class Networks {
 public:
  // None.
  Networks() = default;

  // This machine: "127.0.0.0/8,::1,unix".
  static Networks local();

  // The error quotes the part that can't be read, and says why. Bits beyond a prefix have to be 0.
  static Result<Networks, Error> parse(std::string_view text);

  // Whether `address` is in one of them. An IPv4 address mapped into IPv6 is IPv4. An address that
  // is none (Kind::none) is that of a Unix peer: accept(2) names all others.
  bool contains(const Address& address) const;

 private:
  struct Network {
    in6_addr prefix;
    unsigned bits;
  };

  Result<void, Error> add(std::string_view text);

  std::vector<Network> networks_;
  bool unix_ = false;
};

}  // namespace sockeye::net
