// SPDX-License-Identifier: MIT
#include "ws/proxy_header.h"

#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>

namespace sockeye::ws {

namespace {

constexpr std::string_view text_start = "PROXY ";
constexpr std::string_view binary_start("\r\n\r\n\0\r\nQUIT\n", 12);

constexpr std::size_t binary_head_bytes = 16;      // signature, version and command, family, length
constexpr std::size_t ipv4_bytes = 4 + 4 + 2 + 2;  // source, destination, their ports
constexpr std::size_t ipv6_bytes = 16 + 16 + 2 + 2;
constexpr std::size_t unix_bytes = 108 + 108;

// "56324", without a sign, a leading zero or anything else (§2.1).
std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port;
  const char* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, port);
  if (parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
  if (text.size() > 1 && text.starts_with('0')) return std::nullopt;
  return port;
}

// What stands before the next space of `line`, which is cut off together with it.
std::string_view next_word(std::string_view& line) {
  const std::size_t space = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, space);
  line.remove_prefix(std::min(space + 1, line.size()));
  return word;
}

}  // namespace

ProxyHeader::Status ProxyHeader::read(Bytes& input) {
  while (!input.empty()) {
    if (skip_ > 0) {
      const std::size_t skipped = std::min(skip_, input.size());
      input = input.subspan(skipped);
      skip_ -= skipped;
      if (skip_ == 0) return Status::complete;
      continue;
    }
    const std::uint8_t byte = input.front();
    input = input.subspan(1);
    const Status status = take(byte);
    if (status != Status::need_more) return status;
  }
  return Status::need_more;
}

ProxyHeader::Status ProxyHeader::take(std::uint8_t byte) {
  bytes_[size_++] = byte;
  const std::string_view text = as_text(Bytes(bytes_).first(size_));
  const auto agrees = [text](std::string_view start) {
    return text.substr(0, start.size()) == start.substr(0, text.size());
  };
  if (agrees(text_start)) return take_text();
  if (agrees(binary_start)) return take_binary();
  return Status::malformed;
}

// §2.1.
ProxyHeader::Status ProxyHeader::take_text() {
  std::string_view line = as_text(Bytes(bytes_).first(size_));
  if (line.ends_with("\r\n")) {
    line.remove_prefix(text_start.size());
    line.remove_suffix(2);
    return read_line(line) ? Status::complete : Status::malformed;
  }
  return size_ == bytes_.size() ? Status::malformed : Status::need_more;
}

bool ProxyHeader::read_line(std::string_view line) {
  const std::string_view family = next_word(line);
  if (family == "UNKNOWN") return true;  // what follows is to be ignored
  const int wanted = family == "TCP4" ? AF_INET : family == "TCP6" ? AF_INET6 : AF_UNSPEC;
  const std::string_view source = next_word(line);
  const std::string_view destination = next_word(line);
  const auto source_port = parse_port(next_word(line));
  const auto destination_port = parse_port(line);
  if (!source_port || !destination_port) return false;
  const auto from = net::Address::numeric(source, *source_port);
  const auto to = net::Address::numeric(destination, *destination_port);
  if (!from || !to || from->family() != wanted || to->family() != wanted) return false;
  source_ = *from;
  return true;
}

// §2.2.
ProxyHeader::Status ProxyHeader::take_binary() {
  if (size_ < binary_head_bytes) return Status::need_more;
  const unsigned version = bytes_[12] >> 4;
  const unsigned command = bytes_[12] & 0x0f;
  const unsigned family = bytes_[13] >> 4;
  const unsigned transport = bytes_[13] & 0x0f;
  const std::size_t length = load_be16(&bytes_[14]);
  if (version != 2 || command > 1 || family > 3 || transport > 2) return Status::malformed;

  // LOCAL, or a family or transport that isn't told: whatever follows is to be ignored.
  const bool tells = command == 1 && family != 0 && transport != 0;
  if (tells && transport != 1) return Status::malformed;  // this connection is a stream
  constexpr std::size_t needed_bytes[] = {0, ipv4_bytes, ipv6_bytes, unix_bytes};
  const std::size_t needed = tells ? needed_bytes[family] : 0;
  if (length < needed) return Status::malformed;
  const std::size_t kept = family == 3 ? 0 : needed;
  if (size_ < binary_head_bytes + kept) return Status::need_more;
  if (kept > 0) read_addresses();
  skip_ = length - kept;
  return skip_ == 0 ? Status::complete : Status::need_more;
}

void ProxyHeader::read_addresses() {
  const std::uint8_t* const addresses = &bytes_[binary_head_bytes];
  if (bytes_[13] >> 4 == 1) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    std::memcpy(&v4.sin_addr, addresses, 4);
    std::memcpy(&v4.sin_port, addresses + 8, 2);
    source_ = net::Address::from(reinterpret_cast<sockaddr*>(&v4), sizeof v4);
  } else {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    std::memcpy(&v6.sin6_addr, addresses, 16);
    std::memcpy(&v6.sin6_port, addresses + 32, 2);
    source_ = net::Address::from(reinterpret_cast<sockaddr*>(&v6), sizeof v6);
  }
}

}  // namespace sockeye::ws
