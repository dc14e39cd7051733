// The signals that ask a program to stop, read from a descriptor like any other input.
//
// A signal handler would run between any two instructions, and could call next to nothing. Nor is
// that all: a signal that arrives during a read may end it with fewer bytes than there are, and
// net/stream takes a short read to mean that the socket is drained (epoll(7) says so), so the rest
// would lie there unseen. Hence no handlers: while this object is open the signals are blocked,
// and the kernel queues them for the descriptor.
//
// The mask belongs to a thread and is inherited by threads that it starts: open it in main, before
// any other thread starts. One loop polls fd(). SIGPIPE is left alone, since every send says
// MSG_NOSIGNAL.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <csignal>
#include <optional>

#include "net/error.h"
#include "net/fd.h"
#include "net/result.h"

namespace sockeye::net {

class Signals {
 public:
  Signals() = default;
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  // Drops the signals that nobody has read, so that they don't strike late, and restores the mask.
  ~Signals();

  // Blocks SIGINT, SIGTERM and SIGHUP for this thread, but for those that are ignored. On failure
  // the mask is as it was. Call it once.
  Result<void, Error> open();

  // Readable when next() has something to say. Non-blocking, closed on exec, owned here.
  int fd() const { return fd_.get(); }

  // The number of one signal that arrived, or nullopt when there is no other. Several of a kind
  // that arrive together count as one.
  std::optional<int> next();

 private:
  Fd fd_;
  sigset_t previous_mask_;
};

}  // namespace sockeye::net
