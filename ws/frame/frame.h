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
// Pure: values in, values out. Next on the reading tour: ws/frame/mask.h.
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

enum class Role : std::uint8_t { server, client };

struct Header {
  bool fin = false;
  std::uint8_t rsv = 0;  // RSV1 is 4, RSV2 is 2, RSV3 is 1; §5.2: 0 without an extension
  Opcode opcode = Opcode::continuation;
  bool masked = false;
  std::uint64_t payload_size = 0;
  std::uint32_t masking_key = 0;  // its first octet highest; 0 when not masked
};

inline constexpr std::size_t max_header_size = 14;
inline constexpr std::size_t max_control_payload = 125;  // §5.5
inline constexpr std::size_t max_control_frame = 2 + 4 + max_control_payload;

// How many bytes a header has whose second byte is `second`: 2 to 14.
constexpr std::size_t header_size(std::uint8_t second) {
  const std::uint8_t length = second & 0x7f;
  const std::size_t extended = length == 126 ? 2 : length == 127 ? 8 : 0;
  return 2 + extended + ((second & 0x80) != 0 ? 4 : 0);
}

// Reads a header. `bytes` holds at least header_size(bytes[1]) of them.
Header decode(const std::uint8_t* bytes);

// Writes a header in the shortest form that holds its payload size (§5.2 demands it) and returns
// its size. `to` has room for max_header_size bytes.
std::size_t encode(const Header& header, std::uint8_t* to);

// What the first two bytes of a header from a peer already get wrong: reserved bits other than
// those in `rsv_allowed`, reserved opcodes, masking, and the two rules for control frames.
// `receiver` is who reads them.
Error check_start(std::uint8_t first, std::uint8_t second, Role receiver, std::uint8_t rsv_allowed);

// What a decoded header gets wrong in its extended length. `size` is what header_size() said.
Error check_length(const Header& header, std::size_t size);

}  // namespace sockeye::ws::frame
