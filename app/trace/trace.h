// What `sockeye echo` and `sockeye cat` can show of their traffic: the options, and the taps that
// they ask for. make WITHOUT=trace leaves it out.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "app/flags.h"
#include "net/error.h"
#include "net/result.h"
#include "net/tap.h"
#include "ws/endpoint.h"

namespace sockeye::app {

struct TraceSettings {
  std::optional<std::string> trace_file;  // empty: standard error
  std::size_t trace_bytes = 256;          // shown of each payload
  std::string pcap_file;                  // empty: none
};

#ifndef SOCKEYE_WITHOUT_trace

// `settings` must stay as long as `flags`.
void add_trace_flags(Flags& flags, TraceSettings& settings);

// Opens what was asked for, and gives `options` its tap. What it returns must outlive the server or
// client that is made of `options`; null where nothing was asked for.
class Trace;
struct CloseTrace {
  void operator()(Trace* trace) const;
};
using OpenTrace = std::unique_ptr<Trace, CloseTrace>;
Result<OpenTrace, net::Error> open_trace(const TraceSettings& settings, ws::Options& options);

#else

inline void add_trace_flags(Flags&, TraceSettings&) {}
using OpenTrace = std::nullptr_t;
inline Result<OpenTrace, net::Error> open_trace(const TraceSettings&, ws::Options&) {
  return nullptr;
}

#endif

}  // namespace sockeye::app
