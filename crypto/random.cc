// SPDX-License-Identifier: MIT
#include "crypto/random.h"

#include <string.h>  // explicit_bzero, which <cstring> need not declare
#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "net/error.h"

namespace sockeye::crypto {
namespace {

// RFC 6455 §5.3: a strong source of entropy is the kernel's generator.
void draw_from_system(MutableBytes bytes) {
  while (!bytes.empty()) {
    const ssize_t drawn = ::getrandom(bytes.data(), bytes.size(), 0);
    if (drawn >= 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(drawn));  // a signal may cut a draw short
    } else if (errno != EINTR) {
      report(net::system_error("the system gives no random bytes (getrandom)"));
      std::abort();
    }
  }
}

}  // namespace

std::uint32_t Random::next_u32() {
  std::array<std::uint8_t, 4> bytes;
  fill(bytes);
  return load_be32(bytes.data());
}

void SystemRandom::fill(MutableBytes bytes) {
  while (!bytes.empty()) {
    if (unused_ == 0) {
      draw_from_system(pool_);
      unused_ = pool_.size();
    }
    const std::size_t size = std::min(unused_, bytes.size());
    const MutableBytes taken = MutableBytes(pool_).last(unused_).first(size);
    copy_bytes(bytes.data(), taken);
    ::explicit_bzero(taken.data(), taken.size());  // unlike memset, never optimized away
    unused_ -= size;
    bytes = bytes.subspan(size);
  }
}

}  // namespace sockeye::crypto
