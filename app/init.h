// sockeye as process 1 (init): of a machine on which no other program runs, or of a container.
//
// When process 1 ends, the kernel panics. So it does little, and what may fail is done by another:
//
//   process 1 ── sets up the machine ── fork ──┬── reaps, passes signals on, waits ── powers off
//                       (app/machine.h)        └── the server: where main goes on
//
// A server that crashes is started again, after a pause that grows from 100 ms to 13 s while it
// doesn't live for a minute. One that ends by itself has been told to, or can't serve (a mistake in
// the options, a taken port) and has said why: then the machine is powered off. SIGTERM, SIGINT
// and SIGHUP go to the server, which ends on them; ctrl-alt-del is SIGINT.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <span>

namespace sockeye::app {

#ifndef SOCKEYE_WITHOUT_init

inline constexpr bool can_be_init = true;

// Whether this is process 1 and is to be init: its program's name, arguments[0], is "init", or
// "--init" is among the others. (As process 1 of a container, it does without.)
bool is_init(std::span<char* const> arguments);

// Makes this process init. Returns only in the processes that it starts, to be the server.
void become_init();

// Whether this process was started by init.
bool has_init();

#else  // make WITHOUT=init: the server is process 1 of containers alone

inline constexpr bool can_be_init = false;

inline bool is_init(std::span<char* const>) {
  return false;
}
inline void become_init() {}
inline bool has_init() {
  return false;
}

#endif

}  // namespace sockeye::app
