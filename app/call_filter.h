// The system calls that a server makes once it listens; the kernel ends a process that makes
// another.
//
// A peer that finds a way to run code in the server then finds little to do there: no file, no
// program, no socket of its own, no memory that is code. call_filter.cc lists what is left. Two
// things the kernel doesn't show to a filter: on s390x, and on i386 with glibc, what socketcall(2)
// is asked to do, and on s390x, whether mmap(2) is asked for code.
//
// Where a libc or a kernel is newer than this list, a call may be missing that is harmless: the
// process ends by SIGSYS, and the audit log (dmesg) has its number.
//
// SPDX-License-Identifier: MIT
#pragma once

namespace sockeye::app {

// What not every server does.
struct ServerCalls {
  bool start_threads = false;
  bool remove_files = false;  // of Unix sockets, at the end
  bool read_files = false;    // which ones is a matter of app/file_access
};

// Filters the calls of this thread, and of those that it starts, for good: seccomp(2). Needs
// no_new_privs, or root. False, with errno, where the kernel has no such filters.
bool filter_calls(const ServerCalls& calls);

}  // namespace sockeye::app
