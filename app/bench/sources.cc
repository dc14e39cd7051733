// SPDX-License-Identifier: MIT
#include "app/bench/sources.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstdint>
#include <string>

#include "net/bytes.h"

namespace sockeye::app::bench {

namespace {

constexpr std::uint32_t most_sources = 65'536;

net::Error mistake(std::string_view part) {
  return {"\"" + std::string(part) + "\" is neither an address nor a range such as " +
              "127.0.0.1-127.0.0.9 of at most 65,536",
          0};
}

// The 32 bits of an IPv4 address, or the last 32 of an IPv6 address.
std::uint32_t last_bits(const in6_addr& host) {
  return load_be32(host.s6_addr + 12);
}

bool same_network(const in6_addr& left, const in6_addr& right) {
  return std::equal(left.s6_addr, left.s6_addr + 12, right.s6_addr);
}

Result<void, net::Error> add_range(std::vector<net::Address>& to, std::string_view part) {
  const std::size_t dash = std::min(part.find('-'), part.size());
  const auto first = net::Address::numeric(part.substr(0, dash), 0);
  const auto last = dash == part.size() ? first : net::Address::numeric(part.substr(dash + 1), 0);
  if (!first || !last) return mistake(part);
  const in6_addr from = *first->host();
  const in6_addr until = *last->host();
  const std::uint32_t more = last_bits(until) - last_bits(from);
  if (!same_network(from, until) || last_bits(until) < last_bits(from) ||
      more >= most_sources - to.size()) {
    return mistake(part);
  }
  for (std::uint32_t i = 0; i <= more; ++i) {
    if (first->family() == AF_INET) {
      sockaddr_in v4{};
      v4.sin_family = AF_INET;
      v4.sin_addr.s_addr = htonl(last_bits(from) + i);
      to.push_back(net::Address::from(reinterpret_cast<sockaddr*>(&v4), sizeof v4));
    } else {
      sockaddr_in6 v6{};
      v6.sin6_family = AF_INET6;
      v6.sin6_addr = from;
      store_be32(v6.sin6_addr.s6_addr + 12, last_bits(from) + i);
      to.push_back(net::Address::from(reinterpret_cast<sockaddr*>(&v6), sizeof v6));
    }
  }
  return {};
}

}  // namespace

Result<std::vector<net::Address>, net::Error> parse_sources(std::string_view text) {
  std::vector<net::Address> sources;
  for (;;) {
    const std::size_t comma = std::min(text.find(','), text.size());
    TRY(add_range(sources, text.substr(0, comma)));
    if (comma == text.size()) return sources;
    text.remove_prefix(comma + 1);
  }
}

}  // namespace sockeye::app::bench
