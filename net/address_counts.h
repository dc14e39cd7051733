// How many connections each address has: the count behind a limit for one address.
//
// IPv4 counts by the whole address, IPv6 by its first 64 bits: a host is given a /64 (RFC 6177,
// RFC 4291 §2.5.1) and picks the rest as it likes, so one attacker has 2^64 addresses and one /64.
// IPv4 mapped into IPv6 is IPv4. What has no host, such as a Unix peer, isn't counted.
//
//   buckets_   0 ─▶ [key|count] ─▶ [key|count]
//              1
//              2 ─▶ [key|count]                  as many addresses as buckets, or fewer
//
// Any thread: a lock is held for a few instructions, when a connection comes or goes.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>

#include "net/address.h"

namespace sockeye::net {

// What an address is counted under; nothing where it has no host.
std::optional<std::uint64_t> host_key(const Address& address);

class AddressCounts {
 public:
  AddressCounts() = default;
  ~AddressCounts();
  AddressCounts(const AddressCounts&) = delete;
  AddressCounts& operator=(const AddressCounts&) = delete;

  // Counts one more connection of `address`; false, and nothing counted, where it has `limit`
  // already, or where there is no memory to count it in.
  [[nodiscard]] bool enter(const Address& address, std::uint32_t limit);

  // Takes back what one enter() of that address has counted.
  void leave(const Address& address);

  // How many addresses have connections.
  std::size_t size();

 private:
  struct Entry {
    Entry* next;
    std::uint64_t key;
    std::uint32_t count;
  };

  Entry*& bucket(std::uint64_t key);
  Entry** find(std::uint64_t key);
  bool grow();

  std::mutex mutex_;
  Entry** buckets_ = nullptr;
  unsigned bucket_bits_ = 0;
  std::uint64_t multiplier_ = 0;
  std::size_t size_ = 0;
};

}  // namespace sockeye::net
