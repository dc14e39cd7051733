// Cuts an HTTP head into its lines, whatever pieces it comes in.
//
// RFC 9112 §2.2. Each byte is searched once and, where the head is cut, copied once: the cost is
// linear in the head. Two ways lead through:
//
//   a head in one piece: its lines are read where they lie
//     input [GET / HTTP/1.1␍␊Host: a␍␊␍␊ and what follows]
//   a cut head: its bytes are kept in a buffer
//     input [GET / HT]     kept [GET / HT]
//     input [TP/1.1␍␊Ho]   kept [GET / HTTP/1.1␍␊Ho]
//
// Limits are checked before memory is taken, as soon as they are sure to be passed.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "net/buffer.h"
#include "net/bytes.h"
#include "net/pool.h"
#include "ws/error.h"

namespace sockeye::ws::http {

class LineReader {
 public:
  enum class Status : std::uint8_t { need_more, line, failed };

  // `pool` must outlive the reader. `head_limit_bytes` is for all lines together.
  LineReader(Pool& pool, std::size_t head_limit_bytes);

  // Takes the next line off the front of `input`; all of `input` where it ends before the line does
  // (need_more). A line, its CRLF included, of more than `line_limit_bytes` fails with `too_long`.
  //
  // Pieces must follow upon each other. A line, and begin(), hold until the input they lie in is
  // reused, or, after a need_more or keep(), until restart().
  Status next(Bytes& input, std::size_t line_limit_bytes, Error too_long);

  // The line taken last, without its CRLF: where it begins in the head, and its size.
  std::size_t line_begin() const { return line_begin_; }
  std::size_t line_size() const { return line_size_; }

  // The head's first byte. It moves when next() has to take more memory.
  const char* begin() const { return reinterpret_cast<const char*>(begin_); }

  // How many bytes of the head were taken so far.
  std::size_t taken() const { return taken_; }

  // Why next() or keep() failed.
  Error error() const { return error_; }

  // Copies what was taken so far, so that it holds until restart(). False when memory is short.
  [[nodiscard]] bool keep();

  // Forgets everything; the next line is a head's first again.
  void restart();

 private:
  Status fail(Error error);

  Pool& pool_;
  const std::size_t head_limit_bytes_;
  std::optional<Buffer> kept_;           // engaged once the head outlives its input
  const std::uint8_t* begin_ = nullptr;  // in the input, or in kept_
  std::size_t taken_ = 0;
  std::size_t line_begin_ = 0;
  std::size_t line_size_ = 0;
  std::size_t next_begin_ = 0;  // of the line that comes next
  Error error_ = Error::none;
};

}  // namespace sockeye::ws::http
