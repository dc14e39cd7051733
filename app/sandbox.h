// What a server gives up when it listens, in case that a peer finds a way to run code in it: other
// users' rights (app/user), files (app/file_access), and all system calls that it doesn't make
// (app/call_filter).
//
// Between binding and the start of threads. What the kernel doesn't know is left out, and said in
// the log: the server runs on an old kernel and under an emulator as well. Clients, and programs
// that use the library, are left as they are.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

namespace sockeye::app {

// Not with a sanitizer, whose run-time library opens files, maps memory, and starts programs when
// it reports.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool can_be_sandboxed = false;
#elif defined(__has_feature)
inline constexpr bool can_be_sandboxed =
    !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer);
#else
inline constexpr bool can_be_sandboxed = true;
#endif

struct SandboxedServer {
  bool starts_threads = false;
  std::vector<std::string> socket_files;  // of its Unix sockets, which it removes at the end
  int readable_folder = -1;               // whose files it serves: a descriptor, or -1
};

void enter_sandbox(const SandboxedServer& server);

}  // namespace sockeye::app
