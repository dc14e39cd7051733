// The addresses that a load generator connects from.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>
#include <vector>

#include "net/address.h"
#include "net/error.h"
#include "net/result.h"

namespace sockeye::app::bench {

// Reads "127.0.0.2", "::1", "127.0.0.1-127.0.0.9", and several of these separated by commas. At
// most 65,536 addresses, each with port 0.
Result<std::vector<net::Address>, net::Error> parse_sources(std::string_view text);

}  // namespace sockeye::app::bench
