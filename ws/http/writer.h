// Writes HTTP heads, and whole answers to refused requests.
//
// RFC 9112 §3 to §5, RFC 9110 §15. No value gets into a head with a control character in it: CR and
// LF there would let whoever made the value write the rest of the answer ("response splitting").
// All is written into text of a fixed size that the caller has ready: nothing is allocated.
//
//   net::Text<response_head_bytes> text;
//   const auto head = HeadWriter::response(text, 200).field("Content-Length", 5).finish();
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "net/result.h"
#include "net/text.h"
#include "ws/error.h"

namespace sockeye::ws::http {

// The interim response that a client with `Expect: 100-continue` waits for (RFC 9110 §15.2.1).
inline constexpr std::string_view continue_response = "HTTP/1.1 100 Continue\r\n\r\n";

// "Not Found" for 404; empty for a status this project doesn't use.
std::string_view reason_phrase(std::uint16_t status);

// Room for a response's head. Our own fields take less than 300 bytes; the rest is for a program's.
inline constexpr std::size_t response_head_bytes = 2 * 1024;

// One head, from its first line on, into `out`, which is empty at first and outlives the writer.
// The first thing that goes wrong is remembered, and finish() reports it, so that callers check
// once.
class HeadWriter {
 public:
  static HeadWriter response(net::TextWriter& out, std::uint16_t status);

  // A target with anything but visible ASCII in it is request_target_malformed.
  static HeadWriter request(net::TextWriter& out, std::string_view method, std::string_view target);

  // Adds a field. A name that is no token is field_name_malformed; a value with a control
  // character, or with white space around it, field_value_malformed.
  HeadWriter& field(std::string_view name, std::string_view value);
  HeadWriter& field(std::string_view name, std::uint64_t value);

  // The whole head with its empty line, a view of `out`; or what went wrong: head_too_large where
  // `out` has no room for it. Call it once.
  Result<std::string_view, Error> finish();

 private:
  explicit HeadWriter(net::TextWriter& out);

  net::TextWriter& out_;
  Error error_ = Error::none;
};

// Whether an answer carries its body. The answer to HEAD has only the head (RFC 9110 §9.3.2).
enum class BodyMode : std::uint8_t { sent, left_out };

// What becomes of the connection after an answer.
enum class After : std::uint8_t { close, next_request };

// Room for any refusal.
inline constexpr std::size_t refusal_bytes = 512;

// The whole answer to a request that failed with `error`: its status, what that status needs, and a
// line that names the rule. A view of `out`, which is empty at first.
std::string_view refusal(net::Text<refusal_bytes>& out, Error error, BodyMode body = BodyMode::sent,
                         After after = After::close);

}  // namespace sockeye::ws::http
