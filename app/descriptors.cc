// SPDX-License-Identifier: MIT
#include "app/descriptors.h"

#include <sys/resource.h>

#include <limits>

namespace sockeye::app {

std::uint64_t raise_descriptor_limit() {
  rlimit limit;
  // (setrlimit(2) of musl holds all threads for kernels before 2.6.36, and costs 2 KB.)
  if (::prlimit(0, RLIMIT_NOFILE, nullptr, &limit) != 0) {
    return std::numeric_limits<std::uint64_t>::max();
  }
  const rlim_t before = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  return ::prlimit(0, RLIMIT_NOFILE, &limit, nullptr) == 0 ? limit.rlim_max : before;
}

}  // namespace sockeye::app
