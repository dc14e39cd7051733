// The header of a frame: its bits, and the rules that a peer can break with them.
//
// RFC 6455 §5.2; section numbers here mean that RFC.
//
//      0                   1                   2                   3
//      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//     +-+-+-+-+-------+-+-------------+-------------------------------+
//     |F|R|R|R| opcode|M| Payload len |    Extended payload length    |
//     |I|S|S|S|  (4)  |A|     (7)     |   (16 or 64 bits, if the      |
//     |N|V|V|V|       |S|             |    7 bits say 126 or 127)     |
//     +-+-+-+-+-------+-+-------------+-------------------------------+
//     |  Masking-key, 32 bits, if MASK is set  |  Payload …           |
//     +----------------------------------------+----------------------+
//
// Pure: values in, values out. Every frame passes here, so all of it is inline. Next on the reading
// tour: ws/frame/mask.h.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

#include "net/bytes.h"
#include "ws/error.h"

namespace sockeye::ws::frame {

enum class Opcode : std::uint8_t {
  continuation = 0x0,
  text = 0x1,
  binary = 0x2,
  // 0x3 to 0x7 are reserved for further data frames
  close = 0x8,
  ping = 0x9,
  pong = 0xA,
  // 0xB to 0xF are reserved for further control frames
};

// §5.5: control frames are those whose opcode has its highest bit set.
constexpr bool is_control(Opcode opcode) {
  return (static_cast<std::uint8_t>(opcode) & 0x8) != 0;
}

constexpr bool is_known(Opcode opcode) {
  const auto value = static_cast<std::uint8_t>(opcode);
  return value <= 0x2 || (value >= 0x8 && value <= 0xA);
}

enum class Role : std::uint8_t { server, client };

struct Header {
  bool fin = false;
  std::uint8_t rsv = 0;  // reserved bits; §5.2: 0 without an extension
  Opcode opcode = Opcode::continuation;
  bool masked = false;
  std::uint64_t payload_size = 0;
  std::uint32_t masking_key = 0;  // its first octet highest; 0 when not masked
};

inline constexpr std::uint8_t rsv1 = 4;         // in Header::rsv; RSV2 is 2, RSV3 is 1
inline constexpr std::uint8_t fin_bit = 0x80;   // of a header's first byte
inline constexpr std::uint8_t mask_bit = 0x80;  // of its second
inline constexpr std::size_t max_header_size = 14;
inline constexpr std::size_t max_control_payload = 125;  // §5.5
inline constexpr std::size_t max_control_frame = 2 + 4 + max_control_payload;

// How many bytes a header has whose second byte is `second`: 2 to 14.
constexpr std::size_t header_size(std::uint8_t second) {
  const std::uint8_t length = second & 0x7f;
  const std::size_t extended = length == 126 ? 2 : length == 127 ? 8 : 0;
  return 2 + extended + ((second & mask_bit) != 0 ? 4 : 0);
}

// Reads a header. `bytes` holds at least header_size(bytes[1]) of them.
inline Header decode(const std::uint8_t* bytes) {
  Header header;
  header.fin = (bytes[0] & fin_bit) != 0;
  header.rsv = (bytes[0] >> 4) & 0x7;
  header.opcode = static_cast<Opcode>(bytes[0] & 0xf);
  header.masked = (bytes[1] & mask_bit) != 0;
  header.payload_size = bytes[1] & 0x7f;

  // §5.2: 126 and 127 say that 16 or 64 bits of length follow, and MASK that a key does.
  const std::uint8_t* next = bytes + 2;
  if (header.payload_size == 126) {
    header.payload_size = load_be16(next);
    next += 2;
  } else if (header.payload_size == 127) {
    header.payload_size = load_be64(next);
    next += 8;
  }
  if (header.masked) header.masking_key = load_be32(next);
  return header;
}

// Writes a header in the shortest form that holds its payload size (§5.2 demands it) and returns
// its size. `to` has room for max_header_size bytes.
inline std::size_t encode(const Header& header, std::uint8_t* to) {
  const std::uint8_t fin = header.fin ? fin_bit : 0;
  const std::uint8_t mask = header.masked ? mask_bit : 0;  // §5.3
  to[0] =
      static_cast<std::uint8_t>(fin | header.rsv << 4 | static_cast<std::uint8_t>(header.opcode));

  // §5.2: a length is written in the fewest bytes.
  std::uint8_t* next = to + 2;
  if (header.payload_size <= 125) {
    to[1] = static_cast<std::uint8_t>(mask | header.payload_size);
  } else if (header.payload_size <= 0xffff) {
    to[1] = mask | 126;
    store_be16(next, static_cast<std::uint16_t>(header.payload_size));
    next += 2;
  } else {
    to[1] = mask | 127;
    store_be64(next, header.payload_size);
    next += 8;
  }
  if (header.masked) {
    store_be32(next, header.masking_key);
    next += 4;
  }
  return static_cast<std::size_t>(next - to);
}

// §10.7: all that comes is checked. First what a frame's first two bytes already get wrong:
// reserved bits, reserved opcodes, masking, and the two rules for control frames. `receiver` is who
// reads them; `may_compress`: the peer, as permessage-deflate was agreed on.
inline Error check_start(std::uint8_t first, std::uint8_t second, Role receiver,
                         bool may_compress) {
  const std::uint8_t rsv = (first >> 4) & 0x7;
  const std::uint8_t opcode = first & 0xf;
  const bool masked = (second & mask_bit) != 0;

  // §5.2: reserved bits are zero unless an extension was negotiated that gives them a meaning.
  // RFC 7692 §6 does so to RSV1, of a message's first frame (§6.1): not of those that continue it,
  // nor of control frames.
  const bool begins = opcode == static_cast<std::uint8_t>(Opcode::text) ||
                      opcode == static_cast<std::uint8_t>(Opcode::binary);
  if (rsv != 0 && !(rsv == rsv1 && may_compress && begins)) return Error::reserved_bit_set;
  // §5.2: "If an unknown opcode is received, the receiving endpoint MUST _Fail the WebSocket
  // Connection_."
  if (!is_known(static_cast<Opcode>(opcode))) return Error::reserved_opcode;
  // §5.1: a client masks every frame, a server none.
  if (receiver == Role::server && !masked) return Error::frame_not_masked;
  if (receiver == Role::client && masked) return Error::frame_masked;

  if (is_control(static_cast<Opcode>(opcode))) {
    // §5.5: control frames carry at most 125 bytes, and are not fragmented.
    if ((second & 0x7f) > max_control_payload) return Error::control_frame_too_long;
    if ((first & fin_bit) == 0) return Error::control_frame_fragmented;
  }
  return Error::none;
}

// Then what a decoded header gets wrong in its extended length. `size` is what header_size() said.
inline Error check_length(const Header& header, std::size_t size) {
  const std::size_t extended = size - 2 - (header.masked ? 4 : 0);
  // §5.2: the minimal number of bytes encodes the length; of 64 bits the highest is 0.
  if (extended == 2 && header.payload_size <= 125) return Error::length_not_minimal;
  if (extended == 8 && header.payload_size <= 0xffff) return Error::length_not_minimal;
  if (header.payload_size >> 63 != 0) return Error::length_top_bit_set;
  return Error::none;
}

}  // namespace sockeye::ws::frame
