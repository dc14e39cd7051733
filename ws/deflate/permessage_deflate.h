// permessage-deflate in the opening handshake: what client and server agree on.
//
// RFC 7692 §5, §7 and §7.1; section numbers here mean that document. Each side compresses with a
// window of what it sent last. A client says in its offers how large those windows may be, and
// whether they stay from one message to the next; the server takes one offer, and says so in its
// response:
//
//   Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10, permessage-deflate
//   Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10
//
//                                 in an offer                     in a response
//   server_no_context_takeover    the server is to begin each     it does
//                                 message with an empty window
//   client_no_context_takeover    the client will do so anyway    it has to
//   server_max_window_bits=8..15  the server's window is to have  it has
//                                 2^8 to 2^15 bytes at most
//   client_max_window_bits        the client can be told that;    it has to be told
//   client_max_window_bits=8..15  with a value: it won't have     (with a value, always)
//                                 more anyway
//
// Pure functions.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "net/result.h"
#include "net/text.h"
#include "ws/deflate/format.h"
#include "ws/error.h"
#include "ws/http/extension.h"

namespace sockeye::ws::deflate {

inline constexpr std::string_view extension_name = "permessage-deflate";

// How the two sides compress: as agreed; or at most, where it is what one of them wants.
struct Parameters {
  struct Side {
    bool context_takeover = true;  // the window stays from one message to the next
    std::uint8_t window_bits = max_window_bits;

    bool operator==(const Side&) const = default;
  };
  Side server;  // of what the server sends
  Side client;

  bool operator==(const Parameters&) const = default;
};

// Whether both windows have a size that can be said.
bool are_valid(const Parameters& wanted);

// Room for an offer or a response.
inline constexpr std::size_t text_bytes = 128;

// A server's: takes the first of the client's offers that it may take, and writes the response, for
// its Sec-WebSocket-Extensions, to `response`, which is empty at first and has room for text_bytes.
// Nothing where there is no such offer. What is agreed is within `wanted`, but for a client that
// can't be told of a window's size: then its windows are of any, and none outlives its message.
std::optional<Parameters> accept_offer(http::ExtensionReader offers, const Parameters& wanted,
                                       net::TextWriter& response);

// A client's: its one offer, for its Sec-WebSocket-Extensions, into `offer`, as above.
void write_offer(const Parameters& wanted, net::TextWriter& offer);

// A client's: what was agreed on, where it offered what `wanted` says and the response chose
// `chosen`. Nothing where the server declined. An error, of those that begin with "response_",
// where the response breaks a rule: then the connection has to fail.
Result<std::optional<Parameters>, Error> read_response(http::ExtensionReader chosen,
                                                       const Parameters& wanted);

}  // namespace sockeye::ws::deflate
