// Only for builds against musl (make tiny): libstdc++'s configuration as it was found out for
// glibc, less what musl doesn't have.
//
// SPDX-License-Identifier: MIT
#pragma once

#include_next <bits/c++config.h>

// pthread_cond_clockwait and its like: musl has none.
#undef _GLIBCXX_USE_PTHREAD_COND_CLOCKWAIT
#undef _GLIBCXX_USE_PTHREAD_MUTEX_CLOCKLOCK
#undef _GLIBCXX_USE_PTHREAD_RWLOCK_CLOCKLOCK

// A failed check of a container stops the program (SIGILL or SIGTRAP), without a line that says
// which: those texts, with the names of functions in full, would be a tenth of the program.
#undef __glibcxx_assert
#define __glibcxx_assert(condition)     \
  do {                                  \
    if (!(condition)) __builtin_trap(); \
  } while (false)

// Where size counts, g++ calls a function for the length of a literal wherever one becomes a
// string_view, which is larger than the length itself. That constructor is one of the few functions
// with this attribute, and none of the others minds.
#define __nonnull__ __nonnull__, __always_inline__
