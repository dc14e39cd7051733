// Whose word counts about where a connection comes from.
//
// Behind a proxy all connections have the proxy's address, and a limit for one address would hold
// for all clients together. A proxy that is trusted may tell the client's.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>

#include "net/address.h"
#include "net/networks.h"
#include "ws/http/request.h"

namespace sockeye::ws {

struct Proxies {
  enum class Tell : std::uint8_t {
    nothing,         // there are none: a connection comes from where TCP says
    proxy_protocol,  // each connection begins with the PROXY protocol's header (ws/proxy_header.h),
                     // and those that don't come from a trusted proxy are refused
    forwarded_for,   // the field X-Forwarded-For of a handshake from a trusted proxy tells
  };

  Tell tell = Tell::nothing;
  net::Networks trusted = net::Networks::local();

  bool include(const net::Address& peer) const {
    return tell != Tell::nothing && trusted.contains(peer);
  }
};

// Where a handshake comes from that arrived from a trusted proxy: each proxy adds the address that
// it saw to the end of X-Forwarded-For, so the last one that isn't a trusted proxy's was seen by a
// trusted proxy; what stands before it may be anybody's invention. Where all are trusted it is the
// first. Nothing where there is no such field, or that element is no address.
std::optional<net::Address> forwarded_for(const http::Request& request,
                                          const net::Networks& trusted);

}  // namespace sockeye::ws
