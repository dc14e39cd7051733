// SPDX-License-Identifier: MIT
#include "ws/protocol.h"

#include <algorithm>
#include <cassert>
#include <new>

#include "ws/frame/assembler.h"

namespace sockeye::ws {

using frame::Header;

namespace {

// A payload of which this much is missing is worth receiving straight into its own buffer.
constexpr std::uint64_t direct_limit_bytes = 16 * 1024;

// Takes a header off the front of `input`. False when it isn't whole yet, and nothing taken, or
// when it breaks a rule, which `error` then names.
bool take_header(MutableBytes& input, Role receiver, bool may_compress, Header& header,
                 Error& error) {
  if (input.size() < 2) return false;
  error = frame::check_start(input[0], input[1], receiver, may_compress);
  if (error != Error::none) return false;
  const std::size_t size = frame::header_size(input[1]);
  if (input.size() < size) return false;
  header = frame::decode(input.data());
  error = frame::check_length(header, size);
  input = input.subspan(size);
  return error == Error::none;
}

}  // namespace

// A frame that the input cut off, and the message it belongs to. (A control frame may stand
// between the frames of a message, so both may be unfinished at once.)
// And what is kept from one message to the next, where that was agreed on: it is here, for a
// connection without has no room for it.
struct Protocol::Unfinished {
  explicit Unfinished(const Settings& settings)
      : assembler(settings.pool, settings.limits, settings.kernels) {}

  deflate::Contexts contexts;
  frame::Assembler assembler;
  Header frame;
  std::uint8_t control_size = 0;  // of a control frame's payload: what has arrived, still masked
  std::array<std::uint8_t, frame::max_control_payload> control;
};

// ── Receiving ────────────────────────────────────────────────────────────────────────────────

Event Protocol::read(MutableBytes& input) {
  release();
  Event event{.kind = Event::Kind::message};
  return take_message(input, event.opcode, event.payload) ? event : read_on(input);
}

// §8.1: false where a text of one block isn't UTF-8. It then has its mask again, and is as it came:
// masking twice gives the original (§5.3).
bool Protocol::unmask_text(MutableBytes payload, std::uint32_t key) const {
  frame::Utf8Validator validator;
  const bool valid =
      frame::unmask_block(payload.data(), payload, key, true, validator, settings_.kernels);
  if (valid && validator.complete()) return true;
  settings_.kernels.mask(payload.data(), payload.data(), payload.size(), key);
  return false;
}

// Any input, in any state.
Event Protocol::read_on(MutableBytes& input) {
  while (!failed_ && !close_received_) {
    if (!in_frame_) {
      Header header;
      Error error = Error::none;
      const bool here = header_kept_ == 0
                            ? take_header(input, reads_as(), received_bits_ != 0, header, error)
                            : take_kept_header(input, header, error);
      if (!here) {
        if (error != Error::none) return fail(error);
        keep_header(input);
        return {};
      }

      // §5.4: control frames may stand between those of a message, and are never fragmented
      // themselves.
      const bool control = frame::is_control(header.opcode);
      const bool alone = control || (header.fin && !in_message() && !settings_.in_chunks);
      if (alone && header.payload_size <= input.size()) {
        const MutableBytes payload = input.first(static_cast<std::size_t>(header.payload_size));
        input = input.subspan(payload.size());
        if (control) return read_control(header, payload);
        // §5.4
        if (header.opcode == Opcode::continuation) return fail(Error::continuation_without_message);
        return whole_message(header, payload);
      }

      error = begin_unfinished(header);
      if (error != Error::none) return fail(error);
    }
    const Event event = read_payload(input);
    if (event.kind != Event::Kind::none || in_frame_) return event;
  }
  input = {};
  return {};
}

// A message that came as one frame: unmasked and checked where it lies.
Event Protocol::whole_message(const Header& header, MutableBytes payload) {
  // §10.4, for those that need no Assembler.
  const bool compressed = header.rsv != 0;
  const std::uint64_t limit = settings_.limits.message_bytes;
  if (payload.size() > (compressed ? compressed_limit(limit) : limit)) {
    return fail(Error::message_too_big);
  }
  if (compressed) {  // RFC 7692 §6.2: RSV1, for take_header() lets no other bit through
    settings_.kernels.mask(payload.data(), payload.data(), payload.size(), header.masking_key);
    return compressed_message(header.opcode, payload);
  }
  // §8.1: text is UTF-8; §5.6: binary data is anything.
  const bool text = header.opcode == Opcode::text;
  frame::Utf8Validator validator;
  if (!frame::unmask(payload, header.masking_key, text, validator, settings_.kernels) ||
      !validator.complete()) {
    return fail(Error::text_not_utf8);
  }
  return {.kind = Event::Kind::message, .opcode = header.opcode, .payload = payload};
}

// RFC 7692 §6.2. A text is checked when it is whole again.
Event Protocol::compressed_message(Opcode opcode, Bytes payload) {
  const auto message = settings_.codec->inflate(
      payload, received_side(), static_cast<std::size_t>(settings_.limits.message_bytes),
      contexts());
  if (!message) return fail(message.error());
  inflated_ = true;
  frame::Utf8Validator validator;
  if (opcode == Opcode::text &&
      !(validator.feed(*message, settings_.kernels.utf8) && validator.complete())) {
    return fail(Error::text_not_utf8);
  }
  return {.kind = Event::Kind::message, .opcode = opcode, .payload = *message};
}

// The same for a header of which the input before had a part.
bool Protocol::take_kept_header(MutableBytes& input, Header& header, Error& error) {
  std::uint8_t joined[frame::max_header_size];
  const std::size_t room = sizeof joined - header_kept_;
  const Bytes more = input.first(std::min(room, input.size()));
  copy_bytes(copy_bytes(joined, Bytes(header_).first(header_kept_)), more);
  MutableBytes bytes(joined, header_kept_ + more.size());
  const std::size_t size = bytes.size();
  if (!take_header(bytes, reads_as(), received_bits_ != 0, header, error)) return false;
  input = input.subspan(size - bytes.size() - header_kept_);
  header_kept_ = 0;
  return true;
}

// What there is of a header, all of `input`, is kept for when there is more.
void Protocol::keep_header(MutableBytes& input) {
  copy_bytes(header_.data() + header_kept_, input);
  header_kept_ = static_cast<std::uint8_t>(header_kept_ + input.size());
  input = {};
}

// §5.5. A control frame is never fragmented.
Event Protocol::read_control(const Header& header, MutableBytes payload) {
  if (header.masked) {
    settings_.kernels.mask(payload.data(), payload.data(), payload.size(), header.masking_key);
  }
  if (header.opcode == Opcode::ping) return {.kind = Event::Kind::ping, .payload = payload};
  if (header.opcode == Opcode::pong) return {.kind = Event::Kind::pong, .payload = payload};
  const frame::Close close = frame::decode_close(payload, settings_.kernels.utf8);
  if (close.error != Error::none) return fail(close.error);
  close_received_ = true;
  return {
      .kind = Event::Kind::close, .code = close.code, .payload = payload, .reason = close.reason};
}

// Goes on with the payload of a frame whose header was read before.
Event Protocol::read_payload(MutableBytes& input) {
  Unfinished& unfinished = *unfinished_;
  if (frame::is_control(unfinished.frame.opcode)) {
    const std::size_t missing =
        static_cast<std::size_t>(unfinished.frame.payload_size) - unfinished.control_size;
    const MutableBytes piece = input.first(std::min(input.size(), missing));
    input = input.subspan(piece.size());
    copy_bytes(unfinished.control.data() + unfinished.control_size, piece);
    unfinished.control_size = static_cast<std::uint8_t>(unfinished.control_size + piece.size());
    if (piece.size() < missing) return {};
    in_frame_ = false;
    // The next call of release() or read() gives the memory back, if no message needs it.
    message_delivered_ = !unfinished.assembler.in_message();
    return read_control(unfinished.frame,
                        MutableBytes(unfinished.control).first(unfinished.control_size));
  }

  frame::Assembler& assembler = unfinished.assembler;
  const auto size = std::min<std::uint64_t>(input.size(), assembler.frame_left());
  const MutableBytes piece = input.first(static_cast<std::size_t>(size));
  input = input.subspan(piece.size());
  const bool first = assembler.at_start();
  const Error error = settings_.in_chunks ? assembler.pass(piece) : assembler.add(piece);
  if (error != Error::none) return fail(error);
  in_frame_ = assembler.frame_left() > 0;
  const bool last = !in_frame_ && assembler.last_frame();
  if (!settings_.in_chunks) return last ? message_end() : Event{};

  if (piece.empty() && !last) return {};
  Event event{.kind = Event::Kind::chunk,
              .opcode = assembler.opcode(),
              .first = first,
              .last = last,
              .payload = piece};
  if (last) {
    if (assembler.end_message() != Error::none) return fail(Error::text_not_utf8);
    message_delivered_ = true;
  }
  return event;
}

Event Protocol::message_end() {
  frame::Assembler& assembler = unfinished_->assembler;
  const Error error = assembler.end_message();
  if (error != Error::none) return fail(error);
  message_delivered_ = true;
  if (assembler.compressed()) return compressed_message(assembler.opcode(), assembler.message());
  return {
      .kind = Event::Kind::message, .opcode = assembler.opcode(), .payload = assembler.message()};
}

MutableBytes Protocol::payload_space() {
  if (settings_.in_chunks || frame::is_control(unfinished_->frame.opcode)) return {};
  if (unfinished_->assembler.frame_left() < direct_limit_bytes) return {};
  return unfinished_->assembler.space();
}

Event Protocol::commit_direct(std::size_t size) {
  frame::Assembler& assembler = unfinished_->assembler;
  const Error error = assembler.commit(size);
  if (error != Error::none) return fail(error);
  in_frame_ = assembler.frame_left() > 0;
  return !in_frame_ && assembler.last_frame() ? message_end() : Event{};
}

// §7.1.7: once the connection fails, nothing more of what the peer sends is looked at.
Event Protocol::fail(Error error) {
  failed_ = true;
  in_frame_ = false;
  return {.kind = Event::Kind::failed, .error = error};
}

bool Protocol::message_unfinished() const {
  return unfinished_->assembler.in_message();
}

// Starts a frame of which payload is missing, or that belongs to a message of several frames.
Error Protocol::begin_unfinished(const Header& header) {
  if (unfinished_ == nullptr && !allocate_unfinished()) return Error::out_of_memory;
  if (!frame::is_control(header.opcode)) {
    const Error error = unfinished_->assembler.begin_frame(header);
    if (error != Error::none) return error;
  }
  unfinished_->frame = header;
  unfinished_->control_size = 0;
  in_frame_ = true;
  return Error::none;
}

bool Protocol::allocate_unfinished() {
  void* memory = settings_.pool.allocate(sizeof(Unfinished));
  if (memory == nullptr) return false;
  unfinished_ = new (memory) Unfinished(settings_);
  return true;
}

void Protocol::drop_unfinished() {
  message_delivered_ = false;
  if (keeps_contexts()) return unfinished_->assembler.drop_message();
  free_unfinished();
}

void Protocol::free_unfinished() {
  if (unfinished_ == nullptr) return;
  unfinished_->~Unfinished();
  settings_.pool.release(unfinished_, sizeof(Unfinished));
  unfinished_ = nullptr;
}

// ── Compression ──────────────────────────────────────────────────────────────────────────────

// RFC 7692 §7.2.1, §7.2.2: each direction has a window of its own.
bool Protocol::agree_on(const deflate::Parameters& agreed) {
  const bool server = settings_.role == Role::server;
  const deflate::Parameters::Side& sent = server ? agreed.server : agreed.client;
  const deflate::Parameters::Side& received = server ? agreed.client : agreed.server;
  sent_bits_ = sent.window_bits & 0xf;
  received_bits_ = received.window_bits & 0xf;
  sent_takeover_ = sent.context_takeover;
  received_takeover_ = received.context_takeover;
  return !keeps_contexts() || allocate_unfinished();
}

deflate::Contexts* Protocol::contexts() const {
  return keeps_contexts() ? &unfinished_->contexts : nullptr;
}

// RFC 7692 §6.1. Without a context, a message that compression makes no smaller goes as it is. With
// one, it is in it already, and has to go as the peer expects it.
Payload Protocol::compress(Bytes message) {
  const auto compressed = settings_.codec->deflate(message, sent_side(), contexts());
  if (!compressed) return {message};
  if (!sent_takeover_ && compressed->size() >= message.size()) return {message};
  return {*compressed, true};
}

void Protocol::release_inflated() {
  inflated_ = false;
  settings_.codec->release_inflated();
}

// ── Sending ──────────────────────────────────────────────────────────────────────────────────

// §5.5: a control frame is one frame.
ControlFrame Protocol::control(Opcode opcode, Bytes payload, std::uint32_t key) const {
  assert(frame::is_control(opcode) && payload.size() <= frame::max_control_payload);
  ControlFrame result;
  result.size = put_message(opcode, {payload}, key, result.storage.data());
  return result;
}

// §5.5.1, masked by a client as all its frames are.
ControlFrame Protocol::close(std::uint16_t code, std::string_view reason, std::uint32_t key) {
  std::uint8_t payload[frame::max_control_payload];
  const std::size_t size = frame::encode_close(code, reason, payload);
  const ControlFrame result = control(Opcode::close, {payload, size}, key);
  close_sent_ = true;
  return result;
}

}  // namespace sockeye::ws
