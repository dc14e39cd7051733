// SPDX-License-Identifier: MIT
#include "app/trace/trace.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

#include "app/trace/tracer.h"
#include "net/fd.h"

namespace sockeye::app {

void add_trace_flags(Flags& flags, TraceSettings& settings) {
  flags.optional_value(
      "--trace", "FILE",
      "print what goes over each connection, byte by byte, with the RFC's words for it; to FILE, "
      "or else to standard error",
      [&settings](std::string_view text) -> std::string {
        settings.trace_file = text;
        return {};
      });
  flags.number(
      "--trace-bytes", "N", "show so much of each payload in a trace", 0, 1'000'000'000,
      [&settings](std::uint64_t size) { settings.trace_bytes = static_cast<std::size_t>(size); },
      settings.trace_bytes);
}

class Trace {
 public:
  Trace(net::Fd file, trace::Tracer::Settings settings)
      : file_(std::move(file)), tracer_(file_ ? file_.get() : STDERR_FILENO, std::move(settings)) {}

  net::Tap* tap() { return &tracer_; }

 private:
  net::Fd file_;
  trace::Tracer tracer_;
};

void CloseTrace::operator()(Trace* trace) const {
  delete trace;
}

Result<OpenTrace, net::Error> open_trace(const TraceSettings& settings, ws::Options& options) {
  if (!settings.trace_file) return OpenTrace();
  net::Fd file;
  if (!settings.trace_file->empty()) {
    const char* const name = settings.trace_file->c_str();
    // What people send one another is in it: for the owner's eyes.
    file.reset(::open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!file) return net::system_error("cannot write to " + *settings.trace_file);
  }
  trace::Tracer::Settings tracer{
      .decoder = TRY(trace::decoder_settings(options, settings.trace_bytes)),
      .style = {.in_colour =
                    !file && ::isatty(STDERR_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr,
                .shown_bytes = settings.trace_bytes},
      .directives = {}};
  for (const std::string& name : options.subprotocols) {
    std::string& line = tracer.directives;
    line.append(line.empty() ? "subprotocols " : " ").append(name);
  }
  if (!tracer.directives.empty()) tracer.directives += '\n';
  OpenTrace trace(new Trace(std::move(file), std::move(tracer)));
  options.tap = trace->tap();
  return trace;
}

}  // namespace sockeye::app
