// Memory for what comes and goes with traffic: output chunks, messages being assembled, heads.
//
// One pool serves one loop, so it needs no lock. Blocks come in powers of two; a released block is
// kept for the next one of its class, up to kept_limit_bytes in all, so that steady traffic asks
// the system for nothing (musl's malloc is slow, and much slower under two threads; and large
// blocks come from any malloc without pages, which the kernel then adds one by one).
// An allocation may fail, for want of memory or because a budget is spent; every caller must live
// with that. Part of the floor.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>

namespace sockeye {

// How much memory several pools may give out together, in bytes. (What they keep for later comes on
// top, so that one doesn't keep from another what nobody uses.) Any thread.
class MemoryBudget {
 public:
  explicit MemoryBudget(std::size_t limit_bytes) : limit_bytes_(limit_bytes) {}

  // Takes `size` bytes; false, and nothing taken, where that would exceed the limit.
  [[nodiscard]] bool take(std::size_t size);
  void give_back(std::size_t size) { used_bytes_.fetch_sub(size, std::memory_order_relaxed); }

  // Counts memory that is held already, whatever the limit.
  void move_here(std::size_t size) { used_bytes_.fetch_add(size, std::memory_order_relaxed); }

  std::size_t used_bytes() const { return used_bytes_.load(std::memory_order_relaxed); }

 private:
  const std::size_t limit_bytes_;
  std::atomic<std::size_t> used_bytes_{0};
};

class Pool {
 public:
  // `kept_limit_bytes`: how much released memory is held back from the system, at most.
  explicit Pool(std::size_t kept_limit_bytes = 16 * 1024 * 1024)
      : kept_limit_bytes_(kept_limit_bytes) {}
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // From now on, what this pool has given out counts on `budget`, which must outlive that; with
  // null, on none. What is out by now moves, even where it exceeds the new one's limit.
  void draw_on(MemoryBudget* budget);
  MemoryBudget* budget() const { return budget_; }

  // For a program that knows its traffic: another limit, for what is released from now on.
  void keep_up_to(std::size_t limit_bytes) { kept_limit_bytes_ = limit_bytes; }

  // What allocate(size) really hands out, so that callers can use all of it.
  static constexpr std::size_t block_size(std::size_t size) {
    return size <= smallest_block ? smallest_block : std::bit_ceil(size);
  }

  // A block of block_size(size) bytes, aligned for any type; null when there is no memory, or the
  // budget is spent.
  // `size` must be at most largest_block. The caller hands it back with release().
  [[nodiscard]] void* allocate(std::size_t size);

  // Takes back a block that allocate(size) of this pool gave out (null is allowed).
  void release(void* block, std::size_t size);

  static constexpr std::size_t smallest_block = 64;
  static constexpr std::size_t largest_block = std::size_t{1} << (sizeof(std::size_t) * 8 - 2);

 private:
  struct FreeBlock {
    FreeBlock* next;
  };

  static std::size_t class_of(std::size_t size) {
    return static_cast<std::size_t>(std::countr_zero(block_size(size)));
  }

  std::array<FreeBlock*, sizeof(std::size_t) * 8> free_{};  // by log2 of the block's size
  std::size_t given_out_bytes_ = 0;
  std::size_t kept_bytes_ = 0;
  MemoryBudget* budget_ = nullptr;
  std::size_t kept_limit_bytes_;
};

}  // namespace sockeye
