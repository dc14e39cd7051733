// SPDX-License-Identifier: MIT
#include "app/user.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <limits>

#include "app/flags.h"
#include "net/fd.h"

namespace sockeye::app {

namespace {

// The number above means "as it was" to setresuid(2).
constexpr std::uint32_t highest_id = std::numeric_limits<std::uint32_t>::max() - 1;

bool parse_id(std::string_view text, std::uint32_t& id) {
  std::uint64_t number;
  if (!parse_number(text, 0, highest_id, number)) return false;
  id = static_cast<std::uint32_t>(number);
  return true;
}

// Takes what stands before the next `end` from `text`, and the end with it.
std::string_view take_field(std::string_view& text, char end) {
  const std::string_view field = text.substr(0, text.find(end));
  text.remove_prefix(field.size() == text.size() ? field.size() : field.size() + 1);
  return field;
}

}  // namespace

std::optional<User> parse_user(std::string_view text) {
  User user;
  const std::size_t colon = text.find(':');
  if (!parse_id(text.substr(0, colon), user.id)) {
    if (text.empty() || colon != text.npos) return std::nullopt;
    user.name = text;
    return user;
  }
  user.group = user.id;
  if (colon != text.npos && !parse_id(text.substr(colon + 1), user.group)) return std::nullopt;
  return user;
}

bool look_up(User& user, std::string_view passwd) {
  while (!passwd.empty()) {
    std::string_view line = take_field(passwd, '\n');
    if (take_field(line, ':') != user.name) continue;
    take_field(line, ':');  // where the password was, once
    return parse_id(take_field(line, ':'), user.id) && parse_id(take_field(line, ':'), user.group);
  }
  return false;
}

namespace {

// Where there is no such file, there are no users.
bool look_up_in_file(User& user) {
  const net::Fd file(::open("/etc/passwd", O_RDONLY | O_CLOEXEC));
  struct stat status;
  if (!file || ::fstat(file.get(), &status) != 0) return false;
  const auto size = static_cast<std::size_t>(status.st_size);
  void* const text = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (text == MAP_FAILED) return false;
  const bool found = look_up(user, {static_cast<const char*>(text), size});
  ::munmap(text, size);
  return found;
}

// A libc has each thread change its user, and holds them all for it; here there is but one thread
// yet, and musl's way of it is 2 KB of program.
#ifdef SYS_setresuid32
constexpr long set_groups = SYS_setgroups32;
constexpr long set_group_ids = SYS_setresgid32;
constexpr long set_user_ids = SYS_setresuid32;
#else
constexpr long set_groups = SYS_setgroups;
constexpr long set_group_ids = SYS_setresgid;
constexpr long set_user_ids = SYS_setresuid;
#endif

bool set_user(std::uint32_t id) {
  return ::syscall(set_user_ids, id, id, id) == 0;
}

bool set_group(std::uint32_t id) {
  return ::syscall(set_group_ids, id, id, id) == 0;
}

bool leave_groups() {
  return ::syscall(set_groups, 0, nullptr) == 0;
}

}  // namespace

Result<void, net::Error> become(User user) {
  if (!user.name.empty() && !look_up_in_file(user)) {
    net::Error error{"/etc/passwd has no user "};
    error.message += user.name;
    return error;
  }
  uid_t ids[3];
  gid_t groups[3];
  ::getresuid(&ids[0], &ids[1], &ids[2]);
  ::getresgid(&groups[0], &groups[1], &groups[2]);
  const auto is_user = [&user](uid_t id) { return id == user.id; };
  const auto is_group = [&user](gid_t id) { return id == user.group; };
  // Who is that user already, as an image may have it, needs no right to become it.
  if (std::ranges::all_of(ids, is_user) && std::ranges::all_of(groups, is_group)) {
    return {};
  }
  // The groups first: who isn't root any more can't leave them.
  if (!leave_groups() || !set_group(user.group) || !set_user(user.id)) {
    return net::system_error("cannot become another user");
  }
  // One who wasn't root, but had a capability for this, keeps it.
  if (user.id != 0 && set_user(0)) {
    return net::Error{"cannot become another user: a way back to root is left"};
  }
  return {};
}

}  // namespace sockeye::app
