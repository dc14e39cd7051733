// SPDX-License-Identifier: MIT
#include "net/networks.h"

#include <algorithm>
#include <charconv>

namespace sockeye::net {

namespace {

Error malformed(std::string_view text, std::string_view why) {
  Error error;
  error.message.append("\"").append(text).append("\": ").append(why);
  return error;
}

// The bit `index` of an address, counted from the front.
bool bit(const in6_addr& address, unsigned index) {
  return (address.s6_addr[index / 8] >> (7 - index % 8) & 1) != 0;
}

bool equal_prefix(const in6_addr& one, const in6_addr& other, unsigned bits) {
  const unsigned whole = bits / 8;
  if (!std::equal(one.s6_addr, one.s6_addr + whole, other.s6_addr)) return false;
  for (unsigned i = whole * 8; i < bits; ++i) {
    if (bit(one, i) != bit(other, i)) return false;
  }
  return true;
}

}  // namespace

Networks Networks::local() {
  return *parse("127.0.0.0/8,::1,unix");
}

Result<Networks, Error> Networks::parse(std::string_view text) {
  Networks networks;
  while (true) {
    const std::size_t comma = text.find(',');
    TRY(networks.add(text.substr(0, comma)));
    if (comma == text.npos) return networks;
    text.remove_prefix(comma + 1);
  }
}

Result<void, Error> Networks::add(std::string_view text) {
  if (text == "unix") {
    unix_ = true;
    return {};
  }
  const std::size_t slash = text.find('/');
  const auto address = Address::numeric(text.substr(0, slash), 0);
  if (!address || text.find('%') != text.npos) {
    return malformed(text, "is no IPv4 or IPv6 address or network, nor \"unix\"");
  }
  Network network{*address->host(), 128};
  if (slash != text.npos) {
    const unsigned most = address->family() == AF_INET ? 32 : 128;
    const std::string_view length = text.substr(slash + 1);
    const char* const end = length.data() + length.size();
    unsigned bits = 0;
    const auto parsed = std::from_chars(length.data(), end, bits);
    if (parsed.ec != std::errc() || parsed.ptr != end || bits > most) {
      return malformed(text, "has no prefix length after the slash");
    }
    network.bits = 128 - most + bits;
    for (unsigned i = network.bits; i < 128; ++i) {
      if (bit(network.prefix, i)) return malformed(text, "has bits beyond its prefix");
    }
  }
  networks_.push_back(network);
  return {};
}

bool Networks::contains(const Address& address) const {
  const auto host = address.host();
  if (!host) return unix_;
  return std::ranges::any_of(networks_, [&host](const Network& network) {
    return equal_prefix(*host, network.prefix, network.bits);
  });
}

}  // namespace sockeye::net
