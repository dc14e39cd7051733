// Reads one request after another from a connection: head, then body.
//
// RFC 9112 §6 and §9.3, RFC 9110 §10.1.1. Feed it what was received; it takes the bytes of one
// request and leaves the rest, be that a pipelined request or a client's first frames.
//
//   while (true) {
//     switch (reader.read(input)) {
//       case need_more:  return;                      // until more is received
//       case head:       upgrade, or write an interim 100 where expects_continue(); read on
//       case complete:   answer reader.request(); reader.reset(); read on where it persisted
//       case failed:     answer with refusal(reader.error()) and close
//     }
//   }
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "net/bytes.h"
#include "net/pool.h"
#include "ws/error.h"
#include "ws/http/body.h"
#include "ws/http/parser.h"
#include "ws/http/request.h"
#include "ws/limits.h"

namespace sockeye::ws::http {

class RequestReader {
 public:
  enum class Status : std::uint8_t { need_more, head, complete, failed };

  // `pool` must outlive the reader.
  RequestReader(Pool& pool, const Limits& limits) : head_(pool, limits), body_(pool, limits) {}

  // Takes bytes off the front of `input`: of the head up to `head`, which every request reaches;
  // then of the body up to `complete`. After `complete` or `failed`, call reset() before reading
  // on.
  Status read(Bytes& input);

  // The request, from `head` on. Its views hold until reset(), except where head and body lay whole
  // in one input: then until that input is reused. After `failed`, what was read of it before; that
  // holds until the input is reused.
  const Request& request() const { return head_.request(); }

  // Why read() failed. Nothing that follows such a request may be read as another one.
  Error error() const { return error_; }

  // Whether a byte of a request has been taken.
  bool started() const { return reading_body_ || head_.started(); }

  // At `head`: the client waits for an interim response 100 before it sends the body.
  bool expects_continue() const { return expects_continue_; }

  // From `head` on: whether another request may follow on this connection.
  bool persists() const;

  // Ready for the next request; gives back all memory.
  void reset();

 private:
  Status read_head(Bytes& input);
  Status read_body(Bytes& input);
  Status fail(Error error);

  RequestParser head_;
  BodyReader body_;
  bool reading_body_ = false;
  bool expects_continue_ = false;
  Error error_ = Error::none;
};

}  // namespace sockeye::ws::http
