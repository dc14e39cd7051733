// SPDX-License-Identifier: MIT
#include "ws/http/request_reader.h"

#include "net/result.h"
#include "ws/http/chars.h"
#include "ws/http/list.h"

namespace sockeye::ws::http {
namespace {

// Whether the client waits for an interim 100; expectation_unknown where it expects something else.
Result<bool, Error> expectation(const Request& request) {
  // RFC 9110 §10.1.1: in an HTTP/1.0 request the expectation must be ignored.
  if (request.version_minor() == 0) return false;
  bool expects_continue = false;
  ListReader expectations(FieldValues(request, "expect"));
  while (const auto expected = expectations.next()) {
    if (!equal_ignoring_case(*expected, "100-continue")) return Error::expectation_unknown;
    expects_continue = true;
  }
  return expects_continue;
}

}  // namespace

RequestReader::Status RequestReader::read(Bytes& input) {
  return reading_body_ ? read_body(input) : read_head(input);
}

// RFC 9112 §9.3: connections of HTTP/1.1 persist unless one side says close; those of HTTP/1.0
// don't, unless the client says keep-alive.
bool RequestReader::persists() const {
  if (list_contains(request(), "connection", "close")) return false;
  return request().version_minor() >= 1 || list_contains(request(), "connection", "keep-alive");
}

void RequestReader::reset() {
  head_.reset();
  head_.request().body_ = {};
  body_.reset();
  reading_body_ = false;
  expects_continue_ = false;
  error_ = Error::none;
}

RequestReader::Status RequestReader::read_head(Bytes& input) {
  switch (head_.parse(input)) {
    case HeadParser::Status::need_more:
      return Status::need_more;
    case HeadParser::Status::failed:
      return fail(head_.error());
    case HeadParser::Status::complete:
      break;
  }
  const Result<Framing, Error> framing = body_framing(request());
  if (!framing) return fail(framing.error());
  if (const Error error = body_.start(*framing); error != Error::none) return fail(error);
  const Result<bool, Error> expects = expectation(request());
  if (!expects) return fail(expects.error());

  const bool has_body = framing->chunked || framing->length > 0;
  // RFC 9110 §10.1.1: no interim response is due once some of the body has come.
  expects_continue_ = *expects && has_body && input.empty();
  // The head outlives this input where the body isn't sure to end in it.
  if ((framing->chunked || framing->length > input.size()) && !head_.keep()) {
    return fail(head_.error());
  }
  reading_body_ = true;
  return Status::head;
}

RequestReader::Status RequestReader::read_body(Bytes& input) {
  switch (body_.read(input)) {
    case BodyReader::Status::need_more:
      return Status::need_more;
    case BodyReader::Status::failed:
      return fail(body_.error());
    case BodyReader::Status::complete:
      break;
  }
  head_.request().body_ = body_.body();
  return Status::complete;
}

RequestReader::Status RequestReader::fail(Error error) {
  error_ = error;
  return Status::failed;
}

}  // namespace sockeye::ws::http
