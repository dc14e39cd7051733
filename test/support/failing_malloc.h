// Watches the calls of malloc, calloc, realloc and free that this thread makes, and can make them
// fail. (Compilers make calloc of malloc and a loop of zeros.)
//
// The unit tests are linked with --wrap for each of the four, so that calls from the library come
// here first. One watch at a time for each thread; without one, nothing changes.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <limits>

namespace sockeye::test {

class MallocWatch {
 public:
  static constexpr std::size_t never = std::numeric_limits<std::size_t>::max();

  // Call number `failing_call`, counted from 0, returns null; all others go through. (A call is one
  // of malloc or realloc.)
  explicit MallocWatch(std::size_t failing_call = never);
  ~MallocWatch();
  MallocWatch(const MallocWatch&) = delete;
  MallocWatch& operator=(const MallocWatch&) = delete;

  // The same, counted from now on; and so do those that follow, `times` in all.
  void fail(std::size_t failing_call, std::size_t times = 1);
  // From now on all go through; failed() stays as it is.
  void stop_failing() { failing_times_ = 0; }

  std::size_t calls() const { return calls_; }
  bool failed() const { return calls_ > failing_call_; }

  // Blocks that were taken and not given back, and the most bytes that one call asked for.
  std::ptrdiff_t live_blocks() const { return live_blocks_; }
  std::size_t largest() const { return largest_; }

  // What the wrapped functions tell. True where the call is to fail.
  bool count_allocation(std::size_t size);
  void count_free() { --live_blocks_; }

 private:
  std::size_t failing_call_;
  std::size_t failing_times_ = 1;
  std::size_t calls_ = 0;
  std::ptrdiff_t live_blocks_ = 0;
  std::size_t largest_ = 0;
};

}  // namespace sockeye::test
