// SPDX-License-Identifier: MIT
#include "app/trace/trace.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

#include "app/trace/pcapng.h"
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
  flags.value("--pcap", "FILE",
              "write what goes over all connections to FILE, which Wireshark opens (the TCP and IP "
              "around it is made up)",
              [&settings](std::string_view text) -> std::string {
                settings.pcap_file = text;
                return text.empty() ? "must be a file" : "";
              });
}

// Tells those that were asked for, the capture first: a trace takes time to print.
class Trace final : public net::Tap {
 public:
  void print_to(net::Fd file, trace::Tracer::Settings settings) {
    file_ = std::move(file);
    tracer_.emplace(file_ ? file_.get() : STDERR_FILENO, std::move(settings));
  }
  void capture_to(std::unique_ptr<trace::PcapFile> pcap) { pcap_ = std::move(pcap); }

  // net::Tap
  void on_opened(const net::Stream& stream, net::Opener opener) override {
    each([&](auto& tap) { tap.on_opened(stream, opener); });
  }
  void on_received(const net::Stream& stream, Bytes bytes) override {
    each([&](auto& tap) { tap.on_received(stream, bytes); });
  }
  void on_sent(const net::Stream& stream, Bytes bytes) override {
    each([&](auto& tap) { tap.on_sent(stream, bytes); });
  }
  void on_peer_ended(const net::Stream& stream, int error) override {
    each([&](auto& tap) { tap.on_peer_ended(stream, error); });
  }
  void on_ended(const net::Stream& stream) override {
    each([&](auto& tap) { tap.on_ended(stream); });
  }
  void on_closed(const net::Stream& stream) override {
    each([&](auto& tap) { tap.on_closed(stream); });
  }

 private:
  template <typename Tell>
  void each(Tell tell) {
    if (pcap_ != nullptr) tell(*pcap_);
    if (tracer_) tell(*tracer_);
  }

  net::Fd file_;
  std::optional<trace::Tracer> tracer_;
  std::unique_ptr<trace::PcapFile> pcap_;
};

void CloseTrace::operator()(Trace* trace) const {
  delete trace;
}

namespace {

// What is printed: `--trace`.
Result<void, net::Error> add_tracer(Trace& trace, const TraceSettings& settings,
                                    const ws::Options& options) {
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
  trace.print_to(std::move(file), std::move(tracer));
  return {};
}

}  // namespace

Result<OpenTrace, net::Error> open_trace(const TraceSettings& settings, ws::Options& options) {
  if (!settings.trace_file && settings.pcap_file.empty()) return OpenTrace();
  OpenTrace trace(new Trace);
  if (settings.trace_file) TRY(add_tracer(*trace, settings, options));
  if (!settings.pcap_file.empty()) {
    trace->capture_to(TRY(trace::PcapFile::open(settings.pcap_file)));
  }
  options.tap = trace.get();
  return trace;
}

}  // namespace sockeye::app
