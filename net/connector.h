// Connects to the first of several addresses that answers, without blocking.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "net/address.h"
#include "net/error.h"
#include "net/fd.h"
#include "net/loop.h"

namespace sockeye::net {

class Connector final : public Watcher {
 public:
  class Owner {
   public:
    // A connected socket, not watched any more. The owner may destroy the connector.
    virtual void on_connected(Fd fd) = 0;
    // No address answered; `error` is the last one's. The owner may destroy the connector.
    virtual void on_connect_failed(const Error& error) = 0;

   protected:
    ~Owner() = default;
  };

  Connector(Loop& loop, Owner& owner) : loop_(loop), owner_(owner) {}
  ~Connector() { cancel(); }

  // Tries `addresses` one after the other; the owner hears of the outcome later. With `source`, an
  // address of this machine without a port, connections come from there.
  void connect(std::vector<Address> addresses, const Address& source = {});

  // Gives up; the owner isn't called any more.
  void cancel();

 private:
  void on_events(std::uint32_t events) override;
  void on_agenda() override;
  void try_next(Error error);
  bool start(const Address& address);

  Loop& loop_;
  Owner& owner_;
  std::vector<Address> addresses_;
  Address source_;
  std::size_t next_ = 0;
  Fd fd_;
};

}  // namespace sockeye::net
