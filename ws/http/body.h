// Reads the body of a request: Content-Length or chunked, whatever pieces it comes in.
//
// RFC 9112 §6 and §7.1. Bodies are for small plain requests beside WebSocket: they are held in
// memory, up to limits.request_body_bytes. Chunk extensions and trailers are checked and dropped;
// together they may take as many bytes as a head (limits.head_bytes).
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "net/buffer.h"
#include "net/bytes.h"
#include "net/pool.h"
#include "net/result.h"
#include "ws/error.h"
#include "ws/http/line_reader.h"
#include "ws/http/request.h"
#include "ws/limits.h"

namespace sockeye::ws::http {

// How a body is delimited. A request without a body has a length of 0.
struct Framing {
  bool chunked = false;
  std::uint64_t length = 0;  // where it isn't chunked
};

// RFC 9112 §6.3, in full and strictly: every way in which two readers could see two different ends
// of the request is an error.
Result<Framing, Error> body_framing(const Request& request);

class BodyReader {
 public:
  enum class Status : std::uint8_t { need_more, complete, failed };

  // `pool` must outlive the reader.
  BodyReader(Pool& pool, const Limits& limits);

  // Begins a body. body_too_large where its length says so at once.
  Error start(Framing framing);

  // Takes the body's bytes, and no more, off the front of `input`; all of `input` where it ends
  // before the body does (need_more).
  Status read(Bytes& input);

  // Why read() failed.
  Error error() const { return error_; }

  // The decoded body, after `complete`. A body of known length that was whole in one `input` is a
  // view of that; any other holds until reset().
  Bytes body() const { return body_; }

  // Forgets the body and gives back its memory.
  void reset();

 private:
  // The part of a chunked body (RFC 9112 §7.1) that comes next.
  enum class Part : std::uint8_t { size_line, data, data_end, trailer };

  Status read_length(Bytes& input);
  Status read_chunked(Bytes& input);
  Status read_data(Bytes& input);
  Status read_line(Bytes& input);
  Error check_line(std::string_view line);
  Error size_line(std::string_view line);
  Error append(Bytes bytes);
  std::size_t kept_size() const { return kept_ ? kept_->size() : 0; }
  Status fail(Error error);

  Pool& pool_;
  const std::size_t body_limit_bytes_;
  const std::size_t extra_limit_bytes_;

  Framing framing_;
  std::optional<Buffer> kept_;  // the body so far, unless all of it lies in one input
  Bytes body_;

  LineReader lines_;
  Part part_ = Part::size_line;
  std::size_t chunk_left_ = 0;   // bytes of the chunk's data that are to come
  std::size_t extra_bytes_ = 0;  // of extensions and trailers so far

  Error error_ = Error::none;
};

}  // namespace sockeye::ws::http
