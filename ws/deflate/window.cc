// SPDX-License-Identifier: MIT
#include "ws/deflate/window.h"

namespace sockeye::ws::deflate {

Window::Window(Pool& pool, int bits)
    : pool_(pool),
      capacity_(std::size_t{1} << bits),
      data_(static_cast<std::uint8_t*>(pool.allocate(capacity_))) {}

void Window::append(Bytes bytes) {
  if (bytes.size() > capacity_) bytes = bytes.last(capacity_);
  const std::size_t until_wrap = std::min(bytes.size(), capacity_ - end_);
  copy_bytes(data_ + end_, bytes.first(until_wrap));
  copy_bytes(data_, bytes.subspan(until_wrap));
  end_ = (end_ + bytes.size()) & (capacity_ - 1);
  size_ = std::min(size_ + bytes.size(), capacity_);
}

}  // namespace sockeye::ws::deflate
