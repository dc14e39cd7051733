// SPDX-License-Identifier: MIT
#include "ws/deflate/message_codec.h"

#include <algorithm>
#include <new>

#include "ws/deflate/is_built.h"

namespace sockeye::ws::deflate {

namespace {

// §7.2.1: what every compressed message ends with, and is not sent.
constexpr std::uint8_t tail[] = {0x00, 0x00, 0xff, 0xff};

// Room for so many times what came, to begin with: text mostly needs less.
constexpr std::size_t first_growth = 6;
constexpr std::size_t least_room = 1024;

}  // namespace

Result<MutableBytes, Error> MessageCodec::inflate(Bytes payload, Parameters::Side side,
                                                  std::size_t max_bytes, Contexts* contexts) {
  if (!is_built) return Error::compressed_data_invalid;
  inflated_.clear();
  Window* kept = nullptr;
  if (side.context_takeover) {
    kept = window_for(side, contexts);
    if (kept == nullptr) return Error::out_of_memory;
  }
  const std::size_t room = std::max(least_room, first_growth * payload.size());
  if (!inflated_.reserve(std::min(max_bytes, room))) return Error::out_of_memory;
  const Error error = inflate_stream(payload, side.window_bits, max_bytes, kept);
  if (error != Error::none) {
    inflated_.free();
    return error;
  }
  // §7.2.2: the window stays, unless it was agreed that it doesn't.
  if (kept != nullptr) kept->append(inflated_.bytes());
  return inflated_.bytes();
}

// §7.2.2: the payload, and then the tail that wasn't sent. A block may be its stream's final one
// (§7.2.3.4); what another stream adds follows at the next byte.
Error MessageCodec::inflate_stream(Bytes payload, std::uint8_t window_bits, std::size_t max_bytes,
                                   const Window* window) {
  inflater_.begin(window_bits);
  Bytes input = payload;
  for (bool in_tail = false;;) {
    std::size_t used = inflated_.size();
    const MutableBytes room(inflated_.bytes().data(), std::min(inflated_.capacity(), max_bytes));
    const Status status = inflater_.run(input, room, used, window);
    inflated_.commit(used - inflated_.size());

    if (is_error(status)) return Error::compressed_data_invalid;
    if (status == Status::needs_output) {
      if (room.size() == max_bytes) return Error::message_too_big;
      if (!inflated_.reserve(std::min(max_bytes, 2 * room.size()))) return Error::out_of_memory;
    } else if (status == Status::end) {
      // (The octet that §7.2.3.4 appends to a final block is forgotten by some.)
      if (input.empty()) return Error::none;
      inflater_.begin(window_bits);
    } else if (in_tail) {
      return inflater_.between_blocks() ? Error::none : Error::compressed_data_invalid;
    } else {
      input = tail;
      in_tail = true;
    }
  }
}

// §7.2.1.
std::optional<Bytes> MessageCodec::deflate(Bytes message, Parameters::Side side,
                                           Contexts* contexts) {
  if (!is_built) return {};
  Deflater* const deflater = deflater_for(side, contexts);
  deflated_.clear();
  if (deflater == nullptr || !deflated_.reserve(max_compressed_size(message.size()))) return {};
  deflated_.commit(deflater->compress(message, deflated_.space(), symbols_));
  if (!side.context_takeover) deflater->forget();
  return deflated_.bytes();
}

std::size_t MessageCodec::context_bytes(Parameters::Side sent, Parameters::Side received) const {
  return (sent.context_takeover ? Deflater::state_bytes(level_, sent.window_bits) : 0) +
         (received.context_takeover ? std::size_t{1} << received.window_bits : 0);
}

// §7.2.1: its window is none larger than was agreed on.
Deflater* MessageCodec::deflater_for(Parameters::Side side, Contexts* contexts) {
  std::unique_ptr<Deflater>& deflater =
      side.context_takeover ? contexts->sent : shared_[side.window_bits];
  if (!deflater) {
    deflater.reset(new (std::nothrow) Deflater(level_, side.window_bits));
    if (deflater && !deflater->allocated()) deflater.reset();
  }
  return deflater.get();
}

Window* MessageCodec::window_for(Parameters::Side side, Contexts* contexts) {
  std::unique_ptr<Window>& window = contexts->received;
  if (!window) {
    window.reset(new (std::nothrow) Window(contexts_pool_, side.window_bits));
    if (window && !window->allocated()) window.reset();
  }
  return window.get();
}

}  // namespace sockeye::ws::deflate
