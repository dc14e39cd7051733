// SPDX-License-Identifier: MIT
#include "ws/connection.h"

#include <sys/socket.h>

#include <algorithm>
#include <cassert>

#include "net/log.h"
#include "ws/endpoint.h"
#include "ws/prepared_message.h"

namespace sockeye::ws {

using net::log;
using net::LogLevel;

namespace {

// How much a connection hands on in one turn, but for what is one message. More than the loop
// receives at once, so that only what was inflated reaches it.
constexpr std::size_t turn_bytes = 1024 * 1024;

}  // namespace

// Input that came before a pause and was not processed, in a block of the pool.
struct Connection::Kept {
  std::size_t block_size;
  std::size_t begin;
  std::size_t end;

  std::uint8_t* bytes() { return reinterpret_cast<std::uint8_t*>(this + 1); }
};

Connection* Handle::get() const {
  Connection* connection = endpoint_ != nullptr ? endpoint_->connections_.find(key_) : nullptr;
  return connection != nullptr && connection->in_use() ? connection : nullptr;
}

Connection::Connection(Endpoint& endpoint)
    : net::Stream(endpoint.loop()), endpoint_(endpoint), protocol_(endpoint.settings_) {
  endpoint_.counts_.connections.add();
  endpoint_.counts_.all_connections.add();
}

Connection::~Connection() {
  endpoint_.counts_.connections.subtract();
  if (endpoint_.settings_.role == Role::server) {
    endpoint_.admission_.contexts.give_back(protocol_.context_bytes());
  }
  loop().timers().disarm(*this);
  drop_source();
  if (!handshaken_) drop_handshake();
  if (kept_ != nullptr) loop().pool().release(kept_, kept_->block_size);
}

Handle Connection::handle() {
  return {&endpoint_, endpoint_.connections_.key(this)};
}

std::string_view Connection::subprotocol() const {
  return subprotocol_ == 0 ? std::string_view() : endpoint_.subprotocols_[subprotocol_ - 1u];
}

net::Address Connection::peer() const {
  const Source* known = source();
  if (known != nullptr && known->address.kind() != net::Address::Kind::none) return known->address;
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (::getpeername(descriptor(), reinterpret_cast<sockaddr*>(&storage), &size) != 0) return {};
  return net::Address::from(reinterpret_cast<sockaddr*>(&storage), size);
}

Handler& Connection::handler() const {
  return endpoint_.handler_;
}
const Limits& Connection::limits() const {
  return endpoint_.settings_.limits;
}

// RFC 6455 §5.3, §10.3: a client takes a fresh, unpredictable key for every frame.
std::uint32_t Connection::masking_key() {
  return endpoint_.settings_.role == Role::client ? endpoint_.random_.next_u32() : 0;
}

// ── Sending ──────────────────────────────────────────────────────────────────────────────────

// RFC 6455 §6.1.
SendResult Connection::send(Opcode opcode, Bytes payload) {
  loop().assert_in_thread();
  assert(!frame::is_control(opcode));
  SendResult refusal;
  if (!may_send(payload.size(), refusal)) return refusal;
  if (is_compressed(payload.size())) return send_compressed(opcode, payload);
  return send_payload(opcode, {payload});
}

SendResult Connection::send(PreparedMessage& message) {
  loop().assert_in_thread();
  const Bytes payload = message.bytes();
  SendResult refusal;
  if (!may_send(payload.size(), refusal)) return refusal;
  if (!is_compressed(payload.size())) return send_payload(message.opcode(), {payload});
  // A context of its own needs a compression of its own.
  if (protocol_.sent_side().context_takeover) return send_compressed(message.opcode(), payload);
  return send_payload(message.opcode(), message.compressed(protocol_));
}

// RFC 6455 §6.1. Only an open connection sends: in the opening handshake nothing comes after the
// request (§4.1), in the closing handshake nothing after the Close frame (§5.5.1).
inline bool Connection::may_send(std::size_t size, SendResult& refusal) const {
  if (state_ != State::open) {
    refusal = SendResult::closing;
    return false;
  }
  // Where nothing more fits, an empty message doesn't either: its header would still take room, and
  // there is no end to those that a peer can cause.
  const std::size_t limit = limits().buffered_bytes;
  const std::size_t held = buffered_bytes();
  if (held < limit && size <= limit - held) return true;
  endpoint_.counts_.messages_dropped.add();
  refusal = SendResult::dropped;
  return false;
}

inline bool Connection::is_compressed(std::size_t size) const {
  return protocol_.may_compress() && size >= endpoint_.options_.compression->threshold_bytes;
}

// RFC 7692 §6.1.
SendResult Connection::send_compressed(Opcode opcode, Bytes message) {
  const SendResult result = send_payload(opcode, protocol_.compress(message));
  protocol_.release_compressed();
  return result;
}

// §6.1: the message goes out as one frame. Mostly it joins what this turn has written already.
inline SendResult Connection::send_payload(Opcode opcode, Payload payload) {
  const std::uint32_t key = masking_key();
  const std::size_t size = frame::max_header_size + payload.bytes.size();
  if (std::uint8_t* to = cork_room(size)) {
    commit(protocol_.put_message(opcode, payload, key, to));
    endpoint_.counts_.messages_sent.add();
    return SendResult::sent;
  }
  if (!write_message(opcode, payload, key)) {
    end(Error::out_of_memory);
    return SendResult::closing;
  }
  endpoint_.counts_.messages_sent.add();
  return blocked() ? SendResult::queued : SendResult::sent;
}

// §6.1 for a message that is large, or has to wait. False when there is no memory for it.
bool Connection::write_message(Opcode opcode, Payload payload, std::uint32_t key) {
  const Protocol::FrameStart start = protocol_.begin_message(opcode, payload, key);
  if (endpoint_.settings_.role == Role::server) return write(start, payload.bytes);
  std::uint8_t* to = append(start.size + payload.bytes.size());
  if (to != nullptr) protocol_.put_message(opcode, payload, key, to);
  return to != nullptr;
}

// ── Topics, and streams of plain HTTP ────────────────────────────────────────────────────────

bool Connection::subscribe(std::string_view topic) {
  return endpoint_.topics().subscribe(*this, topic);
}

bool Connection::unsubscribe(std::string_view topic) {
  return endpoint_.topics().unsubscribe(*this, topic);
}

bool Connection::publish(std::string_view topic, Opcode opcode, Bytes payload) {
  return endpoint_.topics().publish(topic, opcode, payload, handle());
}

SendResult Connection::send_raw(Bytes bytes) {
  loop().assert_in_thread();
  if (!is_stream() || closed()) return SendResult::closing;
  const std::size_t held = buffered_bytes();
  const std::size_t limit = limits().buffered_bytes;
  if (held > 0 && (held >= limit || bytes.size() > limit - held)) return SendResult::dropped;
  if (!write(bytes)) {
    end(Error::out_of_memory);
    return SendResult::closing;
  }
  return blocked() ? SendResult::queued : SendResult::sent;
}

// Whether what was published in this form is for this connection.
inline bool Connection::takes(Publication::Form form) const {
  return state_ == (form == Publication::Form::message ? State::open : State::streaming);
}

// The way of most publications: uncompressed, and nothing waits before them. They are sent, or not
// for this connection. False, and nothing done, where it isn't so. `wire` has so many messages.
bool Connection::send_published(Publication::Form form, Bytes wire, Shared* owner,
                                std::size_t messages) {
  if (!takes(form)) return true;
  if (protocol_.may_compress() || !may_write_alone()) return false;
  if (!write_alone(wire, owner)) end(Error::out_of_memory);
  if (form == Publication::Form::message) endpoint_.counts_.messages_sent.add(messages);
  return true;
}

// `prepared`: the message for those that compress, if there is one.
SendResult Connection::send_published(Publication& publication, PreparedMessage* prepared) {
  if (!takes(publication.form())) return SendResult::closing;
  const Bytes wire = publication.wire();
  // What has nothing to wait for is sent, whatever its size.
  const std::size_t held = queued_bytes();
  const std::size_t limit = std::min(limits().subscriber_bytes, limits().buffered_bytes);
  if (held > 0 && (held >= limit || wire.size() > limit - held)) {
    endpoint_.counts_.messages_dropped.add();
    return SendResult::dropped;
  }
  if (prepared != nullptr) return send(*prepared);
  if (!write({}, wire, &publication)) {
    end(Error::out_of_memory);
    return SendResult::closing;
  }
  if (publication.form() == Publication::Form::message) endpoint_.counts_.messages_sent.add();
  return blocked() ? SendResult::queued : SendResult::sent;
}

// Options::slow_subscribers has it closed. A stream has no way to say why.
void Connection::fall_behind() {
  log_error(LogLevel::info, "subscriber is too slow", Error::reads_too_slowly);
  if (is_stream()) return drop();
  close(close_code::try_again_later, info(Error::reads_too_slowly).text);
}

// ── Pings ────────────────────────────────────────────────────────────────────────────────────

SendResult Connection::ping(Bytes payload) {
  loop().assert_in_thread();
  if (state_ != State::open) return SendResult::closing;
  // RFC 6455 §5.5: a control frame carries at most 125 bytes.
  if (!send_control(Opcode::ping,
                    payload.first(std::min(payload.size(), frame::max_control_payload))))
    return SendResult::closing;
  return blocked() ? SendResult::queued : SendResult::sent;
}

// Control frames aren't held to limits.buffered_bytes: there are few of them, and they are small.
// A Pong replaces an older one that hasn't gone out (RFC 6455 §5.5.3 allows it), so that a peer
// which sends Pings and reads nothing has one waiting and no more.
bool Connection::send_control(Opcode opcode, Bytes payload) {
  const ControlFrame frame = protocol_.control(opcode, payload, masking_key());
  if (opcode == Opcode::ping && pongs_owed_ < 255) ++pongs_owed_;
  const bool kept = opcode == Opcode::pong ? write_newest(frame) : write(frame);
  if (!kept) end(Error::out_of_memory);
  return kept;
}

// ── Closing ──────────────────────────────────────────────────────────────────────────────────

void Connection::close(std::uint16_t code, std::string_view reason) {
  loop().assert_in_thread();
  if (state_ != State::open) return;
  // RFC 6455 §7.1.2; §7.4.1: without 1006 and 1015, which must not be sent.
  if (code != close_code::none_received && !frame::is_valid_close_code(code)) {
    log(LogLevel::error, "close() with a code that can't be sent", {{"code", code}});
    code = close_code::internal_error;
  }
  send_close(code, reason);
  arm(limits().close_timeout_ms);
  resume();
}

// The server stops: RFC 6455 §7.4.1, code 1001.
void Connection::go_away() {
  if (state_ == State::handshaking || is_stream()) {
    // There may be a response on its way.
    state_ = State::lingering;
    arm(limits().close_timeout_ms);
    return close_when_written();
  }
  // One that lingers has been told all there is to tell.
  if (state_ == State::lingering && buffered_bytes() == 0 && !blocked()) return drop();
  close(close_code::going_away, info(Error::server_stopping).text);
}

void Connection::abort() {
  loop().assert_in_thread();
  drop();
}

// Ends TCP at once; on_released() reports it.
void Connection::drop() {
  state_ = State::lingering;
  Stream::close();
}

void Connection::send_close(std::uint16_t code, std::string_view reason) {
  if (protocol_.close_sent() || closed()) return;
  state_ = State::closing;  // §5.5.1: nothing is sent after it, whatever on_close() may try
  // A frame for which there is no memory is lost, and TCP's end says the rest.
  (void)write(protocol_.close(code, reason, masking_key()));
}

// The peer broke a rule, or memory is short: say so in a Close frame (RFC 6455 §7.1.7) and end.
void Connection::fail(Error error) {
  const ErrorInfo row = info(error);
  log_error(LogLevel::info, "connection failed", error);
  send_close(row.close_code, row.text);
  report_closed(row.close_code, row.text, false);
  linger();
}

// Ends a connection that can't or need not be told anything more.
void Connection::end(Error error) {
  log_error(LogLevel::info, "connection dropped", error);
  drop();
}

void Connection::log_error(LogLevel level, std::string_view message, Error error) const {
  if (!net::log_enabled(level)) return;
  const ErrorInfo row = info(error);
  log(level, message,
      {{"peer", net::AddressText(peer()).view()},
       {"error", row.name},
       {"rule", row.section},
       {"text", row.text}});
}

// RFC 6455 §7.1.1: nothing more will be sent, so FIN. A close(2) here could destroy what we sent
// last: where input is unread, or arrives later, TCP answers with RST, and that makes the peer's
// kernel forget what its program has not read yet. So what comes is read and thrown away, until the
// peer's FIN.
void Connection::linger() {
  if (closed()) return;
  state_ = State::lingering;
  paused_ = false;
  arm_for_end();
  finish_writing();
  resume_reading();
}

void Connection::report_closed(std::uint16_t code, std::string_view reason, bool clean) {
  if (!opened_) return;
  opened_ = false;
  endpoint_.counts_.websockets.subtract();
  endpoint_.counts_.closes.add(code);
  handler().on_close(*this, {code, reason, clean});
  endpoint_.topics().forget(*this);
}

// The peer's end of TCP without a Close frame (RFC 6455 §7.1.5: code 1006), or the end that a
// lingering connection waits for. What was sent before still goes out, if it can.
void Connection::on_end(int error) {
  if (state_ == State::handshaking && endpoint_.settings_.role == Role::client) {
    return connect_failed(Error::connection_lost);
  }
  if (error != 0) return drop();
  if (opened_) log_error(LogLevel::debug, "peer is gone", Error::connection_lost);
  state_ = State::lingering;
  arm_for_end();
  close_when_written();
  report_closed(close_code::abnormal, {}, false);  // §7.1.5, §7.2.1: no Close frame came
}

void Connection::on_released() {
  report_closed(close_code::abnormal, {}, false);
  endpoint_.remove(*this);  // destroys this connection
}

// ── Receiving ────────────────────────────────────────────────────────────────────────────────

void Connection::on_receive(MutableBytes bytes) {
  heard();
  const MutableBytes left = process(bytes);
  if (!left.empty()) keep(left);
}

// Works through input until its end, or until the connection is put on hold; returns what is left.
MutableBytes Connection::process(MutableBytes bytes) {
  while (!bytes.empty() && !closed()) {
    if (state_ == State::lingering || is_stream()) return {};
    if (on_hold()) return bytes;
    if (state_ != State::handshaking) {
      receive_frames(bytes);
      if (!bytes.empty() && in_use() && !on_hold()) {  // enough for this turn
        loop().schedule(*this);
        return bytes;
      }
    } else if (endpoint_.settings_.role == Role::server) {
      receive_requests(bytes);
    } else {
      receive_response(bytes);
    }
  }
  return {};
}

// Whether input has to wait: the program wants a pause, or a peer that pipelines requests doesn't
// read the responses.
bool Connection::on_hold() const {
  return paused_ || (state_ == State::handshaking && blocked());
}

void Connection::keep(MutableBytes bytes) {
  const std::size_t size = Pool::block_size(sizeof(Kept) + bytes.size());
  void* memory = loop().pool().allocate(size);
  if (memory == nullptr) {
    // Before the handshake is done, there is nobody to read a Close frame.
    if (state_ != State::handshaking) return fail(Error::out_of_memory);
    return endpoint_.settings_.role == Role::server ? end(Error::out_of_memory)
                                                    : connect_failed(Error::out_of_memory);
  }
  kept_ = new (memory) Kept{size, 0, bytes.size()};
  copy_bytes(kept_->bytes(), bytes);
  pause_reading();
}

// On the agenda: goes on with kept input, if the hold is over.
void Connection::on_turn() {
  if (on_hold()) return;
  if (kept_ != nullptr) {
    const MutableBytes left = process({kept_->bytes() + kept_->begin, kept_->end - kept_->begin});
    if (closed()) return;
    kept_->begin = kept_->end - left.size();
    if (!left.empty()) return;
    loop().pool().release(kept_, kept_->block_size);
    kept_ = nullptr;
  }
  if (!on_hold()) resume_reading();
}

void Connection::pause() {
  loop().assert_in_thread();
  if (state_ == State::lingering) return;  // it waits for the peer's FIN, and calls nobody
  paused_ = true;
  pause_reading();
}

void Connection::resume() {
  loop().assert_in_thread();
  if (!paused_ || closed()) return;
  paused_ = false;
  heard();  // silence that we asked for doesn't count, nor does a message that we kept waiting
  message_began_ms_ = last_heard_ms_;
  loop().schedule(*this);
}

// RFC 6455 §6.2: a message has the type of its first frame.
inline void Connection::deliver(Opcode opcode, MutableBytes payload) {
  holds_message_ = false;
  endpoint_.counts_.messages_received.add();
  endpoint_.handler_.on_message(*this, Message(opcode, payload));
}

// What was inflated may be a thousand times what came, so there is a limit to what is handed on in
// one turn; the rest of the input waits for the next one, and others have theirs.
void Connection::receive_frames(MutableBytes& bytes) {
  std::size_t handled = 0;
  while (!bytes.empty() && !paused_ && state_ != State::lingering && !closed() &&
         handled < turn_bytes) {
    Opcode opcode;
    MutableBytes payload;
    if (protocol_.take_message(bytes, opcode, payload)) {
      deliver(opcode, payload);
      continue;
    }
    const Event event = protocol_.read(bytes);  // RFC 6455 §6.2
    handled += event.payload.size();
    handle(event, bytes.empty());
    protocol_.release();
  }
  watch_message();
}

MutableBytes Connection::direct_space() {
  if (state_ != State::open && state_ != State::closing) return {};
  return protocol_.direct_space();
}

void Connection::on_direct(std::size_t size) {
  heard();
  handle(protocol_.commit_direct(size), false);
  protocol_.release();
  watch_message();
}

// RFC 6455 §6.2: control frames as in §5.5, messages with the type of their first frame.
void Connection::handle(const Event& event, bool last_of_input) {
  switch (event.kind) {
    case Event::Kind::none:
      return;
    case Event::Kind::message:
      return deliver(event.opcode, event.payload);
    case Event::Kind::chunk:
      if (event.last) endpoint_.counts_.messages_received.add();
      return handler().on_chunk(*this, {event.opcode, event.payload, event.first, event.last});
    case Event::Kind::ping:
      // RFC 6455 §5.5.2: answered with a Pong, unless a Close frame was received already; after
      // one that we sent, nothing more may follow (§5.5.1).
      if (!protocol_.close_sent() && !send_control(Opcode::pong, event.payload)) return;
      return handler().on_ping(*this, event.payload);
    case Event::Kind::pong:  // §5.5.3: wants no answer
      if (pongs_owed_ > 0) --pongs_owed_;
      return handler().on_pong(*this, event.payload);
    case Event::Kind::close:
      return on_close_frame(event, last_of_input);
    case Event::Kind::failed:
      return fail(event.error);
  }
}

// RFC 6455 §5.5.1: a Close frame is answered with one that carries the same code, and then both
// sides have sent and received one.
void Connection::on_close_frame(const Event& event, bool last_of_input) {
  send_close(event.code, {});
  if (net::log_enabled(LogLevel::debug)) {
    log(LogLevel::debug, "connection closed",
        {{"peer", net::AddressText(peer()).view()}, {"code", event.code}});
  }
  // §7.1.4, §7.1.5, §7.1.6: cleanly, with the peer's code and reason.
  report_closed(event.code, event.reason, true);
  if (closed()) return;
  // §5.5.1: the server ends TCP, the client waits for it.
  if (endpoint_.settings_.role == Role::client) {
    state_ = State::lingering;
    paused_ = false;
    arm(limits().close_timeout_ms);  // §7.1.1: so long is a reasonable time
    return resume_reading();
  }
  // §5.5.1: at once. More may follow the Close frame: what was read with it, or the Pong that
  // answers a Ping of ours (§5.5.2 asks for it until our Close frame is there).
  if (!last_of_input || !drained() || pongs_owed_ > 0) return linger();
  state_ = State::lingering;
  arm(limits().close_timeout_ms);
  close_when_written();
}

void Connection::on_unblocked() {
  if (state_ == State::handshaking) return loop().schedule(*this);
  if (state_ == State::lingering) return arm(limits().close_timeout_ms);
  if (takes_publications()) handler().on_drain(*this);
}

// A peer that makes room for what has waited is alive. (Without a wait it is only the kernel that
// took something, such as our own Ping.)
void Connection::on_progress() {
  if (blocked()) heard();
  // However long a file takes, its peer has to take some of it now and then.
  if (writing_file()) arm(limits().keep_alive_timeout_ms);
}

// ── Time ─────────────────────────────────────────────────────────────────────────────────────

void Connection::open() {
  if (!keep_source()) return end(Error::out_of_memory);
  state_ = State::open;
  opened_ = true;
  endpoint_.counts_.handshakes.add();
  endpoint_.counts_.websockets.add();
  heard();
  opened_ms_ = last_heard_ms_;
  check_deadlines();
  handler().on_open(*this);
}

void Connection::heard() {
  last_heard_ms_ = static_cast<std::uint32_t>(loop().now_ms());
  ping_outstanding_ = false;
  last_look_ = false;
}

void Connection::arm(std::uint64_t after_ms) {
  if (after_ms == 0) return loop().timers().disarm(*this);
  loop().timers().arm(*this, loop().now_ms() + after_ms);
}

// For the peer's FIN; behind a file, from when that is out.
void Connection::arm_for_end() {
  arm(writing_file() ? limits().keep_alive_timeout_ms : limits().close_timeout_ms);
}

void Connection::on_timer(std::uint64_t) {
  if (closed()) return;
  switch (state_) {
    case State::handshaking:
      return handshake_failed(endpoint_.settings_.role == Role::server ? Error::request_timeout
                                                                       : Error::connect_timeout);
    case State::streaming:
      return check_stream();
    case State::open:
      return check_deadlines();
    case State::closing:
      return end(Error::close_timeout);
    case State::lingering:
      return drop();
  }
}

// Whether a message has come in part, and the deadline for the rest of it. One that is handed on in
// chunks holds no memory, and may take its time.
void Connection::watch_message() {
  if (!protocol_.in_message() || limits().message_timeout_ms == 0 ||
      endpoint_.settings_.in_chunks) {
    holds_message_ = false;
  } else if (!holds_message_ && state_ == State::open) {
    holds_message_ = true;
    message_began_ms_ = static_cast<std::uint32_t>(loop().now_ms());
    check_deadlines();
  }
}

// The timer of an open connection is not armed anew by each message: when it goes off, this looks
// how far each deadline has come, and sets it for the next time that could matter.
void Connection::check_deadlines() {
  const auto now_ms = static_cast<std::uint32_t>(loop().now_ms());
  std::uint32_t wait_ms = check_silence(now_ms);
  if (state_ != State::open || closed()) return;

  // Time is up, or this is how much is left of it. (0: no such deadline.)
  const auto is_over = [&wait_ms, now_ms](std::uint32_t limit_ms, std::uint32_t since_ms) {
    const std::uint32_t passed_ms = now_ms - since_ms;
    if (limit_ms == 0) return false;
    if (passed_ms >= limit_ms) return true;
    wait_ms = wait_ms == 0 ? limit_ms - passed_ms : std::min(wait_ms, limit_ms - passed_ms);
    return false;
  };
  if (holds_message_) {
    if (reading_paused()) message_began_ms_ = now_ms;  // it is we who keep it waiting
    if (is_over(limits().message_timeout_ms, message_began_ms_)) {
      return fail(Error::message_timeout);
    }
  }
  if (is_over(lifetime_ms(), opened_ms_)) {
    log_error(LogLevel::debug, "connection closes", Error::lifetime_over);
    return close(close_code::going_away, info(Error::lifetime_over).text);
  }
  arm(wait_ms);
}

// A stream's peer has nothing to send; but it has to make room for what waits. One that is found
// to keep it waiting has the whole time from there.
void Connection::check_stream() {
  const auto now_ms = static_cast<std::uint32_t>(loop().now_ms());
  const std::uint32_t idle_ms = limits().idle_timeout_ms;
  if (!blocked() || !last_look_) {
    heard();
    last_look_ = blocked();
  }
  if (now_ms - last_heard_ms_ >= idle_ms) return end(Error::idle_timeout);
  arm(idle_ms - (now_ms - last_heard_ms_));
}

// limits.lifetime_ms, less up to a tenth of it by the connection's place.
std::uint32_t Connection::lifetime_ms() const {
  constexpr std::uint32_t steps = 64;
  const std::uint32_t limit_ms = limits().lifetime_ms;
  if (limit_ms == 0) return 0;
  const std::uint32_t step = endpoint_.connections_.key(this).index % steps;
  return limit_ms - limit_ms / (10 * steps) * step;
}

// Sends a Ping, or drops a peer that is gone. Returns for how long neither can be due; 0: for ever.
std::uint32_t Connection::check_silence(std::uint32_t now_ms) {
  const std::uint32_t idle = limits().idle_timeout_ms;
  const std::uint32_t ping_after = limits().ping_interval_ms;
  if (reading_paused() && !blocked()) heard();  // we don't listen: the silence is ours
  std::uint32_t silent = now_ms - last_heard_ms_;

  if (idle != 0 && silent >= idle) {
    if (ping_after != 0 && ping_after < idle && !ping_outstanding_) {
      // This loop was late, and sent no Ping that the peer could have answered: it gets one now,
      // and the time that it would have had.
      last_heard_ms_ = now_ms - ping_after;
      silent = ping_after;
    } else if (last_look_ || reading_paused()) {
      fail(Error::idle_timeout);
      return 0;
    } else {
      // Or the answer is there and was not read yet, so one look before the peer counts as gone
      // (RFC 6455 §7.3: nobody is to close at will).
      last_look_ = true;
      read_now();
      return 1;
    }
  }
  if (ping_after != 0 && silent >= ping_after && !ping_outstanding_) {
    ping_outstanding_ = true;
    if (!send_control(Opcode::ping, {})) return 0;
  }

  // Until the peer counts as gone, or the next Ping could be due: for one that answers at once,
  // that is when the interval is over anew.
  std::uint32_t wait_ms = idle != 0 ? idle - silent : 0;
  if (ping_after != 0) {
    const std::uint32_t until_ping = ping_outstanding_ ? ping_after : ping_after - silent;
    wait_ms = wait_ms == 0 ? until_ping : std::min(wait_ms, until_ping);
  }
  return wait_ms;
}

}  // namespace sockeye::ws
