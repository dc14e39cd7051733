// How many sockets this process may have open.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace sockeye::app {

// Each connection takes a descriptor: raises the limit to as many as the system allows, and returns
// that number.
std::uint64_t raise_descriptor_limit();

}  // namespace sockeye::app
