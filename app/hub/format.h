// What a message of the hub looks like to those who want more than its bytes.
//
//   plain          as it was published
//   json           {"id":17,"topic":"room","text":"hello"}, or "base64" where it is binary
//   event          a Server-Sent Event, with its id; binary ones are of the type "binary", in
//   Base64 json_event     the same, and its data is that JSON
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "net/buffer.h"
#include "net/bytes.h"

namespace sockeye::app::hub {

enum class Format : std::uint8_t { plain, json, event, json_event };
inline constexpr std::size_t format_count = 4;

struct Published {
  std::uint64_t id;
  std::string_view topic;
  bool is_text;
  Bytes payload;
};

// Puts the message into `to`, in place of what was there; false where there is no memory. Not for
// plain, which needs nothing.
[[nodiscard]] bool put(Buffer& to, Format format, const Published& message);

}  // namespace sockeye::app::hub
