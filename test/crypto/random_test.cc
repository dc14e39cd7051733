// Random: bytes are fresh, wiped once handed out, and never missing.
//
// SPDX-License-Identifier: MIT
#include "crypto/random.h"

#include <doctest/doctest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <set>
#include <string>
#include <vector>

#include "test/support/scripted_random.h"

namespace sockeye::crypto {

TEST_CASE("SystemRandom fills every byte it is asked for and none beyond, at every size") {
  SystemRandom random;
  for (std::size_t size = 0; size < 3000; size += 1 + size / 16) {
    // Each byte shows another value at least once in 16 draws (the odds against it: 256^-15).
    std::vector<std::uint8_t> seen(size, 0);
    for (int draw = 0; draw < 16; ++draw) {
      std::vector<std::uint8_t> bytes(size + 1, 0);
      random.fill(MutableBytes(bytes).first(size));
      for (std::size_t i = 0; i < size; ++i) seen[i] |= bytes[i];
      CHECK(bytes[size] == 0);
    }
    CHECK(std::count(seen.begin(), seen.end(), 0) == 0);
  }
}

TEST_CASE("SystemRandom never hands out the same bytes twice") {
  SystemRandom random;
  SystemRandom other;
  std::set<std::vector<std::uint8_t>> draws;
  for (int i = 0; i < 2000; ++i) {
    std::vector<std::uint8_t> bytes(12);
    random.fill(bytes);
    CHECK(draws.insert(bytes).second);
    other.fill(bytes);
    CHECK(draws.insert(bytes).second);
  }
}

TEST_CASE(
    "SystemRandom keeps nothing of what it handed out (RFC 6455 §10.3: keys stay unpredictable)") {
  SystemRandom random;
  for (int i = 0; i < 200; ++i) {
    std::array<std::uint8_t, 16> key;
    random.fill(key);
    const auto* inside = reinterpret_cast<const std::uint8_t*>(&random);
    const auto* end = inside + sizeof(random);
    CHECK(std::search(inside, end, key.begin(), key.end()) == end);
  }
}

// In a child whose getrandom fails with EPERM: what it prints, and the signal it dies from.
TEST_CASE(
    "SystemRandom aborts and says so where the system has no random bytes: no weak key, ever") {
  int output[2];
  REQUIRE(::pipe(output) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(output[1], STDERR_FILENO);
    std::signal(SIGABRT, SIG_DFL);
    sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getrandom, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const sock_fprog program = {sizeof(rules) / sizeof(rules[0]), rules};
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
      ::_exit(77);  // a kernel without filters, or an emulator
    }
    SystemRandom random;
    random.next_u32();
    ::_exit(0);
  }
  ::close(output[1]);
  std::string printed;
  char buffer[256];
  for (ssize_t n; (n = ::read(output[0], buffer, sizeof(buffer))) > 0;) {
    printed.append(buffer, static_cast<std::size_t>(n));
  }
  ::close(output[0]);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
    MESSAGE("not tested: no seccomp filters here");
    return;
  }
  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGABRT);
  CHECK(printed ==
        "sockeye: the system gives no random bytes (getrandom): Operation not permitted\n");
}

TEST_CASE("Random::next_u32 takes four bytes, the first one highest, as a masking key's octets") {
  test::ScriptedRandom random{0x37, 0xfa, 0x21, 0x3d, 0x01};
  CHECK(random.next_u32() == 0x37fa213d);
  CHECK(random.next_u32() == 0x0137fa21);
  CHECK(random.drawn() == 8);
}

}  // namespace sockeye::crypto
