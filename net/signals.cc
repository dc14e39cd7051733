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
  sigaddset(&stop_signals, SIGINT);   // Ctrl-C
  sigaddset(&stop_signals, SIGTERM);  // kill, service managers, container runtimes
  sigaddset(&stop_signals, SIGHUP);   // the terminal was closed; under nohup it stays ignored

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
