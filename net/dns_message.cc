// SPDX-License-Identifier: MIT
#include "net/dns_message.h"

#include <algorithm>
#include <optional>

namespace sockeye::net::dns {

namespace {

constexpr std::uint16_t internet = 1;                // RFC 1035 §3.2.4: a record's class
constexpr std::uint16_t recursion_desired = 0x0100;  // §4.1.1, as the others of the header
constexpr std::uint16_t is_response = 0x8000;
constexpr std::uint16_t operation = 0x7800;  // 0: a query
constexpr std::uint16_t truncated = 0x0200;
constexpr std::uint16_t response_code = 0x000f;
constexpr std::uint16_t name_error = 3;

// Cuts `size` bytes off the front of `rest`; nullopt where there are fewer.
std::optional<Bytes> take(Bytes& rest, std::size_t size) {
  if (rest.size() < size) return std::nullopt;
  const Bytes front = rest.first(size);
  rest = rest.subspan(size);
  return front;
}

// RFC 1035 §4.1.4: a name is labels, and ends with an empty one or with a pointer to the rest of
// it. Where that points is of no interest here, so it can't mislead.
bool skip_name(Bytes& rest) {
  while (const auto length = take(rest, 1)) {
    const std::uint8_t size = (*length)[0];
    if (size == 0) return true;
    if (size >= 0xc0) return take(rest, 1).has_value();
    if (size >= 0x40 || !take(rest, size)) return false;
  }
  return false;
}

Address ipv4_address(Bytes data, std::uint16_t port) {
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(port);
  std::memcpy(&v4.sin_addr, data.data(), sizeof v4.sin_addr);
  return Address::from(reinterpret_cast<const sockaddr*>(&v4), sizeof v4);
}

Address ipv6_address(Bytes data, std::uint16_t port) {
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  std::memcpy(&v6.sin6_addr, data.data(), sizeof v6.sin6_addr);
  return Address::from(reinterpret_cast<const sockaddr*>(&v6), sizeof v6);
}

// RFC 1035 §4.1.3: name, type, class, time to live, size and data. The records of an alias name
// each step (CNAME) and in the end the addresses, so whose they are needn't be looked at.
bool read_record(Bytes& rest, RecordType type, std::uint16_t port,
                 std::vector<Address>& addresses) {
  if (!skip_name(rest)) return false;
  const auto head = take(rest, 10);
  if (!head) return false;
  const auto data = take(rest, load_be16(head->data() + 8));
  if (!data) return false;
  const bool is_wanted = load_be16(head->data()) == static_cast<std::uint16_t>(type) &&
                         load_be16(head->data() + 2) == internet;
  if (!is_wanted) return true;
  if (type == RecordType::ipv4 && data->size() == sizeof(in_addr)) {
    addresses.push_back(ipv4_address(*data, port));
  } else if (type == RecordType::ipv6 && data->size() == sizeof(in6_addr)) {
    addresses.push_back(ipv6_address(*data, port));
  }
  return true;
}

}  // namespace

bool same_name(std::string_view left, std::string_view right) {
  if (left.ends_with('.')) left.remove_suffix(1);
  if (right.ends_with('.')) right.remove_suffix(1);
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [&](char a, char b) { return lower(a) == lower(b); });
}

// RFC 1035 §4.1.1 (the header) and §4.1.2 (the question).
bool Query::write(std::string_view host, RecordType type, std::uint16_t id) {
  bytes_ = {};
  type_ = type;
  store_be16(&bytes_[0], id);
  store_be16(&bytes_[2], recursion_desired);
  store_be16(&bytes_[4], 1);  // one question, and nothing else
  size_ = header_bytes;
  if (!write_name(host)) return false;
  store_be16(&bytes_[size_], static_cast<std::uint16_t>(type));
  store_be16(&bytes_[size_ + 2], internet);
  size_ += 4;
  return true;
}

// RFC 1035 §3.1: each label with its size before it, and an empty one at the end.
bool Query::write_name(std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  // (As it is sent it has a size more, and the end.)
  if (host.size() > most_name_bytes - 2) return false;
  while (true) {
    const std::string_view label = host.substr(0, host.find('.'));
    if (label.empty() || label.size() > 63) return false;
    bytes_[size_] = static_cast<std::uint8_t>(label.size());
    copy_bytes(&bytes_[size_ + 1], as_bytes(label));
    size_ += 1 + label.size();
    if (label.size() == host.size()) break;
    host.remove_prefix(label.size() + 1);
  }
  bytes_[size_++] = 0;
  return true;
}

Query::Outcome Query::read_answer(Bytes message, std::uint16_t port,
                                  std::vector<Address>& addresses) const {
  // RFC 5452 §9.1: id and question must be those that were sent.
  if (message.size() < size_) return Outcome::unrelated;
  const std::uint16_t flags = load_be16(&message[2]);
  const bool is_ours =
      load_be16(&message[0]) == load_be16(&bytes_[0]) &&
      (flags & (is_response | operation)) == is_response && load_be16(&message[4]) == 1 &&
      std::memcmp(&message[header_bytes], &bytes_[header_bytes], size_ - header_bytes) == 0;
  if (!is_ours) return Outcome::unrelated;
  if ((flags & response_code) == name_error) return Outcome::no_such_name;
  if ((flags & response_code) != 0) return Outcome::failed;

  Bytes rest = message.subspan(size_);
  std::size_t records = load_be16(&message[6]);
  while (records > 0 && read_record(rest, type_, port, addresses)) --records;
  // Of one that was cut, what is there will do.
  const bool is_whole = records == 0 && (flags & truncated) == 0;
  return is_whole || !addresses.empty() ? Outcome::answered : Outcome::failed;
}

}  // namespace sockeye::net::dns
