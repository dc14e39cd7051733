// SPDX-License-Identifier: MIT
#include "ws/http/origin.h"

#include <algorithm>
#include <optional>

#include "ws/http/authority.h"
#include "ws/http/chars.h"
#include "ws/http/list.h"

namespace sockeye::ws::http {
namespace {

// RFC 6454 §6.2: scheme "://" host [ ":" port ].
struct Origin {
  std::string_view scheme;  // empty only in a policy's entry, where it stands for all
  Authority authority;
};

std::optional<Origin> parse_origin(std::string_view text) {
  const std::size_t scheme_size = text.find("://");
  if (scheme_size == std::string_view::npos) return std::nullopt;
  const std::string_view scheme = text.substr(0, scheme_size);
  const std::optional<Authority> authority = parse_authority(text.substr(scheme_size + 3));
  if (!is_token(scheme) || !authority) return std::nullopt;
  return Origin{scheme, *authority};
}

std::optional<Origin> parse_entry(std::string_view text) {
  if (text.find("://") != std::string_view::npos) return parse_origin(text);
  const std::optional<Authority> authority = parse_authority(text);
  if (!authority) return std::nullopt;
  return Origin{{}, *authority};
}

std::optional<std::uint16_t> default_port(std::string_view scheme) {
  if (equal_ignoring_case(scheme, "http")) return std::uint16_t{80};
  if (equal_ignoring_case(scheme, "https")) return std::uint16_t{443};
  return std::nullopt;
}

// Whether the two name the same host and port. A port that is not written is the default one of the
// page's scheme: behind a proxy that speaks TLS, only the page knows which scheme that is.
bool same_place(const Origin& page, const Authority& other) {
  const std::optional<std::uint16_t> port = default_port(page.scheme);
  return equal_ignoring_case(page.authority.host, other.host) &&
         (page.authority.port ? page.authority.port : port) == (other.port ? other.port : port);
}

bool matches(const Origin& page, const Origin& entry) {
  return (entry.scheme.empty() || equal_ignoring_case(page.scheme, entry.scheme)) &&
         same_place(page, entry.authority);
}

}  // namespace

Result<OriginPolicy, std::string_view> OriginPolicy::parse(std::string_view text) {
  OriginPolicy policy;
  if (text == "same") return policy;
  policy.kind_ = Kind::any;
  if (text == "any") return policy;

  policy.kind_ = Kind::listed;
  ListReader entries{FieldValues(text)};
  while (const auto entry = entries.next()) {
    // Words that mean something alone, and wildcards, are no hosts, though they could be names.
    const bool is_other = *entry == "same" || *entry == "any" || entry->find('*') != entry->npos;
    if (is_other || !parse_entry(*entry)) return *entry;
    policy.entries_.emplace_back(*entry);
  }
  if (policy.entries_.empty()) return text;
  return policy;
}

// RFC 6455 §10.2.
Error OriginPolicy::check(const Request& request) const {
  const std::size_t origins = request.count("origin");
  // RFC 6455 §4.2.1 item 7: whoever sends no Origin is no browser.
  if (kind_ == Kind::any || origins == 0) return Error::none;
  if (origins > 1) return Error::origin_malformed;

  const std::string_view text = *request.field("origin");
  // RFC 6454 §7.3: what a sandboxed frame or a local file sends. It could be anyone's.
  if (text == "null") return Error::origin_not_allowed;
  const std::optional<Origin> page = parse_origin(text);
  if (!page) return Error::origin_malformed;

  bool allowed = false;
  if (kind_ == Kind::listed) {
    allowed = std::ranges::any_of(entries_, [&page](const std::string& entry) {
      return matches(*page, *parse_entry(entry));
    });
  } else if (const auto server = parse_authority(request.authority())) {
    // Only a page that came by HTTP can have come from here.
    allowed = default_port(page->scheme) && same_place(*page, *server);
  }
  return allowed ? Error::none : Error::origin_not_allowed;
}

}  // namespace sockeye::ws::http
