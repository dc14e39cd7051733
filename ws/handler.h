// What a program that uses Sockeye writes: a Handler, whose methods are called with what peers do.
//
// Everything here belongs to the thread of the server's or client's loop. A method may call
// anything of the connection, also close() and abort(); the connection stays valid until
// on_close() has returned, and after on_open() that call comes exactly once.
//
// What a method throws it has to catch. An exception that it lets out ends the program by
// std::terminate, which says what was thrown: the library has no way to clean up behind it. The
// same goes for what is given to Loop::post() and Options::on_stop.
//
// All methods are defined here, so that a program compiled with run-time type information can
// derive from a library compiled without.
// Next on the reading tour: ws/connection.h.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string_view>

#include "net/bytes.h"
#include "net/fd.h"
#include "ws/error.h"
#include "ws/frame/frame.h"
#include "ws/http/request.h"

namespace sockeye::ws {

class Connection;

// A whole message. It shows memory of the library: valid until the handler returns.
class Message {
 public:
  Message(frame::Opcode opcode, MutableBytes payload) : payload_(payload), opcode_(opcode) {}

  bool is_text() const { return opcode_ == frame::Opcode::text; }
  bool is_binary() const { return opcode_ == frame::Opcode::binary; }
  frame::Opcode opcode() const { return opcode_; }

  std::size_t size() const { return payload_.size(); }
  const char* chars() const { return reinterpret_cast<const char*>(payload_.data()); }
  std::string_view text() const { return {chars(), size()}; }
  Bytes bytes() const { return payload_; }

 private:
  MutableBytes payload_;
  frame::Opcode opcode_;
};

// A part of a message, where Options::in_chunks asks for messages as they arrive. Text may be cut
// within a character, but what has arrived is known to be well-formed so far.
struct Chunk {
  frame::Opcode opcode;  // text or binary
  Bytes bytes;           // valid until the handler returns
  bool first;            // begins a message
  bool last;             // ends it
};

// How a connection ended.
struct Closed {
  std::uint16_t code;  // RFC 6455 §7.1.5: the peer's, or ours where a rule was broken; 1006: none
  std::string_view reason;  // valid until the handler returns
  bool clean;               // both sides sent a Close frame
};

// Why a client's connection did not come about.
struct ConnectFailure {
  Error error;            // connection_lost when TCP failed
  std::uint16_t status;   // of the response, when there was one; else 0
  std::string_view text;  // for people; valid until the handler returns
  void* data;             // what Client::connect() was given
};

// A handshake that satisfies the protocol and the server's options, and may still be refused.
class Upgrade {
 public:
  // The request; its views are valid until the handler returns.
  const http::Request& request() const { return request_; }
  // The connection that it is to become: for set_data(), peer() and abort(). There is nothing yet
  // that could be sent or closed.
  Connection& connection() const { return connection_; }

  // The subprotocol that the response will name: the first of Options::subprotocols that the
  // client offers; empty for none. A handler may choose another one that stands in both lists;
  // false, and nothing changed, when it does not.
  std::string_view subprotocol() const;
  bool choose_subprotocol(std::string_view name);

  // Refuses with an HTTP status (400 to 599) and a short text, which is sent or copied before this
  // returns. A second refusal is ignored.
  void refuse(std::uint16_t status, std::string_view text,
              std::initializer_list<http::Field> extra_fields = {});

 private:
  friend class Connection;
  Upgrade(const http::Request& request, Connection& connection)
      : request_(request), connection_(connection) {}

  const http::Request& request_;
  Connection& connection_;
  bool refused_ = false;
};

// The response to a plain HTTP request.
class Reply {
 public:
  // Answers with a body, of which a HEAD request gets only the size. The body is sent or copied
  // before this returns. Texts that can't stand in a field, or that make the head larger than
  // http::response_head_bytes, are answered with status 500.
  void send(std::uint16_t status, std::string_view content_type, Bytes body,
            std::initializer_list<http::Field> extra_fields = {});

  // Begins a response whose body goes on until the connection ends, such as Server-Sent Events: the
  // connection becomes a stream, which Connection::send_raw and topics can send more to, and whose
  // end on_close() tells. False where it could not be begun, or has no body, as the request is a
  // HEAD.
  bool stream(std::uint16_t status, std::string_view content_type,
              std::initializer_list<http::Field> extra_fields = {});

  // Answers with `size` bytes of an open file from `offset` on, as send() would. They are read as
  // the peer takes them, and no memory holds them: what is written to it meanwhile may go out, and
  // if it becomes shorter, the connection ends. It has to be one whose reads don't wait, such as a
  // regular file.
  void send_file(std::uint16_t status, std::string_view content_type, net::Fd file,
                 std::uint64_t offset, std::uint64_t size,
                 std::span<const http::Field> extra_fields = {});

  // Answers with the status and the text of that error's row.
  void refuse(Error error);

  // The connection that it goes to: for set_data(), peer(), handle() and abort(); a stream's, also
  // for send_raw() and subscribe().
  Connection& connection() const { return connection_; }

 private:
  friend class Connection;
  friend class Upgrade;
  bool send_head(std::uint16_t status, std::string_view content_type,
                 std::optional<std::uint64_t> size, Bytes body,
                 std::span<const http::Field> extra_fields);
  enum class Then : std::uint8_t { as_requested, close };
  explicit Reply(Connection& connection, Then then = Then::as_requested)
      : connection_(connection), then_(then) {}

  Connection& connection_;
  Then then_;              // whether the connection ends after it, whatever the request says
  bool answered_ = false;  // a second answer is ignored
};

class Handler {
 public:
  using Connection = ws::Connection;
  using Message = ws::Message;
  using Chunk = ws::Chunk;
  using Closed = ws::Closed;
  using Upgrade = ws::Upgrade;
  using Reply = ws::Reply;
  using Request = http::Request;
  using ConnectFailure = ws::ConnectFailure;

  virtual ~Handler() = default;

  // A server's: someone asks for a WebSocket. Doing nothing accepts.
  virtual void on_upgrade(Upgrade&) {}
  // A server's: a plain HTTP request. It must be answered before this returns; one that isn't is
  // answered with 404.
  virtual void on_request(const Request&, Reply& reply) { reply.refuse(Error::upgrade_required); }

  virtual void on_open(Connection&) {}
  virtual void on_message(Connection&, Message) {}
  virtual void on_chunk(Connection&, Chunk) {}
  // A Ping was received; the Pong is on its way already.
  virtual void on_ping(Connection&, Bytes) {}
  virtual void on_pong(Connection&, Bytes) {}
  // All that was buffered has gone out, after a time in which some of what was sent, or published,
  // had to wait; also of a stream.
  virtual void on_drain(Connection&) {}
  // Also of a stream (Reply::stream), with code 1006.
  virtual void on_close(Connection&, Closed) {}

  // A client's: the handshake failed, so that on_open() will not come.
  virtual void on_connect_failure(const ConnectFailure&) {}
};

}  // namespace sockeye::ws
