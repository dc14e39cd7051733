// SPDX-License-Identifier: MIT
#include "app/hub/publish_rate.h"

#include <algorithm>
#include <array>

#include "net/address_counts.h"
#include "net/array.h"
#include "net/bytes.h"

namespace sockeye::app::hub {

bool PublishRate::take(const net::Address& address, std::uint64_t now_ms) {
  const auto host = net::host_key(address);
  if (per_second_ == 0 || !host) return true;
  Bucket* own = bucket(*host, now_ms);
  if (own == nullptr) return false;
  fill(*own, now_ms);
  if (own->thousandths < 1000) return false;
  own->thousandths -= 1000;
  return true;
}

std::uint64_t PublishRate::hash(std::uint64_t host) const {
  std::array<std::uint8_t, 8> bytes;
  store_be64(bytes.data(), host);
  return crypto::siphash(key_, bytes);
}

PublishRate::Bucket* PublishRate::bucket(std::uint64_t host, std::uint64_t now_ms) {
  const std::uint64_t key = hash(host);
  Bucket* found = buckets_.find(key, [host](const Bucket& one) { return one.host == host; });
  if (found != nullptr) return found;
  if (buckets_.size() >= next_drop_) drop_full(now_ms);
  return buckets_.insert(key, {host, now_ms, most()});
}

void PublishRate::fill(Bucket& bucket, std::uint64_t now_ms) const {
  // A second fills any of them, and more would only overflow.
  const std::uint64_t passed_ms = std::min<std::uint64_t>(now_ms - bucket.filled_at_ms, 1000);
  bucket.thousandths = std::min(most(), bucket.thousandths + passed_ms * per_second_);
  bucket.filled_at_ms = now_ms;
}

// A full one is what its address would begin with.
void PublishRate::drop_full(std::uint64_t now_ms) {
  Array<std::uint64_t> full;
  buckets_.for_each([&](Bucket& one) {
    fill(one, now_ms);
    if (one.thousandths == most()) (void)full.push_back(one.host);
  });
  for (const std::uint64_t host : full) {
    buckets_.erase(
        buckets_.find(hash(host), [host](const Bucket& one) { return one.host == host; }));
  }
  next_drop_ = std::max(kept_buckets, 2 * buckets_.size());
}

}  // namespace sockeye::app::hub
