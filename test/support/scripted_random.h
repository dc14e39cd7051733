// A source of "random" bytes that a test writes down beforehand.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <initializer_list>
#include <vector>

#include "crypto/random.h"

namespace sockeye::test {

// Hands out the bytes of its script one after the other, and then the same ones again.
//
//   ScriptedRandom random{0x37, 0xfa, 0x21, 0x3d};  // the masking key of RFC 6455 §5.7
class ScriptedRandom final : public crypto::Random {
 public:
  ScriptedRandom(std::initializer_list<std::uint8_t> script) : script_(script) {}

  void fill(MutableBytes bytes) override {
    for (std::uint8_t& byte : bytes) byte = script_[drawn_++ % script_.size()];
  }

  // How many bytes it has handed out.
  std::size_t drawn() const { return drawn_; }

 private:
  std::vector<std::uint8_t> script_;
  std::size_t drawn_ = 0;
};

}  // namespace sockeye::test
