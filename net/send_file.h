// sendfile(2) that leaves a peer's early end to its result, and raises no signal.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

namespace sockeye::net {

// Sends up to `size` bytes of `file` from `offset` on to `socket`, within the kernel. As
// sendfile(2) returns: how many it took, 0 where the file ends before, or -1 with errno; EINVAL
// where the file's file system can't do this.
ssize_t send_file(int socket, int file, std::uint64_t offset, std::size_t size);

}  // namespace sockeye::net
