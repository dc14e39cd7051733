// Unpredictable bytes: masking keys and handshake nonces.
//
// RFC 6455 §5.3: a masking key must be unpredictable, drawn from a strong source of entropy; §10.3
// says what happens to proxies if it is not. §4.1: the nonce of a client's handshake is random.
//
// Code that needs randomness takes a Random as an argument, so that a test can script it. Neither
// class may be used by two threads at once.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "net/bytes.h"

namespace sockeye::crypto {

class Random {
 public:
  // Fills all of `bytes`. Cannot fail.
  virtual void fill(MutableBytes bytes) = 0;

  std::uint32_t next_u32();

 protected:
  ~Random() = default;  // nobody owns a source through this interface
};

// The system's generator, getrandom(2), behind a pool: a masking key costs a copy of four bytes,
// and a system call only once in 256 keys. Bytes are wiped from the pool as they are handed out.
//
// Where the system has no random bytes to give, the process aborts with a line that says so. A weak
// key is never handed out.
//
// A process that forks must not use the pool on both sides: they would draw the same bytes.
class SystemRandom final : public Random {
 public:
  SystemRandom() = default;
  SystemRandom(const SystemRandom&) = delete;  // a copy would repeat the original's bytes
  SystemRandom& operator=(const SystemRandom&) = delete;

  void fill(MutableBytes bytes) override;

 private:
  std::array<std::uint8_t, 1024> pool_{};
  std::size_t unused_ = 0;  // the last bytes of the pool that are not yet handed out
};

}  // namespace sockeye::crypto
