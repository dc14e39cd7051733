// A hash table with open addressing: values found by a hash of 64 bits that the caller computes.
//
//   slots_   | c 8 |     |     | a 3 | b 3 | d 5 |     | e 7 |      value, and its hash mod
//   capacity
//               0     1     2     3     4     5     6     7
//
// A value lies at its home, hash mod capacity, or where that is taken, in the next free slot after
// it: between home and value no slot is free, so a search ends at the first free one (Knuth, TAOCP
// volume 3, §6.4, algorithm L; and R for taking a value out, which moves later ones back in place
// of leaving a marker). At most 3/4 of the slots are taken. The whole hash stands beside each
// value: a search looks only at values whose hash is equal, and growth at none.
//
// The keys are the caller's: part of T, or of what T points to. Where peers choose them, the hash
// has to be one that they can't compute: crypto/siphash.h.
//
// Memory comes from calloc, may be refused, and is kept until the table goes. Part of the floor.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <type_traits>

namespace sockeye {

template <typename T>
class HashMap {
  static_assert(std::is_trivially_copyable_v<T>, "values move as bytes, and end without a word");
  static_assert(alignof(T) <= alignof(std::max_align_t), "calloc aligns no further");

 public:
  HashMap() = default;
  ~HashMap() { std::free(slots_); }
  HashMap(const HashMap&) = delete;
  HashMap& operator=(const HashMap&) = delete;

  std::size_t size() const { return size_; }
  std::size_t capacity() const { return capacity_; }  // 0, or a power of two

  // The value of this hash for which `is_same`, called with a const T&, says true; null where there
  // is none. Valid until the next insert() or erase().
  template <typename IsSame>
  T* find(std::uint64_t hash, IsSame&& is_same) {
    if (size_ == 0) return nullptr;
    hash = marked(hash);
    for (std::size_t i = home(hash); slots_[i].hash != vacant; i = after(i)) {
      const T& value = slots_[i].value;
      if (slots_[i].hash == hash && is_same(value)) return &slots_[i].value;
    }
    return nullptr;
  }

  // Adds `value`, which must not be in the table yet, and returns its place, valid as long as that
  // of find(); null, and nothing changed, when there is no memory.
  [[nodiscard]] T* insert(std::uint64_t hash, T value) {
    if (size_ >= capacity_ / 4 * 3 && !grow()) return nullptr;
    ++size_;
    return place({value, marked(hash)});
  }

  // Takes out what find() or insert() returned.
  void erase(T* found) {
    auto* slot = reinterpret_cast<Slot*>(found);  // whose first member it is
    assert(slots_ <= slot && slot < slots_ + capacity_ && slot->hash != vacant);
    auto hole = static_cast<std::size_t>(slot - slots_);
    // What lies behind moves into the hole, unless its home is behind the hole as well. Then the
    // hole is where it was.
    for (std::size_t i = after(hole); slots_[i].hash != vacant; i = after(i)) {
      if (distance(home(slots_[i].hash), i) < distance(hole, i)) continue;
      slots_[hole] = slots_[i];
      hole = i;
    }
    slots_[hole].hash = vacant;
    --size_;
  }

  // Calls `f` with a T& for each value, in no order; it may neither insert nor erase.
  template <typename F>
  void for_each(F&& f) {
    for (std::size_t i = 0; i < capacity_; ++i) {
      if (slots_[i].hash != vacant) f(slots_[i].value);
    }
  }

 private:
  struct Slot {
    T value;
    std::uint64_t hash;
  };

  static constexpr std::uint64_t vacant = 0;  // in place of a hash
  static constexpr std::size_t first_capacity = 8;

  static std::uint64_t marked(std::uint64_t hash) { return hash == vacant ? 1 : hash; }

  std::size_t home(std::uint64_t hash) const {
    return static_cast<std::size_t>(hash) & (capacity_ - 1);
  }
  std::size_t after(std::size_t i) const { return (i + 1) & (capacity_ - 1); }
  // How many steps of after() lead from one slot to another.
  std::size_t distance(std::size_t from, std::size_t to) const {
    return (to - from) & (capacity_ - 1);
  }

  T* place(const Slot& entry) {
    std::size_t i = home(entry.hash);
    while (slots_[i].hash != vacant) i = after(i);
    slots_[i] = entry;
    return &slots_[i].value;
  }

  bool grow() {
    const std::size_t capacity = capacity_ == 0 ? first_capacity : 2 * capacity_;
    auto* slots = static_cast<Slot*>(std::calloc(capacity, sizeof(Slot)));
    if (slots == nullptr) return false;
    Slot* const old = slots_;
    const std::size_t old_capacity = capacity_;
    slots_ = slots;
    capacity_ = capacity;
    for (std::size_t i = 0; i < old_capacity; ++i) {
      if (old[i].hash != vacant) place(old[i]);
    }
    std::free(old);
    return true;
  }

  Slot* slots_ = nullptr;
  std::size_t capacity_ = 0;
  std::size_t size_ = 0;
};

}  // namespace sockeye
