// Reads the head of an HTTP/1.x message, whatever pieces it comes in.
//
// RFC 9112 §2 to §5, strictly: what different readers could take for different messages is refused,
// never repaired. A head in one piece is parsed where it lies, with no copy and no allocation; a
// cut one is kept by the parser (line_reader.h). Linear in the head; limits come from ws/limits.h.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "net/bytes.h"
#include "net/pool.h"
#include "ws/error.h"
#include "ws/http/line_reader.h"
#include "ws/http/request.h"
#include "ws/http/response.h"
#include "ws/limits.h"

namespace sockeye::ws::http {

// What both kinds of head have in common: lines, fields, limits.
class HeadParser {
 public:
  enum class Status : std::uint8_t { need_more, complete, failed };

  HeadParser(const HeadParser&) = delete;
  HeadParser& operator=(const HeadParser&) = delete;

  // Takes the head, and no byte more, off the front of `input`; all of `input` where it ends before
  // the head does (need_more). After `complete` the head's views hold until the input is reused,
  // or, when it came in pieces or keep() was called, until reset(). After `failed`, they
  // show what was read before the failure, and hold until the input is reused.
  // After `complete` or `failed`, call reset() before the next parse().
  Status parse(Bytes& input);

  // Why parse() or keep() failed.
  Error error() const { return error_; }

  // Whether a byte of the head has been taken.
  bool started() const { return lines_.taken() > 0; }

  // Makes the head's views hold until reset(). False when memory is short.
  [[nodiscard]] bool keep();

 protected:
  // How the two kinds of head differ in what is said of their first line.
  struct StartLine {
    Error malformed;
    Error too_long;
    bool may_follow_empty_line;
  };

  HeadParser(Head& head, Pool& pool, const Limits& limits, StartLine start_line);
  ~HeadParser() = default;

  // Ready for the next message; gives back all memory.
  void reset();

  // Where `part`, which views a part of the line being parsed, lies in the head.
  Head::Slice slice(std::string_view part) const;

 private:
  // Checks and stores the first line.
  virtual Error start_line(std::string_view line) = 0;
  // Checks what concerns the head as a whole, once its last line is there.
  virtual Error finish() = 0;

  Error field_line(std::string_view line);
  Status fail(Error error);

  Head& head_;
  LineReader lines_;
  const std::size_t start_line_limit_bytes_;
  const std::size_t field_limit_;
  const StartLine start_line_;
  Error error_ = Error::none;
  bool start_line_done_ = false;
  bool empty_line_skipped_ = false;
};

class RequestParser final : public HeadParser {
 public:
  RequestParser(Pool& pool, const Limits& limits)
      : HeadParser(request_, pool, limits,
                   {.malformed = Error::request_line_malformed,
                    .too_long = Error::request_line_too_long,
                    .may_follow_empty_line = true}) {}

  // Ready for the next request; gives back all memory.
  void reset();

  Request& request() { return request_; }
  const Request& request() const { return request_; }

 private:
  Error start_line(std::string_view line) override;
  Error finish() override;
  Error parse_target(std::string_view target);

  Request request_;
};

class ResponseParser final : public HeadParser {
 public:
  ResponseParser(Pool& pool, const Limits& limits)
      : HeadParser(response_, pool, limits,
                   {.malformed = Error::response_malformed,
                    .too_long = Error::head_too_large,
                    .may_follow_empty_line = false}) {}

  // Ready for the next response; gives back all memory.
  void reset();

  const Response& response() const { return response_; }

 private:
  Error start_line(std::string_view line) override;
  Error finish() override { return Error::none; }

  Response response_;
};

}  // namespace sockeye::ws::http
