// SPDX-License-Identifier: MIT
#include "ws/http/subprotocol.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "ws/http/chars.h"
#include "ws/http/list.h"
#include "ws/limits.h"

namespace sockeye::ws::http {
namespace {

constexpr std::string_view field_name = "sec-websocket-protocol";

}  // namespace

// RFC 6455 §4.1 item 10: 1#token, of which "the elements [...] MUST all be unique strings".
// §11.3.4: several fields are one list.
Error check_subprotocols(const Head& head) {
  std::array<std::string_view, max_subprotocols> seen;
  std::size_t count = 0;
  ListReader offered(FieldValues(head, field_name));
  while (const auto name = offered.next()) {
    if (!is_token(*name) || count == seen.size()) return Error::websocket_protocol_malformed;
    const auto seen_end = seen.begin() + count;
    if (std::ranges::find(seen.begin(), seen_end, *name) != seen_end) {
      return Error::websocket_protocol_repeated;
    }
    seen[count++] = *name;
  }
  const bool empty = count == 0 && head.count(field_name) > 0;
  return empty ? Error::websocket_protocol_malformed : Error::none;
}

// RFC 6455 §4.2.2 item 4: one that the client offers, or none.
std::string_view choose_subprotocol(const Head& head, std::span<const std::string_view> supported) {
  for (const std::string_view name : supported) {
    if (offers_subprotocol(head, name)) return name;
  }
  return {};
}

bool offers_subprotocol(const Head& head, std::string_view name) {
  ListReader offered(FieldValues(head, field_name));
  while (const auto candidate = offered.next()) {
    if (*candidate == name) return true;
  }
  return false;
}

}  // namespace sockeye::ws::http
