// SPDX-License-Identifier: MIT
#include "app/user.h"

#include <doctest/doctest.h>
#include <grp.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <iterator>
#include <string_view>

using namespace sockeye::app;

namespace {

constexpr std::string_view passwd =
    "root:x:0:0:root:/root:/bin/bash\n"
    "www-data:x:33:34:www-data:/var/www:/usr/sbin/nologin\n"
    "\n"
    "+@nis\n"
    "cut:x:7\n"
    "negative:x:-1:5::/:\n"
    "unchanged:x:4294967295:5::/:\n"
    "www:x:80:81::/:\n"
    "last:x:1000:1001";

}  // namespace

TEST_CASE("User: a name, a number, or two of them") {
  CHECK(parse_user("www-data")->name == "www-data");
  CHECK(parse_user("1000")->name.empty());
  CHECK(parse_user("1000")->id == 1000);
  CHECK(parse_user("1000")->group == 1000);
  CHECK(parse_user("1000:100")->id == 1000);
  CHECK(parse_user("1000:100")->group == 100);
  CHECK(parse_user("4294967294")->id == 4294967294);
  for (const char* text : {"", ":", "1000:", ":100", "1000:users", "www-data:100", "1:2:3",
                           "1:4294967295", "4294967295:1", "1: 2"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_user(text));
  }
}

TEST_CASE("User: setresuid's number for \"as it was\" is nobody's") {
  CHECK(parse_user("4294967295")->name == "4294967295");
}

TEST_CASE("User: names are looked up in /etc/passwd, whole") {
  User user{.name = "www-data"};
  REQUIRE(look_up(user, passwd));
  CHECK(user.id == 33);
  CHECK(user.group == 34);
  user.name = "www";
  REQUIRE(look_up(user, passwd));
  CHECK(user.id == 80);
  CHECK(user.group == 81);
  user.name = "last";
  REQUIRE(look_up(user, passwd));
  CHECK(user.id == 1000);
  CHECK(user.group == 1001);
}

TEST_CASE("User: a line of /etc/passwd that is broken is nobody's") {
  for (const char* name :
       {"nobody", "ww", "x", "33", "+@nis", "cut", "negative", "unchanged", "root:x"}) {
    CAPTURE(name);
    User user{.name = name};
    CHECK_FALSE(look_up(user, passwd));
  }
  User user{.name = "root"};
  CHECK_FALSE(look_up(user, ""));
}

namespace {

// What `function` returns in a child process, as a process can become another user only once.
template <typename Function>
int exit_status(Function function) {
  const pid_t child = fork();
  if (child == 0) _exit(function());
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

constexpr User somebody{.name = "", .id = 1234, .group = 567};

}  // namespace

TEST_CASE("become: only root may, and it can't go back") {
  CHECK(exit_status([] {
          const bool root = geteuid() == 0;
          const gid_t more[] = {1, 2};
          if (root && setgroups(std::size(more), more) != 0) return 1;
          if (bool(become(somebody)) != root) return 2;
          if (!root) return 0;
          if (getuid() != 1234 || geteuid() != 1234) return 3;
          if (getgid() != 567 || getegid() != 567 || getgroups(0, nullptr) != 0) return 4;
          if (setuid(0) == 0 || setgid(0) == 0) return 5;
          return become(User{.name = "", .id = 1235, .group = 567}) ? 6 : 0;
        }) == 0);
}

TEST_CASE("become: where capabilities outlive root, it says so") {
  CHECK(exit_status([] {
          if (prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP) != 0) return 0;  // we aren't root
          return become(somebody) ? 1 : 0;
        }) == 0);
}

TEST_CASE("become: a name that isn't there changes nothing") {
  CHECK(exit_status([] {
          const uid_t before = geteuid();
          const auto became = become(User{.name = "no-such-user"});
          return !became && geteuid() == before ? 0 : 1;
        }) == 0);
}
