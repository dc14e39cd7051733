// SPDX-License-Identifier: MIT
#include "net/signals.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>

using sockeye::net::Signals;

namespace {

bool is_blocked(int signal) {
  sigset_t mask;
  REQUIRE(::pthread_sigmask(SIG_BLOCK, nullptr, &mask) == 0);
  return ::sigismember(&mask, signal) == 1;
}

bool is_pending(int signal) {
  sigset_t pending;
  REQUIRE(::sigpending(&pending) == 0);
  return ::sigismember(&pending, signal) == 1;
}

bool is_readable(int descriptor) {
  pollfd entry{descriptor, POLLIN, 0};
  return ::poll(&entry, 1, 0) == 1;
}

// What is done with a signal, as long as this lives. (Whoever started the tests may have had some
// ignored, as nohup does.)
class Disposition {
 public:
  Disposition(int signal, sighandler_t handler)
      : signal_(signal), previous_(::signal(signal, handler)) {}
  ~Disposition() { ::signal(signal_, previous_); }

 private:
  int signal_;
  sighandler_t previous_;
};

}  // namespace

TEST_CASE("Signals: a signal is read from the descriptor, once") {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    CAPTURE(signal);
    const Disposition usual(signal, SIG_DFL);
    Signals signals;
    REQUIRE(signals.open());
    CHECK(is_blocked(signal));
    CHECK(!is_readable(signals.fd()));
    CHECK(signals.next() == std::nullopt);  // doesn't wait

    REQUIRE(::raise(signal) == 0);
    CHECK(is_readable(signals.fd()));
    CHECK(signals.next() == signal);
    CHECK(signals.next() == std::nullopt);
  }
}

TEST_CASE("Signals: one that is ignored stays ignored, as nohup wants it") {
  const Disposition ignored(SIGHUP, SIG_IGN);
  Signals signals;
  REQUIRE(signals.open());
  CHECK(!is_blocked(SIGHUP));
  REQUIRE(::raise(SIGHUP) == 0);
  CHECK(signals.next() == std::nullopt);
}

TEST_CASE("Signals: different signals are told apart, and a second one comes after the first") {
  const Disposition interrupt(SIGINT, SIG_DFL);
  const Disposition terminate(SIGTERM, SIG_DFL);
  Signals signals;
  REQUIRE(signals.open());
  ::raise(SIGTERM);
  ::raise(SIGINT);
  CHECK(signals.next() == SIGINT);  // the kernel hands them out by number
  CHECK(signals.next() == SIGTERM);
  ::raise(SIGTERM);
  CHECK(signals.next() == SIGTERM);
  CHECK(signals.next() == std::nullopt);
}

TEST_CASE("Signals: restores the mask, and drops what nobody read so that it can't strike late") {
  const Disposition interrupt(SIGINT, SIG_DFL);
  const Disposition terminate(SIGTERM, SIG_DFL);
  sigset_t only_term;
  sigemptyset(&only_term);
  sigaddset(&only_term, SIGTERM);
  REQUIRE(::pthread_sigmask(SIG_BLOCK, &only_term, nullptr) == 0);
  {
    Signals signals;
    REQUIRE(signals.open());
    ::raise(SIGINT);
    ::raise(SIGTERM);
  }
  CHECK(!is_blocked(SIGINT));
  CHECK(is_blocked(SIGTERM));  // as it was before
  CHECK(!is_pending(SIGTERM));
  REQUIRE(::pthread_sigmask(SIG_UNBLOCK, &only_term, nullptr) == 0);
}

TEST_CASE("Signals: leaves SIGPIPE and what is fatal alone") {
  Signals signals;
  REQUIRE(signals.open());
  for (const int signal : {SIGPIPE, SIGSEGV, SIGABRT, SIGTSTP}) CHECK(!is_blocked(signal));
}

TEST_CASE("Signals: the descriptor doesn't block and is closed on exec") {
  Signals signals;
  CHECK(signals.fd() == -1);
  REQUIRE(signals.open());
  CHECK((::fcntl(signals.fd(), F_GETFL) & O_NONBLOCK) != 0);
  CHECK((::fcntl(signals.fd(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("Signals: with no descriptor left, says so and leaves the mask alone") {
  rlimit limit;
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
  const rlimit none{0, limit.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  Signals signals;
  const auto opened = signals.open();
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &limit) == 0);

  REQUIRE(!opened);
  CHECK(opened.error().code == EMFILE);
  CHECK(opened.error().message.starts_with("signalfd: "));
  CHECK(!is_blocked(SIGINT));
}
