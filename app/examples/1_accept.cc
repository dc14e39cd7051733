// Step 1 of 6: accepts connections, and prints what comes. How does a browser ask for a WebSocket?
//
// With a request of HTTP (RFC 6455 §4.1), on a TCP connection like any other. In the project's
// folder, after `make`:
//
//   g++ -std=c++20 -I. app/examples/1_accept.cc -o build/1_accept
//   build/1_accept 9000
//
// and in a browser's console (F12), on the page file:///, for a page of the web may not talk to
// programs of this machine: new WebSocket("ws://127.0.0.1:9000/")
//
// The request is printed, and the browser waits: nobody answers before step 2. Where a second
// window asks as well, nothing more is printed, for this program serves one connection after the
// other. Step 4 serves many at once.
//
// SPDX-License-Identifier: MIT
#include <sys/socket.h>
#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>

#include "app/examples/listen_on.h"

int main(int count, char** arguments) {
  const int listener = listen_on(count > 1 ? std::atoi(arguments[1]) : 9000);
  while (true) {
    const int peer = accept(listener, nullptr, nullptr);
    if (peer < 0) continue;
    // TCP is a stream: what was sent at once may come in pieces, and what was sent in pieces at
    // once. 0: the peer has ended its side; -1: the connection broke.
    char bytes[4096];
    ssize_t size;
    while ((size = recv(peer, bytes, sizeof bytes, 0)) > 0) {
      std::fwrite(bytes, 1, static_cast<std::size_t>(size), stdout);
    }
    close(peer);
  }
}
