// An owning file descriptor: closed when its owner goes.
//
// The one resource type of the project that moves, since descriptors are handed from function to
// function (accept, connect, an address that names an inherited one).
//
// SPDX-License-Identifier: MIT
#pragma once

#include <unistd.h>

#include <utility>

namespace sockeye::net {

class Fd {
 public:
  Fd() = default;
  explicit Fd(int descriptor) : descriptor_(descriptor) {}
  Fd(Fd&& other) noexcept : descriptor_(other.release()) {}
  Fd& operator=(Fd&& other) noexcept {
    reset(other.release());
    return *this;
  }
  ~Fd() { reset(); }

  explicit operator bool() const { return descriptor_ >= 0; }

  // The descriptor, still owned here; -1 when there is none.
  int get() const { return descriptor_; }

  // Hands the descriptor to the caller, who has to close it.
  [[nodiscard]] int release() { return std::exchange(descriptor_, -1); }

  // Closes what is owned, and owns `descriptor` from here on. A failed close is not repeated, not
  // even after EINTR: Linux has freed the number by then, and it may be another's already.
  void reset(int descriptor = -1) {
    const int previous = std::exchange(descriptor_, descriptor);
    if (previous >= 0) ::close(previous);
  }

 private:
  int descriptor_ = -1;
};

}  // namespace sockeye::net
