// SPDX-License-Identifier: MIT
#include "net/buffer.h"

namespace sockeye {

bool Buffer::reserve(std::size_t capacity) {
  if (capacity <= capacity_) return true;
  if (capacity > Pool::largest_block) return false;
  auto* data = static_cast<std::uint8_t*>(pool_.allocate(capacity));
  if (data == nullptr) return false;
  copy_bytes(data, bytes());
  pool_.release(data_, capacity_);
  data_ = data;
  capacity_ = Pool::block_size(capacity);
  return true;
}

void Buffer::free() {
  pool_.release(data_, capacity_);
  data_ = nullptr;
  size_ = 0;
  capacity_ = 0;
}

bool Buffer::append(Bytes bytes) {
  if (bytes.size() > Pool::largest_block - size_) return false;
  if (!reserve(size_ + bytes.size())) return false;
  copy_bytes(data_ + size_, bytes);
  size_ += bytes.size();
  return true;
}

}  // namespace sockeye
