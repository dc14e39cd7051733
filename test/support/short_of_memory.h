// Runs code where the system soon has no more memory to give.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <fstream>

namespace sockeye::test {

// ASan and TSan reserve address space without end, so they can't run under a limit.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool memory_can_be_short = false;
#elif defined(__has_feature)
inline constexpr bool memory_can_be_short =
    !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer);
#else
inline constexpr bool memory_can_be_short = true;
#endif

// Calls `function`, which returns a byte, in a child process that may take only `bytes` more than
// it has, and returns what it returned; -1 where the child ended in any other way.
template <typename Function>
int short_of_memory(std::size_t bytes, Function function) {
  const pid_t child = fork();
  if (child == 0) {
    std::size_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    const rlim_t limit = pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE)) + bytes;
    const rlimit address_space{limit, limit};
    if (setrlimit(RLIMIT_AS, &address_space) != 0) _exit(255);
    _exit(static_cast<int>(function()));
  }
  int status = 0;
  if (waitpid(child, &status, 0) != child) return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace sockeye::test
