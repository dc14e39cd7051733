// SPDX-License-Identifier: MIT
#include "app/violations.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <utility>

namespace sockeye::app {

namespace {

using namespace std::literals;

// The masking key is that of RFC 6455 §5.7: 37 fa 21 3d.
constexpr Violation all[] = {
    {ws::Error::frame_not_masked, "\x81\x05Hello"sv},
    {ws::Error::reserved_bit_set, "\xc1\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"sv},
    {ws::Error::reserved_opcode, "\x83\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"sv},
    {ws::Error::length_not_minimal, "\x81\xfe\x00\x05\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"sv},
    {ws::Error::length_top_bit_set, "\x82\xff\x80\x00\x00\x00\x00\x00\x00\x00\x37\xfa\x21\x3d"sv},
    {ws::Error::control_frame_too_long, "\x89\xfe\x00\x7e\x37\xfa\x21\x3d"sv},
    {ws::Error::control_frame_fragmented, "\x09\x80\x37\xfa\x21\x3d"sv},
    {ws::Error::continuation_without_message, "\x80\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"sv},
    {ws::Error::message_interrupted,
     "\x01\x83\x37\xfa\x21\x3d\x7f\x9f\x4d\x81\x82\x37\xfa\x21\x3d\x5b\x95"sv},
    {ws::Error::text_not_utf8, "\x81\x82\x37\xfa\x21\x3d\xc8\x04"sv},
    {ws::Error::message_too_big, "\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x37\xfa\x21\x3d"sv},
    {ws::Error::close_payload_of_one_byte, "\x88\x81\x37\xfa\x21\x3d\x34"sv},
    {ws::Error::close_code_invalid, "\x88\x82\x37\xfa\x21\x3d\x34\x17"sv},  // 1005
    {ws::Error::close_reason_not_utf8, "\x88\x83\x37\xfa\x21\x3d\x34\x12\xde"sv},
};

}  // namespace

std::span<const Violation> violations() {
  return all;
}

Violator::Violator(net::Loop& loop, const Violation& violation, std::string_view target,
                   std::function<void(Violator&)> done)
    : loop_(loop), done_(std::move(done)) {
  unsent_.append("GET ").append(target);
  unsent_ +=
      " HTTP/1.1\r\n"
      "Host: server.example.com\r\n"
      "Upgrade: websocket\r\n"
      "Connection: Upgrade\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
      "Sec-WebSocket-Version: 13\r\n\r\n";
  unsent_ += violation.bytes;
}

net::Fd Violator::start() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) return {};
  fd_.reset(ends[0]);
  net::Fd server(ends[1]);
  if (!loop_.watch(fd_.get(), *this)) return {};
  return server;
}

// It sends less than any socket's buffer holds, and hears a Close frame.
void Violator::on_events(std::uint32_t) {
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

void Violator::on_agenda() {
  const auto done = std::move(done_);  // which destroys this
  done(*this);
}

}  // namespace sockeye::app
