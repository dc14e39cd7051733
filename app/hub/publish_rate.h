// How many messages a second one address may publish: each has a bucket, which holds what a second
// brings and is filled at that rate.
//
// IPv6 counts by its first 64 bits, as in net/address_counts.h. Whoever calls has the lock that
// guards it.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

#include "crypto/siphash.h"
#include "net/address.h"
#include "net/hash_map.h"

namespace sockeye::app::hub {

class PublishRate {
 public:
  // `key` is secret: peers choose their addresses. `per_second`: 0 for no limit.
  PublishRate(const crypto::SipKey& key, std::uint32_t per_second)
      : key_(key), per_second_(per_second) {}

  // Whether the address may publish one more now, which is counted. Who has none, such as a Unix
  // peer, may; and where there is no memory to count in, nobody else.
  bool take(const net::Address& address, std::uint64_t now_ms);

  // How many addresses are counted.
  std::size_t size() const { return buckets_.size(); }

 private:
  struct Bucket {
    std::uint64_t host;
    std::uint64_t filled_at_ms;
    std::uint64_t thousandths;  // of messages
  };

  // From so many on, those of addresses that have been silent for a second are dropped, whenever
  // there are twice as many as were left the last time.
  static constexpr std::size_t kept_buckets = 4096;

  std::uint64_t hash(std::uint64_t host) const;
  Bucket* bucket(std::uint64_t host, std::uint64_t now_ms);
  void fill(Bucket& bucket, std::uint64_t now_ms) const;
  std::uint64_t most() const { return std::uint64_t{per_second_} * 1000; }
  void drop_full(std::uint64_t now_ms);

  const crypto::SipKey key_;
  const std::uint32_t per_second_;
  HashMap<Bucket> buckets_;
  std::size_t next_drop_ = kept_buckets;  // at this size
};

}  // namespace sockeye::app::hub
