// sockeye bench: a load generator for WebSocket servers, and what it found out.
//
// What is asked for is in bench/settings.h, one measurement in bench/run.h.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <string>

namespace sockeye::app {

// The subcommand; `arguments` are those after "bench". Returns the exit status.
int run_bench(std::span<char* const> arguments);
std::string bench_help();

}  // namespace sockeye::app
