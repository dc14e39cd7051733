// Bytes that grow, in one piece, and whose growth can fail.
//
//      data()        data()+size()             data()+capacity()
//        | what was written  |  space(): to write into  |
//
// Owns its memory, which comes from a Pool that must outlive it. Part of the floor.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

#include "net/bytes.h"
#include "net/pool.h"

namespace sockeye {

class Buffer {
 public:
  explicit Buffer(Pool& pool) : pool_(pool) {}
  ~Buffer() { pool_.release(data_, capacity_); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  std::size_t size() const { return size_; }
  std::size_t capacity() const { return capacity_; }
  MutableBytes bytes() { return {data_, size_}; }
  void clear() { size_ = 0; }  // keeps the memory
  void free();                 // gives it back

  // Room after what was written. Whoever writes there says how much with commit().
  MutableBytes space() { return {data_ + size_, capacity_ - size_}; }
  void commit(std::size_t size) { size_ += size; }

  // Makes capacity() at least `capacity`; false, and nothing changed, when there is no memory.
  [[nodiscard]] bool reserve(std::size_t capacity);

  // Adds a copy of `bytes` at the end; false, and nothing changed, when there is no memory.
  [[nodiscard]] bool append(Bytes bytes);

 private:
  Pool& pool_;
  std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace sockeye
