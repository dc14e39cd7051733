// Messages of the Domain Name System: a question for a host's addresses, and what answers it.
//
// RFC 1035 §4 (the format), RFC 3596 §2 (IPv6 addresses), RFC 5452 (forged answers). Pure functions
// over bytes; net/dns_client.h sends and receives them.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "net/address.h"
#include "net/bytes.h"

namespace sockeye::net::dns {

inline constexpr std::size_t most_message_bytes = 512;  // RFC 1035 §4.2.1: over UDP

enum class RecordType : std::uint16_t { ipv4 = 1, ipv6 = 28 };  // A and AAAA

// Whether two names are the same: ASCII letters in either case, whatever the locale (RFC 4343 §2),
// with or without a dot at the end.
bool same_name(std::string_view left, std::string_view right);

// A question for one kind of a host's addresses.
class Query {
 public:
  // False where `host` can't be a name: RFC 1035 §2.3.4 has labels of 1 to 63 bytes, 255 in all.
  // `id` has to be unpredictable: whoever guesses it can answer (RFC 5452 §4.3).
  bool write(std::string_view host, RecordType type, std::uint16_t id);

  // The message to send.
  Bytes bytes() const { return Bytes(bytes_).first(size_); }

  enum class Outcome : std::uint8_t {
    unrelated,     // it answers some other question: a late answer, or a forged one
    answered,      // these are the host's addresses; there may be none
    no_such_name,  // the host doesn't exist, with addresses of any kind
    failed,        // the server can't tell, or is not understood
  };
  // Reads what came back, appending the addresses, each with `port`.
  Outcome read_answer(Bytes message, std::uint16_t port, std::vector<Address>& addresses) const;

 private:
  static constexpr std::size_t header_bytes = 12;
  static constexpr std::size_t most_name_bytes = 255;

  bool write_name(std::string_view host);

  std::array<std::uint8_t, header_bytes + most_name_bytes + 4> bytes_{};
  std::size_t size_ = 0;
  RecordType type_{};
};

}  // namespace sockeye::net::dns
