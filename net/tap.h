// Who watches the bytes of streams go by, as a packet sniffer does on the wire: for traces and
// captures (Loop::set_tap).
//
// One tap may serve several loops; each calls it in its own thread.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "net/bytes.h"

namespace sockeye::net {

class Stream;

// Whose connect(2) it was that began a connection.
enum class Opener : std::uint8_t { peer, us };

// A stream names a connection from on_opened() until on_closed() has returned, and is the tap's to
// ask for its descriptor so long.
class Tap {
 public:
  virtual void on_opened(const Stream& stream, Opener opener) = 0;

  // Bytes as they came, before anybody changes them in place; and as the kernel took them. Valid
  // for the call.
  virtual void on_received(const Stream& stream, Bytes bytes) = 0;
  virtual void on_sent(const Stream& stream, Bytes bytes) = 0;

  // What came has been dealt with, and what that leads to was sent, as far as it can be by now.
  virtual void on_settled(const Stream& stream) = 0;

  // The peer has sent its FIN (`error` is 0), or the connection broke (an errno).
  virtual void on_peer_ended(const Stream& stream, int error) = 0;
  // We have sent our FIN, and still receive.
  virtual void on_ended(const Stream& stream) = 0;
  // We close the socket, or have nothing more to do with it.
  virtual void on_closed(const Stream& stream) = 0;

 protected:
  ~Tap() = default;  // never destroyed through this base
};

}  // namespace sockeye::net
