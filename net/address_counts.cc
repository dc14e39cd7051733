// SPDX-License-Identifier: MIT
#include "net/address_counts.h"

#include <algorithm>
#include <cassert>
#include <cstdlib>
#include <new>

#include "crypto/random.h"
#include "net/bytes.h"

namespace sockeye::net {

namespace {

constexpr unsigned first_bucket_bits = 6;

}  // namespace

// The key of IPv4 begins with bytes that no IPv6 peer's address
// does: ff00::/8 is multicast, and nobody's own (RFC 4291 §2.7).
std::optional<std::uint64_t> host_key(const Address& address) {
  const std::optional<in6_addr> host = address.host();
  if (!host) return std::nullopt;
  if (!IN6_IS_ADDR_V4MAPPED(&*host)) return load_be64(host->s6_addr);
  return std::uint64_t{0xff} << 56 | load_be32(host->s6_addr + 12);
}

AddressCounts::~AddressCounts() {
  if (buckets_ == nullptr) return;
  for (std::size_t i = 0; i < std::size_t{1} << bucket_bits_; ++i) {
    while (Entry* entry = buckets_[i]) {
      buckets_[i] = entry->next;
      std::free(entry);
    }
  }
  std::free(buckets_);
}

bool AddressCounts::enter(const Address& address, std::uint32_t limit) {
  const auto key = host_key(address);
  if (!key) return true;
  const std::lock_guard lock(mutex_);
  if (buckets_ == nullptr && !grow()) return false;
  if (Entry* entry = *find(*key)) {
    if (entry->count >= limit) return false;
    ++entry->count;
    return true;
  }
  if (limit == 0) return false;
  // Where there is no memory for a larger table, the old one does.
  if (size_ >> bucket_bits_ != 0) (void)grow();
  void* memory = std::malloc(sizeof(Entry));
  if (memory == nullptr) return false;
  Entry*& first = bucket(*key);
  first = new (memory) Entry{first, *key, 1};
  ++size_;
  return true;
}

void AddressCounts::leave(const Address& address) {
  const auto key = host_key(address);
  if (!key) return;
  const std::lock_guard lock(mutex_);
  Entry** link = find(*key);
  Entry* entry = *link;
  assert(entry != nullptr);
  if (--entry->count > 0) return;
  *link = entry->next;
  std::free(entry);
  --size_;
}

std::size_t AddressCounts::size() {
  const std::lock_guard lock(mutex_);
  return size_;
}

// Multiply-shift (Dietzfelbinger et al., "A Reliable Randomized Algorithm for the Closest-Pair
// Problem", 1997): with a random odd factor, two keys share a bucket with a chance of at most 2 in
// the number of buckets, whoever has picked the keys. So nobody picks addresses that make a long
// chain.
AddressCounts::Entry*& AddressCounts::bucket(std::uint64_t key) {
  return buckets_[key * multiplier_ >> (64 - bucket_bits_)];
}

// The link that leads to the entry of `key`, or the null one at the end of its chain.
AddressCounts::Entry** AddressCounts::find(std::uint64_t key) {
  Entry** link = &bucket(key);
  while (*link != nullptr && (*link)->key != key) link = &(*link)->next;
  return link;
}

// Makes the first table, or one of twice the size. False when there is no memory.
bool AddressCounts::grow() {
  const unsigned bits = buckets_ == nullptr ? first_bucket_bits : bucket_bits_ + 1;
  const std::size_t count = std::size_t{1} << bits;
  auto* table = static_cast<Entry**>(std::malloc(count * sizeof(Entry*)));
  if (table == nullptr) return false;
  std::fill_n(table, count, nullptr);
  if (buckets_ == nullptr) {
    crypto::SystemRandom random;
    multiplier_ = std::uint64_t{random.next_u32()} << 32 | random.next_u32() | 1;
  }
  Entry** const old = buckets_;
  const std::size_t old_count = old == nullptr ? 0 : std::size_t{1} << bucket_bits_;
  buckets_ = table;
  bucket_bits_ = bits;
  for (std::size_t i = 0; i < old_count; ++i) {
    while (Entry* entry = old[i]) {
      old[i] = entry->next;
      Entry*& first = bucket(entry->key);
      entry->next = first;
      first = entry;
    }
  }
  std::free(old);
  return true;
}

}  // namespace sockeye::net
