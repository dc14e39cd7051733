// SPDX-License-Identifier: MIT
#include "ws/http/body.h"

#include <algorithm>
#include <cassert>
#include <charconv>
#include <limits>

#include "ws/http/chars.h"
#include "ws/http/field_line.h"
#include "ws/http/list.h"

namespace sockeye::ws::http {
namespace {

// Enough for any 64-bit size; more would only be leading zeros.
constexpr std::size_t max_size_digits = 16;

// RFC 9112 §6.1: of all transfer codings only chunked is known here, and it is applied once.
Error check_transfer_encoding(const Request& request) {
  ListReader codings(FieldValues(request, "transfer-encoding"));
  std::size_t count = 0;
  std::size_t chunked = 0;
  bool chunked_is_last = false;
  while (const auto coding = codings.next()) {
    chunked_is_last = equal_ignoring_case(*coding, "chunked");
    if (chunked_is_last) ++chunked;
    ++count;
  }
  // RFC 9112 §6.3: where chunked isn't the last coding of a request, nobody can tell where it ends.
  if (!chunked_is_last || chunked > 1) return Error::transfer_encoding_malformed;
  return count == 1 ? Error::none : Error::transfer_encoding_unknown;
}

}  // namespace

Result<Framing, Error> body_framing(const Request& request) {
  const std::size_t lengths = request.count("content-length");
  if (request.count("transfer-encoding") > 0) {
    // RFC 9112 §6.1: a message of HTTP/1.0 with Transfer-Encoding is faulty, whatever else it says.
    if (request.version_minor() == 0) return Error::transfer_encoding_in_http_1_0;
    // RFC 9112 §6.3: the two together ought to be handled as an error. It is the classic way to
    // smuggle one request inside of another.
    if (lengths > 0) return Error::transfer_encoding_with_length;
    if (const Error error = check_transfer_encoding(request); error != Error::none) return error;
    return Framing{.chunked = true};
  }
  if (lengths == 0) return Framing{};

  // RFC 9110 §8.6: Content-Length = 1*DIGIT. Repeated ones may be taken as one where they are
  // equal; none of the clients served here sends such.
  if (lengths > 1) return Error::content_length_repeated;
  const std::string_view value = *request.field("content-length");
  if (!consists_of(value, digit)) return Error::content_length_malformed;
  std::uint64_t length = 0;
  const auto parsed = std::from_chars(value.data(), value.data() + value.size(), length);
  if (parsed.ec == std::errc::result_out_of_range) return Error::body_too_large;
  return Framing{.length = length};
}

BodyReader::BodyReader(Pool& pool, const Limits& limits)
    : pool_(pool),
      body_limit_bytes_(limits.request_body_bytes),
      extra_limit_bytes_(limits.head_bytes),
      lines_(pool, std::numeric_limits<std::size_t>::max()) {}

Error BodyReader::start(Framing framing) {
  reset();
  framing_ = framing;
  return framing.length > body_limit_bytes_ ? Error::body_too_large : Error::none;
}

BodyReader::Status BodyReader::read(Bytes& input) {
  return framing_.chunked ? read_chunked(input) : read_length(input);
}

void BodyReader::reset() {
  framing_ = {};
  kept_.reset();
  body_ = {};
  lines_.restart();
  part_ = Part::size_line;
  chunk_left_ = 0;
  extra_bytes_ = 0;
  error_ = Error::none;
}

BodyReader::Status BodyReader::read_length(Bytes& input) {
  const std::size_t left = static_cast<std::size_t>(framing_.length) - kept_size();
  const Bytes piece = input.first(std::min(left, input.size()));
  input = input.subspan(piece.size());
  if (!kept_ && piece.size() == left) {
    body_ = piece;
    return Status::complete;
  }
  if (const Error error = append(piece); error != Error::none) return fail(error);
  if (piece.size() < left) return Status::need_more;
  body_ = kept_->bytes();
  return Status::complete;
}

// RFC 9112 §7.1: chunked-body = *chunk last-chunk trailer-section CRLF.
BodyReader::Status BodyReader::read_chunked(Bytes& input) {
  while (true) {
    const Status status = part_ == Part::data ? read_data(input) : read_line(input);
    if (status != Status::need_more || input.empty()) return status;
  }
}

BodyReader::Status BodyReader::read_data(Bytes& input) {
  const Bytes piece = input.first(std::min(chunk_left_, input.size()));
  if (const Error error = append(piece); error != Error::none) return fail(error);
  input = input.subspan(piece.size());
  chunk_left_ -= piece.size();
  if (chunk_left_ == 0) part_ = Part::data_end;
  return Status::need_more;
}

BodyReader::Status BodyReader::read_line(Bytes& input) {
  const std::size_t extra_left = extra_limit_bytes_ - extra_bytes_;
  LineReader::Status status{};
  switch (part_) {
    case Part::size_line:
      status =
          lines_.next(input, extra_left + max_size_digits + 2, Error::chunk_extensions_too_long);
      break;
    case Part::data_end:
      status = lines_.next(input, 2, Error::chunk_malformed);
      break;
    case Part::trailer:
      status = lines_.next(input, extra_left + 2, Error::head_too_large);
      break;
    case Part::data:
      assert(false);
  }
  if (status == LineReader::Status::need_more) return Status::need_more;
  if (status == LineReader::Status::failed) return fail(lines_.error());

  const std::string_view line(lines_.begin() + lines_.line_begin(), lines_.line_size());
  if (part_ == Part::trailer && line.empty()) {
    body_ = kept_ ? Bytes(kept_->bytes()) : Bytes();
    return Status::complete;
  }
  const Error error = check_line(line);
  lines_.restart();
  return error == Error::none ? Status::need_more : fail(error);
}

Error BodyReader::check_line(std::string_view line) {
  switch (part_) {
    case Part::size_line:
      return size_line(line);
    case Part::data_end:
      part_ = Part::size_line;
      return Error::none;
    case Part::trailer: {
      extra_bytes_ += line.size();
      const Result<Field, Error> field = parse_field_line(line);
      return field ? Error::none : field.error();
    }
    case Part::data:
      assert(false);
  }
  return Error::none;
}

// RFC 9112 §7.1: the line before a chunk's data is chunk-size [ chunk-ext ].
Error BodyReader::size_line(std::string_view line) {
  const std::size_t digits = span_of(line, hex_digit);
  if (digits == 0 || digits > max_size_digits) return malformed(line, Error::chunk_malformed);

  // RFC 9112 §7.1.1: extensions that mean nothing to the recipient are ignored, but their length is
  // limited: they come for free otherwise.
  const std::string_view extensions = line.substr(digits);
  if (!extensions.empty() && !trim(extensions).starts_with(';')) {
    return malformed(line, Error::chunk_malformed);
  }
  if (span_of(extensions, value_char) < extensions.size()) {
    return malformed(line, Error::chunk_malformed);
  }
  if (extensions.size() > extra_limit_bytes_ - extra_bytes_) {
    return Error::chunk_extensions_too_long;
  }
  extra_bytes_ += extensions.size();

  std::uint64_t size = 0;
  std::from_chars(line.data(), line.data() + digits, size, 16);
  if (size > body_limit_bytes_ - kept_size()) return Error::body_too_large;
  chunk_left_ = static_cast<std::size_t>(size);
  part_ = size == 0 ? Part::trailer : Part::data;
  return Error::none;
}

Error BodyReader::append(Bytes bytes) {
  if (bytes.empty()) return Error::none;
  if (!kept_) kept_.emplace(pool_);
  return kept_->append(bytes) ? Error::none : Error::out_of_memory;
}

BodyReader::Status BodyReader::fail(Error error) {
  error_ = error;
  return Status::failed;
}

}  // namespace sockeye::ws::http
