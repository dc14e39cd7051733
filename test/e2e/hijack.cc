// A library to preload (ld.so(8)) into a server, as if a peer had found a way to run code in it: a
// request for /NAME makes the call of that name first.
//
// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace {

bool asks_for(const char* request, const char* name) {
  return std::strstr(request, name) == request + std::strlen("GET /");
}

// What /etc/passwd begins with goes to the peer.
void send_passwd(int peer) {
  char text[100];
  const int file = open("/etc/passwd", O_RDONLY);
  const ssize_t size = read(file, text, sizeof text);
  if (size > 0) send(peer, text, static_cast<size_t>(size), 0);
}

}  // namespace

extern "C" ssize_t recv(int fd, void* buffer, size_t size, int flags) {
  const ssize_t received = recvfrom(fd, buffer, size, flags, nullptr, nullptr);
  if (received <= 0) return received;
  char request[32]{};
  std::memcpy(request, buffer, std::min(sizeof request - 1, static_cast<size_t>(received)));
  if (asks_for(request, "open ")) send_passwd(fd);
  if (asks_for(request, "execve ")) execl("/bin/true", "true", nullptr);
  if (asks_for(request, "fork ") && fork() == 0) _exit(0);
  if (asks_for(request, "socket ")) socket(AF_INET, SOCK_STREAM, 0);
  if (asks_for(request, "ptrace ")) ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
  return received;
}
