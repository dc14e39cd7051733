// Numbers that one thread counts and any thread may read, such as for a page of metrics.
//
// To count costs what it would cost without other threads: a load, an add and a store. There is no
// lock and no locked instruction, for there is one writer; a reader sees the number as it was a
// moment ago. Counters lie within the objects of the thread that writes them, so that no two
// threads write to one cache line.
//
// They have a machine word, which every processor reads and writes whole. With 32 bits they begin
// anew after 2^32.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstddef>

namespace sockeye::net {

class Counter {
 public:
  void add(std::size_t more = 1) { set(value() + more); }
  void subtract(std::size_t less = 1) { set(value() - less); }
  void set(std::size_t value) { value_.store(value, std::memory_order_relaxed); }

  // From any thread.
  std::size_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::size_t> value_{0};
};

// One object's part of a number that several add up to. It counts in the total for as long as it
// lives; the total must outlive it.
class Part {
 public:
  explicit Part(Counter& total) : total_(total) {}
  ~Part() { total_.subtract(value_); }
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;

  Part& operator+=(std::size_t more) {
    value_ += more;
    total_.add(more);
    return *this;
  }
  Part& operator-=(std::size_t less) {
    value_ -= less;
    total_.subtract(less);
    return *this;
  }
  operator std::size_t() const { return value_; }

 private:
  Counter& total_;
  std::size_t value_ = 0;
};

}  // namespace sockeye::net
