// The payload of a Close frame: a code of two bytes, and a reason in UTF-8.
//
// RFC 6455 §5.5.1 and §7.4. Pure.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string_view>

#include "net/bytes.h"
#include "ws/error.h"
#include "ws/frame/frame.h"
#include "ws/frame/utf8.h"

namespace sockeye::ws::frame {

// Whether a Close frame may carry `code` (§7.4.1, §7.4.2, and the codes that were registered with
// IANA since: 1012 Service Restart, 1013 Try Again Later, 1014 Bad Gateway).
constexpr bool is_valid_close_code(std::uint16_t code) {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
         (code >= 3000 && code <= 4999);
}

inline constexpr std::size_t max_close_reason = max_control_payload - 2;

struct Close {
  Error error = Error::none;  // what the payload gets wrong; the rest counts only when it is none
  std::uint16_t code = close_code::none_received;
  std::string_view reason = {};  // borrowed from the payload
};

// Reads the payload (unmasked) of a Close frame; an empty one means close_code::none_received.
Close decode_close(Bytes payload, Utf8Kernel* utf8);

// Writes a payload and returns its size, at most 125. close_code::none_received writes an empty
// one. A reason that is too long is cut at the end of a character.
std::size_t encode_close(std::uint16_t code, std::string_view reason, std::uint8_t* to);

}  // namespace sockeye::ws::frame
