// Memory with an unmapped page on either side: a read or write one byte outside faults at once.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>

#include "net/bytes.h"

namespace sockeye::test {

class GuardedMemory {
 public:
  // Room for at least `size` bytes: whole pages, zeroed.
  explicit GuardedMemory(std::size_t size) {
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    const std::size_t usable = (size + page - 1) / page * page;
    mapped_ = usable + 2 * page;
    void* memory =
        ::mmap(nullptr, mapped_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, /*fd=*/-1, /*offset=*/0);
    if (memory == MAP_FAILED) std::abort();
    base_ = static_cast<std::uint8_t*>(memory);
    all_ = {base_ + page, usable};
    if (::mprotect(all_.data(), all_.size(), PROT_READ | PROT_WRITE) != 0) std::abort();
  }
  ~GuardedMemory() { ::munmap(base_, mapped_); }
  GuardedMemory(const GuardedMemory&) = delete;
  GuardedMemory& operator=(const GuardedMemory&) = delete;

  // Everything between the two guards.
  MutableBytes all() const { return all_; }

 private:
  std::uint8_t* base_;
  std::size_t mapped_;
  MutableBytes all_;
};

}  // namespace sockeye::test
