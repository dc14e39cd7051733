// A listening socket: binds, accepts until the kernel has no more, and survives running out of
// descriptors.
//
// Out of descriptors (EMFILE, ENFILE), accept fails and leaves the connection in the backlog; a
// server that goes on asking spins. So a listener keeps one descriptor in reserve: it gives that
// up, accepts one connection with it, turns it away at once, takes the reserve back, and then
// leaves the backlog alone for a while, until others have hung up.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "net/address.h"
#include "net/error.h"
#include "net/fd.h"
#include "net/loop.h"
#include "net/result.h"
#include "net/timers.h"

namespace sockeye::net {

class Listener final : public Watcher, private Timer {
 public:
  class Owner {
   public:
    // A connected socket: non-blocking, closed on exec. And who is at its other end.
    virtual void on_accept(Fd fd, const Address& peer) = 0;
    // One that can't be served, as there are no descriptors left. Say goodbye on it, and no more:
    // it is closed on return.
    virtual void on_turn_away(int fd) = 0;

   protected:
    ~Owner() = default;
  };

  // How the listening socket is shared with other threads, each with a loop of its own.
  enum class Sharing : std::uint8_t {
    alone,     // a port that another socket listens on is an error
    by_port,   // SO_REUSEPORT: each thread has its own socket, and the kernel spreads connections
    by_socket  // the same socket in several loops: one of them wakes (Unix sockets, inherited ones)
  };

  Listener(Loop& loop, Owner& owner) : loop_(loop), owner_(owner) {}
  ~Listener() { close(); }

  // Binds to `address` and starts accepting. A Unix socket's file that nobody listens on any more
  // is replaced. `shared` is the descriptor of the first listener that shares this address, if this
  // isn't the first one itself; with Sharing::by_socket it is duplicated.
  Result<void, Error> open(const Address& address, Sharing sharing, int shared = -1);

  // Stops accepting and closes; a Unix socket's file is removed by the listener that made it.
  void close();

  bool is_open() const { return static_cast<bool>(fd_); }
  int descriptor() const { return fd_.get(); }

  // Where it really listens: with the port that the system chose for port 0.
  const Address& address() const { return address_; }

 private:
  void on_events(std::uint32_t events) override;
  void on_agenda() override;
  void on_timer(std::uint64_t now_ms) override;

  Result<void, Error> bind(const Address& address, Sharing sharing, bool is_ours);
  Result<void, Error> adopt(int descriptor, const Address& address);
  void accept_some();
  void out_of_descriptors();
  void pause();

  Loop& loop_;
  Owner& owner_;
  Fd fd_;
  Fd reserve_;
  Address address_;
  std::uint64_t file_ = 0;  // of the Unix socket's file that this listener made
};

}  // namespace sockeye::net
