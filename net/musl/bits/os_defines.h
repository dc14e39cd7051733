// Only for builds against musl (make tiny): what libstdc++'s headers want to know of the system, in
// place of what they would ask glibc's.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <features.h>

#define __GLIBC_PREREQ(major, minor) 0

// libstdc++ knows the locale type by glibc's name for it.
typedef struct __locale_struct* __locale_t;

// The thread functions are always there. Looked up as weak symbols, as for glibc before 2.34, they
// would be null in a static program, and std::mutex would lock nothing and say nothing.
#define _GLIBCXX_GTHREAD_USE_WEAK 0
