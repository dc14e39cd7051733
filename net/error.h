// What went wrong between this program and the system: a socket that could not be bound, an
// address that could not be read. What a peer did wrong is ws/error.h's business.
//
// Part of the floor.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

namespace sockeye::net {

struct Error {
  std::string message;  // for people: "cannot listen on 127.0.0.1:9000: Address already in use"
  int code = 0;         // errno, or 0 where no system call was involved
};

// An Error from the current errno: "<what>: <the system's text for errno>".
Error system_error(std::string_view what);

}  // namespace sockeye::net

namespace sockeye {

// Prints "sockeye: <message>" as one line on standard error and returns 1, an exit status for main.
int report(const net::Error& error);

}  // namespace sockeye
