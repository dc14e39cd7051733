// SPDX-License-Identifier: MIT
#include "test/support/failing_malloc.h"

#include <algorithm>
#include <cassert>

namespace sockeye::test {

namespace {
thread_local MallocWatch* current_watch = nullptr;
}

MallocWatch::MallocWatch(std::size_t failing_call) : failing_call_(failing_call) {
  assert(current_watch == nullptr);
  current_watch = this;
}

MallocWatch::~MallocWatch() {
  current_watch = nullptr;
}

void MallocWatch::fail(std::size_t failing_call, std::size_t times) {
  failing_call_ = calls_ + failing_call;
  failing_times_ = times;
}

bool MallocWatch::count_allocation(std::size_t size) {
  const std::size_t call = calls_++;
  if (call >= failing_call_ && call - failing_call_ < failing_times_) return true;
  ++live_blocks_;
  largest_ = std::max(largest_, size);
  return false;
}

}  // namespace sockeye::test

extern "C" {

void* __real_malloc(std::size_t size);
void* __real_calloc(std::size_t count, std::size_t size);
void* __real_realloc(void* block, std::size_t size);
void __real_free(void* block);

void* __wrap_malloc(std::size_t size) {
  auto* watch = sockeye::test::current_watch;
  return watch != nullptr && watch->count_allocation(size) ? nullptr : __real_malloc(size);
}

void* __wrap_calloc(std::size_t count, std::size_t size) {
  auto* watch = sockeye::test::current_watch;
  const bool fails = watch != nullptr && watch->count_allocation(count * size);
  return fails ? nullptr : __real_calloc(count, size);
}

void* __wrap_realloc(void* block, std::size_t size) {
  auto* watch = sockeye::test::current_watch;
  if (watch != nullptr && watch->count_allocation(size)) return nullptr;
  if (watch != nullptr && block != nullptr) watch->count_free();
  return __real_realloc(block, size);
}

void __wrap_free(void* block) {
  auto* watch = sockeye::test::current_watch;
  if (watch != nullptr && block != nullptr) watch->count_free();
  __real_free(block);
}
}
