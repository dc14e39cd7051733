// SPDX-License-Identifier: MIT
#include "net/signals.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace sockeye::net {

Result<void, Error> Signals::open() {
  sigset_t stop_signals;
  sigemptyset(&stop_signals);
  // Ctrl-C; kill, service managers, container runtimes; the terminal was closed. One that is
  // ignored (SIGHUP under nohup) stays ignored: blocked, it would be delivered to the descriptor
  // after all.
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction action;
    const bool ignored = ::sigaction(number, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
    if (!ignored) sigaddset(&stop_signals, number);
  }

  Fd fd(::signalfd(-1, &stop_signals, SFD_NONBLOCK | SFD_CLOEXEC));
  if (!fd) return system_error("signalfd");
  if (const int code = ::pthread_sigmask(SIG_BLOCK, &stop_signals, &previous_mask_); code != 0) {
    errno = code;
    return system_error("pthread_sigmask");
  }
  fd_ = std::move(fd);
  return {};
}

Signals::~Signals() {
  if (!fd_) return;
  while (next()) continue;
  ::pthread_sigmask(SIG_SETMASK, &previous_mask_, nullptr);
}

std::optional<int> Signals::next() {
  signalfd_siginfo signal;
  if (::read(fd_.get(), &signal, sizeof signal) != sizeof signal) return std::nullopt;
  return static_cast<int>(signal.ssi_signo);
}

}  // namespace sockeye::net
