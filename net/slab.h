// Places for objects of one type, addressed by an index and a generation.
//
// Memory comes in blocks of about 64 KiB that are kept until the slab goes, so an object costs its
// own size and 8 bytes. The generation counts every creation and destruction in a place: odd while
// something lives there. A handle (index and generation) kept past its object's end finds nothing,
// even when another object has moved in.
//
//   blocks_ ─▶ │ ● │ ● │
//                │   └──▶ the next block
//                ▼
//              │ T     0  3 │ ●     1  4 │ T     2  1 │       object, index, generation
//                             └─▶ the next free place, or none
//
//   The key {2, 1} finds what lives in place 2. {1, 3} found something in place 1; now nothing.
//
// One slab belongs to one thread. Part of the floor.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <utility>

namespace sockeye {

struct SlabKey {
  std::uint32_t index = 0;
  std::uint32_t generation = 0;  // even: never names anything
  bool operator==(const SlabKey&) const = default;
};

template <typename T>
class Slab {
  static_assert(alignof(T) <= alignof(std::max_align_t), "malloc aligns no further");

 public:
  Slab() = default;
  ~Slab() {
    assert(count_ == 0);
    for (std::uint32_t i = 0; i < block_count_; ++i) std::free(blocks_[i]);
    std::free(blocks_);
  }
  Slab(const Slab&) = delete;
  Slab& operator=(const Slab&) = delete;

  std::size_t count() const { return count_; }

  // A new T, made from `arguments`; null when there is no memory. Ends with destroy().
  template <typename... Arguments>
  T* create(Arguments&&... arguments) {
    if (free_ == nullptr && !add_place()) return nullptr;
    Place* place = free_;
    free_ = place->next_free;
    ++place->generation;
    ++count_;
    return new (place->object) T(std::forward<Arguments>(arguments)...);
  }

  void destroy(T* object) {
    Place* place = place_of(object);
    object->~T();
    ++place->generation;
    --count_;
    place->next_free = free_;
    free_ = place;
  }

  SlabKey key(const T* object) const {
    const Place* place = place_of(const_cast<T*>(object));
    return {place->index, place->generation};
  }

  // The object that `key` was taken from, or null when it is gone.
  T* find(SlabKey key) {
    if (key.index >= place_count_) return nullptr;
    Place& place = place_at(key.index);
    const bool lives = place.generation % 2 == 1;
    return lives && place.generation == key.generation ? place.get() : nullptr;
  }

  // The first object at or after place `index`, which moves behind it; null when there is none.
  // A walk over all of them: `for (std::uint32_t i = 0; T* object = slab.next(i);)`. Objects may
  // come and go meanwhile.
  T* next(std::uint32_t& index) {
    while (index < place_count_) {
      Place& place = place_at(index++);
      if (place.generation % 2 == 1) return place.get();
    }
    return nullptr;
  }

 private:
  struct Place {
    union {
      alignas(T) unsigned char object[sizeof(T)];
      Place* next_free;
    };
    std::uint32_t index;
    std::uint32_t generation;
    T* get() { return std::launder(reinterpret_cast<T*>(object)); }
  };

  static constexpr std::uint32_t places_per_block =
      sizeof(Place) < 32 * 1024 ? 64 * 1024 / sizeof(Place) : 2;

  static Place* place_of(T* object) { return reinterpret_cast<Place*>(object); }

  Place& place_at(std::uint32_t index) {
    return blocks_[index / places_per_block][index % places_per_block];
  }

  // Makes one more place ready. Those behind it aren't touched, so that a block takes no more of
  // the machine's memory than is used of it.
  bool add_place() {
    if (place_count_ == block_count_ * places_per_block && !add_block()) return false;
    Place& place = place_at(place_count_);
    place.index = place_count_++;
    place.generation = 0;
    place.next_free = nullptr;
    free_ = &place;
    return true;
  }

  bool add_block() {
    // The table grows by realloc, for std::vector's growth can't fail without ending the program.
    void* table = std::realloc(blocks_, (block_count_ + 1) * sizeof(Place*));
    if (table == nullptr) return false;
    blocks_ = static_cast<Place**>(table);
    auto* block = static_cast<Place*>(std::malloc(sizeof(Place) * places_per_block));
    if (block == nullptr) return false;
    blocks_[block_count_++] = block;
    return true;
  }

  Place** blocks_ = nullptr;
  std::uint32_t block_count_ = 0;
  std::uint32_t place_count_ = 0;
  Place* free_ = nullptr;
  std::size_t count_ = 0;
};

}  // namespace sockeye
