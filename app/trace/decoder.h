// Reads both directions of one connection as a bystander: what was asked and answered, how the
// handshake's proof comes about, each frame's bits, and what the receiver makes of them.
//
// Nothing of the connection itself is asked: a decoder has the bytes alone, and reads them with the
// same parts (ws/http, ws/frame, ws/protocol.h) as the two ends do. So it can't disturb them, and
// serves a server's connections as well as a client's.
//
// Section numbers mean RFC 6455. Next: app/trace/dump.h.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/sha1.h"
#include "net/bytes.h"
#include "net/error.h"
#include "net/pool.h"
#include "net/result.h"
#include "ws/endpoint.h"
#include "ws/frame/frame.h"
#include "ws/http/parser.h"
#include "ws/http/request_reader.h"
#include "ws/protocol.h"
#include "ws/proxy_header.h"

namespace sockeye::app::trace {

// Who sent something.
enum class Side : std::uint8_t { client, server };

constexpr Side other(Side side) {
  return side == Side::client ? Side::server : Side::client;
}

// How Sec-WebSocket-Accept follows from Sec-WebSocket-Key (§4.2.2 item 5.4).
struct Proof {
  std::string_view key;
  crypto::Sha1::Digest digest;  // of the key with the GUID behind it
  std::string_view accept;      // the digest's Base64
};

// A frame as it was on the wire.
struct FrameBytes {
  ws::frame::Header header;
  Bytes head;          // the header itself: 2 to 14 bytes
  Bytes payload;       // as it was sent; the first of it, where it is long
  Bytes unmasked;      // the same bytes unmasked
  std::uint64_t came;  // how many bytes of payload there were: fewer than header.payload_size
                       // where the connection or the protocol ended within the frame
  bool compressed;     // belongs to a message that is (RFC 7692 §6)
};

// Who is told what a decoder reads. All views are valid for the call.
class Reader {
 public:
  // A head, as it was sent; then, at 101, the proof; then the body of one that has some.
  virtual void on_request(const ws::http::Request& request, std::string_view head) = 0;
  virtual void on_response(const ws::http::Response& response, std::string_view head) = 0;
  // `error`: what a client finds wrong with the response; none where the connection is open.
  virtual void on_upgrade(const Proof& proof, std::string_view subprotocol, ws::Error error) = 0;
  virtual void on_body(Side from, Bytes bytes) = 0;

  virtual void on_frame(Side from, const FrameBytes& frame) = 0;
  // What the frames of that side amount to: a message, Ping, Pong, Close, or a broken rule.
  virtual void on_event(Side from, const ws::Event& event) = 0;

  // What can't be read, or nobody reads any more, and why.
  virtual void on_other_bytes(Side from, Bytes bytes, std::string_view why) = 0;

 protected:
  ~Reader() = default;  // never destroyed through this base
};

class Decoder {
 public:
  struct Settings {
    ws::Kernels kernels = {};
    ws::Limits limits = {};
    bool proxy_protocol = false;     // a header of it comes first
    MemoryBudget* memory = nullptr;  // for all that is held of messages; null: no limit
    std::size_t shown_bytes = 0;     // of each payload are handed on
  };

  // `reader` and `settings` must outlive the decoder.
  Decoder(Reader& reader, const Settings& settings);
  ~Decoder();
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  void feed(Side from, Bytes bytes);
  // Hands on what of a frame or a head has come, for nothing will follow.
  void end(Side from);

 private:
  struct FrameReader;

  enum class Phase : std::uint8_t { proxy_header, http, upgrading, frames, unknown };

  // A request that has had no response.
  struct Asked {
    bool head_only = false;  // HEAD: the response has no body
    bool wants_upgrade = false;
    std::string key = {};  // of the handshake, as are these
    std::string subprotocols = {};
    std::string extensions = {};
  };

  // One direction.
  struct Direction {
    Phase phase = Phase::http;
    std::string head;                   // what has come of one
    std::uint64_t body_left = 0;        // of a response
    std::vector<std::uint8_t> waiting;  // what came before the answer to the handshake
    std::unique_ptr<FrameReader> frames;
  };

  void feed_proxy_header(Bytes& bytes);
  void feed_requests(Bytes& bytes);
  void on_request_head();
  void feed_responses(Bytes& bytes);
  void on_response_head();
  void begin_frames(const Asked& asked, const ws::http::Response& response);
  void refuse_upgrade();
  ws::Error check(const Asked& asked, const ws::http::Response& response) const;
  void feed_frames(Side from, Bytes& bytes);
  void interpret(Side from, Bytes bytes);
  void give_up(Side from, Bytes bytes, std::string_view why);
  Direction& direction(Side side) { return directions_[static_cast<std::size_t>(side)]; }

  Reader& reader_;
  const Settings& settings_;
  Pool pool_{0};
  std::array<Direction, 2> directions_;
  ws::ProxyHeader proxy_header_;
  ws::http::RequestReader requests_;
  ws::http::ResponseParser responses_;
  std::vector<Asked> asked_;  // first come, first answered
};

// How to decode the connections of an endpoint with these options.
Result<Decoder::Settings, net::Error> decoder_settings(const ws::Options& options,
                                                       std::size_t shown_bytes);

}  // namespace sockeye::app::trace
