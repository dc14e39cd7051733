// A TCP socket to accept connections from, for steps 1 to 4: nothing here is about WebSocket.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>

// Listens on this machine's own address alone, and prints where. Port 0: the kernel chooses one.
inline int listen_on(int port) {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  const int yes = 1;  // the port may be taken again at once when this program has ended
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const any_address = reinterpret_cast<sockaddr*>(&address);
  if (bind(listener, any_address, size) != 0 || listen(listener, SOMAXCONN) != 0 ||
      getsockname(listener, any_address, &size) != 0) {
    std::perror("cannot listen");
    std::exit(1);
  }
  std::setvbuf(stdout, nullptr, _IOLBF, 0);  // each line is seen at once, in a pipe as well
  std::printf("listening on ws://127.0.0.1:%d/\n", ntohs(address.sin_port));
  return listener;
}
