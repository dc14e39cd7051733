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

}  // namespace

// A frame that the input cut off, and the message it belongs to. (A control frame may stand
// between the frames of a message, so both may be unfinished at once.)
struct Protocol::Unfinished {
  explicit Unfinished(const Settings& settings)
      : assembler(settings.pool, settings.limits, settings.kernels) {}

  frame::Assembler assembler;
  Header frame;
  std::uint8_t control_size = 0;  // of a control frame's payload: what has arrived, still masked
  std::array<std::uint8_t, frame::max_control_payload> control;
};

// ── Receiving ────────────────────────────────────────────────────────────────────────────────

Event Protocol::read(MutableBytes& input) {
  release();
  while (!failed_ && !close_received_) {
    if (!in_frame_) {
      Header header;
      Error error = Error::none;
      if (!read_header(input, header, error)) return error == Error::none ? Event{} : fail(error);

      // The way of most messages: one frame, all of it here. (§5.4: others come in several, and
      // control frames may stand between them.)
      const bool whole = header.payload_size <= input.size();
      const bool alone = header.fin && !in_message() && !settings_.in_chunks;
      if (whole && (alone || frame::is_control(header.opcode))) {
        const auto size = static_cast<std::size_t>(header.payload_size);
        const MutableBytes payload = input.first(size);
        input = input.subspan(size);
        return read_whole(header, payload);
      }

      if (!begin_unfinished()) return fail(Error::out_of_memory);
      if (!frame::is_control(header.opcode)) {
        error = unfinished_->assembler.begin_frame(header);
        if (error != Error::none) return fail(error);
      }
      unfinished_->frame = header;
      unfinished_->control_size = 0;
      in_frame_ = true;
    }
    const Event event = read_payload(input);
    if (event.kind != Event::Kind::none || in_frame_) return event;
  }
  input = {};
  return {};
}

// Reads a header off `input`, together with what was kept of it before. False when it isn't whole
// yet, or when it breaks a rule, which `error` then names.
bool Protocol::read_header(MutableBytes& input, Header& header, Error& error) {
  std::uint8_t joined[frame::max_header_size];
  const std::uint8_t* bytes = input.data();
  std::size_t available = input.size();
  if (header_kept_ > 0) {
    const std::size_t room = sizeof joined - header_kept_;
    copy_bytes(joined, Bytes(header_).first(header_kept_));
    copy_bytes(joined + header_kept_, input.first(std::min(room, available)));
    bytes = joined;
    available = header_kept_ + std::min(room, available);
  }

  if (available >= 2) {
    error = frame::check_start(bytes[0], bytes[1], settings_.role, 0);
    if (error != Error::none) return false;
    const std::size_t size = frame::header_size(bytes[1]);
    if (available >= size) {
      header = frame::decode(bytes);
      input = input.subspan(size - header_kept_);
      header_kept_ = 0;
      error = frame::check_length(header, size);
      return error == Error::none;
    }
  }
  copy_bytes(header_.data() + header_kept_, input);
  header_kept_ = static_cast<std::uint8_t>(header_kept_ + input.size());
  input = {};
  return false;
}

Event Protocol::read_whole(const Header& header, MutableBytes payload) {
  // §5.4, and §10.4 for the size: what Assembler::begin_frame checks for those that go that way.
  if (header.opcode == Opcode::continuation) return fail(Error::continuation_without_message);
  const bool is_message = !frame::is_control(header.opcode);
  if (is_message && payload.size() > settings_.limits.message_bytes) {
    return fail(Error::message_too_big);
  }

  // §8.1: text is UTF-8; §5.6: binary data is anything.
  frame::Utf8Validator validator;
  const bool text = header.opcode == Opcode::text;
  if (!frame::unmask(payload, header, 0, text, validator, settings_.kernels) ||
      !validator.complete()) {
    return fail(Error::text_not_utf8);
  }
  if (!is_message) return control_event(header.opcode, payload);
  return {.kind = Event::Kind::message, .opcode = header.opcode, .payload = payload};
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
    return read_whole(unfinished.frame,
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
  return {
      .kind = Event::Kind::message, .opcode = assembler.opcode(), .payload = assembler.message()};
}

MutableBytes Protocol::direct_space() {
  if (!in_frame_ || settings_.in_chunks || frame::is_control(unfinished_->frame.opcode)) return {};
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

Event Protocol::control_event(Opcode opcode, MutableBytes payload) {
  if (opcode == Opcode::ping) return {.kind = Event::Kind::ping, .payload = payload};
  if (opcode == Opcode::pong) return {.kind = Event::Kind::pong, .payload = payload};
  const frame::Close close = frame::decode_close(payload, settings_.kernels.utf8);
  if (close.error != Error::none) return fail(close.error);
  close_received_ = true;
  return {
      .kind = Event::Kind::close, .code = close.code, .payload = payload, .reason = close.reason};
}

// §7.1.7: once the connection fails, nothing more of what the peer sends is looked at.
Event Protocol::fail(Error error) {
  failed_ = true;
  in_frame_ = false;
  return {.kind = Event::Kind::failed, .error = error};
}

bool Protocol::in_message() const {
  return unfinished_ != nullptr && unfinished_->assembler.in_message();
}

bool Protocol::begin_unfinished() {
  if (unfinished_ != nullptr) return true;
  void* memory = settings_.pool.allocate(sizeof(Unfinished));
  if (memory == nullptr) return false;
  unfinished_ = new (memory) Unfinished(settings_);
  return true;
}

void Protocol::drop_unfinished() {
  message_delivered_ = false;
  if (unfinished_ == nullptr) return;
  unfinished_->~Unfinished();
  settings_.pool.release(unfinished_, sizeof(Unfinished));
  unfinished_ = nullptr;
}

// ── Sending ──────────────────────────────────────────────────────────────────────────────────

// §6.1: a message of ours is one frame, with FIN, so §5.4 needs no more. §5.1: it is masked where a
// client sends it, and only there.
Protocol::FrameStart Protocol::begin_message(Opcode opcode, std::uint64_t payload_size,
                                             std::uint32_t key) const {
  assert(!close_sent_);
  FrameStart start;
  const bool masked = settings_.role == Role::client;
  start.size = frame::encode({.fin = true,
                              .opcode = opcode,
                              .masked = masked,
                              .payload_size = payload_size,
                              .masking_key = masked ? key : 0},
                             start.storage.data());
  return start;
}

// §5.5: a control frame is one frame.
ControlFrame Protocol::control(Opcode opcode, Bytes payload, std::uint32_t key) const {
  assert(frame::is_control(opcode) && payload.size() <= frame::max_control_payload);
  ControlFrame result;
  const FrameStart start = begin_message(opcode, payload.size(), key);
  std::uint8_t* body = copy_bytes(result.storage.data(), start);
  if (settings_.role == Role::client) {
    settings_.kernels.mask(body, payload.data(), payload.size(), key);
  } else {
    copy_bytes(body, payload);
  }
  result.size = start.size + payload.size();
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
