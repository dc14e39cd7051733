// SPDX-License-Identifier: MIT
#include "ws/frame/assembler.h"

#include <algorithm>
#include <cassert>

namespace sockeye::ws::frame {

namespace {

// Room is made for this many times what has arrived of a message: few steps for large messages,
// and no peer can claim more than eight times what it sends.
constexpr std::size_t growth = 8;

}  // namespace

bool unmask_blocks(std::uint8_t* to, Bytes from, std::uint32_t key, bool text,
                   Utf8Validator& validator, const Kernels& kernels) {
  for (std::size_t done = 0; done < from.size(); done += block_bytes) {
    const Bytes block = from.subspan(done, std::min(block_bytes, from.size() - done));
    if (!unmask_block(to + done, block, key, text, validator, kernels)) return false;
  }
  return true;
}

Error Assembler::begin_frame(const Header& header) {
  assert(!is_control(header.opcode) && frame_left() == 0);
  // §5.4: a message is one frame with a data opcode, then continuation frames only, until FIN.
  const bool continues = header.opcode == Opcode::continuation;
  if (continues && !in_message_) return Error::continuation_without_message;
  if (!continues && in_message_) return Error::message_interrupted;
  if (!in_message_) {
    in_message_ = true;
    opcode_ = header.opcode;
    compressed_ = (header.rsv & rsv1) != 0;
    message_size_ = 0;
    fragments_ = 0;
    message_.clear();
    validator_.reset();
  }
  // §10.4. By subtraction, as no sum of lengths may overflow.
  const std::uint64_t limit =
      compressed_ ? compressed_limit(limits_.message_bytes) : limits_.message_bytes;
  if (header.payload_size > limit - message_size_) return Error::message_too_big;
  if (fragments_ == limits_.message_fragments) return Error::too_many_fragments;
  message_size_ += header.payload_size;
  ++fragments_;
  frame_ = header;
  frame_received_ = 0;
  return Error::none;
}

Error Assembler::add(Bytes payload) {
  if (!make_room(payload.size())) return Error::out_of_memory;
  std::uint8_t* to = message_.space().data();
  message_.commit(payload.size());
  const std::uint32_t key = key_at(frame_.masking_key, frame_received_);
  if (!unmask_blocks(to, payload, key, is_text(), validator_, kernels_)) {
    return Error::text_not_utf8;
  }
  frame_received_ += payload.size();
  return Error::none;
}

Error Assembler::pass(MutableBytes payload) {
  const std::uint32_t key = key_at(frame_.masking_key, frame_received_);
  if (!unmask(payload, key, is_text(), validator_, kernels_)) return Error::text_not_utf8;
  frame_received_ += payload.size();
  return Error::none;
}

MutableBytes Assembler::space() {
  if (!make_room(1)) return {};
  const MutableBytes space = message_.space();
  return space.first(static_cast<std::size_t>(std::min<std::uint64_t>(space.size(), frame_left())));
}

Error Assembler::commit(std::size_t size) {
  const MutableBytes received = message_.space().first(size);
  message_.commit(size);
  return pass(received);
}

bool Assembler::make_room(std::size_t size) {
  const std::size_t arrived = message_.size() + size;  // at most limits_.message_bytes
  if (arrived <= message_.capacity()) return true;
  const std::uint64_t frame_end = message_.size() + frame_left();
  const std::uint64_t wanted = std::min<std::uint64_t>(frame_end, std::uint64_t{arrived} * growth);
  return message_.reserve(static_cast<std::size_t>(wanted));
}

Error Assembler::end_message() {
  assert(in_message_ && frame_.fin && frame_left() == 0);
  // §6.2: the next data frame begins a message. §5.6: fragments may end within a character, but not
  // the message.
  in_message_ = false;
  return validator_.complete() ? Error::none : Error::text_not_utf8;
}

}  // namespace sockeye::ws::frame
