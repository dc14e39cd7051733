// One connection: a net::Stream joined to a Protocol, and before that to the opening handshake.
//
// RFC 6455 §4 to §7, and what it leaves to the implementation: how long to wait, how much to
// buffer, how TCP ends. The rules of the wire are in ws/protocol.h; this file carries bytes.
//
//   handshaking ──▶ open ──▶ closing ─────────▶ lingering ──────────▶ gone
//        │            │      we have sent a       ▲  FIN sent; what comes is thrown away,
//        │            │      Close frame          │  until the peer's FIN or the close timeout
//        ├────────────┴───────────────────────────┤
//        └──▶ streaming ──────────────────────────┘
//             plain HTTP: a response that goes on
//
// Connections belong to their Server or Client (ws/endpoint.h) and its loop's thread. Programs get
// a reference in each callback. To find one later, keep handle().
// Next on the reading tour: app/echo.h.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "net/address.h"
#include "net/bytes.h"
#include "net/log.h"
#include "net/slab.h"
#include "net/stream.h"
#include "net/timers.h"
#include "ws/deflate/permessage_deflate.h"
#include "ws/error.h"
#include "ws/handle.h"
#include "ws/handler.h"
#include "ws/http/response.h"
#include "ws/http/writer.h"
#include "ws/protocol.h"
#include "ws/publication.h"

namespace sockeye::ws {

class Endpoint;
class PreparedMessage;

enum class SendResult : std::uint8_t {
  sent,     // handed to the kernel, or about to be at the end of this turn
  queued,   // kept in memory, as the peer reads too slowly; on_drain() will follow
  dropped,  // not sent: it would exceed limits.buffered_bytes
  closing,  // not sent: the connection is closing or closed
};

// The 16 random bytes of a client's handshake (RFC 6455 §4.1).
using Nonce = std::array<std::uint8_t, 16>;

class Connection final : private net::Stream, private net::Timer {
 public:
  // Send a message. The bytes need only live for the call. Text must be UTF-8 (RFC 6455 §5.6),
  // which is not checked.
  SendResult send_text(std::string_view text) { return send(Opcode::text, as_bytes(text)); }
  SendResult send_binary(Bytes bytes) { return send(Opcode::binary, bytes); }
  SendResult send(Message message) { return send(message.opcode(), message.bytes()); }
  SendResult send(Opcode opcode, Bytes payload);
  SendResult send(PreparedMessage& message);

  // Topics (ws/topics.h): as topics().subscribe() and unsubscribe() of its server, and publish() to
  // all others.
  bool subscribe(std::string_view topic);
  bool unsubscribe(std::string_view topic);
  bool publish(std::string_view topic, Message message) {
    return publish(topic, message.opcode(), message.bytes());
  }
  bool publish(std::string_view topic, std::string_view text) {
    return publish(topic, Opcode::text, as_bytes(text));
  }
  bool publish(std::string_view topic, Opcode opcode, Bytes payload);

  // Sends a Ping with up to 125 bytes of payload; the rest is cut off.
  SendResult ping(Bytes payload = {});

  // Starts the closing handshake; on_close() comes when it is over, or has taken too long. The
  // code is one that a Close frame may carry (1000, 1001, …, 3000 to 4999), or 1005 for none; any
  // other is an error of the program, logged, and sent as 1011.
  // Ends a pause, for the peer's Close frame has to be read.
  void close(std::uint16_t code = close_code::normal, std::string_view reason = {});

  // Drops the connection without a word. on_close() comes soon after, with code 1006.
  void abort();

  // To a stream (Reply::stream): more of its body.
  SendResult send_raw(Bytes bytes);

  // Whether messages can be sent.
  bool is_open() const { return state_ == State::open; }
  // Whether it is a response that goes on, and can be sent more of it.
  bool is_stream() const { return state_ == State::streaming; }

  // Stops and restarts the calls of on_message, on_chunk, on_ping and on_pong. A paused
  // connection reads no more, so its peer will notice. A peer that ends TCP meanwhile is noticed
  // when it is resumed, after what had come before; a reset ends the pause and the connection.
  void pause();
  void resume();

  // Bytes that were sent here and not yet taken by the kernel.
  using net::Stream::buffered_bytes;

  // A pointer that belongs to the program.
  template <typename T>
  T* data() const {
    return static_cast<T*>(data_);
  }
  void set_data(void* data) { data_ = data; }

  // The subprotocol that the handshake chose; empty for none.
  std::string_view subprotocol() const;

  Handle handle();
  Endpoint& endpoint() const { return endpoint_; }
  // Who is at the other end, also where a proxy stands between, if that was trusted to tell.
  // Kind::none for an unnamed Unix peer, and mostly when closed.
  net::Address peer() const;

 private:
  friend class Endpoint;
  friend class Handle;
  friend class Server;
  friend class Client;
  friend class Reply;
  friend class Topics;
  friend class Upgrade;
  friend class sockeye::Slab<Connection>;
  struct ServerHandshake;
  struct ClientHandshake;
  struct Kept;

  // Where the peer is, as far as that isn't asked of the socket.
  struct Source {
    net::Address address;  // Kind::none: no proxy has told, and nothing counts on it
    bool counted = false;  // against limits.connections_per_address
  };

  enum class State : std::uint8_t { handshaking, streaming, open, closing, lingering };

  explicit Connection(Endpoint& endpoint);
  ~Connection();

  // net::Stream
  void on_receive(MutableBytes bytes) override;
  MutableBytes direct_space() override;
  void on_direct(std::size_t size) override;
  void on_end(int error) override;
  void on_unblocked() override;
  void on_progress() override;
  void on_turn() override;
  void on_released() override;

  // net::Timer
  void on_timer(std::uint64_t now_ms) override;

  // Input that a pause left over.
  MutableBytes process(MutableBytes bytes);
  void keep(MutableBytes bytes);
  bool on_hold() const;
  bool in_use() const {
    return opened_ || ((state_ == State::handshaking || is_stream()) && !closed());
  }

  // The opening handshake, and plain HTTP: connection_handshake.cc
  bool begin_handshake(bool through_proxy);
  Error comes_from(const net::Address& address);
  bool accept(net::Fd fd);
  bool connect(net::Fd fd, const Nonce& nonce, std::string_view request, std::uint64_t deadline_ms);
  void receive_proxy_header(MutableBytes& bytes);
  void receive_requests(MutableBytes& bytes);
  void receive_response(MutableBytes& bytes);
  Error check_response(const http::Response& response);
  Error read_forwarded_for(const http::Request& request);
  void upgrade(const http::Request& request);
  void accept_upgrade(const http::Request& request);
  bool accept_compression(const http::Request& request, net::TextWriter& response);
  bool agree_on(const deflate::Parameters& compression);
  bool set_subprotocol(std::string_view name);
  void answer(const http::Request& request);
  void begin_stream();
  void refuse(Error error, http::After after = http::After::close);
  void connect_failed(Error error, std::uint16_t status = 0);
  void handshake_failed(Error error);
  void drop_handshake();
  const Source* source() const;
  bool keep_source();
  void drop_source();

  // What follows it: connection.cc
  void open();
  void receive_frames(MutableBytes& bytes);
  void handle(const Event& event, bool last_of_input);
  void deliver(Opcode opcode, MutableBytes payload);
  void on_close_frame(const Event& event, bool last_of_input);
  bool may_send(std::size_t size, SendResult& refusal) const;
  bool is_compressed(std::size_t size) const;
  SendResult send_compressed(Opcode opcode, Bytes message);
  SendResult send_payload(Opcode opcode, Payload payload);
  bool takes_publications() const { return is_open() || (is_stream() && !closed()); }
  bool takes(Publication::Form form) const;
  bool send_published(Publication::Form form, Bytes wire, Shared* owner, std::size_t messages);
  SendResult send_published(Publication& publication, PreparedMessage* prepared);
  void fall_behind();
  bool write_message(Opcode opcode, Payload payload, std::uint32_t key);
  bool send_control(Opcode opcode, Bytes payload);
  void send_close(std::uint16_t code, std::string_view reason);
  void fail(Error error);
  void go_away();
  void linger();
  void report_closed(std::uint16_t code, std::string_view reason, bool clean);
  void end(Error error);
  void drop();
  void log_error(net::LogLevel level, std::string_view message, Error error) const;

  void heard();
  void arm(std::uint64_t after_ms);
  void arm_for_end();
  void check_deadlines();
  void check_stream();
  std::uint32_t check_silence(std::uint32_t now_ms);
  void watch_message();
  std::uint32_t lifetime_ms() const;
  std::uint32_t masking_key();
  Handler& handler() const;
  const Limits& limits() const;

  State state_ = State::handshaking;
  std::uint8_t subprotocol_ = 0;       // 1 + its place in Options::subprotocols; 0 for none
  std::uint8_t pongs_owed_ = 0;        // our Pings without a Pong, as far as it counts
  bool paused_ : 1 = false;            // by the program
  bool opened_ : 1 = false;            // on_open() was called, and on_close() was not
  bool ping_outstanding_ : 1 = false;  // nothing was heard since our own Ping
  bool admitted_ : 1 = true;           // counts for limits.connections: wasn't refused at once
  bool last_look_ : 1 = false;         // silent for too long; pending input is read once more
  bool holds_message_ : 1 = false;     // one that has come in part
  bool handshaken_ : 1 = false;        // the handshake is over, and its memory given back
  // The loop's time, modulo 2^32.
  std::uint32_t last_heard_ms_ = 0;
  std::uint32_t opened_ms_ = 0;
  std::uint32_t message_began_ms_ = 0;  // while holds_message_
  Endpoint& endpoint_;
  void* data_ = nullptr;
  union {  // while handshaking, by role; and when that is over
    ServerHandshake* server_ = nullptr;
    ClientHandshake* client_;
    Source* source_;
  } handshake_;
  Kept* kept_ = nullptr;
  Protocol protocol_;
};

}  // namespace sockeye::ws
