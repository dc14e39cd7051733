// SPDX-License-Identifier: MIT
#include "ws/http/allowed_hosts.h"

#include <algorithm>
#include <optional>

#include "ws/http/authority.h"
#include "ws/http/chars.h"
#include "ws/http/list.h"

namespace sockeye::ws::http {

Result<AllowedHosts, std::string_view> AllowedHosts::parse(std::string_view text) {
  AllowedHosts hosts;
  ListReader entries{FieldValues(text)};
  while (const auto entry = entries.next()) {
    if (!parse_authority(*entry) || entry->find('*') != entry->npos) return *entry;
    hosts.entries_.emplace_back(*entry);
  }
  if (hosts.entries_.empty()) return text;
  return hosts;
}

Error AllowedHosts::check(const Request& request) const {
  if (entries_.empty()) return Error::none;
  const std::optional<Authority> asked = parse_authority(request.authority());
  if (!asked) return Error::host_not_allowed;

  const auto matches = [&asked](const std::string& text) {
    const std::optional<Authority> entry = parse_authority(text);
    return equal_ignoring_case(entry->host, asked->host) &&
           (!entry->port || entry->port == asked->port.value_or(80));
  };
  return std::ranges::any_of(entries_, matches) ? Error::none : Error::host_not_allowed;
}

}  // namespace sockeye::ws::http
