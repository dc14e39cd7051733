// SPDX-License-Identifier: MIT
#include "net/connector.h"

#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cassert>
#include <cerrno>

namespace sockeye::net {

void Connector::connect(std::vector<Address> addresses) {
  assert(!addresses.empty());
  addresses_ = std::move(addresses);
  next_ = 0;
  loop_.schedule(*this);
}

void Connector::cancel() {
  loop_.forget(*this);
  fd_.reset();
}

void Connector::on_agenda() {
  try_next({});
}

// Starts on the next address; when there is none left, `error`, the last one's, is the outcome.
void Connector::try_next(Error error) {
  while (next_ < addresses_.size()) {
    const Address& address = addresses_[next_++];
    fd_.reset(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (fd_ && address.family() != AF_UNIX) {
      const int on = 1;
      ::setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    // Connected or not yet, epoll reports the outcome as writable. (A Unix socket whose server has
    // a full backlog says EAGAIN, and there is no event to wait for: that is a failure.)
    if (fd_ &&
        (::connect(fd_.get(), address.data(), address.size()) == 0 || errno == EINPROGRESS) &&
        loop_.watch(fd_.get(), *this)) {
      return;
    }
    error = system_error("cannot connect to " + address.text());
    fd_.reset();
  }
  owner_.on_connect_failed(error);
}

void Connector::on_events(std::uint32_t events) {
  if (!fd_ || (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) == 0) return;
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) {
    fd_.reset();
    errno = error;
    return try_next(system_error("cannot connect to " + addresses_[next_ - 1].text()));
  }
  loop_.unwatch(fd_.get());
  owner_.on_connected(std::move(fd_));
}

}  // namespace sockeye::net
