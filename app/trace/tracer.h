// Prints what goes over each connection, as it happens: `--trace`.
//
// One tracer serves all loops; it takes its turns with a mutex, for who traces isn't in a hurry.
// Where several connections are under way, a line "connection N" says whose lines follow.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "app/trace/decoder.h"
#include "app/trace/dump.h"
#include "net/tap.h"

namespace sockeye::app::trace {

// Who is at the other end, as text: the proxy, where there is one.
std::string peer_of(const net::Stream& stream);

class Tracer final : public net::Tap {
 public:
  struct Settings {
    Decoder::Settings decoder;
    Dump::Style style;
    std::string directives;  // see Dump::begin
  };

  // Writes to `descriptor`, which must stay open as long as the tracer lives.
  Tracer(int descriptor, Settings settings);
  ~Tracer();

  // net::Tap
  void on_opened(const net::Stream& stream, net::Opener opener) override;
  void on_received(const net::Stream& stream, Bytes bytes) override;
  void on_sent(const net::Stream& stream, Bytes bytes) override;
  void on_settled(const net::Stream& stream) override;
  void on_peer_ended(const net::Stream& stream, int error) override;
  void on_ended(const net::Stream& stream) override;
  void on_closed(const net::Stream& stream) override;

 private:
  struct Traced;

  Traced& find(const net::Stream& stream);
  void print(const Traced& traced);

  const int descriptor_;
  const Settings settings_;
  std::mutex mutex_;  // guards what follows
  std::vector<std::unique_ptr<Traced>> connections_;
  std::uint64_t opened_ = 0;      // how many connections there have been
  std::uint64_t last_shown_ = 0;  // whose lines were printed last
  std::string out_;               // lines that were not printed yet
  bool failed_ = false;           // the descriptor takes no more
};

}  // namespace sockeye::app::trace
