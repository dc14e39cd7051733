// SPDX-License-Identifier: MIT
#include "ws/frame/frame.h"

namespace sockeye::ws::frame {

namespace {

constexpr bool is_known(std::uint8_t opcode) {
  return opcode <= 0x2 || (opcode >= 0x8 && opcode <= 0xA);
}

}  // namespace

Header decode(const std::uint8_t* bytes) {
  Header header;
  header.fin = (bytes[0] & 0x80) != 0;
  header.rsv = (bytes[0] >> 4) & 0x7;
  header.opcode = static_cast<Opcode>(bytes[0] & 0xf);
  header.masked = (bytes[1] & 0x80) != 0;
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

std::size_t encode(const Header& header, std::uint8_t* to) {
  const std::uint8_t fin = header.fin ? 0x80 : 0;
  const std::uint8_t mask = header.masked ? 0x80 : 0;  // §5.3
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

// §10.7: all that comes is checked; here what can be known at a frame's second byte.
Error check_start(std::uint8_t first, std::uint8_t second, Role receiver,
                  std::uint8_t rsv_allowed) {
  const std::uint8_t rsv = (first >> 4) & 0x7;
  const std::uint8_t opcode = first & 0xf;
  const bool masked = (second & 0x80) != 0;

  // §5.2: reserved bits are zero unless an extension was negotiated that gives them a meaning, as
  // RFC 7692 (§6, §6.1) does to RSV1.
  if ((rsv & ~rsv_allowed) != 0) return Error::reserved_bit_set;
  // §5.2: "If an unknown opcode is received, the receiving endpoint MUST _Fail the WebSocket
  // Connection_."
  if (!is_known(opcode)) return Error::reserved_opcode;
  // §5.1: a client masks every frame, a server none.
  if (receiver == Role::server && !masked) return Error::frame_not_masked;
  if (receiver == Role::client && masked) return Error::frame_masked;

  if (is_control(static_cast<Opcode>(opcode))) {
    // §5.5: control frames carry at most 125 bytes, and are not fragmented.
    if ((second & 0x7f) > max_control_payload) return Error::control_frame_too_long;
    if ((first & 0x80) == 0) return Error::control_frame_fragmented;
  }
  return Error::none;
}

Error check_length(const Header& header, std::size_t size) {
  const std::size_t extended = size - 2 - (header.masked ? 4 : 0);
  // §5.2: the minimal number of bytes encodes the length; of 64 bits the highest is 0.
  if (extended == 2 && header.payload_size <= 125) return Error::length_not_minimal;
  if (extended == 8 && header.payload_size <= 0xffff) return Error::length_not_minimal;
  if (header.payload_size >> 63 != 0) return Error::length_top_bit_set;
  return Error::none;
}

}  // namespace sockeye::ws::frame
