// A host's addresses from /etc/hosts and from name servers, for programs without the C library's
// getaddrinfo(3): in a static program that is the largest function of all with musl, and one that
// still looks for shared libraries with glibc.
//
// RFC 1035 over UDP. What it doesn't do: names are looked up as they are (no search list), answers
// have at most 512 bytes (some 25 addresses), and nothing is kept. All of it blocks the thread that
// calls.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "net/address.h"
#include "net/result.h"

namespace sockeye::net::dns {

// The addresses of `host`, IPv6 first, each with `port`; at least one, or why there is none.
Result<std::vector<Address>, std::string_view> look_up(std::string_view host, std::uint16_t port);

// ── Its parts, for tests ─────────────────────────────────────────────────────────────────────

// Asks `servers` in turn, twice each; one that is silent costs `timeout_ms`.
Result<std::vector<Address>, std::string_view> ask(std::span<const Address> servers,
                                                   std::string_view host, std::uint16_t port,
                                                   std::uint64_t timeout_ms);

// What a text in the form of hosts(5) says of `host`; nothing, where it isn't in it.
std::vector<Address> addresses_in_hosts(std::string_view text, std::string_view host,
                                        std::uint16_t port);

// The name servers that a text in the form of resolv.conf(5) names: the first three, or the one of
// this machine where it names none.
std::vector<Address> name_servers(std::string_view text);

}  // namespace sockeye::net::dns
