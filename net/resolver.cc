// RFC 6761 §6.3 (localhost).
//
// SPDX-License-Identifier: MIT
#include "net/resolver.h"

#include <netdb.h>

#include <algorithm>
#include <memory>
#include <string>

namespace sockeye::net {

namespace {

// ASCII only, whatever the locale: RFC 4343 §2.
bool equal_ignoring_case(std::string_view left, std::string_view right) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [&](char a, char b) { return lower(a) == lower(b); });
}

// RFC 6761 §6.3: "localhost." and all names that end in ".localhost." are loopback.
bool is_localhost(std::string_view host) {
  constexpr std::string_view localhost = "localhost";
  if (host.ends_with('.')) host.remove_suffix(1);
  if (host.size() < localhost.size()) return false;
  const std::string_view parents = host.substr(0, host.size() - localhost.size());
  return equal_ignoring_case(host.substr(parents.size()), localhost) &&
         (parents.empty() || parents.ends_with('.'));
}

std::string complaint(std::string_view host) {
  std::string text;
  return text.append("cannot resolve \"").append(host).append("\"");
}

Error failure(std::string_view host, std::string_view why) {
  return {complaint(host).append(": ").append(why)};
}

}  // namespace

Result<std::vector<Address>, Error> resolve(std::string_view host, std::uint16_t port) {
  if (const auto address = Address::numeric(host, port)) return std::vector{*address};
  // RFC 6761 §6.3: "Name resolution APIs and libraries SHOULD recognize localhost names as
  // special": they never leave this machine, whatever a name server would say.
  if (is_localhost(host)) {
    return std::vector{*Address::numeric("::1", port), *Address::numeric("127.0.0.1", port)};
  }
  if (host.empty()) return failure(host, "a host name is empty");
  if (host.find('\0') != host.npos) return failure(host, "a host name holds no null character");

  addrinfo wanted{};
  wanted.ai_family = AF_UNSPEC;
  wanted.ai_socktype = SOCK_STREAM;  // one entry an address, not one for each kind of socket
  // AI_ADDRCONFIG: no IPv6 addresses where this machine has none.
  wanted.ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int code =
      ::getaddrinfo(std::string(host).c_str(), std::to_string(port).c_str(), &wanted, &found);
  if (code == EAI_SYSTEM) return system_error(complaint(host));
  if (code != 0) return failure(host, ::gai_strerror(code));
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, ::freeaddrinfo);

  std::vector<Address> addresses;
  for (const addrinfo* entry = found; entry; entry = entry->ai_next) {
    const Address address = Address::from(entry->ai_addr, entry->ai_addrlen);
    if (address.kind() == Address::Kind::ip) addresses.push_back(address);
  }
  if (addresses.empty()) return failure(host, "it has no address");
  return addresses;
}

}  // namespace sockeye::net
