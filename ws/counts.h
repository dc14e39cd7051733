// What happens on the connections of an endpoint, in numbers: for metrics.
//
// The endpoint's thread writes them, any thread may read them (net/counter.h). They only grow, but
// for those that say what there is now.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "net/counter.h"
#include "ws/error.h"

namespace sockeye::ws {

// Closes by their code (RFC 6455 §7.4). Peers choose codes from 3000 on as they like (§7.4.2), so
// those are counted together by whose they are: what is kept doesn't grow with their fancy.
class CloseCounts {
 public:
  // 1000 to 1015 (§7.4.1, and those registered since), 3000 to 3999, 4000 to 4999.
  static constexpr std::size_t slots = 18;

  // `code` is one of those.
  void add(std::uint16_t code) { counts_[slot_of(code)].add(); }

  // The first code that `slot` counts.
  static constexpr std::uint16_t first_code(std::size_t slot) {
    return static_cast<std::uint16_t>(slot < 16 ? 1000 + slot : 3000 + (slot - 16) * 1000);
  }
  std::size_t count(std::size_t slot) const { return counts_[slot].value(); }

 private:
  static constexpr std::size_t slot_of(std::uint16_t code) {
    return code < 3000 ? code - 1000u : code / 1000u + 13;
  }

  std::array<net::Counter, slots> counts_;
};

struct Counts {
  // There are so many now.
  net::Counter connections;  // of all kinds
  net::Counter websockets;   // connections that are past the handshake, and not closed
  net::Counter topics;       // with subscribers here

  net::Counter all_connections;
  net::Counter handshakes;                                                    // that succeeded
  std::array<net::Counter, static_cast<std::size_t>(Error::count_)> refused;  // requests, by reason
  net::Counter refused_by_program;  // handshakes, with Upgrade::refuse()
  net::Counter messages_received;
  net::Counter messages_sent;
  net::Counter messages_dropped;  // for a peer that reads too slowly
  CloseCounts closes;

  void refuse(Error error) { refused[static_cast<std::size_t>(error)].add(); }
};

}  // namespace sockeye::ws
