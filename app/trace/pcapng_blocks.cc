// SPDX-License-Identifier: MIT
#include "app/trace/pcapng_blocks.h"

#include <sys/uio.h>

#include <cassert>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "app/version.h"

namespace sockeye::app::trace {

namespace {

constexpr std::size_t ipv4_header_bytes = 20;
constexpr std::size_t ipv6_header_bytes = 40;
constexpr std::size_t tcp_header_bytes = 20;

// The codes of options: §3.5, §4.1, §4.2.
constexpr std::uint16_t opt_endofopt = 0;
constexpr std::uint16_t opt_comment = 1;
constexpr std::uint16_t shb_userappl = 4;
constexpr std::uint16_t if_tsresol = 9;

// RFC 1071 §1: 16-bit words summed up; after an odd byte at the end, a zero is thought. checksum()
// adds the carries.
std::uint64_t sum_of(Bytes bytes) {
  std::uint64_t sum = 0;
  for (; bytes.size() >= 2; bytes = bytes.subspan(2)) sum += load_be16(bytes.data());
  return bytes.empty() ? sum : sum + bytes[0] * 256u;
}

std::uint16_t checksum(std::uint64_t sum) {
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

// A block (§3.1), put together field by field. A packet's payload isn't copied: it has to stay
// until the block is written.
class Block {
 public:
  explicit Block(std::uint32_t type) {
    put_native(type);
    put_native(std::uint32_t{0});  // the block's length, which write_to() knows
  }

  std::size_t size() const { return size_; }
  Bytes since(std::size_t begin) const { return {bytes_ + begin, size_ - begin}; }

  void put(Bytes bytes) {
    assert(bytes.size() <= sizeof bytes_ - size_);
    copy_bytes(bytes_ + size_, bytes);
    size_ += bytes.size();
  }

  // A field of pcapng, in the machine's own order of bytes (§3.6.1).
  template <typename Integer>
  void put_native(Integer value) {
    put({reinterpret_cast<const std::uint8_t*>(&value), sizeof value});
  }

  // Fields of a packet.
  void put_be16(std::size_t value) {
    std::uint8_t bytes[2];
    store_be16(bytes, static_cast<std::uint16_t>(value));
    put(bytes);
  }
  void put_be32(std::uint32_t value) {
    std::uint8_t bytes[4];
    store_be32(bytes, value);
    put(bytes);
  }
  void set_be16(std::size_t at, std::uint16_t value) { store_be16(bytes_ + at, value); }

  void put_payload(Bytes payload) {
    payload_ = payload;
    payload_at_ = size_;
    pad();
  }

  void put_option(std::uint16_t code, Bytes value) {
    put_native(code);
    put_native(static_cast<std::uint16_t>(value.size()));
    put(value);
    pad();
  }

  // Ends the block, and writes it.
  bool write_to(int file) {
    const std::size_t total = size_ + payload_.size() + sizeof(std::uint32_t);
    const auto length = static_cast<std::uint32_t>(total);
    std::memcpy(bytes_ + 4, &length, sizeof length);
    put_native(length);
    const iovec pieces[] = {{bytes_, payload_at_},
                            {const_cast<std::uint8_t*>(payload_.data()), payload_.size()},
                            {bytes_ + payload_at_, size_ - payload_at_}};
    const ssize_t written = ::writev(file, pieces, 3);
    if (written >= 0) errno = ENOSPC;  // why it is a part, if it is
    return written == static_cast<ssize_t>(total);
  }

 private:
  void pad() {
    while ((size_ + payload_.size()) % 4 != 0) put_native(std::uint8_t{0});
  }

  std::uint8_t bytes_[192];  // a packet's headers are 88 at most, before a comment
  std::size_t size_ = 0;
  std::size_t payload_at_ = 0;
  Bytes payload_;
};

// As headers and checksums of IPv4 or IPv6 have it.
Bytes address_of(const TcpEnd& end, bool is_ipv4) {
  return Bytes(end.host.s6_addr).subspan(is_ipv4 ? 12 : 0);
}

// RFC 791 §3.1. `size`: of what follows.
void put_ipv4_header(Block& packet, Bytes from, Bytes to, std::size_t size) {
  const std::size_t begin = packet.size();
  packet.put_be16(0x4500);  // version 4, a header of 5 words
  packet.put_be16(ipv4_header_bytes + size);
  packet.put_be32(0x4000);                 // don't fragment (so an identification isn't needed)
  packet.put_be16(64 << 8 | IPPROTO_TCP);  // time to live, protocol
  packet.put_be16(0);                      // the checksum's place
  packet.put(from);
  packet.put(to);
  packet.set_be16(begin + 10, checksum(sum_of(packet.since(begin))));
}

// RFC 8200 §3.
void put_ipv6_header(Block& packet, Bytes from, Bytes to, std::size_t size) {
  packet.put_be32(0x60000000);  // version 6
  packet.put_be16(size);
  packet.put_be16(IPPROTO_TCP << 8 | 64);  // next header, hop limit
  packet.put(from);
  packet.put(to);
}

// RFC 9293 §3.1. `addresses`: the sum of both, which the checksum covers (RFC 8200 §8.1: with IPv6
// in the same way).
void put_tcp_header(Block& packet, const Segment& segment, std::uint64_t addresses) {
  const std::size_t begin = packet.size();
  const bool acknowledges = (segment.control & tcp::ack) != 0;
  packet.put_be16(segment.from.port);
  packet.put_be16(segment.to.port);
  packet.put_be32(segment.from.sequence);
  packet.put_be32(acknowledges ? segment.to.sequence : 0);
  packet.put_be16(tcp_header_bytes / 4 << 12 | segment.control);
  packet.put_be16(tcp_window_bytes);
  packet.put_be32(0);  // the checksum's place; no urgent data
  const std::size_t size = tcp_header_bytes + segment.payload.size();
  packet.set_be16(begin + 16, checksum(addresses + IPPROTO_TCP + size +
                                       sum_of(packet.since(begin)) + sum_of(segment.payload)));
}

}  // namespace

bool write_head(int file) {
  Block section(0x0a0d0d0a);  // §4.1
  section.put_native(std::uint32_t{0x1a2b3c4d});
  section.put_native(std::uint16_t{1});  // version 1.0
  section.put_native(std::uint16_t{0});
  section.put_native(~std::uint64_t{0});  // the section's length: all that follows
  section.put_option(shb_userappl, as_bytes("sockeye " SOCKEYE_VERSION));
  section.put_option(opt_endofopt, {});

  Block interface(1);                        // §4.2
  interface.put_native(std::uint16_t{101});  // LINKTYPE_RAW: packets begin with IP
  interface.put_native(std::uint16_t{0});
  interface.put_native(std::uint32_t{0});  // no packet is cut
  const std::uint8_t nanoseconds[] = {9};
  interface.put_option(if_tsresol, nanoseconds);
  interface.put_option(opt_endofopt, {});
  return section.write_to(file) && interface.write_to(file);
}

bool write_segment(int file, std::uint64_t unix_time_ns, const Segment& segment) {
  const bool is_ipv4 =
      IN6_IS_ADDR_V4MAPPED(&segment.from.host) && IN6_IS_ADDR_V4MAPPED(&segment.to.host);
  const Bytes from = address_of(segment.from, is_ipv4);
  const Bytes to = address_of(segment.to, is_ipv4);
  const std::size_t tcp_bytes = tcp_header_bytes + segment.payload.size();
  const auto packet_bytes =
      static_cast<std::uint32_t>(tcp_bytes + (is_ipv4 ? ipv4_header_bytes : ipv6_header_bytes));

  Block packet(6);                      // §4.3
  packet.put_native(std::uint32_t{0});  // of the one interface
  packet.put_native(static_cast<std::uint32_t>(unix_time_ns >> 32));
  packet.put_native(static_cast<std::uint32_t>(unix_time_ns));
  packet.put_native(packet_bytes);  // in the file
  packet.put_native(packet_bytes);  // on the wire
  (is_ipv4 ? put_ipv4_header : put_ipv6_header)(packet, from, to, tcp_bytes);
  put_tcp_header(packet, segment, sum_of(from) + sum_of(to));
  packet.put_payload(segment.payload);
  if (!segment.comment.empty()) {
    packet.put_option(opt_comment, as_bytes(segment.comment));
    packet.put_option(opt_endofopt, {});
  }
  return packet.write_to(file);
}

}  // namespace sockeye::app::trace
