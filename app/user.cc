// SPDX-License-Identifier: MIT
#include "app/user.h"

#include <fcntl.h>
#include <grp.h>
#include <unistd.h>

#include <cerrno>
#include <limits>

#include "app/flags.h"
#include "net/fd.h"

namespace sockeye::app {

namespace {

// The number above means "as it was" to setresuid(2).
constexpr std::uint32_t highest_id = std::numeric_limits<std::uint32_t>::max() - 1;

constexpr std::size_t largest_passwd_bytes = 1024 * 1024;

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

Result<std::string, net::Error> read_passwd() {
  const net::Fd file(::open("/etc/passwd", O_RDONLY | O_CLOEXEC));
  std::string text;
  char bytes[4096];
  ssize_t size = file ? 1 : -1;
  while (size > 0 && text.size() < largest_passwd_bytes) {
    size = ::read(file.get(), bytes, sizeof bytes);
    if (size > 0) text.append(bytes, static_cast<std::size_t>(size));
  }
  if (size < 0) return net::system_error("cannot read /etc/passwd");
  return text;
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

Result<void, net::Error> become(User user) {
  if (!user.name.empty()) {
    const std::string passwd = TRY(read_passwd());
    if (!look_up(user, passwd)) return net::Error{"no user " + user.name + " in /etc/passwd"};
  }
  // The groups first: who isn't root any more can't leave them.
  if (::setgroups(0, nullptr) != 0 || ::setresgid(user.group, user.group, user.group) != 0 ||
      ::setresuid(user.id, user.id, user.id) != 0) {
    return net::system_error("cannot become another user");
  }
  // One who wasn't root, but had a capability for this, keeps it.
  if (user.id != 0 && ::setresuid(0, 0, 0) == 0) {
    return net::Error{"cannot become another user: a way back to root is left"};
  }
  return {};
}

}  // namespace sockeye::app
