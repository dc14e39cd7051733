// RFC 6761 §6.3 (localhost).
//
// SPDX-License-Identifier: MIT
#include "net/resolver.h"

#include <string>

#include "net/dns_message.h"
#ifdef SOCKEYE_STATIC
#include "net/dns_client.h"
#else
#include <netdb.h>

#include <memory>
#endif

namespace sockeye::net {

namespace {

// RFC 6761 §6.3: "localhost." and all names that end in ".localhost." are loopback.
bool is_localhost(std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  return dns::same_name(host.substr(host.rfind('.') + 1), "localhost");
}

std::string complaint(std::string_view host) {
  std::string text;
  return text.append("cannot resolve \"").append(host).append("\"");
}

Error failure(std::string_view host, std::string_view why) {
  return {complaint(host).append(": ").append(why)};
}

// From whoever knows names.
#ifdef SOCKEYE_STATIC

Result<std::vector<Address>, Error> look_up(std::string_view host, std::uint16_t port) {
  auto addresses = dns::look_up(host, port);
  if (!addresses) return failure(host, addresses.error());
  return addresses.take();
}

#else

Result<std::vector<Address>, Error> look_up(std::string_view host, std::uint16_t port) {
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

#endif

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
  return look_up(host, port);
}

}  // namespace sockeye::net
