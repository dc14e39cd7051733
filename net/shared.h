// Memory that several hold, also in several threads: whoever lets go last frees it.
//
// For bytes that many streams have to send: each that can't send them at once holds them, and none
// keeps a copy. What derives from it lies in one block of malloc with all that belongs to it, and
// is made by its own function: see Publication in ws/publication.h. Part of the floor.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "net/pool.h"

namespace sockeye {

class Shared {
 public:
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;

  // Any thread that holds it, or knows somebody who does.
  void hold() { holders_.fetch_add(1, std::memory_order_relaxed); }
  void let_go() {
    // Whoever frees it has seen what all others did with it.
    if (holders_.fetch_sub(1, std::memory_order_acq_rel) > 1) return;
    if (budget_ != nullptr) budget_->give_back(size_);
    std::free(this);
  }

 protected:
  // For a block of `size` bytes, which allocate() gave; whoever makes it holds it.
  Shared(MemoryBudget* budget, std::size_t size) : budget_(budget), size_(size) {}
  ~Shared() = default;  // freed without one: what derives from it has none to call

  // Null where there is no memory, or `budget`, which may be null, is spent.
  static void* allocate(MemoryBudget* budget, std::size_t size) {
    if (budget != nullptr && !budget->take(size)) return nullptr;
    void* block = std::malloc(size);
    if (block == nullptr && budget != nullptr) budget->give_back(size);
    return block;
  }

 private:
  std::atomic<std::uint32_t> holders_{1};
  MemoryBudget* const budget_;
  const std::size_t size_;
};

}  // namespace sockeye
