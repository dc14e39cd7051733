// SPDX-License-Identifier: MIT
#include "ws/http/authority.h"

#include <algorithm>
#include <charconv>
#include <cstddef>

#include "ws/http/chars.h"

namespace sockeye::ws::http {
namespace {

// The size of the IPv6 address in brackets at the start of `text`, or 0. Its groups are not looked
// at: the address is only compared with others, and whoever connects to it parses it (inet_pton).
std::size_t ip_literal_size(std::string_view text) {
  const auto is_address_char = [](char c) { return is(c, hex_digit) || c == ':' || c == '.'; };
  const std::size_t end = text.find(']');
  if (end == std::string_view::npos) return 0;
  const std::string_view address = text.substr(1, end - 1);
  const bool well_formed = std::ranges::all_of(address, is_address_char) &&
                           std::count(address.begin(), address.end(), ':') >= 2;
  return well_formed ? end + 1 : 0;
}

// RFC 3986 §2.1: pct-encoded = "%" HEXDIG HEXDIG.
bool is_percent_encoding_whole(std::string_view text) {
  for (std::size_t at = text.find('%'); at != std::string_view::npos; at = text.find('%', at + 1)) {
    if (span_of(text.substr(at + 1, 2), hex_digit) < 2) return false;
  }
  return true;
}

}  // namespace

std::optional<Authority> parse_authority(std::string_view text) {
  const bool is_ip_literal = text.starts_with('[');
  const std::size_t host_size = is_ip_literal ? ip_literal_size(text) : span_of(text, host_char);
  if (host_size == 0) return std::nullopt;

  Authority authority{text.substr(0, host_size), std::nullopt};
  if (!is_percent_encoding_whole(authority.host)) return std::nullopt;
  std::string_view rest = text.substr(host_size);
  if (rest.empty()) return authority;
  if (rest.front() != ':') return std::nullopt;
  rest.remove_prefix(1);
  if (rest.empty()) return authority;  // RFC 3986 §3.2.3: port = *DIGIT

  std::uint16_t port = 0;
  const char* end = rest.data() + rest.size();
  const auto [parsed_to, failure] = std::from_chars(rest.data(), end, port);
  if (failure != std::errc{} || parsed_to != end) return std::nullopt;
  authority.port = port;
  return authority;
}

}  // namespace sockeye::ws::http
