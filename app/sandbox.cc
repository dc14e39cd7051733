// SPDX-License-Identifier: MIT
#include "app/sandbox.h"

#include <sys/prctl.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "app/call_filter.h"
#include "app/file_access.h"
#include "net/log.h"

namespace sockeye::app {

namespace {

void say_missing(net::LogLevel level, std::string_view what) {
  const std::string_view reason = std::strerror(errno);
  net::log(level, "a part of the sandbox is missing", {{"part", what}, {"reason", reason}});
}

}  // namespace

void enter_sandbox(const SandboxedServer& server) {
  if constexpr (!can_be_sandboxed) return;
  // Programs that it would start get no rights that it doesn't have. The other two demand this.
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  const bool reads = server.readable_folder >= 0;  // then nothing else says which files
  if (!deny_files(server.socket_files, server.readable_folder)) {
    say_missing(reads ? net::LogLevel::warn : net::LogLevel::debug, "Landlock");
  }
  const ServerCalls calls{.start_threads = server.starts_threads,
                          .remove_files = !server.socket_files.empty(),
                          .read_files = reads};
  if (!filter_calls(calls)) say_missing(net::LogLevel::warn, "seccomp");
}

}  // namespace sockeye::app
