// A second reader of WebSocket frames, to compare the first one with: written from RFC 6455 §5 to
// §8, slow and plain. It has all of the input before it, and does one thing at a time.
//
// What the RFC leaves open is decided as ws/protocol.h does: an error is one as soon as the bytes
// that prove it are there; of several in one header, the first in the order below counts.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ws/error.h"
#include "ws/frame/frame.h"
#include "ws/limits.h"

namespace sockeye::test {

// What a peer did.
struct NaiveEvent {
  enum class Kind : std::uint8_t { text, binary, ping, pong, close, failed };
  Kind kind;
  std::string payload;     // of a Close frame: the reason
  std::uint16_t code = 0;  // of a Close frame, or what a failure is to be answered with
  bool operator==(const NaiveEvent&) const = default;
};

// RFC 3629 §4, the grammar of UTF-8: what may stand between a character's first byte and its end.
enum class NaiveText : std::uint8_t { whole, within_a_character, wrong };
inline NaiveText naive_text(std::string_view text) {
  std::size_t i = 0;
  while (i < text.size()) {
    const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
    const unsigned char lead = byte(i++);
    if (lead <= 0x7f) continue;
    if (lead <= 0xc1 || lead >= 0xf5) return NaiveText::wrong;
    const int tails = lead <= 0xdf ? 1 : lead <= 0xef ? 2 : 3;
    for (int tail = 0; tail < tails; ++tail) {
      if (i == text.size()) return NaiveText::within_a_character;
      unsigned char least = 0x80;
      unsigned char most = 0xbf;
      if (tail == 0 && lead == 0xe0) least = 0xa0;
      if (tail == 0 && lead == 0xed) most = 0x9f;
      if (tail == 0 && lead == 0xf0) least = 0x90;
      if (tail == 0 && lead == 0xf4) most = 0x8f;
      if (byte(i) < least || byte(i) > most) return NaiveText::wrong;
      ++i;
    }
  }
  return NaiveText::whole;
}

class NaiveReader {
 public:
  NaiveReader(ws::frame::Role receiver, const ws::Limits& limits, std::string_view input)
      : receiver_(receiver), limits_(limits), input_(input) {
    while (!ended_ && read_frame()) {
    }
  }

  const std::vector<NaiveEvent>& events() const { return events_; }

 private:
  // False where more bytes would be needed.
  bool read_frame() {
    if (left() < 2) return false;
    const unsigned first = take();
    const unsigned second = take();
    const bool fin = first & 0x80;
    const unsigned opcode = first & 0x0f;
    const bool control = opcode >= 8;
    const bool masked = second & 0x80;
    // §5.2: without an extension, the reserved bits are 0; 3 to 7 and 11 to 15 are reserved.
    if ((first & 0x70) != 0) return fail(1002);
    if ((opcode >= 3 && opcode <= 7) || opcode >= 11) return fail(1002);
    // §5.1: a client masks, a server doesn't.
    if (masked != (receiver_ == ws::frame::Role::server)) return fail(1002);
    // §5.5: control frames are not fragmented and have at most 125 bytes.
    if (control && (!fin || (second & 0x7f) > 125)) return fail(1002);

    // §5.2: the length, in the shortest form, with a top bit of 0; then the masking key.
    const std::size_t length_size = (second & 0x7f) == 126 ? 2 : (second & 0x7f) == 127 ? 8 : 0;
    if (left() < length_size + (masked ? 4 : 0)) return false;
    std::uint64_t length = second & 0x7f;
    if (length_size > 0) {
      length = 0;
      for (std::size_t i = 0; i < length_size; ++i) length = length * 256 + take();
      if (length_size == 2 && length < 126) return fail(1002);
      if (length_size == 8 && (length < 65536 || length >> 63 != 0)) return fail(1002);
    }
    unsigned char key[4] = {};
    for (int i = 0; masked && i < 4; ++i) key[i] = static_cast<unsigned char>(take());  // or 0

    const std::uint16_t refusal = control ? 0 : begin_data(opcode, length);
    if (refusal != 0) return fail(refusal);
    // §5.3: octet i of the payload is masked with octet i modulo 4 of the key.
    std::string payload(input_.substr(at_, std::min<std::uint64_t>(length, left())));
    at_ += payload.size();
    std::size_t i = 0;
    for (char& octet : payload) octet = static_cast<char>(octet ^ key[i++ % 4]);
    const bool whole = payload.size() == length;
    if (control) return whole && end_control(opcode, payload);
    message_ += payload;
    return end_data(whole, whole && fin);
  }

  // §5.4: a message is a frame with an opcode, and continuations of it up to the one with FIN.
  // §10.4: limits are the implementation's. Returns the close code of what is wrong, or 0.
  std::uint16_t begin_data(unsigned opcode, std::uint64_t length) {
    if ((opcode == 0) != in_message_) return 1002;
    if (!in_message_) {
      in_message_ = true;
      text_ = opcode == 1;
      message_.clear();
      fragments_ = 0;
    }
    if (length > limits_.message_bytes - message_.size()) {
      return ws::info(ws::Error::message_too_big).close_code;
    }
    if (++fragments_ > limits_.message_fragments) {
      return ws::info(ws::Error::too_many_fragments).close_code;
    }
    return 0;
  }

  // §8.1: what isn't UTF-8 fails the connection.
  bool end_data(bool frame_whole, bool message_whole) {
    if (text_) {
      const NaiveText verdict = naive_text(message_);
      if (verdict == NaiveText::wrong) return fail(1007);
      if (message_whole && verdict != NaiveText::whole) return fail(1007);
    }
    if (!message_whole) return frame_whole;
    in_message_ = false;
    events_.push_back({text_ ? NaiveEvent::Kind::text : NaiveEvent::Kind::binary, message_});
    return true;
  }

  bool end_control(unsigned opcode, const std::string& payload) {
    if (opcode != 8) {
      events_.push_back({opcode == 9 ? NaiveEvent::Kind::ping : NaiveEvent::Kind::pong, payload});
      return true;
    }
    // §5.5.1: nothing, or a code and a reason in UTF-8. §7.4: which codes may be sent.
    if (payload.size() == 1) return fail(1002);
    unsigned code = 1005;
    std::string reason;
    if (!payload.empty()) {
      code = static_cast<unsigned char>(payload[0]) * 256u + static_cast<unsigned char>(payload[1]);
      const bool registered =
          code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006;
      if (!registered && (code < 3000 || code > 4999)) return fail(1002);
      reason = payload.substr(2);
      if (naive_text(reason) != NaiveText::whole) return fail(1007);
    }
    events_.push_back({NaiveEvent::Kind::close, reason, static_cast<std::uint16_t>(code)});
    ended_ = true;
    return true;
  }

  // §7.1.7: nothing is read after it. True: this frame is dealt with.
  bool fail(std::uint16_t code) {
    events_.push_back({NaiveEvent::Kind::failed, "", code});
    ended_ = true;
    return true;
  }

  std::size_t left() const { return input_.size() - at_; }
  unsigned take() { return static_cast<unsigned char>(input_[at_++]); }

  const ws::frame::Role receiver_;
  const ws::Limits& limits_;
  const std::string_view input_;
  std::size_t at_ = 0;
  std::vector<NaiveEvent> events_;
  std::string message_;
  std::uint32_t fragments_ = 0;
  bool in_message_ = false;
  bool text_ = false;
  bool ended_ = false;
};

}  // namespace sockeye::test
