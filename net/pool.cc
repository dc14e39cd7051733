// SPDX-License-Identifier: MIT
#include "net/pool.h"

#include <cassert>
#include <cstdlib>
#include <new>

namespace sockeye {

bool MemoryBudget::take(std::size_t size) {
  std::size_t used = used_bytes();
  do {
    // More than the limit may be used: see move_here().
    if (used > limit_bytes_ || size > limit_bytes_ - used) return false;
  } while (!used_bytes_.compare_exchange_weak(used, used + size, std::memory_order_relaxed));
  return true;
}

Pool::~Pool() {
  return_kept_blocks();
}

void Pool::draw_on(MemoryBudget* budget) {
  if (budget_ != nullptr) budget_->give_back(held_bytes_);
  budget_ = budget;
  if (budget_ != nullptr) budget_->move_here(held_bytes_);
}

void* Pool::allocate(std::size_t size) {
  assert(size <= largest_block);
  FreeBlock*& head = free_[class_of(size)];
  if (head == nullptr) return take_from_system(block_size(size));
  FreeBlock* block = head;
  head = block->next;
  kept_bytes_ -= block_size(size);
  return block;
}

void Pool::release(void* block, std::size_t size) {
  if (block == nullptr) return;
  if (block_size(size) > kept_limit_bytes_ - kept_bytes_) {
    return_to_system(block, block_size(size));
    return;
  }
  FreeBlock*& head = free_[class_of(size)];
  head = new (block) FreeBlock{head};
  kept_bytes_ += block_size(size);
}

void* Pool::take_from_system(std::size_t size) {
  if (budget_ != nullptr && !budget_->take(size)) {
    // What is kept for other sizes may be what is missing.
    return_kept_blocks();
    if (!budget_->take(size)) return nullptr;
  }
  void* block = std::malloc(size);
  if (block != nullptr) {
    held_bytes_ += size;
  } else if (budget_ != nullptr) {
    budget_->give_back(size);
  }
  return block;
}

void Pool::return_to_system(void* block, std::size_t size) {
  std::free(block);
  held_bytes_ -= size;
  if (budget_ != nullptr) budget_->give_back(size);
}

void Pool::return_kept_blocks() {
  for (std::size_t i = 0; i < free_.size(); ++i) {
    const std::size_t size = std::size_t{1} << i;
    while (free_[i] != nullptr) {
      FreeBlock* block = free_[i];
      free_[i] = block->next;
      kept_bytes_ -= size;
      return_to_system(block, size);
    }
  }
}

}  // namespace sockeye
