// SPDX-License-Identifier: MIT
#include "ws/http/writer.h"

#include <cassert>

#include "ws/http/chars.h"

namespace sockeye::ws::http {
namespace {

struct Reason {
  std::uint16_t status;
  std::string_view phrase;
};

// RFC 9110 §15; 431 is from RFC 6585 §5.
constexpr Reason reasons[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {200, "OK"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {426, "Upgrade Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
};

// "400 Bad Request: an HTTP/1.1 request needs Host (RFC 9112 §3.2)", on a line of its own.
void put_refusal_line(net::TextWriter& out, const ErrorInfo& info) {
  out.put_decimal(info.http_status).put(" ").put(reason_phrase(info.http_status));
  out.put(": ").put(info.text).put(" (");
  if (info.section.starts_with("§")) out.put("RFC 6455 ");
  out.put(info.section).put(")\n");
}

}  // namespace

std::string_view reason_phrase(std::uint16_t status) {
  for (const Reason& reason : reasons) {
    if (reason.status == status) return reason.phrase;
  }
  return {};
}

HeadWriter::HeadWriter(net::TextWriter& out) : out_(out) {
  assert(out.size() == 0);
}

HeadWriter HeadWriter::response(net::TextWriter& out, std::uint16_t status) {
  assert(status >= 100 && status <= 999);
  HeadWriter writer(out);
  out.put("HTTP/1.1 ").put_decimal(status).put(" ").put(reason_phrase(status)).put("\r\n");
  return writer;
}

HeadWriter HeadWriter::request(net::TextWriter& out, std::string_view method,
                               std::string_view target) {
  assert(is_token(method));
  HeadWriter writer(out);
  out.put(method).put(" ").put(target).put(" HTTP/1.1\r\n");
  if (!consists_of(target, target_char)) writer.error_ = Error::request_target_malformed;
  return writer;
}

HeadWriter& HeadWriter::field(std::string_view name, std::string_view value) {
  if (error_ != Error::none) return *this;
  if (!is_token(name)) {
    error_ = Error::field_name_malformed;
  } else if (span_of(value, value_char) < value.size() || trim(value).size() < value.size()) {
    // RFC 9110 §5.5: CR, LF and NUL are dangerous in a value, and the other controls are invalid.
    error_ = Error::field_value_malformed;
  } else {
    out_.put(name).put(": ").put(value).put("\r\n");
  }
  return *this;
}

HeadWriter& HeadWriter::field(std::string_view name, std::uint64_t value) {
  net::Text<20> digits;  // as many as 2^64 - 1 has
  return field(name, digits.put_decimal(value).view());
}

Result<std::string_view, Error> HeadWriter::finish() {
  if (error_ != Error::none) return error_;
  if (out_.put("\r\n").truncated()) return Error::head_too_large;
  return out_.view();
}

std::string_view refusal(net::Text<refusal_bytes>& out, Error error, BodyMode body, After after) {
  const ErrorInfo failure = info(error);
  assert(failure.http_status != 0);
  net::Text<refusal_bytes / 2> line;
  put_refusal_line(line, failure);

  HeadWriter writer = HeadWriter::response(out, failure.http_status);
  writer.field("Content-Type", "text/plain; charset=utf-8").field("Content-Length", line.size());
  switch (failure.http_status) {
    case 405:
      // RFC 9110 §15.5.6: the answer must list the methods that are allowed.
      writer.field("Allow", error == Error::upgrade_method_not_get ? "GET" : "GET, HEAD");
      break;
    case 426:
      // RFC 9110 §15.5.22: the answer must name the protocol. RFC 6455 §4.4: and its versions.
      writer.field("Upgrade", "websocket").field("Sec-WebSocket-Version", "13");
      break;
  }
  // RFC 9110 §7.8: whoever sends Upgrade must name it in Connection, too.
  const bool names_upgrade = failure.http_status == 426;
  if (after == After::close) {
    writer.field("Connection", names_upgrade ? "Upgrade, close" : "close");
  } else if (names_upgrade) {
    writer.field("Connection", "Upgrade");
  }

  [[maybe_unused]] const auto head = writer.finish();
  if (body == BodyMode::sent) out.put(line.view());
  assert(head && !line.truncated() && !out.truncated());
  return out.view();
}

}  // namespace sockeye::ws::http
