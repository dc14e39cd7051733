// SPDX-License-Identifier: MIT
#include "net/send_file.h"

#include <signal.h>
#include <sys/sendfile.h>

#include <cerrno>
#include <ctime>

namespace sockeye::net {

// There is no MSG_NOSIGNAL for it, and what a program does about SIGPIPE is the program's business.
// So this thread takes none during the call, and of one that came nothing is left. It comes to the
// thread that made the call (pipe(7)), so no other thread sees it. A program that blocks SIGPIPE
// has plans of its own for those that wait.
ssize_t send_file(int socket, int file, std::uint64_t offset, std::size_t size) {
  sigset_t broken_pipe;
  sigset_t previous;
  ::sigemptyset(&broken_pipe);
  ::sigaddset(&broken_pipe, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &broken_pipe, &previous);

  auto position = static_cast<off_t>(offset);
  const ssize_t sent = ::sendfile(socket, file, &position, size);

  const int error = errno;
  if (sent < 0 && error == EPIPE && ::sigismember(&previous, SIGPIPE) == 0) {
    const timespec at_once{};
    ::sigtimedwait(&broken_pipe, nullptr, &at_once);
  }
  ::pthread_sigmask(SIG_SETMASK, &previous, nullptr);
  errno = error;
  return sent;
}

}  // namespace sockeye::net
