// The opening handshake of WebSocket, for both roles.
//
// RFC 6455 §4; section numbers mean that document. The client proves that it means WebSocket, the
// server that it understood so:
//
//   GET /chat HTTP/1.1
//   Host: server.example.com
//   Upgrade: websocket
//   Connection: Upgrade
//   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==
//   Sec-WebSocket-Version: 13
//
//   HTTP/1.1 101 Switching Protocols
//   Upgrade: websocket
//   Connection: Upgrade
//   Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=
//
// Pure functions; the key's random bytes arrive as an argument.
// Next on the reading tour: ws/frame/frame.h.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "crypto/sha1.h"
#include "net/result.h"
#include "net/text.h"
#include "ws/error.h"
#include "ws/http/request.h"
#include "ws/http/response.h"
#include "ws/http/url.h"
#include "ws/limits.h"

namespace sockeye::ws::http {

// ---- Server ----

// Whether the request is meant as an opening handshake, well-formed or not. Every other request
// goes the way of plain HTTP.
bool wants_upgrade(const Request& request);

// Everything that §4.2.1 demands of the client's handshake, in its order, except for the origin
// (origin.h). Error::none where the connection may be accepted.
Error check_upgrade(const Request& request);

// §1.3: appended to the key before it is hashed, so that nobody answers right by accident.
inline constexpr std::string_view guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

// Sec-WebSocket-Accept for a key as it stands in the request (§4.2.2 item 5.4).
using AcceptValue = std::array<char, 28>;
AcceptValue accept_value(std::string_view key, crypto::Sha1Kernel* sha1);

// What the server chose from the client's offers; empty where it chose none.
struct Choice {
  std::string_view subprotocol;
  std::string_view extensions;
};

// The response that accepts a request which passed check_upgrade, written into `out`, which is
// empty at first and has room for response_head_bytes (writer.h). websocket_protocol_malformed
// where the chosen subprotocol was not offered; field_value_malformed where the choice can't stand
// in a field; head_too_large where it doesn't fit.
Result<std::string_view, Error> upgrade_response(net::TextWriter& out, const Request& request,
                                                 const Choice& choice, crypto::Sha1Kernel* sha1);

// ---- Client ----

// What the client asks for. Views that must hold until the response has been checked.
struct Offer {
  Url url;
  std::array<std::uint8_t, 16> nonce;              // fresh random bytes for each handshake
  std::span<const std::string_view> subprotocols;  // best one first
  std::string_view extensions;                     // as in Sec-WebSocket-Extensions
  std::string_view origin;                         // empty: none is sent, as befits a program
  std::span<const Field> extra_fields;             // cookies, credentials
};

// Room for the request: as much as a server takes that has the limits of this one.
inline constexpr std::size_t request_head_bytes = Limits().head_bytes;

// The request (§4.1), written into `out`, which is empty at first and has room for
// request_head_bytes. Fails where the offer can't stand in a head: field_reserved for an extra
// field that the handshake itself writes, websocket_protocol_malformed, field_value_malformed,
// head_too_large, ...
Result<std::string_view, Error> upgrade_request(net::TextWriter& out, const Offer& offer);

// Everything that §4.1 demands of the server's response. Error::none where the connection is open.
// Parameters of extensions are checked by the extension.
Error check_response(const Response& response, const Offer& offer, crypto::Sha1Kernel* sha1);

}  // namespace sockeye::ws::http
