// Where a server listens or a client connects to, as a value; and how people write it.
//
//   127.0.0.1:9000   IPv4            :9000         every address of this machine
//   [::1]:9000       IPv6            unix:/run/x   a Unix socket in the file system
//   fd:3             a descriptor    unix:@name    a Unix socket in the abstract namespace
//                    we inherited
//
// Host names are not addresses: net/resolver.h turns one into the other. An address names things
// and owns none, neither a socket's file nor an inherited descriptor.
// Any thread; nothing is shared.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "net/error.h"
#include "net/result.h"
#include "net/text.h"

namespace sockeye::net {

class Address {
 public:
  enum class Kind : std::uint8_t {
    none,       // nothing is known: a Unix peer without a name, or a family that isn't ours
    ip,         // IPv4 or IPv6; family() says which
    any,        // ":9000". data() is [::]: bind it with IPV6_V6ONLY off, and it takes IPv4 too.
                // Where the system has no IPv6, bind without_ipv6() instead.
    path,       // "unix:/run/x"
    abstract,   // "unix:@name"
    inherited,  // "fd:3": descriptor() is a socket that listens already
  };

  // Kind::none.
  Address();

  // Reads one of the forms above. Strict: IPv4 has four decimal parts, a port is 0 to 65535 (0
  // has the system choose one), a path is absolute and at most 107 bytes long, as is a name. The
  // error quotes the text and says what is wrong with it.
  static Result<Address, Error> parse(std::string_view text);

  // A numeric IPv4 or IPv6 host, without brackets; nullopt when `host` is neither. A link-local
  // IPv6 address may carry its zone as the number of the interface: "fe80::1%2" (RFC 4007 §11).
  static std::optional<Address> numeric(std::string_view host, std::uint16_t port);

  // What accept(2), getsockname(2), getpeername(2) or getaddrinfo(3) gave. `size` is what the
  // call stored there; nothing is read beyond it.
  static Address from(const sockaddr* address, socklen_t size);

  Kind kind() const { return kind_; }

  // AF_INET, AF_INET6 or AF_UNIX; AF_UNSPEC for Kind::none and Kind::inherited.
  int family() const;

  // As bind(2) and connect(2) take it. Only where family() isn't AF_UNSPEC.
  const sockaddr* data() const { return &as_.base; }
  socklen_t size() const { return size_; }

  // Of Kind::ip and Kind::any; 0 for others.
  std::uint16_t port() const;

  // The host as an IPv6 address, IPv4 mapped into it (RFC 4291 §2.5.5.2), so that each host has one
  // form; nullopt for what has none.
  std::optional<in6_addr> host() const;

  // Of Kind::inherited.
  int descriptor() const;

  // Of Kind::path: where the socket's file is, ended by a null character. Valid while the address
  // is.
  const char* path() const;

  // Of Kind::ip and Kind::any: the same with another port.
  Address with_port(std::uint16_t port) const;

  // Of Kind::any: 0.0.0.0 with the same port.
  Address without_ipv6() const;

  // The address as parse() reads it. An IPv4 address mapped into IPv6 (RFC 4291 §2.5.5.2) is
  // written as IPv4, since that is what the peer has. Kind::none is "unknown".
  std::string text() const;

  // Writes the same to the end of `text`. No address needs more than text_bytes.
  void put_to(TextWriter& text) const;
  static constexpr std::size_t text_bytes = sizeof "unix:" + sizeof(sockaddr_un);

 private:
  explicit Address(const sockaddr_in& v4);
  explicit Address(const sockaddr_in6& v6);

  static Result<Address, Error> parse_ip(std::string_view text);
  static Result<Address, Error> parse_local(std::string_view text);
  static Result<Address, Error> parse_inherited(std::string_view text);
  static Address from_local(const sockaddr* address, socklen_t size);
  void put_ip_to(TextWriter& text) const;

  union {
    sockaddr base;
    sockaddr_in v4;
    sockaddr_in6 v6;
    sockaddr_un local;
    int descriptor;
  } as_;
  socklen_t size_ = 0;
  Kind kind_ = Kind::none;
};

// An address as text that takes no memory, for those who serve while it runs out.
class AddressText {
 public:
  explicit AddressText(const Address& address) { address.put_to(text_); }
  std::string_view view() const { return text_.view(); }

 private:
  Text<Address::text_bytes> text_;
};

}  // namespace sockeye::net
