// Every size, count and time that a peer could otherwise choose: its unit and its default.
//
// All limits of the server live here and nowhere else. Code compares against them by subtraction
// ("is n more than what is left?"), never by adding to a length that a peer declared.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

namespace sockeye::ws {

// How many subprotocols one side may name. It is fixed, for the cost of finding repeated ones grows
// with the square of their number.
inline constexpr std::size_t max_subprotocols = 64;

// What a message of `message_bytes` may take when it is compressed (RFC 7692): one that can't be
// made smaller grows a little, with any compressor.
constexpr std::uint64_t compressed_limit(std::uint64_t message_bytes) {
  return message_bytes + message_bytes / 8 + 64;
}

struct Limits {
  // HTTP heads (RFC 9112 §3: a server that gets a longer request target answers 414;
  // RFC 6585 §5: 431 for fields).
  std::size_t request_line_bytes = 8 * 1024;
  std::size_t head_bytes = 16 * 1024;  // request line, all fields, and the empty line
  std::size_t head_fields = 100;       // above http::Head::max_fields, 128, it has no effect
  std::size_t request_body_bytes = 64 * 1024;  // plain HTTP requests; more is answered with 413

  // Messages (RFC 6455 §10.4: implementations limit frame and message size).
  std::uint64_t message_bytes = 16 * 1024 * 1024;
  std::uint32_t message_fragments = 131'072;

  // What may wait in memory for one peer that does not read.
  std::size_t buffered_bytes = 32 * 1024 * 1024;

  // Of that, what may wait for one subscriber of topics. A message for one for whom nothing waits
  // is sent whatever its size.
  std::size_t subscriber_bytes = 1024 * 1024;

  // What all peers together may cause to be held: messages and heads that have come in part, output
  // that waits, what is published, input left by a pause. Whoever needs more is answered with 503
  // or code 1011. (A connection's own place, 160 bytes, and the buffers of each loop come on top.)
  std::size_t memory_bytes = 1024 * 1024 * 1024;

  // What all connections together may keep of earlier messages for compression (RFC 7692 §7.1.1).
  // Those that come when it is spent are told to begin each message anew. It is counted when it is
  // agreed on, and taken with the first message.
  std::size_t contexts_bytes = 256 * 1024 * 1024;

  std::uint32_t connections = 100'000;
  // From one IPv4 address or IPv6 /64; more are answered with 429. 0: no limit.
  std::uint32_t connections_per_address = 0;

  // Times. 0 turns a timer off.
  std::uint32_t head_timeout_ms = 10'000;        // from accept to the end of a request head, in all
  std::uint32_t keep_alive_timeout_ms = 30'000;  // between two HTTP requests, or pieces of a file
  std::uint32_t ping_interval_ms = 30'000;       // silence after which a Ping is sent
  std::uint32_t idle_timeout_ms = 120'000;       // silence after which the peer counts as gone; so
                                                 // does one that reads so slowly that the Ping,
                                                 // behind what the kernel holds, comes too late
  std::uint32_t message_timeout_ms = 120'000;  // from a message's first byte to its last, where it
                                               // is held in memory meanwhile
  std::uint32_t lifetime_ms = 0;               // from the handshake to a Close frame with 1001; up
                                               // to a tenth less, so that connections that came
                                               // together don't all go together
  std::uint32_t close_timeout_ms = 5'000;      // for the peer's half of the closing handshake
  std::uint32_t connect_timeout_ms = 10'000;   // a client's: TCP and the handshake, in all
  std::uint32_t stop_timeout_ms = 5'000;       // from stop() to the end of the last connection
};

}  // namespace sockeye::ws
