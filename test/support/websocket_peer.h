// The other end of a connection, as a test wants it: a socket that says exactly what it is told,
// right or wrong, and shows what it got. Frames are written and read by code of its own.
//
// It sends and receives by sendto and recvfrom, which the library doesn't use: where a test counts
// or fails system calls (test/support/system_calls.h), those are the library's.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>

#include "net/address.h"
#include "net/fd.h"

namespace sockeye::test {

// RFC 6455 §5.2, by number.
inline constexpr int continuation_frame = 0;
inline constexpr int text_frame = 1;
inline constexpr int binary_frame = 2;
inline constexpr int close_frame = 8;
inline constexpr int ping_frame = 9;
inline constexpr int pong_frame = 10;

// A frame as the peer got it.
struct Received {
  int opcode;
  std::string payload;
  bool operator==(const Received&) const = default;
};

inline std::ostream& operator<<(std::ostream& out, const Received& frame) {
  return out << "opcode " << frame.opcode << ", " << frame.payload.size() << " bytes \""
             << frame.payload.substr(0, 100) << '"';
}

// The bytes of a frame from a client, masked with the key of RFC 6455 §5.7.
inline std::string frame_of(int opcode, std::string_view payload, bool fin = true) {
  std::string bytes;
  bytes += static_cast<char>((fin ? 0x80 : 0) | opcode);
  const std::uint64_t size = payload.size();
  const int length_bytes = size < 126 ? 0 : size < 65536 ? 2 : 8;
  bytes += static_cast<char>(0x80 | (length_bytes == 0 ? size : length_bytes == 2 ? 126 : 127));
  for (int i = length_bytes; i-- > 0;) bytes += static_cast<char>(size >> (8 * i));
  constexpr char key[] = {0x37, '\xfa', 0x21, 0x3d};
  bytes.append(key, 4);
  const std::size_t begin = bytes.size();
  bytes.append(payload);
  for (std::size_t i = 0; i < size; ++i) bytes[begin + i] ^= key[i % 4];
  return bytes;
}

// A Close frame's payload.
inline std::string close_payload(int code, std::string_view reason = {}) {
  return std::string{static_cast<char>(code >> 8), static_cast<char>(code)} + std::string(reason);
}

inline std::string text(std::string_view payload) {
  return frame_of(text_frame, payload);
}
inline std::string close_with(int code, std::string_view reason = {}) {
  return frame_of(close_frame, close_payload(code, reason));
}

// The request of RFC 6455 §1.2, with more fields where the test wants some.
inline std::string upgrade_request(std::string_view more_fields = {}) {
  return "GET /chat HTTP/1.1\r\n"
         "Host: server.example.com\r\n"
         "Upgrade: websocket\r\n"
         "Connection: Upgrade\r\n"
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
         "Sec-WebSocket-Version: 13\r\n" +
         std::string(more_fields) + "\r\n";
}

class Peer {
 public:
  // Connected when this returns, even where nobody has accepted yet.
  explicit Peer(const net::Address& address, int receive_buffer_bytes = 0)
      : fd_(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    REQUIRE(fd_);
    if (receive_buffer_bytes != 0) {
      ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes,
                   sizeof receive_buffer_bytes);
    }
    REQUIRE(::connect(fd_.get(), address.data(), address.size()) == 0);
    start();
  }
  explicit Peer(net::Fd fd) : fd_(std::move(fd)) { start(); }

  // ---- What it sends ----

  // All of `bytes`, which the kernel has room for.
  void send(std::string_view bytes) { REQUIRE(try_send(bytes) == bytes.size()); }

  // As much of `bytes` as the kernel takes.
  std::size_t try_send(std::string_view bytes) {
    std::size_t sent = 0;
    while (sent < bytes.size()) {
      const ssize_t taken =
          ::sendto(fd_.get(), bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL, nullptr, 0);
      if (taken < 0) break;
      sent += static_cast<std::size_t>(taken);
    }
    return sent;
  }

  // FIN: it sends no more, and goes on reading.
  void finish() { REQUIRE(::shutdown(fd_.get(), SHUT_WR) == 0); }

  // RST: it is gone at once.
  void reset() {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    fd_.reset();
  }

  void close() { fd_.reset(); }

  // ---- What it gets ----

  // Takes what has arrived.
  void receive() {
    char bytes[64 * 1024];
    while (!ended_) {
      const ssize_t size = ::recvfrom(fd_.get(), bytes, sizeof bytes, 0, nullptr, nullptr);
      if (size > 0) {
        input_.append(bytes, static_cast<std::size_t>(size));
        continue;
      }
      if (size < 0 && errno == EAGAIN) return;
      ended_ = true;
      was_reset_ = size < 0;
    }
  }

  // What was received and not taken yet.
  const std::string& input() const { return input_; }
  std::string take_input() { return std::exchange(input_, {}); }
  void put_back(std::string_view bytes) { input_.insert(0, bytes); }
  bool ended() const { return ended_; }          // by FIN or RST
  bool was_reset() const { return was_reset_; }  // by RST

  // Cuts a head off the input: up to its empty line.
  std::optional<std::string> take_head() {
    const std::size_t end = input_.find("\r\n\r\n");
    if (end == std::string::npos) return std::nullopt;
    std::string head = input_.substr(0, end + 4);
    input_.erase(0, end + 4);
    return head;
  }

  // Cuts a frame off the input; one that no server may send fails the test.
  std::optional<Received> take_frame() {
    const auto byte = [this](std::size_t i) { return static_cast<std::uint8_t>(input_[i]); };
    if (input_.size() < 2) return std::nullopt;
    REQUIRE((byte(0) & 0xf0) == 0x80);  // FIN, and no reserved bit
    REQUIRE((byte(1) & 0x80) == 0);     // §5.1: a server must not mask
    const std::size_t length_bytes = byte(1) < 126 ? 0 : byte(1) == 126 ? 2 : 8;
    const std::size_t header = 2 + length_bytes;
    if (input_.size() < header) return std::nullopt;
    std::uint64_t size = length_bytes == 0 ? byte(1) : 0;
    for (std::size_t i = 2; i < header; ++i) size = size << 8 | byte(i);
    if (input_.size() - header < size) return std::nullopt;
    Received received{byte(0) & 0x0f, input_.substr(header, size)};
    input_.erase(0, header + size);
    return received;
  }

 private:
  void start() {
    REQUIRE(::fcntl(fd_.get(), F_SETFL, O_NONBLOCK) == 0);
    // What is sent arrives at once. (A Unix socket has no such option, and needs none.)
    const int on = 1;
    ::setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }

  net::Fd fd_;
  std::string input_;
  bool ended_ = false;
  bool was_reset_ = false;
};

}  // namespace sockeye::test
