// A picture of latencies: how slow the slowest tenth, hundredth, thousandth... were.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include "app/bench/histogram.h"

namespace sockeye::app::bench {

// An SVG that needs nothing beside it, and follows the reader's light or dark colours. `title` is
// UTF-8 without markup.
//
// Both axes are logarithmic. To the right, each step leaves a tenth of the messages: 90 %, 99 %,
// 99.9 %, so that a tail takes as much room as the rest. Upwards, a message's microseconds and a
// stall's milliseconds are both to be read.
std::string latency_chart(const Histogram& latencies, std::string_view title);

}  // namespace sockeye::app::bench
