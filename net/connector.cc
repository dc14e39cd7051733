// SPDX-License-Identifier: MIT
#include "net/connector.h"

#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cassert>
#include <cerrno>

namespace sockeye::net {

void Connector::connect(std::vector<Address> addresses, const Address& source) {
  assert(!addresses.empty());
  addresses_ = std::move(addresses);
  source_ = source;
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
    if (start(address)) return;
    error = system_error("cannot connect to " + address.text());
    fd_.reset();
  }
  owner_.on_connect_failed(error);
}

bool Connector::start(const Address& address) {
  const int on = 1;
  fd_.reset(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd_) return false;
  if (address.family() != AF_UNIX) {
    ::setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  if (source_.kind() != Address::Kind::none) {
    // ip(7): the port is chosen by connect(2), so that one port serves several destinations.
    ::setsockopt(fd_.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (::bind(fd_.get(), source_.data(), source_.size()) != 0) return false;
  }
  // Connected or not yet, epoll reports the outcome as writable. (A Unix socket whose server has
  // a full backlog says EAGAIN, and there is no event to wait for: that is a failure.)
  const bool started =
      ::connect(fd_.get(), address.data(), address.size()) == 0 || errno == EINPROGRESS;
  return started && loop_.watch(fd_.get(), *this);
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
