// sockeye hub, the subcommand: see app/hub/hub.h for what it does.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <string>

namespace sockeye::app {

// `arguments` are those after "hub". Returns the exit status.
int run_hub(std::span<char* const> arguments);
std::string hub_help();

}  // namespace sockeye::app
