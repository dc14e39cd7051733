// Publishes, receives what is published on many connections, and says what that cost the server.
//   fan_out_load PORT PID CONNECTIONS BURST SECONDS
//
// The first connection sends BURST messages at once, and again when all connections have received
// all of them. PID is the server's, whose CPU time is taken before and after. Prints, as JSON, how
// many messages were received in that time, and the CPU time in nanoseconds.
//
// Received bytes are counted and not looked at: with MSG_TRUNC, the kernel doesn't even copy them.
//
// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr std::size_t payload_bytes = 64;
constexpr std::size_t received_frame_bytes = 2 + payload_bytes;  // of a server's (RFC 6455 §5.2)
constexpr double warm_up_s = 0.2;
constexpr int deadline_ms = 30'000;  // for anything to be received

[[noreturn]] void fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

// A connection after its opening handshake (RFC 6455 §4.1).
int connect_to(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fail("connect");
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  // In the end a reset: else each connection would keep a port for a minute (TIME-WAIT).
  const linger reset = {1, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  constexpr std::string_view request =
      "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
  if (::send(fd, request.data(), request.size(), MSG_NOSIGNAL) < 0) fail("send");
  std::string head;
  while (!head.ends_with("\r\n\r\n")) {
    char byte;
    if (::recv(fd, &byte, 1, 0) != 1) fail("handshake");
    head += byte;
  }
  if (!head.starts_with("HTTP/1.1 101 ")) fail("handshake");
  return fd;
}

// `count` binary messages, masked with a key of zeros (§5.3).
std::string burst_of(std::size_t count) {
  std::string frame = "\x82";
  frame += static_cast<char>(0x80 | payload_bytes);
  frame.append(4, '\0');
  frame.append(payload_bytes, 'x');
  std::string burst;
  for (std::size_t i = 0; i < count; ++i) burst += frame;
  return burst;
}

std::uint64_t nanoseconds(clockid_t clock) {
  timespec time;
  if (::clock_gettime(clock, &time) != 0) fail("clock_gettime");
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(time.tv_nsec);
}

class Load {
 public:
  Load(std::uint16_t port, std::size_t connections, std::size_t messages)
      : burst_(burst_of(messages)), burst_deliveries_(connections * messages) {
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    for (std::size_t i = 0; i < connections; ++i) {
      const int fd = connect_to(port);
      if (i == 0) publisher_ = fd;
      epoll_event event = {};
      event.events = EPOLLIN | EPOLLET;
      event.data.fd = fd;
      if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll_ctl");
    }
  }

  // Publishes for so long; returns how many messages were received.
  std::uint64_t run(double seconds) {
    const std::uint64_t end =
        nanoseconds(CLOCK_MONOTONIC) + static_cast<std::uint64_t>(seconds * 1e9);
    std::uint64_t deliveries = 0;
    while (nanoseconds(CLOCK_MONOTONIC) < end) {
      const ssize_t sent = ::send(publisher_, burst_.data(), burst_.size(), MSG_NOSIGNAL);
      if (sent != static_cast<ssize_t>(burst_.size())) fail("send");
      receive(burst_deliveries_ * received_frame_bytes);
      deliveries += burst_deliveries_;
    }
    return deliveries;
  }

 private:
  void receive(std::size_t bytes) {
    static std::array<char, 64 * 1024> unseen;
    std::array<epoll_event, 1024> events;
    while (bytes > 0) {
      const int count = ::epoll_wait(epoll_, events.data(), events.size(), deadline_ms);
      if (count <= 0) fail("epoll_wait");
      for (int i = 0; i < count; ++i) {
        const int fd = events[static_cast<std::size_t>(i)].data.fd;
        const ssize_t size = ::recv(fd, unseen.data(), unseen.size(), MSG_TRUNC | MSG_DONTWAIT);
        if (size < 0 && errno == EAGAIN) continue;
        if (size <= 0) fail("recv");
        if (static_cast<std::size_t>(size) > bytes) fail("more was received than was published");
        bytes -= static_cast<std::size_t>(size);
      }
    }
  }

  const std::string burst_;
  const std::size_t burst_deliveries_;
  int epoll_ = -1;
  int publisher_ = -1;
};

}  // namespace

int main(int count, char** arguments) {
  if (count != 6) {
    std::fputs("usage: fan_out_load PORT PID CONNECTIONS BURST SECONDS\n", stderr);
    return 2;
  }
  const auto number = [&](int i) { return std::strtoul(arguments[i], nullptr, 10); };
  Load load(static_cast<std::uint16_t>(number(1)), number(3), number(4));
  clockid_t server_cpu;
  if (::clock_getcpuclockid(static_cast<pid_t>(number(2)), &server_cpu) != 0) fail("no such PID");
  load.run(warm_up_s);
  const std::uint64_t before = nanoseconds(server_cpu);
  const std::uint64_t deliveries = load.run(std::strtod(arguments[5], nullptr));
  const std::uint64_t cpu_ns = nanoseconds(server_cpu) - before;
  std::printf("{\"deliveries\": %llu, \"cpu_ns\": %llu}\n",
              static_cast<unsigned long long>(deliveries), static_cast<unsigned long long>(cpu_ns));
  return 0;
}
