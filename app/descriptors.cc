// SPDX-License-Identifier: MIT
#include "app/descriptors.h"

#include <sys/resource.h>

#include <limits>

namespace sockeye::app {

std::uint64_t raise_descriptor_limit() {
  rlimit limit;
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return std::numeric_limits<std::uint64_t>::max();
  const rlim_t before = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  return ::setrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_max : before;
}

}  // namespace sockeye::app
