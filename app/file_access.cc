// SPDX-License-Identifier: MIT
#include "app/file_access.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>

#include "net/fd.h"

namespace sockeye::app {

namespace {

// What linux/landlock.h says in Linux 6.12. Headers are often older than the kernel that a program
// meets, so it is written down here.
struct Ruleset {
  std::uint64_t file_rights;     // those that are denied, but for rules
  std::uint64_t network_rights;  // TCP: bind, connect
  std::uint64_t scopes;          // abstract Unix sockets, signals: of others
};

struct [[gnu::packed]] FolderRule {
  std::uint64_t rights;
  std::int32_t folder;
};

constexpr std::uint32_t ask_version = 1;
constexpr int rule_for_folder = 1;
constexpr std::uint64_t read_file = 1 << 2;
constexpr std::uint64_t remove_file = 1 << 5;

// What each version of the interface can deny. The kernel takes what it knows, and zeros.
Ruleset everything(long version) {
  const int file_rights = version >= 5 ? 16 : version >= 3 ? 15 : version == 2 ? 14 : 13;
  return {.file_rights = (std::uint64_t{1} << file_rights) - 1,
          .network_rights = version >= 4 ? 0b11u : 0u,
          .scopes = version >= 6 ? 0b11u : 0u};
}

void allow(const net::Fd& ruleset, std::uint64_t rights, int folder) {
  const FolderRule rule{rights, folder};
  ::syscall(__NR_landlock_add_rule, ruleset.get(), rule_for_folder, &rule, 0);
}

// One that can't be opened lets the user remove nothing in it, either.
void allow_removal(const net::Fd& ruleset, const std::string& file) {
  const std::string path = file.substr(0, std::max<std::size_t>(file.rfind('/'), 1));
  const net::Fd folder(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (folder) allow(ruleset, remove_file, folder.get());
}

}  // namespace

bool deny_files(std::span<const std::string> removable, int readable) {
  const long version = ::syscall(__NR_landlock_create_ruleset, nullptr, 0, ask_version);
  if (version <= 0) return false;
  const Ruleset denied = everything(version);
  const net::Fd ruleset(
      static_cast<int>(::syscall(__NR_landlock_create_ruleset, &denied, sizeof denied, 0)));
  if (!ruleset) return false;
  for (const std::string& file : removable) allow_removal(ruleset, file);
  if (readable >= 0) allow(ruleset, read_file, readable);
  return ::syscall(__NR_landlock_restrict_self, ruleset.get(), 0) == 0;
}

}  // namespace sockeye::app
