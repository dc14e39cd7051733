// What `sockeye bench` was asked to do: its flags, and which of them contradict each other.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "app/flags.h"
#include "net/address.h"

namespace sockeye::app::bench {

enum class Mode : std::uint8_t {
  closed,   // each connection waits for an echo before it sends the next message
  open,     // messages are sent at their times, whatever the server does
  fan_out,  // publishers send, and every subscriber receives
  connect,  // connections are opened and closed
  idle,     // connections are opened and held
};

enum class PayloadKind : std::uint8_t { binary, ascii, mixed, json };

std::string_view name_of(Mode mode);
std::string_view name_of(PayloadKind kind);

struct Settings {
  std::string url;
  std::uint32_t connections = 0;  // 0: not given, until complete()
  std::uint32_t outstanding = 0;  // likewise
  std::uint32_t threads = 1;
  std::uint32_t subscribers = 0;
  std::uint32_t idle = 0;
  std::uint64_t rate = 0;  // messages per second over all connections
  bool connect = false;
  bool raw_echo = false;
  bool compress = false;

  PayloadKind kind = PayloadKind::binary;
  std::uint32_t smallest_bytes = 20;
  std::uint32_t largest_bytes = 20;
  bool check = false;
  bool payload_given = false;  // any of --size, --text, --check

  std::uint64_t duration_ms = 10'000;
  std::uint64_t warm_up_ms = 1'000;
  std::uint64_t timeout_ms = 5'000;
  std::vector<net::Address> sources;
  pid_t pid = 0;  // of the server; 0: not given
  bool json = false;
  std::string svg;  // a file; empty: none

  Mode mode() const;
  bool sends_messages() const { return !connect && idle == 0; }
  // How many sockets that takes.
  std::uint32_t all_connections() const { return connections + subscribers; }

  // Fills in what was not given. Returns what is missing or contradictory, or nothing.
  std::string complete();
};

// The flags of `sockeye bench`, which fill `settings`.
Flags make_flags(Settings& settings);

}  // namespace sockeye::app::bench
