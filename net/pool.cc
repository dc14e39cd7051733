// SPDX-License-Identifier: MIT
#include "net/pool.h"

#include <cassert>
#include <cstdlib>
#include <new>

namespace sockeye {

Pool::~Pool() {
  for (FreeBlock* block : free_) {
    while (block != nullptr) {
      FreeBlock* next = block->next;
      std::free(block);
      block = next;
    }
  }
}

void* Pool::allocate(std::size_t size) {
  assert(size <= largest_block);
  FreeBlock*& head = free_[class_of(size)];
  if (head == nullptr) return std::malloc(block_size(size));
  FreeBlock* block = head;
  head = block->next;
  kept_bytes_ -= block_size(size);
  return block;
}

void Pool::release(void* block, std::size_t size) {
  if (block == nullptr) return;
  if (block_size(size) > kept_limit_bytes_ - kept_bytes_) {
    std::free(block);
    return;
  }
  FreeBlock*& head = free_[class_of(size)];
  head = new (block) FreeBlock{head};
  kept_bytes_ += block_size(size);
}

}  // namespace sockeye
