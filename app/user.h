// The user that a server becomes once it listens: root may open port 80, and need not serve it.
//
// Names are looked up in /etc/passwd, by these few lines: libc's getpwnam loads modules (NSS),
// which a static program can't. Users of other directories (LDAP) are given by number.
//
// To be called before threads start, for which libc would have to change each.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "net/error.h"
#include "net/result.h"

namespace sockeye::app {

struct User {
  std::string_view name;  // of the text that was parsed; empty: the numbers are known
  std::uint32_t id = 0;
  std::uint32_t group = 0;
};

// "www-data", "1000" (the group has the same number) or "1000:100". nullopt for anything else.
std::optional<User> parse_user(std::string_view text);

// Takes the numbers of the user's name from `passwd`, a text as passwd(5) says. False where it has
// no such user.
bool look_up(User& user, std::string_view passwd);

// This process is `user` from here on, in that one group, and can't be root again.
Result<void, net::Error> become(User user);

}  // namespace sockeye::app
