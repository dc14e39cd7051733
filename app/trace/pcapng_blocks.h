// The blocks of a pcapng file: what it begins with, and a TCP segment as a packet.
// (draft-ietf-opsawg-pcapng, whose section numbers are meant where no RFC is named.)
//
// SPDX-License-Identifier: MIT
#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <string_view>

#include "net/bytes.h"

namespace sockeye::app::trace {

// The control bits of RFC 9293 §3.1.
namespace tcp {
inline constexpr std::uint8_t fin = 0x01;
inline constexpr std::uint8_t syn = 0x02;
inline constexpr std::uint8_t rst = 0x04;
inline constexpr std::uint8_t psh = 0x08;
inline constexpr std::uint8_t ack = 0x10;
}  // namespace tcp

// One end of a connection, at some moment.
struct TcpEnd {
  in6_addr host;  // an IPv4 address is mapped into it (RFC 4291 §2.5.5.2)
  std::uint16_t port;
  std::uint32_t sequence;      // the number of the next byte that it sends
  std::uint32_t acknowledged;  // the first one that the other end hasn't acknowledged
};

// How much an end may send before it has to wait, as all segments tell.
inline constexpr std::uint16_t tcp_window_bytes = 65'535;

struct Segment {
  const TcpEnd& from;
  const TcpEnd& to;
  std::uint8_t control;
  Bytes payload;  // so much that an IP packet holds it
  std::string_view comment;
};

// Each writes to `file`, a segment by one call, so that blocks stay whole. False, with errno, where
// not all could be written.
bool write_head(int file);
bool write_segment(int file, std::uint64_t unix_time_ns, const Segment& segment);

}  // namespace sockeye::app::trace
