// The header that a proxy sends ahead of a connection's first byte, to tell where it comes from.
//
// The PROXY protocol, versions 1 and 2,
// https://www.haproxy.org/download/2.8/doc/proxy-protocol.txt; section numbers here are those of
// that document. Version 1 is a line of text:
//
//   PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n
//
// and version 2 is binary:
//
//   ┌───────────────────────┬─────┬─────┬────────┬───────────────────┬───────────┐
//   │ signature, 12 bytes   │0x2C │ F T │ length │ addresses, ports  │ more, TLV │
//   └───────────────────────┴─────┴─────┴────────┴───────────────────┴───────────┘
//    C: 0 LOCAL, 1 PROXY     F: 1 IPv4, 2 IPv6, 3 Unix; T: 1 stream   skipped
//
// Whoever can send this header can claim any address, so it is read from trusted proxies alone, and
// is then required (§2: "must not try to guess"). No I/O here: bytes in, an address out.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "net/address.h"
#include "net/bytes.h"

namespace sockeye::ws {

class ProxyHeader {
 public:
  enum class Status : std::uint8_t { need_more, complete, malformed };

  // Takes bytes off the front of `input` up to the header's end, and none of what follows it. Not
  // to be called again once it has said `complete` or `malformed`.
  Status read(Bytes& input);

  // Once complete: whose connection it is. Kind::none where the proxy speaks for itself (LOCAL), or
  // doesn't say (UNKNOWN, UNSPEC, a Unix socket's address).
  const net::Address& source() const { return source_; }

 private:
  Status take(std::uint8_t byte);
  Status take_text();
  Status take_binary();
  bool read_line(std::string_view line);
  void read_addresses();

  // §2.1: a line has at most 107 bytes. Of version 2 the addresses are kept, 52 bytes with IPv6.
  std::array<std::uint8_t, 107> bytes_;
  std::size_t size_ = 0;
  std::size_t skip_ = 0;  // what is left of version 2 after the addresses
  net::Address source_;
};

}  // namespace sockeye::ws
