// SPDX-License-Identifier: MIT
#include "net/address.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string>

#include "net/fd.h"

using sockeye::net::Address;
using sockeye::net::Fd;
using Kind = Address::Kind;

namespace {

Address parse(std::string_view text) {
  const auto address = Address::parse(text);
  REQUIRE_MESSAGE(address, (address ? "" : address.error().message));
  return *address;
}

std::string complaint(std::string_view text) {
  const auto address = Address::parse(text);
  REQUIRE_MESSAGE(!address, text);
  CHECK(address.error().code == 0);
  const std::string quoted = '"' + std::string(text) + "\": ";
  const std::string& message = address.error().message;
  REQUIRE_MESSAGE(message.starts_with(quoted), message);
  return message.substr(quoted.size());
}

const sockaddr_in& v4(const Address& address) {
  REQUIRE(address.size() == sizeof(sockaddr_in));
  return *reinterpret_cast<const sockaddr_in*>(address.data());
}

const sockaddr_in6& v6(const Address& address) {
  REQUIRE(address.size() == sizeof(sockaddr_in6));
  return *reinterpret_cast<const sockaddr_in6*>(address.data());
}

Address bound(const Fd& socket) {
  sockaddr_storage storage;
  socklen_t size = sizeof storage;
  auto* address = reinterpret_cast<sockaddr*>(&storage);
  REQUIRE(::getsockname(socket.get(), address, &size) == 0);
  return Address::from(address, size);
}

}  // namespace

TEST_CASE("Address: what it prints is what it reads") {
  for (const char* text : {"127.0.0.1:9000", "0.0.0.0:0", "255.255.255.255:65535", "[::1]:9000",
                           "[::]:80", "[2001:db8::ff00:42:8329]:1", "[fe80::1%2]:9000", ":9000",
                           ":0", "unix:/run/x.sock", "unix:/a path: with @ and é", "unix:@name",
                           "unix:@/n@m:e", "fd:0", "fd:3", "fd:2147483647"}) {
    CAPTURE(text);
    const Address address = parse(text);
    CHECK(address.text() == text);
    if (address.family() != AF_UNSPEC && address.kind() != Kind::any) {
      const Address copy = Address::from(address.data(), address.size());
      CHECK(copy.text() == text);
      CHECK(copy.kind() == address.kind());
      CHECK(copy.size() == address.size());
    }
  }
}

TEST_CASE("Address: texts that mean the same are printed alike") {
  CHECK(parse("[0:0:0:0:0:0:0:1]:9000").text() == "[::1]:9000");
  CHECK(parse("[2001:DB8::1]:9000").text() == "[2001:db8::1]:9000");
  CHECK(parse("127.0.0.1:0080").text() == "127.0.0.1:80");
  CHECK(parse("[::1%0]:80").text() == "[::1]:80");
  CHECK(parse("fd:03").text() == "fd:3");
}

TEST_CASE("Address: IPv4 as the system has it") {
  const Address address = parse("1.2.3.4:258");
  CHECK(address.kind() == Kind::ip);
  CHECK(address.family() == AF_INET);
  CHECK(address.port() == 258);
  CHECK(v4(address).sin_family == AF_INET);
  CHECK(v4(address).sin_port == htons(258));
  CHECK(v4(address).sin_addr.s_addr == htonl(0x01020304));
}

TEST_CASE("Address: IPv6 as the system has it") {
  const Address address = parse("[fe80::1%7]:258");
  CHECK(address.kind() == Kind::ip);
  CHECK(address.family() == AF_INET6);
  CHECK(address.port() == 258);
  CHECK(v6(address).sin6_port == htons(258));
  CHECK(v6(address).sin6_scope_id == 7);
  CHECK(v6(address).sin6_addr.s6_addr[0] == 0xfe);
  CHECK(v6(address).sin6_addr.s6_addr[15] == 1);
}

TEST_CASE("Address: no host means every address, in IPv6 and without") {
  const Address any = parse(":9000");
  CHECK(any.kind() == Kind::any);
  CHECK(any.family() == AF_INET6);
  CHECK(any.port() == 9000);
  CHECK(IN6_IS_ADDR_UNSPECIFIED(&v6(any).sin6_addr));

  const Address ipv4 = any.without_ipv6();
  CHECK(ipv4.kind() == Kind::ip);
  CHECK(ipv4.text() == "0.0.0.0:9000");
}

TEST_CASE("Address: IPv4 mapped into IPv6 is printed as IPv4 (RFC 4291 §2.5.5.2)") {
  const Address mapped = parse("[::ffff:192.0.2.7]:9000");
  CHECK(mapped.family() == AF_INET6);
  CHECK(mapped.text() == "192.0.2.7:9000");
  CHECK(parse("[::192.0.2.7]:1").text() == "[::c000:207]:1");  // compatible isn't mapped
}

TEST_CASE("RFC 5952 §4: an IPv6 address is written as inet_ntop writes it") {
  for (unsigned pattern = 0; pattern < 256; ++pattern) {  // which of the eight fields are zero
    in6_addr host{};
    for (unsigned field = 0; field < 8; ++field) {
      if ((pattern >> field & 1) == 0) continue;
      host.s6_addr[2 * field] = static_cast<std::uint8_t>(field % 3);
      host.s6_addr[2 * field + 1] = static_cast<std::uint8_t>(0xa0 >> field | 1);
    }
    // Those of ::/96 it writes with dots, which RFC 5952 §5 leaves to prefixes that are known.
    if ((pattern & 0x3f) == 0 && pattern != 0) continue;
    char expected[INET6_ADDRSTRLEN];
    ::inet_ntop(AF_INET6, &host, expected, sizeof expected);
    CAPTURE(expected);
    CHECK(parse("[" + std::string(expected) + "]:1").text() == "[" + std::string(expected) + "]:1");
  }
}

TEST_CASE("Address: Unix sockets as the system has them (unix(7))") {
  const std::size_t offset = offsetof(sockaddr_un, sun_path);
  const Address file = parse("unix:/run/x");
  CHECK(file.kind() == Kind::path);
  CHECK(file.family() == AF_UNIX);
  CHECK(file.port() == 0);
  CHECK(std::string(file.path()) == "/run/x");
  CHECK(file.size() == offset + 7);  // the null is counted

  const Address abstract = parse("unix:@name");
  CHECK(abstract.kind() == Kind::abstract);
  CHECK(abstract.size() == offset + 5);
  const auto& local = *reinterpret_cast<const sockaddr_un*>(abstract.data());
  CHECK(std::memcmp(local.sun_path, "\0name", 5) == 0);
}

TEST_CASE("Address: the name of a Unix socket has at most 107 bytes") {
  const std::string path = "/" + std::string(106, 'x');
  CHECK(parse("unix:" + path).text() == "unix:" + path);
  CHECK(complaint("unix:" + path + "x") == "the name of a Unix socket has at most 107 bytes");
  CHECK(parse("unix:@" + path).text() == "unix:@" + path);
  CHECK(complaint("unix:@" + path + "x") == "the name of a Unix socket has at most 107 bytes");
}

TEST_CASE("Address: an inherited descriptor is a number and no socket address") {
  const Address address = parse("fd:3");
  CHECK(address.kind() == Kind::inherited);
  CHECK(address.descriptor() == 3);
  CHECK(address.family() == AF_UNSPEC);
  CHECK(address.port() == 0);
}

TEST_CASE("Address: every malformed text is refused with the reason") {
  const auto port = "port must be 0 to 65535";
  for (const char* text :
       {"127.0.0.1:99999", "127.0.0.1:65536", "127.0.0.1:", "127.0.0.1:-1", "127.0.0.1:+1",
        "127.0.0.1:0x50", "127.0.0.1:80 ", "127.0.0.1: 80", "127.0.0.1:http", ":", ":port",
        "[::1]:", "[::1]:65536", "[::1]:80:80", "localhost:18446744073709551617"}) {
    CAPTURE(text);
    CHECK(complaint(text) == port);
  }

  const auto no_port = "a port is missing, as in \"127.0.0.1:9000\" or \":9000\"";
  for (const char* text : {"", " ", "127.0.0.1", "localhost", "-1", "65536", "@name", "/run/x"}) {
    CAPTURE(text);
    CHECK(complaint(text) == no_port);
  }

  CHECK(complaint("9000") == "a port alone has a colon before it, as in \":9000\"");

  const auto host = "the host is not an IPv4 address (names are not looked up)";
  for (const char* text : {"localhost:9000", "127.0.0:9000", "127.0.0.256:9000", "127.0.0.1.1:9000",
                           "127.0.0.01:9000", "0x7f.0.0.1:9000", "2130706433:9000",
                           " 127.0.0.1:9000", "*:9000", "127.0.0.1%1:9000", "http:80", "UNIX:1"}) {
    CAPTURE(text);
    CHECK(complaint(text) == host);
  }

  const auto brackets = "an IPv6 address and its port are written \"[::1]:9000\"";
  for (const char* text : {"::1", "::1:9000", "::", "fe80::1", "127.0.0.1:80:80", "::1]:9000"}) {
    CAPTURE(text);
    CHECK(complaint(text) == brackets);
  }

  CHECK(complaint("[::1:9000") == "the bracket is never closed");
  CHECK(complaint("[") == "the bracket is never closed");

  const auto after = "a port has to follow the bracket, as in \"[::1]:9000\"";
  for (const char* text : {"[::1]", "[::1]9000", "[::1] :9000", "[]", "[::1]]:9000"}) {
    CAPTURE(text);
    CHECK(complaint(text) == after);
  }

  const auto ipv6 = "what the brackets hold is not an IPv6 address";
  for (const char* text :
       {"[]:9000", "[127.0.0.1]:9000", "[::1::]:9000", "[:::]:9000", "[12345::]:9000", "[::g]:9000",
        "[1:2:3:4:5:6:7]:9000", "[1:2:3:4:5:6:7:8:9]:9000", "[[::1]:9000", "[fe80::1%]:9000",
        "[fe80::1%eth0]:9000", "[fe80::1%4294967296]:9000", "[%1]:9000", "[ ::1]:9000",
        "[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0001]:9000"}) {
    CAPTURE(text);
    CHECK(complaint(text) == ipv6);
  }

  const auto local = "a Unix socket is written \"unix:/path\" or \"unix:@name\"";
  for (const char* text : {"unix:", "unix:@", "unix:x.sock", "unix: /run/x", "unix:./x"}) {
    CAPTURE(text);
    CHECK(complaint(text) == local);
  }

  const auto descriptor = "a descriptor is a number, as in \"fd:3\"";
  for (const char* text :
       {"fd:", "fd:x", "fd:-1", "fd:+3", "fd: 3", "fd:3 ", "fd:2147483648", "fd::1"}) {
    CAPTURE(text);
    CHECK(complaint(text) == descriptor);
  }
}

TEST_CASE("Address: a null character ends no text early") {
  using namespace std::string_view_literals;
  CHECK(complaint("127.0.0.1\0:9000"sv).starts_with("the host is not"));
  CHECK(complaint("[::1\0]:9000"sv).starts_with("what the brackets hold"));
  CHECK(complaint("127.0.0.1:9000\0"sv) == "port must be 0 to 65535");
  CHECK(complaint("fd:3\0"sv).starts_with("a descriptor"));
  CHECK(complaint("unix:/run/x\0y"sv).ends_with("holds no null character"));
  CHECK(complaint("unix:@x\0y"sv).ends_with("holds no null character"));
}

TEST_CASE("Address: a numeric host has no brackets and no port") {
  CHECK(Address::numeric("::1", 80)->text() == "[::1]:80");
  CHECK(Address::numeric("127.0.0.1", 80)->text() == "127.0.0.1:80");
  for (const char* host : {"", "[::1]", "127.0.0.1:80", "localhost", "127.1", "%1"}) {
    CAPTURE(host);
    CHECK(!Address::numeric(host, 80));
  }
}

TEST_CASE("Address: nothing is known at first") {
  CHECK(Address().kind() == Kind::none);
  CHECK(Address().text() == "unknown");
  CHECK(Address().family() == AF_UNSPEC);
}

TEST_CASE("Address: what the system gives is read no further than it goes") {
  const Address ip = parse("[::1]:9000");
  for (socklen_t size = 0; size < ip.size(); ++size) {
    CHECK(Address::from(ip.data(), size).kind() == Kind::none);
  }
  const sockaddr unfamiliar{AF_NETLINK, {}};
  CHECK(Address::from(&unfamiliar, sizeof unfamiliar).kind() == Kind::none);

  sockaddr_un local{};
  local.sun_family = AF_UNIX;
  const auto* base = reinterpret_cast<const sockaddr*>(&local);
  const socklen_t offset = offsetof(sockaddr_un, sun_path);
  CHECK(Address::from(base, offset).kind() == Kind::none);

  std::fill(std::begin(local.sun_path), std::end(local.sun_path), 'x');
  CHECK(Address::from(base, offset + 3).text() == "unix:xxx");
  CHECK(Address::from(base, offset + 107).text() == "unix:" + std::string(107, 'x'));
  CHECK(Address::from(base, offset + 108).kind() == Kind::none);
  CHECK(Address::from(base, offset + 109).kind() == Kind::none);
}

TEST_CASE("Address: sockets bind to it, and tell the same") {
  const Fd tcp(::socket(AF_INET, SOCK_STREAM, 0));
  const Address loopback = parse("127.0.0.1:0");
  REQUIRE(::bind(tcp.get(), loopback.data(), loopback.size()) == 0);
  CHECK(bound(tcp).text() == "127.0.0.1:" + std::to_string(bound(tcp).port()));
  CHECK(bound(tcp).port() != 0);

  const Fd local(::socket(AF_UNIX, SOCK_STREAM, 0));
  CHECK(bound(local).kind() == Kind::none);
  const Address name = parse("unix:@sockeye-address-test-" + std::to_string(::getpid()));
  REQUIRE(::bind(local.get(), name.data(), name.size()) == 0);
  CHECK(bound(local).text() == name.text());

  const Fd file(::socket(AF_UNIX, SOCK_STREAM, 0));
  const Address path = parse("unix:/tmp/sockeye-address-test-" + std::to_string(::getpid()));
  REQUIRE(::bind(file.get(), path.data(), path.size()) == 0);
  CHECK(bound(file).text() == path.text());
  CHECK(::unlink(path.path()) == 0);
}

TEST_CASE("Address: each host has one form, an IPv6 address") {
  const auto text_of = [](const Address& address) -> std::string {
    const auto host = address.host();
    if (!host) return "none";
    char text[INET6_ADDRSTRLEN];
    return ::inet_ntop(AF_INET6, &*host, text, sizeof text);
  };
  CHECK(text_of(*Address::parse("192.0.2.1:80")) == "::ffff:192.0.2.1");
  CHECK(text_of(*Address::numeric("::ffff:192.0.2.1", 80)) == "::ffff:192.0.2.1");
  CHECK(text_of(*Address::parse("[2001:db8::1]:80")) == "2001:db8::1");
  CHECK(text_of(Address()) == "none");
  CHECK(text_of(*Address::parse("unix:@x")) == "none");
  CHECK(text_of(*Address::parse("fd:3")) == "none");
}
