// SPDX-License-Identifier: MIT
#include "net/listener.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "net/log.h"

namespace sockeye::net {

namespace {

// How many connections one turn accepts at most: those that are open want their turns, too.
constexpr int accepts_per_turn = 64;

// The kernel cuts it down to net.core.somaxconn, 4,096 by default. (SOMAXCONN is musl's, too: 128.)
constexpr int most_backlog = 65'535;

// How long the backlog is left alone when there are no descriptors or no memory.
constexpr std::uint64_t pause_ms = 100;

bool set_option(int fd, int level, int name, int value) {
  return ::setsockopt(fd, level, name, &value, sizeof value) == 0;
}

bool share_port(int fd) {
  return set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
}

Error cannot_listen(const Address& address) {
  return system_error("cannot listen on " + address.text());
}

// The reserve is any descriptor; an event descriptor needs no file system.
Fd open_reserve() {
  return Fd(::eventfd(0, EFD_CLOEXEC));
}

// Whether a Unix socket's file is left over from a server that is gone: it is a socket, and
// connecting to it is refused.
bool is_stale(const Address& address) {
  struct stat status;
  if (::lstat(address.path(), &status) != 0 || !S_ISSOCK(status.st_mode)) return false;
  const Fd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  return probe && ::connect(probe.get(), address.data(), address.size()) != 0 &&
         errno == ECONNREFUSED;
}

Address local_address(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size);
  return Address::from(reinterpret_cast<sockaddr*>(&storage), size);
}

}  // namespace

Result<void, Error> Listener::open(const Address& address, Sharing sharing, int shared) {
  if (address.kind() == Address::Kind::inherited) {
    TRY(adopt(address.descriptor(), address));
  } else if (sharing == Sharing::by_socket && shared >= 0) {
    TRY(adopt(shared, address));
  } else {
    TRY(bind(address, sharing, shared >= 0));
  }
  reserve_ = open_reserve();
  const bool watched = sharing == Sharing::by_socket ? loop_.watch_shared(fd_.get(), *this)
                                                     : loop_.watch(fd_.get(), *this);
  if (!watched) {
    Error error = cannot_listen(address);
    close();
    return error;
  }
  return {};
}

Result<void, Error> Listener::bind(const Address& address, Sharing sharing, bool is_ours) {
  Fd fd(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd && errno == EAFNOSUPPORT && address.kind() == Address::Kind::any &&
      address.family() == AF_INET6) {
    return bind(address.without_ipv6(), sharing, is_ours);
  }
  if (!fd) return cannot_listen(address);

  const bool by_ip = address.kind() == Address::Kind::ip || address.kind() == Address::Kind::any;
  if (by_ip) {
    // SO_REUSEADDR: a restarted server may take its port back while old connections linger.
    // TCP_NODELAY: accepted sockets inherit it, which saves a call for each. Our writes are whole
    // already; holding small ones back would only delay them.
    if (!set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1) ||
        !set_option(fd.get(), IPPROTO_TCP, TCP_NODELAY, 1)) {
      return cannot_listen(address);
    }
    if (sharing == Sharing::by_port && is_ours && !share_port(fd.get())) {
      return cannot_listen(address);
    }
    if (address.family() == AF_INET6) {
      const int v6_only = address.kind() == Address::Kind::any ? 0 : 1;
      if (!set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, v6_only)) return cannot_listen(address);
    }
  }

  if (address.kind() == Address::Kind::path && is_stale(address)) ::unlink(address.path());
  if (::bind(fd.get(), address.data(), address.size()) != 0) {
    if (errno == EADDRNOTAVAIL && address.kind() == Address::Kind::any &&
        address.family() == AF_INET6) {
      return bind(address.without_ipv6(), sharing,
                  is_ours);  // IPv6 is compiled in and switched off
    }
    return cannot_listen(address);
  }
  // SO_REUSEPORT lets any program of the same user in. The first of our sockets is bound without
  // it, so that a port which another server has is an error, and opened to the others after.
  if (by_ip && sharing == Sharing::by_port && !is_ours && !share_port(fd.get())) {
    return cannot_listen(address);
  }
  struct stat status;
  if (address.kind() == Address::Kind::path && ::lstat(address.path(), &status) == 0) {
    file_ = status.st_ino;
  }
  address_ = address;
  fd_ = std::move(fd);
  if (::listen(fd_.get(), most_backlog) != 0) {
    Error error = cannot_listen(address);
    close();
    return error;
  }
  if (by_ip) address_ = address.with_port(local_address(fd_.get()).port());
  return {};
}

// Takes a duplicate of a socket that listens already.
Result<void, Error> Listener::adopt(int descriptor, const Address& address) {
  int listening = 0;
  socklen_t size = sizeof listening;
  if (::getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) != 0) {
    return cannot_listen(address);
  }
  if (listening == 0) {
    return Error{"cannot listen on " + address.text() + ": it is not a listening socket", EINVAL};
  }
  Fd fd(::fcntl(descriptor, F_DUPFD_CLOEXEC, 3));
  if (!fd) return cannot_listen(address);
  const int flags = ::fcntl(fd.get(), F_GETFL);
  if (flags < 0 || ::fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK) != 0) {
    return cannot_listen(address);
  }
  address_ = local_address(fd.get());
  if (address_.family() != AF_UNIX && !set_option(fd.get(), IPPROTO_TCP, TCP_NODELAY, 1)) {
    return cannot_listen(address);
  }
  fd_ = std::move(fd);
  return {};
}

void Listener::close() {
  loop_.timers().disarm(*this);
  loop_.forget(*this);
  if (!fd_) return;
  // A duplicate that another thread or process holds would keep the registration alive.
  loop_.unwatch(fd_.get());
  fd_.reset();
  reserve_.reset();
  // Another server may have put its own file there since.
  struct stat status;
  if (file_ != 0 && ::lstat(address_.path(), &status) == 0 && status.st_ino == file_) {
    ::unlink(address_.path());
  }
  file_ = 0;
}

void Listener::on_events(std::uint32_t) {
  if (fd_) accept_some();
}

void Listener::on_agenda() {
  accept_some();
}

void Listener::on_timer(std::uint64_t) {
  if (!reserve_) reserve_ = open_reserve();
  accept_some();
}

void Listener::accept_some() {
  if (armed()) return;  // pausing
  bool accepted = false;
  for (int i = 0; i < accepts_per_turn; ++i) {
    sockaddr_storage peer;
    socklen_t size = sizeof peer;
    auto* const address = reinterpret_cast<sockaddr*>(&peer);
    Fd fd(::accept4(fd_.get(), address, &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd) {
      accepted = true;
      owner_.on_accept(std::move(fd), Address::from(address, size));
      if (!fd_) return;  // the owner has closed us
      continue;
    }
    switch (errno) {
      case EAGAIN:
        return;
      case EMFILE:
      case ENFILE:
      case ENOBUFS:
      case ENOMEM:
        return out_of_descriptors();
      default:
        // EINTR, or a connection that broke before it was accepted (ECONNABORTED; Linux also
        // passes on the network's errors, see accept(2)): the next one may be fine.
        continue;
    }
  }
  // Nothing but errors: it is the socket that is broken (EINVAL: a process that shares it has shut
  // it down), and to go on asking would spin.
  if (!accepted) return pause();
  loop_.schedule(*this);
}

void Listener::out_of_descriptors() {
  pause();
  reserve_.reset();
  {
    const Fd fd(::accept4(fd_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd) owner_.on_turn_away(fd.get());
  }
  if (fd_) reserve_ = open_reserve();  // else the owner has closed us
}

void Listener::pause() {
  const char* const reason = std::strerror(errno);
  log(LogLevel::warn, "accepting pauses",
      {{"listener", AddressText(address_).view()}, {"reason", std::string_view(reason)}});
  loop_.timers().arm(*this, loop_.now_ms() + pause_ms);
}

}  // namespace sockeye::net
