// SPDX-License-Identifier: MIT
#include "ws/http/url.h"

#include <algorithm>
#include <optional>

#include "net/text.h"
#include "ws/http/authority.h"
#include "ws/http/chars.h"

namespace sockeye::ws::http {
namespace {

constexpr std::uint16_t default_port = 80;

}  // namespace

std::string Url::resource_name() const {
  std::string name(path.empty() ? "/" : path);
  if (!query.empty()) {
    name += '?';
    name += query;
  }
  return name;
}

std::string Url::host_field() const {
  const bool is_ipv6 = host.find(':') != std::string_view::npos;
  std::string field(is_ipv6 ? "[" : "");
  field += host;
  if (is_ipv6) field += ']';
  if (port != default_port) {
    net::Text<6> suffix;
    field += suffix.put(":").put_decimal(port).view();
  }
  return field;
}

Result<Url, Error> parse_url(std::string_view text) {
  const std::size_t scheme_size = text.find("://");
  if (scheme_size == std::string_view::npos) return Error::url_malformed;
  const std::string_view scheme = text.substr(0, scheme_size);
  // RFC 6455 §3: the scheme may be written in whatever case; wss is the secure one.
  if (equal_ignoring_case(scheme, "wss")) return Error::url_scheme_secure;
  if (!equal_ignoring_case(scheme, "ws")) return Error::url_scheme_unknown;

  // RFC 6455 §3: "Fragment identifiers are meaningless in the context of WebSocket URIs and MUST
  // NOT be used".
  if (text.find('#') != std::string_view::npos) return Error::url_with_fragment;
  if (!consists_of(text, target_char)) return Error::url_malformed;

  const std::string_view rest = text.substr(scheme_size + 3);
  const std::string_view authority_text = rest.substr(0, rest.find_first_of("/?"));
  const std::optional<Authority> authority = parse_authority(authority_text);
  if (!authority || authority->port == 0) return Error::url_malformed;

  Url url;
  url.host = authority->host;
  if (url.host.starts_with('[')) url.host = url.host.substr(1, url.host.size() - 2);
  url.port = authority->port.value_or(default_port);
  const std::string_view path_and_query = rest.substr(authority_text.size());
  url.path = path_and_query.substr(0, path_and_query.find('?'));
  url.query = path_and_query.substr(std::min(url.path.size() + 1, path_and_query.size()));
  return url;
}

}  // namespace sockeye::ws::http
