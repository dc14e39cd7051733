// permessage-deflate for whole messages: what is sent for a message, and which message was meant by
// what came.
//
// RFC 7692 §7.2; section numbers here mean that RFC. A message is compressed as one stream of
// blocks, or goes on with the stream of the messages before it, where the two sides agreed to keep
// that context (§7.1.1). The stream is brought to a byte's end by an empty stored block, of which
// the last four bytes, 00 00 ff ff, are always the same and so aren't sent.
//
// A MessageCodec is the room to work in that the connections of an endpoint share. Contexts are
// what one connection keeps from one message to the next.
//
// Pure; memory for messages comes from the pool that is handed in.
// Next on the reading tour: ws/protocol.h.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "net/buffer.h"
#include "net/bytes.h"
#include "net/pool.h"
#include "net/result.h"
#include "ws/deflate/deflate.h"
#include "ws/deflate/inflate.h"
#include "ws/deflate/permessage_deflate.h"
#include "ws/error.h"

namespace sockeye::ws::deflate {

// What a connection keeps of the messages before; not longer than the codec that made it. Both
// halves come into being with the first message that they serve.
struct Contexts {
  std::unique_ptr<Window> received;
  std::unique_ptr<Deflater> sent;
};

class MessageCodec {
 public:
  // `pool` must outlive the codec.
  MessageCodec(Pool& pool, Level level) : level_(level), inflated_(pool), deflated_(pool) {}

  // §7.2.2: the message of which `payload` was received. However much it were, no more than
  // `max_bytes` are ever inflated. `side` is what was agreed on for the sender; `contexts` are the
  // connection's, if any were agreed on. The result stays until the next call or
  // release_inflated(). Errors: compressed_data_invalid, message_too_big, out_of_memory.
  Result<MutableBytes, Error> inflate(Bytes payload, Parameters::Side side, std::size_t max_bytes,
                                      Contexts* contexts);

  // §7.2.1: what to send for `message`, as agreed on for us. The result stays until the next call
  // or release_deflated(). Nothing where there is no memory for it; no context has changed then.
  std::optional<Bytes> deflate(Bytes message, Parameters::Side side, Contexts* contexts);

  // What the Contexts of a connection take, where this was agreed on for us and for the peer.
  std::size_t context_bytes(Parameters::Side sent, Parameters::Side received) const;

  // What the last call returned has been dealt with.
  void release_inflated() { inflated_.free(); }
  void release_deflated() { deflated_.free(); }

 private:
  Window* window_for(Parameters::Side side, Contexts* contexts);
  Deflater* deflater_for(Parameters::Side side, Contexts* contexts);
  Error inflate_stream(Bytes payload, std::uint8_t window_bits, std::size_t max_bytes,
                       const Window* window);

  const Level level_;
  Pool contexts_pool_{0};  // apart, for it isn't what limits.memory_bytes are for
  Inflater inflater_;
  Symbols symbols_;
  // For connections that keep nothing, by the size of their window.
  std::array<std::unique_ptr<Deflater>, max_window_bits + 1> shared_;
  Buffer inflated_;
  Buffer deflated_;
};

}  // namespace sockeye::ws::deflate
