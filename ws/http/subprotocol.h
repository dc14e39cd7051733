// Sec-WebSocket-Protocol: the subprotocols a client offers, and the one that is chosen.
//
// RFC 6455 §1.9, §4.1 item 10, §4.2.2 item 5. Pure functions over borrowed text. Names are compared
// with regard to case.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <string_view>

#include "ws/error.h"
#include "ws/http/head.h"

namespace sockeye::ws::http {

// websocket_protocol_malformed where the fields of `head` are not a list of (at most
// max_subprotocols) tokens, websocket_protocol_repeated where a token repeats; none where they are
// well-formed or absent.
Error check_subprotocols(const Head& head);

// The first of `supported`, best one first, that `head` offers; empty where it offers none of them.
std::string_view choose_subprotocol(const Head& head, std::span<const std::string_view> supported);

// Whether `head` offers that subprotocol.
bool offers_subprotocol(const Head& head, std::string_view name);

}  // namespace sockeye::ws::http
