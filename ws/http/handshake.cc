// SPDX-License-Identifier: MIT
#include "ws/http/handshake.h"

#include <algorithm>
#include <string>

#include "crypto/base64.h"
#include "net/bytes.h"
#include "ws/http/chars.h"
#include "ws/http/extension.h"
#include "ws/http/list.h"
#include "ws/http/subprotocol.h"
#include "ws/http/writer.h"

namespace sockeye::ws::http {
namespace {

constexpr std::size_t nonce_size = 16;
constexpr std::size_t key_size = crypto::base64_encoded_size(nonce_size);

// The base64-value-non-empty of 16 bytes, in its one correct spelling.
bool is_key(std::string_view text) {
  std::array<std::uint8_t, nonce_size> nonce;
  return crypto::base64_decode(text, nonce) == nonce_size;
}

// §4.1 item 7: the key is the nonce in Base64.
std::array<char, key_size> key_of(const Offer& offer) {
  std::array<char, key_size> key;
  crypto::base64_encode(offer.nonce, key);
  return key;
}

std::string_view text_of(std::span<const char> chars) {
  return {chars.data(), chars.size()};
}

// Fields that the client's handshake writes by itself, or that would give it a body.
bool is_reserved(std::string_view name) {
  static constexpr std::string_view reserved[] = {
      "Host",
      "Upgrade",
      "Connection",
      "Origin",
      "Sec-WebSocket-Key",
      "Sec-WebSocket-Version",
      "Sec-WebSocket-Protocol",
      "Sec-WebSocket-Extensions",
      "Sec-WebSocket-Accept",
      "Content-Length",
      "Transfer-Encoding",
  };
  return std::ranges::any_of(
      reserved, [name](std::string_view field) { return equal_ignoring_case(field, name); });
}

// §4.1 item 10: subprotocols are unique tokens.
Result<std::string, Error> join_subprotocols(std::span<const std::string_view> names) {
  std::string list;
  for (auto name = names.begin(); name != names.end(); ++name) {
    if (!is_token(*name)) return Error::websocket_protocol_malformed;
    if (std::ranges::find(names.begin(), name, *name) != name)
      return Error::websocket_protocol_repeated;
    if (!list.empty()) list += ", ";
    list += *name;
  }
  return list;
}

bool offers_extension(const Offer& offer, std::string_view name) {
  ExtensionReader offered(offer.extensions);
  while (true) {
    switch (offered.next()) {
      case ExtensionReader::Part::extension:
        if (offered.name() == name) return true;
        break;
      case ExtensionReader::Part::parameter:
        break;
      case ExtensionReader::Part::end:
      case ExtensionReader::Part::malformed:
        return false;
    }
  }
}

// §4.1, of the response, item 5: no extension that was not offered. RFC 7692 §5 says it once more.
Error check_response_extensions(const Response& response, const Offer& offer) {
  ExtensionReader chosen(response);
  while (true) {
    switch (chosen.next()) {
      case ExtensionReader::Part::extension:
        if (!offers_extension(offer, chosen.name())) return Error::response_extension_not_offered;
        break;
      case ExtensionReader::Part::parameter:
        break;
      case ExtensionReader::Part::end:
        return Error::none;
      case ExtensionReader::Part::malformed:
        return Error::response_extensions_malformed;  // §9.1
    }
  }
}

// §4.1, of the response, item 6: one subprotocol at most (§11.3.4), and one that was offered.
Error check_response_subprotocol(const Response& response, const Offer& offer) {
  const std::size_t count = response.count("sec-websocket-protocol");
  if (count == 0) return Error::none;
  if (count > 1) return Error::response_protocol_repeated;
  const std::string_view chosen = *response.field("sec-websocket-protocol");
  const auto& offered = offer.subprotocols;
  return std::ranges::find(offered, chosen) == offered.end() ? Error::response_protocol_not_offered
                                                             : Error::none;
}

}  // namespace

bool wants_upgrade(const Request& request) {
  // A key says so by itself: behind a proxy that speaks HTTP/1.0, or dropped Upgrade, the client is
  // told what is wrong.
  if (request.count("sec-websocket-key") > 0) return true;
  // RFC 9110 §7.8: "A server MUST ignore an Upgrade header field that is received in an HTTP/1.0
  // request."
  return request.version_minor() > 0 && list_contains(request, "upgrade", "websocket");
}

Error check_upgrade(const Request& request) {
  // §4.2.1 item 1: "An HTTP/1.1 or higher GET request". Its target was checked by the parser.
  if (request.method() != "GET") return Error::upgrade_method_not_get;
  if (request.version_minor() == 0) return Error::upgrade_version_not_1_1;

  // §4.2.1 item 2: "A |Host| header field": the parser asks for it in every request of HTTP/1.1.

  // §4.2.1 item 3: "An |Upgrade| header field containing the value "websocket"", in whatever case.
  if (!list_contains(request, "upgrade", "websocket")) return Error::upgrade_not_websocket;

  // §4.2.1 item 4: "A |Connection| header field that includes the token "Upgrade"", likewise.
  if (!list_contains(request, "connection", "upgrade")) return Error::connection_lacks_upgrade;

  // §4.2.1 item 5: "A |Sec-WebSocket-Key| header field with a base64-encoded [...] value that, when
  // decoded, is 16 bytes in length." §11.3.1: it must not appear more than once.
  const std::size_t keys = request.count("sec-websocket-key");
  if (keys == 0) return Error::websocket_key_missing;
  if (keys > 1) return Error::websocket_key_repeated;
  if (!is_key(*request.field("sec-websocket-key"))) return Error::websocket_key_malformed;

  // §4.2.1 item 6: "A |Sec-WebSocket-Version| header field, with a value of 13." §11.3.5: one.
  const std::size_t versions = request.count("sec-websocket-version");
  if (versions == 0) return Error::websocket_version_missing;
  if (versions > 1) return Error::websocket_version_repeated;
  if (*request.field("sec-websocket-version") != "13") return Error::websocket_version_unsupported;

  // §4.2.1 item 7, |Origin|: see origin.h.

  // §4.2.1 item 8: "Optionally, a |Sec-WebSocket-Protocol| header field".
  if (const Error error = check_subprotocols(request); error != Error::none) return error;

  // §4.2.1 item 9: "Optionally, a |Sec-WebSocket-Extensions| header field".
  if (const Error error = check_extensions(request); error != Error::none) return error;

  // RFC 9110 §9.3.1: a body of a GET request may be refused as a likely attempt to smuggle a
  // request. Here its bytes would come where frames begin.
  const std::string_view length = request.field("content-length").value_or("0");
  const bool empty = span_of(length, digit) == length.size() &&
                     length.find_first_not_of('0') == std::string_view::npos;
  if (!empty || request.count("transfer-encoding") > 0) return Error::upgrade_with_body;
  return Error::none;
}

AcceptValue accept_value(std::string_view key, crypto::Sha1Kernel* sha1) {
  // §4.2.2 item 5.4: "base64-encoding [...] this 20-byte hash": of its 20 bytes, not of their
  // hexadecimal text.
  crypto::Sha1 hash(sha1);
  hash.update(as_bytes(key));
  hash.update(as_bytes(guid));
  AcceptValue accept;
  static_assert(accept.size() == crypto::base64_encoded_size(crypto::Sha1::Digest().size()));
  crypto::base64_encode(hash.digest(), accept);
  return accept;
}

// §4.2.2 item 5.
Result<std::string_view, Error> upgrade_response(net::TextWriter& out, const Request& request,
                                                 const Choice& choice, crypto::Sha1Kernel* sha1) {
  const AcceptValue accept =
      accept_value(request.field("sec-websocket-key").value_or(std::string_view()), sha1);
  // §4.2.2 items 5.1 to 5.4.
  HeadWriter writer = HeadWriter::response(out, 101);
  writer.field("Upgrade", "websocket")
      .field("Connection", "Upgrade")
      .field("Sec-WebSocket-Accept", text_of(accept));
  // §4.2.2 item 5.5.
  if (!choice.subprotocol.empty()) {
    if (!offers_subprotocol(request, choice.subprotocol)) {
      return Error::websocket_protocol_malformed;
    }
    writer.field("Sec-WebSocket-Protocol", choice.subprotocol);
  }
  // §4.2.2 item 5.6; §11.3.2: in one field.
  if (!choice.extensions.empty()) writer.field("Sec-WebSocket-Extensions", choice.extensions);
  return writer.finish();
}

// §4.1, of the request, items 1 to 12.
Result<std::string_view, Error> upgrade_request(net::TextWriter& out, const Offer& offer) {
  const std::array<char, key_size> key = key_of(offer);
  // §4.1 items 1 to 7.
  HeadWriter writer = HeadWriter::request(out, "GET", offer.url.resource_name());
  writer.field("Host", offer.url.host_field())
      .field("Upgrade", "websocket")
      .field("Connection", "Upgrade")
      .field("Sec-WebSocket-Key", text_of(key));
  // §4.1 items 8 and 9.
  if (!offer.origin.empty()) writer.field("Origin", offer.origin);
  writer.field("Sec-WebSocket-Version", "13");
  // §4.1 item 10.
  if (!offer.subprotocols.empty()) {
    writer.field("Sec-WebSocket-Protocol", TRY(join_subprotocols(offer.subprotocols)));
  }
  // §4.1 item 11.
  if (!offer.extensions.empty()) writer.field("Sec-WebSocket-Extensions", offer.extensions);
  // §4.1 item 12; §11.3.1, §11.3.5: but no field of the handshake's own a second time.
  for (const Field& field : offer.extra_fields) {
    if (is_reserved(field.name)) return Error::field_reserved;
    writer.field(field.name, field.value);
  }
  return writer.finish();
}

Error check_response(const Response& response, const Offer& offer, crypto::Sha1Kernel* sha1) {
  // §4.1, of the response, item 1: any status but 101 is plain HTTP's: an error, a redirection, a
  // demand for credentials.
  if (response.status() != 101) return Error::response_status_not_101;

  // §4.1, of the response, item 2: |Upgrade| is there, and "websocket", in whatever case.
  if (response.count("upgrade") != 1 ||
      !equal_ignoring_case(*response.field("upgrade"), "websocket")) {
    return Error::response_upgrade_missing;
  }

  // §4.1, of the response, item 3: |Connection| has the token "Upgrade", in whatever case.
  if (!list_contains(response, "connection", "upgrade")) return Error::response_connection_missing;

  // §4.1, of the response, item 4: |Sec-WebSocket-Accept| belongs to the key. §11.3.3: it must not
  // appear more than once.
  const std::size_t accepts = response.count("sec-websocket-accept");
  if (accepts == 0) return Error::response_accept_missing;
  if (accepts > 1) return Error::response_accept_repeated;
  const std::array<char, key_size> key = key_of(offer);
  const AcceptValue expected = accept_value(text_of(key), sha1);
  if (*response.field("sec-websocket-accept") != text_of(expected)) {
    return Error::response_accept_wrong;
  }

  // §4.1, of the response, items 5 and 6: nothing was chosen that had not been offered.
  const Error error = check_response_extensions(response, offer);
  return error == Error::none ? check_response_subprotocol(response, offer) : error;
}

}  // namespace sockeye::ws::http
