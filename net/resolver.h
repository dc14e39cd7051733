// From a host's name to its addresses.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "net/address.h"
#include "net/error.h"
#include "net/result.h"

namespace sockeye::net {

// The addresses of `host`, in the order in which to try them, each with `port`; at least one.
// Numeric hosts (IPv6 without brackets) and localhost are answered at once. For any other name
// the system's resolver is asked (in static programs net/dns_client.h), and that blocks the calling
// thread for seconds when the network is down: it is made for programs that have nothing else to do
// yet. A server never resolves.
Result<std::vector<Address>, Error> resolve(std::string_view host, std::uint16_t port);

}  // namespace sockeye::net
