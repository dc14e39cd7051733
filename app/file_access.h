// Landlock: no files for this process from here on, but those that are open.
//
// Where the kernel knows how, no TCP sockets of its own either, no abstract Unix sockets of others,
// and no signals to them: landlock(7).
//
// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <string>

namespace sockeye::app {

// For this thread and those that it starts, for good. The files with these absolute paths may still
// be removed; and with them whatever else lies in their folders, at any depth, as far as the user
// may: Landlock has no rule for one name. What is in the folder with the descriptor `readable` may
// still be opened for reading; -1: there is none. Needs no_new_privs, or root. False, with errno,
// where the kernel has no Landlock.
bool deny_files(std::span<const std::string> removable, int readable = -1);

}  // namespace sockeye::app
