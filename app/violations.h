// What a page can't have its browser do, for it keeps the rules and fragments as it likes: rules
// broken, one each, and what the rules allow.
//
// Section numbers mean RFC 6455. Frames are masked with the key of its §5.7: 37 fa 21 3d.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "ws/error.h"

namespace sockeye::app {

// What a client sends after its opening handshake, and what that is.
struct Violation {
  ws::Error error;
  std::string_view bytes;
};

std::span<const Violation> violations();

// §5.4: `text` in frames of `size` bytes each, at least 1, and then a Close frame.
std::string in_fragments(std::string_view text, std::size_t size);

// §5.5.2: a Ping with at most the first 125 bytes of `text`, and then a Close frame.
std::string as_ping(std::string_view text);

}  // namespace sockeye::app
