// The last bytes of what was inflated, which later messages may refer to (RFC 7692 §7.1.1: context
// takeover). It's all that a connection keeps between its messages.
//
// Memory comes from the pool that is handed in, and may be missing. Pure.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cassert>
#include <cstddef>

#include "net/bytes.h"
#include "net/pool.h"

namespace sockeye::ws::deflate {

class Window {
 public:
  // Of 2^bits bytes; 8 to 15. The pool must outlive the window.
  Window(Pool& pool, int bits);
  ~Window() { pool_.release(data_, capacity_); }
  Window(const Window&) = delete;
  Window& operator=(const Window&) = delete;

  // Whether there was memory for it. If not, nothing else may be called.
  [[nodiscard]] bool allocated() const { return data_ != nullptr; }

  std::size_t capacity() const { return capacity_; }  // which it takes from the start
  std::size_t size() const { return size_; }

  void append(Bytes bytes);
  void clear() { size_ = 0; }

  // What lies in one piece, from `distance` bytes before the end on; 1 to size(). Holds until the
  // next append().
  Bytes piece(std::size_t distance) const {
    assert(distance > 0 && distance <= size_);
    const std::size_t start = (end_ - distance) & (capacity_ - 1);
    return {data_ + start, std::min(distance, capacity_ - start)};
  }

 private:
  Pool& pool_;
  const std::size_t capacity_;  // a power of two
  std::uint8_t* const data_;    // a ring
  std::size_t end_ = 0;         // where the next byte goes
  std::size_t size_ = 0;
};

}  // namespace sockeye::ws::deflate
