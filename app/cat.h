// sockeye cat: a WebSocket client for scripts and people. Lines of standard input go out as
// messages, messages come out as lines.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <string>

namespace sockeye::app {

// The subcommand; `arguments` are those after "cat". Returns the exit status.
int run_cat(std::span<char* const> arguments);
std::string cat_help();

}  // namespace sockeye::app
