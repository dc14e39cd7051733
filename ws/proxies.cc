// SPDX-License-Identifier: MIT
#include "ws/proxies.h"

#include <string_view>

#include "ws/http/list.h"

namespace sockeye::ws {

namespace {

// "192.0.2.7", "2001:db8::1", and with a port, "192.0.2.7:56324" and "[2001:db8::1]:56324". The
// port is of no use here. nginx writes "unix:" for a peer on a Unix socket.
std::optional<net::Address> parse_element(std::string_view text) {
  if (text == "unix:") return net::Address();
  if (const auto address = net::Address::numeric(text, 0)) return address;
  if (text.starts_with('[') && text.ends_with(']')) {
    return net::Address::numeric(text.substr(1, text.size() - 2), 0);
  }
  auto address = net::Address::parse(text);
  if (!address || address->kind() != net::Address::Kind::ip) return std::nullopt;
  return *address;
}

}  // namespace

std::optional<net::Address> forwarded_for(const http::Request& request,
                                          const net::Networks& trusted) {
  std::optional<net::Address> client;
  bool first = true;
  http::ListReader elements{http::FieldValues(request, "x-forwarded-for")};
  while (const auto element = elements.next()) {
    const auto address = parse_element(*element);
    if (first || !address || !trusted.contains(*address)) client = address;
    first = false;
  }
  return client;
}

}  // namespace sockeye::ws
