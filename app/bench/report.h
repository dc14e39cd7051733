// What `sockeye bench` prints at the end.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "app/bench/run.h"
#include "app/bench/settings.h"

namespace sockeye::app::bench {

// For people: several lines.
std::string report_text(const Settings& settings, const Outcome& outcome);

// For programs: one line, a JSON object.
std::string report_json(const Settings& settings, const Outcome& outcome);

}  // namespace sockeye::app::bench
