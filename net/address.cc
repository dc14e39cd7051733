// SPDX-License-Identifier: MIT
#include "net/address.h"

#include <arpa/inet.h>

#include <cassert>
#include <cstring>
#include <limits>

#include "net/bytes.h"
#include "net/text.h"

namespace sockeye::net {

namespace {

constexpr std::uint32_t port_limit = 65'535;
constexpr std::size_t local_name_offset = offsetof(sockaddr_un, sun_path);
constexpr std::size_t local_name_limit = sizeof(sockaddr_un::sun_path) - 1;  // 107, and a null

Result<Address, Error> malformed(std::string_view text, std::string_view why) {
  Error error;
  error.message.append("\"").append(text).append("\": ").append(why);
  return error;
}

// All of `text` as a decimal number of at most `limit`; nullopt when it is anything else.
std::optional<std::uint32_t> parse_number(std::string_view text, std::uint32_t limit) {
  if (text.empty()) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
    if (value > limit) return std::nullopt;
  }
  return static_cast<std::uint32_t>(value);
}

void put_ipv4(TextWriter& text, const std::uint8_t* host) {
  for (int i = 0; i < 4; ++i) text.put(i > 0 ? "." : "").put_decimal(host[i]);
}

// RFC 5952 §4: "::" stands for the longest run of zero fields, the first of those of equal length,
// but not for a single one. (inet_ntop would bring printf into a static program: 14 KB.)
void put_ipv6(TextWriter& text, const std::uint8_t* host) {
  constexpr int fields = 8;
  const auto field = [host](int i) { return load_be16(host + 2 * i); };
  int run_begin = fields;
  int run_size = 1;
  for (int begin = 0; begin < fields; ++begin) {
    int end = begin;
    while (end < fields && field(end) == 0) ++end;
    if (end - begin <= run_size) continue;
    run_begin = begin;
    run_size = end - begin;
  }
  for (int i = 0; i < fields; ++i) {
    if (i == run_begin) {
      text.put("::");
      i += run_size - 1;
      continue;
    }
    if (i > 0 && i != run_begin + run_size) text.put(":");
    text.put_hex(field(i));
  }
}

}  // namespace

Address::Address() {
  std::memset(&as_, 0, sizeof as_);
}

Address::Address(const sockaddr_in& v4) : Address() {
  as_.v4 = v4;
  size_ = sizeof v4;
  kind_ = Kind::ip;
}

Address::Address(const sockaddr_in6& v6) : Address() {
  as_.v6 = v6;
  size_ = sizeof v6;
  kind_ = Kind::ip;
}

Result<Address, Error> Address::parse(std::string_view text) {
  if (text.starts_with("unix:")) return parse_local(text);
  if (text.starts_with("fd:")) return parse_inherited(text);
  return parse_ip(text);
}

Result<Address, Error> Address::parse_ip(std::string_view text) {
  const bool bracketed = text.starts_with('[');
  const std::size_t host_end = text.find(bracketed ? ']' : ':');
  if (host_end == text.npos) {
    if (bracketed) return malformed(text, "the bracket is never closed");
    if (parse_number(text, port_limit)) {
      return malformed(text, "a port alone has a colon before it, as in \":9000\"");
    }
    return malformed(text, "a port is missing, as in \"127.0.0.1:9000\" or \":9000\"");
  }

  const std::string_view host = text.substr(bracketed, host_end - bracketed);
  std::string_view rest = text.substr(host_end + bracketed);
  if (!rest.starts_with(':')) {
    return malformed(text, "a port has to follow the bracket, as in \"[::1]:9000\"");
  }
  rest.remove_prefix(1);
  if (!bracketed && rest.find(':') != rest.npos) {
    return malformed(text, "an IPv6 address and its port are written \"[::1]:9000\"");
  }
  const auto number = parse_number(rest, port_limit);
  if (!number) return malformed(text, "port must be 0 to 65535");
  const auto port = static_cast<std::uint16_t>(*number);

  if (host.empty() && !bracketed) {
    Address any = *numeric("::", port);
    any.kind_ = Kind::any;
    return any;
  }
  const auto address = numeric(host, port);
  if (address && address->family() == (bracketed ? AF_INET6 : AF_INET)) return *address;
  return malformed(text, bracketed ? "what the brackets hold is not an IPv6 address"
                                   : "the host is not an IPv4 address (names are not looked up)");
}

Result<Address, Error> Address::parse_local(std::string_view text) {
  std::string_view name = text.substr(text.find(':') + 1);
  const bool abstract = name.starts_with('@');
  if (abstract) name.remove_prefix(1);
  if (abstract ? name.empty() : !name.starts_with('/')) {
    return malformed(text, "a Unix socket is written \"unix:/path\" or \"unix:@name\"");
  }
  if (name.find('\0') != name.npos) {
    return malformed(text, "the name of a Unix socket holds no null character");
  }
  if (name.size() > local_name_limit) {
    return malformed(text, "the name of a Unix socket has at most 107 bytes");
  }
  // unix(7): an abstract name follows a null byte and is as long as the size says; a path is ended
  // by a null byte, which is counted. Either way it is one byte more than the name has.
  Address address;
  address.as_.local.sun_family = AF_UNIX;
  std::memcpy(address.as_.local.sun_path + abstract, name.data(), name.size());
  address.size_ = static_cast<socklen_t>(local_name_offset + name.size() + 1);
  address.kind_ = abstract ? Kind::abstract : Kind::path;
  return address;
}

Result<Address, Error> Address::parse_inherited(std::string_view text) {
  const auto number =
      parse_number(text.substr(text.find(':') + 1), std::numeric_limits<int>::max());
  if (!number) return malformed(text, "a descriptor is a number, as in \"fd:3\"");
  Address address;
  address.as_.descriptor = static_cast<int>(*number);
  address.kind_ = Kind::inherited;
  return address;
}

std::optional<Address> Address::numeric(std::string_view host, std::uint16_t port) {
  const std::size_t percent = host.find('%');
  std::uint32_t zone = 0;
  if (percent != host.npos) {
    const auto number =
        parse_number(host.substr(percent + 1), std::numeric_limits<std::uint32_t>::max());
    if (!number) return std::nullopt;
    zone = *number;
  }

  char text[INET6_ADDRSTRLEN] = {};  // inet_pton wants its text ended by a null
  const std::string_view address = host.substr(0, percent);
  if (address.size() >= sizeof text || address.find('\0') != address.npos) return std::nullopt;
  address.copy(text, address.size());

  sockaddr_in v4{};
  if (percent == host.npos && ::inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    return Address(v4);
  }
  sockaddr_in6 v6{};
  if (::inet_pton(AF_INET6, text, &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    v6.sin6_scope_id = zone;
    return Address(v6);
  }
  return std::nullopt;
}

Address Address::from(const sockaddr* from, socklen_t size) {
  if (size < sizeof(sa_family_t)) return Address();
  if (from->sa_family == AF_INET && size >= sizeof(sockaddr_in)) {
    sockaddr_in v4;
    std::memcpy(&v4, from, sizeof v4);
    return Address(v4);
  }
  if (from->sa_family == AF_INET6 && size >= sizeof(sockaddr_in6)) {
    sockaddr_in6 v6;
    std::memcpy(&v6, from, sizeof v6);
    return Address(v6);
  }
  if (from->sa_family == AF_UNIX) return from_local(from, size);
  return Address();
}

Address Address::from_local(const sockaddr* from, socklen_t size) {
  // A socket that was never bound has no name. One of 109 bytes is a path of 108 with a null that
  // the system counts but has no room for (unix(7), "Bugs"): we make no such path, and keep none.
  if (size <= local_name_offset || size > sizeof(sockaddr_un)) return Address();
  Address address;
  sockaddr_un& local = address.as_.local;
  std::memcpy(&local, from, size);
  if (local.sun_path[0] == '\0') {
    address.kind_ = Kind::abstract;
    address.size_ = size;
    return address;
  }
  if (local.sun_path[local_name_limit] != '\0') return Address();
  address.kind_ = Kind::path;
  address.size_ = static_cast<socklen_t>(local_name_offset + std::strlen(local.sun_path) + 1);
  return address;
}

int Address::family() const {
  switch (kind_) {
    case Kind::none:
    case Kind::inherited:
      return AF_UNSPEC;
    case Kind::ip:
    case Kind::any:
    case Kind::path:
    case Kind::abstract:
      break;
  }
  return as_.base.sa_family;
}

std::uint16_t Address::port() const {
  if (family() == AF_INET) return ntohs(as_.v4.sin_port);
  if (family() == AF_INET6) return ntohs(as_.v6.sin6_port);
  return 0;
}

std::optional<in6_addr> Address::host() const {
  if (family() == AF_INET6) return as_.v6.sin6_addr;
  if (family() != AF_INET) return std::nullopt;
  in6_addr mapped{};
  mapped.s6_addr[10] = mapped.s6_addr[11] = 0xff;
  std::memcpy(mapped.s6_addr + 12, &as_.v4.sin_addr, sizeof as_.v4.sin_addr);
  return mapped;
}

int Address::descriptor() const {
  assert(kind_ == Kind::inherited);
  return as_.descriptor;
}

const char* Address::path() const {
  assert(kind_ == Kind::path);
  return as_.local.sun_path;
}

Address Address::with_port(std::uint16_t port) const {
  assert(kind_ == Kind::ip || kind_ == Kind::any);
  Address address = *this;
  (family() == AF_INET ? address.as_.v4.sin_port : address.as_.v6.sin6_port) = htons(port);
  return address;
}

Address Address::without_ipv6() const {
  assert(kind_ == Kind::any);
  return *numeric("0.0.0.0", port());
}

std::string Address::text() const {
  return std::string(AddressText(*this).view());
}

void Address::put_to(TextWriter& text) const {
  switch (kind_) {
    case Kind::none:
      text.put("unknown");
      return;
    case Kind::ip:
      put_ip_to(text);
      text.put(":").put_decimal(port());
      return;
    case Kind::any:
      text.put(":").put_decimal(port());
      return;
    case Kind::path:
      text.put("unix:").put(path());
      return;
    case Kind::abstract:
      text.put("unix:@").put({as_.local.sun_path + 1, size_ - local_name_offset - 1});
      return;
    case Kind::inherited:
      text.put("fd:").put_decimal(as_.descriptor);
      return;
  }
}

void Address::put_ip_to(TextWriter& text) const {
  if (family() == AF_INET) {
    return put_ipv4(text, reinterpret_cast<const std::uint8_t*>(&as_.v4.sin_addr));
  }
  const in6_addr& host = as_.v6.sin6_addr;
  // RFC 4291 §2.5.5.2: 80 zero bits, 16 one bits, and the IPv4 address.
  if (IN6_IS_ADDR_V4MAPPED(&host)) return put_ipv4(text, host.s6_addr + 12);
  text.put("[");
  put_ipv6(text, host.s6_addr);
  if (as_.v6.sin6_scope_id != 0) text.put("%").put_decimal(as_.v6.sin6_scope_id);
  text.put("]");
}

}  // namespace sockeye::net
