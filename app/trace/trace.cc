// SPDX-License-Identifier: MIT
#include "app/trace/trace.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

#include "app/trace/pcapng.h"
#include "app/trace/text.h"
#include "app/trace/tracer.h"
#include "net/fd.h"

namespace sockeye::app {

void add_trace_flags(Flags& flags, TraceSettings& settings) {
  flags.optional_value(
      "--trace", "FILE",
      "print what goes over each connection, byte by byte, with the RFC's words for it; to FILE, "
      "or else to standard error. Where nobody reads that, the program waits",
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
  explicit Trace(const ws::Limits& limits) : memory_(limits.memory_bytes) {}

  MemoryBudget& memory() { return memory_; }
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
  void on_settled(const net::Stream& stream) override {
    each([&](auto& tap) { tap.on_settled(stream); });
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

  MemoryBudget memory_;  // of what is decoded
  net::Fd file_;
  std::optional<trace::Tracer> tracer_;
  std::unique_ptr<trace::PcapFile> pcap_;
};

void CloseTrace::operator()(Trace* trace) const {
  delete trace;
}

namespace {

// What a test that plays a trace has to know of the options (test/support/wire_dump.h).
std::string directives_of(const ws::Options& options) {
  std::string text;
  for (const std::string& name : options.subprotocols) {
    text.append(text.empty() ? "subprotocols " : " ").append(name);
  }
  if (!text.empty()) text += '\n';
  if (options.limits.message_bytes != ws::Limits().message_bytes) {
    text += "limit message_bytes ";
    trace::put_decimal(text, options.limits.message_bytes);
    text += '\n';
  }
  if (options.limits.message_fragments != ws::Limits().message_fragments) {
    text += "limit message_fragments ";
    trace::put_decimal(text, options.limits.message_fragments);
    text += '\n';
  }
  return text;
}

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
  tracer.decoder.memory = &trace.memory();
  tracer.directives = directives_of(options);
  trace.print_to(std::move(file), std::move(tracer));
  return {};
}

}  // namespace

Result<OpenTrace, net::Error> open_trace(const TraceSettings& settings, ws::Options& options) {
  if (!settings.trace_file && settings.pcap_file.empty()) return OpenTrace();
  // A file that may not grow, or a reader that is gone, ends a trace and not the program.
  ::signal(SIGXFSZ, SIG_IGN);
  ::signal(SIGPIPE, SIG_IGN);
  OpenTrace trace(new Trace(options.limits));
  if (settings.trace_file) TRY(add_tracer(*trace, settings, options));
  if (!settings.pcap_file.empty()) {
    trace->capture_to(TRY(trace::PcapFile::open(settings.pcap_file)));
  }
  options.tap = trace.get();
  return trace;
}

}  // namespace sockeye::app
