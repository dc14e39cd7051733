// SPDX-License-Identifier: MIT
#include "ws/http/writer.h"

#include <cassert>
#include <utility>

#include "ws/http/chars.h"
#include "ws/http/decimal.h"

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
std::string refusal_text(const ErrorInfo& info) {
  std::string text(Decimal(info.http_status).view());
  text += ' ';
  text += reason_phrase(info.http_status);
  text += ": ";
  text += info.text;
  text += " (";
  if (!info.section.starts_with("RFC")) text += "RFC 6455 ";
  text += info.section;
  text += ")\n";
  return text;
}

}  // namespace

std::string_view reason_phrase(std::uint16_t status) {
  for (const Reason& reason : reasons) {
    if (reason.status == status) return reason.phrase;
  }
  return {};
}

HeadWriter HeadWriter::response(std::uint16_t status) {
  assert(status >= 100 && status <= 999);
  HeadWriter writer;
  writer.text_.reserve(256);
  writer.text_ += "HTTP/1.1 ";
  writer.text_ += Decimal(status).view();
  writer.text_ += ' ';
  writer.text_ += reason_phrase(status);
  writer.text_ += "\r\n";
  return writer;
}

HeadWriter HeadWriter::request(std::string_view method, std::string_view target) {
  assert(is_token(method));
  HeadWriter writer;
  if (!consists_of(target, target_char)) writer.error_ = Error::request_target_malformed;
  writer.text_.reserve(512);
  writer.text_ += method;
  writer.text_ += ' ';
  writer.text_ += target;
  writer.text_ += " HTTP/1.1\r\n";
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
    text_ += name;
    text_ += ": ";
    text_ += value;
    text_ += "\r\n";
  }
  return *this;
}

HeadWriter& HeadWriter::field(std::string_view name, std::uint64_t value) {
  return field(name, Decimal(value).view());
}

Result<std::string, Error> HeadWriter::finish() {
  if (error_ != Error::none) return error_;
  text_ += "\r\n";
  return std::move(text_);
}

std::string refusal(Error error, BodyMode body) {
  const ErrorInfo& failure = info(error);
  assert(failure.http_status != 0);
  const std::string text = refusal_text(failure);

  HeadWriter writer = HeadWriter::response(failure.http_status);
  writer.field("Content-Type", "text/plain; charset=utf-8").field("Content-Length", text.size());
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
  writer.field("Connection", failure.http_status == 426 ? "Upgrade, close" : "close");

  std::string answer = *writer.finish();
  if (body == BodyMode::sent) answer += text;
  return answer;
}

}  // namespace sockeye::ws::http
