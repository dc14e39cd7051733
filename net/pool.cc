// SPDX-License-Identifier: MIT
#include "net/pool.h"

#include <algorithm>
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
  for (FreeBlock* block : free_) {
    while (block != nullptr) {
      FreeBlock* next = block->next;
      std::free(block);
      block = next;
    }
  }
}

void Pool::draw_on(MemoryBudget* budget) {
  if (budget_ != nullptr) budget_->give_back(given_out_bytes_);
  budget_ = budget;
  if (budget_ != nullptr) budget_->move_here(given_out_bytes_);
}

void* Pool::allocate(std::size_t size) {
  assert(size <= largest_block);
  const std::size_t bytes = block_size(size);
  if (budget_ != nullptr && !budget_->take(bytes)) return nullptr;
  FreeBlock*& head = free_[class_of(size)];
  void* block = head;
  if (head != nullptr) {
    head = head->next;
    kept_bytes_ -= bytes;
  } else {
    block = std::malloc(bytes);
  }
  if (block != nullptr) {
    given_out_bytes_ += bytes;
  } else if (budget_ != nullptr) {
    budget_->give_back(bytes);
  }
  return block;
}

void Pool::release(void* block, std::size_t size) {
  if (block == nullptr) return;
  const std::size_t bytes = block_size(size);
  given_out_bytes_ -= bytes;
  if (budget_ != nullptr) budget_->give_back(bytes);
  if (bytes > kept_limit_bytes_ - std::min(kept_bytes_, kept_limit_bytes_)) {
    std::free(block);
    return;
  }
  FreeBlock*& head = free_[class_of(size)];
  head = new (block) FreeBlock{head};
  kept_bytes_ += bytes;
}

}  // namespace sockeye
