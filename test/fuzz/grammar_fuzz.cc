// The grammars of single fields: extensions and what is negotiated with them, subprotocols, URLs,
// origins, hosts. The last byte chooses which.
//
// SPDX-License-Identifier: MIT
#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/pool.h"
#include "test/fuzz/fuzz_input.h"
#include "ws/deflate/permessage_deflate.h"
#include "ws/http/allowed_hosts.h"
#include "ws/http/authority.h"
#include "ws/http/chars.h"
#include "ws/http/extension.h"
#include "ws/http/origin.h"
#include "ws/http/parser.h"
#include "ws/http/subprotocol.h"
#include "ws/http/url.h"

namespace sockeye::ws::http {
namespace {

using test::expect;

// A value as it can be written: one that kept its backslashes, in quotes.
std::string value_text(std::string_view value) {
  const bool escaped = value.find('\\') != std::string_view::npos;
  expect(escaped ? value.size() > 33 : is_token(value),
         "a value is a token, or a long one escaped");
  return escaped ? "=\"" + std::string(value) + "\"" : "=" + std::string(value);
}

// Every name and value is a token, and what was read can be written and read again.
void extensions(std::string_view text) {
  std::string written;
  ExtensionReader reader(text);
  ExtensionReader::Part part = reader.next();
  for (; part == ExtensionReader::Part::extension || part == ExtensionReader::Part::parameter;
       part = reader.next()) {
    expect(is_token(reader.name()), "a name is a token");
    const bool extension = part == ExtensionReader::Part::extension;
    expect(!extension || !reader.value(), "an extension has no value");
    written.append(!extension ? "; " : written.empty() ? "" : ", ").append(reader.name());
    if (reader.value()) written.append(value_text(*reader.value()));
  }
  expect(reader.next() == part, "an end stays one");
  if (part == ExtensionReader::Part::malformed || written.empty()) return;

  std::string again;
  ExtensionReader second(written);
  while ((part = second.next()) != ExtensionReader::Part::end) {
    expect(part != ExtensionReader::Part::malformed, "what was written can be read");
    again.append(part == ExtensionReader::Part::parameter ? "; " : again.empty() ? "" : ", ");
    again.append(second.name());
    if (second.value()) again.append(value_text(*second.value()));
  }
  test::expect_equal(written, again, "written and read again");
}

// One of 64: with and without context takeover, and windows of four sizes, for each side.
deflate::Parameters parameters_of(unsigned choice) {
  constexpr std::uint8_t bits[] = {15, 14, 10, 8};
  return {
      .server = {.context_takeover = choice % 2 == 0, .window_bits = bits[choice / 4 % 4]},
      .client = {.context_takeover = choice / 2 % 2 == 0, .window_bits = bits[choice / 16 % 4]}};
}

bool is_within(const deflate::Parameters::Side& side, const deflate::Parameters::Side& limit) {
  return side.window_bits >= deflate::min_window_bits && side.window_bits <= limit.window_bits &&
         (limit.context_takeover || !side.context_takeover);
}

// A client whose offer was taken with that response, and who wanted what `wanted` says, agrees.
void expect_agreement(std::string_view response, const deflate::Parameters& wanted,
                      const deflate::Parameters& agreed) {
  const auto read = deflate::read_response(ExtensionReader(response), wanted);
  expect(read && *read && **read == agreed, "both sides agree on the same");
}

// `text` as a client's offers, and as a server's response.
void negotiation(std::string_view text, const deflate::Parameters& wanted) {
  net::Text<deflate::text_bytes> response;
  const auto agreed = deflate::accept_offer(ExtensionReader(text), wanted, response);
  expect(agreed.has_value() != response.view().empty() && !response.truncated(),
         "an answer, or not");
  if (agreed) {
    expect(is_within(agreed->server, wanted.server), "the server's own limits hold");
    expect(is_within(agreed->client, wanted.client) || !agreed->client.context_takeover,
           "no window is kept that is larger than was wanted");
    expect_agreement(response.view(), {}, *agreed);
    expect_agreement(response.view(), *agreed, *agreed);
  }

  const auto read = deflate::read_response(ExtensionReader(text), wanted);
  if (!read || !*read) return;
  expect(is_within((*read)->server, wanted.server), "the server does what it was asked for");
  expect(is_within((*read)->client, wanted.client), "the client does what it said");
}

void url(std::string_view text) {
  const auto url = parse_url(text);
  if (!url) return;
  expect(!url->host.empty(), "a URL has a host");
  const std::string again = "ws://" + url->host_field() + url->resource_name();
  const auto second = parse_url(again);
  expect(static_cast<bool>(second), "a URL that was put together can be read");
  expect(second->host == url->host && second->port == url->port, "the same place");
  test::expect_equal(second->resource_name(), url->resource_name(), "the same resource");
}

void authority(std::string_view text) {
  const auto authority = parse_authority(text);
  if (!authority) return;
  expect(!authority->host.empty() && text.starts_with(authority->host), "the host comes first");
}

// A request with `text` as the values of the fields that name places and subprotocols.
void request(std::string_view text, std::string_view policy_text) {
  std::string head = "GET / HTTP/1.1\r\nHost: a.example\r\nSec-WebSocket-Protocol: ";
  head.append(text).append("\r\nOrigin: ").append(text).append("\r\n\r\n");
  Pool pool;
  const Limits limits;
  RequestParser parser(pool, limits);
  Bytes input = as_bytes(head);
  if (parser.parse(input) != HeadParser::Status::complete) return;
  const Request& request = parser.request();

  const std::vector<std::string_view> known = {"chat", "a", "superchat"};
  const std::string_view chosen = choose_subprotocol(request, known);
  if (check_subprotocols(request) == Error::none && !chosen.empty()) {
    expect(offers_subprotocol(request, chosen), "what is chosen was offered");
  }
  expect(OriginPolicy::parse("any")->check(request) != Error::origin_not_allowed, "any is any");
  const auto origin = request.field("origin");
  if (origin && OriginPolicy().check(request) == Error::none) {
    const auto place = parse_authority(origin->substr(origin->find("://") + 3));
    expect(place && equal_ignoring_case(place->host, "a.example"), "the same host");
  }
  if (const auto policy = OriginPolicy::parse(policy_text)) (void)policy->check(request);
  if (const auto hosts = AllowedHosts::parse(policy_text)) (void)hosts->check(request);
}

}  // namespace
}  // namespace sockeye::ws::http

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sockeye;
  test::FuzzInput input(data, size);
  const std::uint8_t which = input.choice();
  const std::string copy(as_text(input.data()));  // an allocation of its own
  const std::string_view text = copy;
  switch (which % 4) {
    case 0:
      ws::http::extensions(text);
      ws::http::negotiation(text, ws::http::parameters_of(which / 4));
      break;
    case 1:
      ws::http::url(text);
      break;
    case 2:
      ws::http::authority(text);
      break;
    case 3: {
      const std::string_view policy = text.substr(0, text.find('\n'));
      ws::http::request(text.substr(std::min(text.size(), policy.size() + 1)), policy);
      break;
    }
  }
  return 0;
}
