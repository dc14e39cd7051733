// SPDX-License-Identifier: MIT
#include "app/init.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

#include "app/machine.h"
#include "net/clock.h"
#include "net/error.h"
#include "net/log.h"

namespace sockeye::app {

namespace {

constexpr std::uint64_t shortest_pause_ms = 100;
constexpr std::uint64_t longest_pause_ms = 12'800;
constexpr std::uint64_t long_life_ms = 60'000;
constexpr pid_t nobody = -1;

bool started_by_init = false;

// What was written to a serial console is still on its way when write(2) returns; and a console
// that somebody has stopped (ctrl-S) must not keep the machine up.
void drain_console() {
  int waiting_bytes = 0;
  for (int tries = 0; tries < 100; ++tries) {
    if (::ioctl(STDERR_FILENO, TIOCOUTQ, &waiting_bytes) != 0 || waiting_bytes == 0) return;
    ::poll(nullptr, 0, 10);
  }
}

[[noreturn]] void power_off(int wait_status) {
  ::sync();
  drain_console();
  ::reboot(RB_POWER_OFF);
  // A container that may not call reboot(2) ends with its process 1.
  ::_exit(WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status));
}

// Reaps all that have ended, orphans of others too. The status of `server` if it is among them.
std::optional<int> reap(pid_t server) {
  std::optional<int> ended;
  int status;
  for (pid_t child; (child = ::waitpid(-1, &status, WNOHANG)) > 0;) {
    if (child == server) ended = status;
  }
  return ended;
}

class Init {
 public:
  Init();

  // Keeps a server running. Returns in the server.
  void run();

 private:
  std::optional<int> watch(pid_t server, std::uint64_t end_ms = UINT64_MAX);
  int next_signal(std::uint64_t end_ms);

  net::MonotonicClock clock_;
  sigset_t signals_;
  sigset_t previous_mask_;
  bool stopping_ = false;
};

// Signals are blocked, and taken when it suits: process 1 gets no others for which it has no
// handler. Whoever started it may have ignored some: then children would leave no status, and the
// server would ignore those that are to stop it.
Init::Init() {
  sigemptyset(&signals_);
  for (const int number : {SIGCHLD, SIGTERM, SIGINT, SIGHUP}) {
    ::signal(number, SIG_DFL);
    sigaddset(&signals_, number);
  }
  sigprocmask(SIG_BLOCK, &signals_, &previous_mask_);
}

void Init::run() {
  for (std::uint64_t pause_ms = shortest_pause_ms;;
       pause_ms = std::min(2 * pause_ms, longest_pause_ms)) {
    const std::uint64_t start_ms = clock_.now_ms();
    const pid_t server = ::fork();
    if (server == 0) break;
    if (server > 0) {
      const int status = *watch(server);
      if (stopping_ || WIFEXITED(status)) power_off(status);
      if (clock_.now_ms() - start_ms >= long_life_ms) pause_ms = shortest_pause_ms;
      net::log(net::LogLevel::error, "the server crashed, and is started again",
               {{"signal", WTERMSIG(status)}, {"after_ms", pause_ms}});
    } else {
      report(net::system_error("fork"));
    }
    watch(nobody, clock_.now_ms() + pause_ms);
  }
  // A terminal's ctrl-C comes to all of a process group, and twice would be in haste: it comes by
  // process 1 alone.
  ::setpgid(0, 0);
  sigprocmask(SIG_SETMASK, &previous_mask_, nullptr);
}

// Until `server` ends: its status. Or, where there is `nobody`, until `end_ms`.
std::optional<int> Init::watch(pid_t server, std::uint64_t end_ms) {
  while (clock_.now_ms() < end_ms) {
    if (const auto status = reap(server)) return status;
    const int signal = next_signal(end_ms);
    if (signal != SIGTERM && signal != SIGINT && signal != SIGHUP) continue;
    stopping_ = true;
    if (server == nobody) power_off(0);
    ::kill(server, signal);
  }
  return std::nullopt;
}

// Waits for one of signals_, whose number it returns, or until `end_ms`.
int Init::next_signal(std::uint64_t end_ms) {
  if (end_ms == UINT64_MAX) return ::sigwaitinfo(&signals_, nullptr);
  const std::uint64_t left_ms = end_ms - std::min(end_ms, clock_.now_ms());
  const timespec left{static_cast<time_t>(left_ms / 1000),
                      static_cast<long>(left_ms % 1000 * 1'000'000)};
  return ::sigtimedwait(&signals_, nullptr, &left);
}

}  // namespace

bool is_init(std::span<char* const> arguments) {
  if (::getpid() != 1 || arguments.empty()) return false;
  const std::string_view name = arguments.front();
  if (name == "init" || name.ends_with("/init")) return true;
  for (const char* argument : arguments.subspan(1)) {
    if (std::strcmp(argument, "--init") == 0) return true;
  }
  return false;
}

void become_init() {
  // Before it is disabled, ctrl-alt-del restarts the machine at once; after, it is SIGINT for us.
  ::reboot(RB_DISABLE_CAD);
  Init init;
  set_up_machine();
  init.run();
  started_by_init = true;
}

bool has_init() {
  return started_by_init;
}

}  // namespace sockeye::app
