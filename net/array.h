// An array that grows and shrinks at its end, and whose growth can fail.
//
//   elements_ ─▶ | 0 | 1 | 2 | ... | size - 1 |     | capacity - 1 |
//
// std::vector's growth can't fail without ending the program, and doubles. This one grows by a
// quarter: a large array costs at most 1.25 times its elements. Elements move as bytes, by realloc.
// Pointers to them hold until the next call that grows or shrinks the array.
//
// Owns its memory; moves, and doesn't copy. Part of the floor.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdlib>
#include <limits>
#include <memory>
#include <type_traits>
#include <utility>

namespace sockeye {

template <typename T>
class Array {
  static_assert(std::is_trivially_copyable_v<T>, "elements move as bytes, and end without a word");
  static_assert(alignof(T) <= alignof(std::max_align_t), "realloc aligns no further");

 public:
  Array() = default;
  ~Array() { std::free(elements_); }
  Array(Array&& other) noexcept { swap(other); }
  Array& operator=(Array&& other) noexcept {
    Array(std::move(other)).swap(*this);
    return *this;
  }

  std::size_t size() const { return size_; }
  std::size_t capacity() const { return capacity_; }
  bool empty() const { return size_ == 0; }

  T& operator[](std::size_t index) {
    assert(index < size_);
    return elements_[index];
  }
  const T& operator[](std::size_t index) const {
    assert(index < size_);
    return elements_[index];
  }
  T& back() { return (*this)[size_ - 1]; }
  const T& back() const { return (*this)[size_ - 1]; }

  T* begin() { return elements_; }
  T* end() { return elements_ + size_; }
  const T* begin() const { return elements_; }
  const T* end() const { return elements_ + size_; }

  // Adds an element; false, and nothing changed, when there is no memory.
  [[nodiscard]] bool push_back(T element) {
    if (size_ == capacity_ && !grow(size_ + 1)) return false;
    std::construct_at(elements_ + size_, element);
    ++size_;
    return true;
  }

  // Takes the last element off. Where less than a quarter of the memory is used, half of it goes
  // back: what is left is full of room still, so that it isn't taken anew soon.
  void pop_back() {
    assert(size_ > 0);
    --size_;
    if (size_ < capacity_ / 4 && capacity_ > kept_capacity) (void)reallocate(capacity_ / 2);
  }

  // Makes capacity() at least `capacity`; false, and nothing changed, when there is no memory.
  [[nodiscard]] bool reserve(std::size_t capacity) {
    return capacity <= capacity_ || grow(capacity);
  }

  // Cuts elements off, or adds T{}; false, and nothing changed, when there is no memory.
  [[nodiscard]] bool resize(std::size_t size) {
    if (size > capacity_ && !grow(size)) return false;
    if (size > size_) std::uninitialized_value_construct(elements_ + size_, elements_ + size);
    size_ = size;
    return true;
  }

  void clear() { size_ = 0; }  // keeps the memory

 private:
  static constexpr std::size_t least_growth = 4;    // in elements
  static constexpr std::size_t kept_capacity = 16;  // so few aren't worth a call of realloc

  void swap(Array& other) noexcept {
    std::swap(elements_, other.elements_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
  }

  // Makes room for at least `size` elements.
  bool grow(std::size_t size) {
    return reallocate(std::max(size, capacity_ + std::max(capacity_ / 4, least_growth)));
  }

  bool reallocate(std::size_t capacity) {
    if (capacity > std::numeric_limits<std::size_t>::max() / sizeof(T)) return false;
    void* elements = std::realloc(elements_, capacity * sizeof(T));
    if (elements == nullptr) return false;
    elements_ = static_cast<T*>(elements);
    capacity_ = capacity;
    return true;
  }

  T* elements_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace sockeye
