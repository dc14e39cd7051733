// SPDX-License-Identifier: MIT
#include "app/raw_client.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace sockeye::app {

RawClient::RawClient(net::Loop& loop, std::string_view target, std::string_view bytes,
                     std::function<void(RawClient&)> done)
    : loop_(loop), done_(std::move(done)) {
  unsent_.append("GET ").append(target);
  unsent_ +=
      " HTTP/1.1\r\n"
      "Host: server.example.com\r\n"
      "Upgrade: websocket\r\n"
      "Connection: Upgrade\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"  // RFC 6455 §1.3
      "Sec-WebSocket-Version: 13\r\n\r\n";
  unsent_ += bytes;
}

net::Fd RawClient::start() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) return {};
  fd_.reset(ends[0]);
  net::Fd server(ends[1]);
  if (!loop_.watch(fd_.get(), *this)) return {};
  return server;
}

// It sends less than any socket's buffer holds.
void RawClient::on_events(std::uint32_t) {
  if (!fd_) return;
  if (!unsent_.empty()) {
    const std::string text = std::exchange(unsent_, {});
    (void)::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL);
  }
  char answer[1024];
  ssize_t received;
  do {
    received = ::recv(fd_.get(), answer, sizeof answer, 0);
  } while (received > 0);
  if (received < 0 && errno == EAGAIN) return;
  fd_.reset();
  loop_.schedule(*this);
}

void RawClient::on_agenda() {
  const auto done = std::move(done_);  // which destroys this
  done(*this);
}

}  // namespace sockeye::app
