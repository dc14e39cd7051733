// SPDX-License-Identifier: MIT
#include "ws/http/parser.h"

#include <algorithm>
#include <array>
#include <limits>

#include "net/result.h"
#include "ws/http/authority.h"
#include "ws/http/chars.h"
#include "ws/http/field_line.h"

namespace sockeye::ws::http {
namespace {

// RFC 9112 §2.3: HTTP-version = "HTTP/" DIGIT "." DIGIT, in this very case.
Error parse_version(std::string_view text, std::uint8_t& minor) {
  if (text.size() != 8 || !text.starts_with("HTTP/") || !is(text[5], digit) || text[6] != '.' ||
      !is(text[7], digit)) {
    return Error::version_malformed;
  }
  // RFC 9110 §2.5: a higher minor version is read as the highest one known, so all of 1.x will do.
  if (text[5] != '1') return Error::version_unsupported;
  minor = static_cast<std::uint8_t>(text[7] - '0');
  return Error::none;
}

// RFC 9110 §9.1: a server answers 501 to a method that it does not know or implement. CONNECT and
// TRACE are among these: this is no proxy, and no test loop.
bool is_known_method(std::string_view method) {
  static constexpr std::array<std::string_view, 7> known = {"GET",    "HEAD",    "POST", "PUT",
                                                            "DELETE", "OPTIONS", "PATCH"};
  return std::ranges::find(known, method) != known.end();
}

bool is_known_scheme(std::string_view scheme) {
  static constexpr std::array<std::string_view, 4> known = {"http", "https", "ws", "wss"};
  return std::ranges::any_of(
      known, [scheme](std::string_view name) { return equal_ignoring_case(scheme, name); });
}

}  // namespace

HeadParser::HeadParser(Head& head, Pool& pool, const Limits& limits, StartLine start_line)
    : head_(head),
      lines_(pool, limits.head_bytes),
      start_line_limit_bytes_(limits.request_line_bytes),
      field_limit_(std::min(limits.head_fields, Head::max_fields)),
      start_line_(start_line) {}

HeadParser::Status HeadParser::parse(Bytes& input) {
  while (true) {
    // What can't begin a head is refused at its first byte: a TLS client, say, would otherwise wait
    // for an answer until its time is up.
    if (!started() && !input.empty()) {
      const char first = static_cast<char>(input.front());
      if (!is(first, token_char) && first != '\r' && first != '\n') {
        return fail(start_line_.malformed);
      }
    }

    const LineReader::Status status =
        start_line_done_
            ? lines_.next(input, std::numeric_limits<std::size_t>::max(), Error::head_too_large)
            : lines_.next(input, start_line_limit_bytes_, start_line_.too_long);
    head_.base_ = lines_.begin();
    if (status == LineReader::Status::need_more) return Status::need_more;
    if (status == LineReader::Status::failed) return fail(lines_.error());

    const std::string_view line(head_.base_ + lines_.line_begin(), lines_.line_size());
    if (line.empty() && start_line_done_) {
      const Error error = finish();
      return error == Error::none ? Status::complete : fail(error);
    }
    // RFC 9112 §2.2: a server should ignore at least one empty line before the request line. One it
    // is, and not more.
    if (line.empty() && start_line_.may_follow_empty_line && !empty_line_skipped_) {
      empty_line_skipped_ = true;
      lines_.restart();
      continue;
    }
    const Error error = start_line_done_ ? field_line(line) : start_line(line);
    if (error != Error::none) return fail(error);
    start_line_done_ = true;
  }
}

Error HeadParser::field_line(std::string_view line) {
  if (head_.field_count_ == field_limit_) return Error::too_many_fields;
  const Result<Field, Error> field = parse_field_line(line);
  if (!field) return field.error();
  head_.fields_[head_.field_count_++] = {slice(field->name), slice(field->value)};
  return Error::none;
}

bool HeadParser::keep() {
  if (!lines_.keep()) {
    error_ = lines_.error();
    return false;
  }
  head_.base_ = lines_.begin();
  return true;
}

void HeadParser::reset() {
  lines_.restart();
  head_.base_ = "";
  head_.field_count_ = 0;
  error_ = Error::none;
  start_line_done_ = false;
  empty_line_skipped_ = false;
}

Head::Slice HeadParser::slice(std::string_view part) const {
  return {static_cast<std::uint32_t>(part.data() - lines_.begin()),
          static_cast<std::uint32_t>(part.size())};
}

HeadParser::Status HeadParser::fail(Error error) {
  error_ = error;
  return Status::failed;
}

void RequestParser::reset() {
  HeadParser::reset();
  request_.method_ = request_.target_ = request_.path_ = request_.query_ = {};
  request_.authority_ = {};
}

// RFC 9112 §3: request-line = method SP request-target SP HTTP-version.
Error RequestParser::start_line(std::string_view line) {
  const std::size_t method_size = span_of(line, token_char);
  const std::size_t last_space = line.rfind(' ');
  if (method_size == 0 || last_space == std::string_view::npos || line[method_size] != ' ' ||
      last_space == method_size) {
    return malformed(line, Error::request_line_malformed);
  }
  const std::string_view method = line.substr(0, method_size);
  const std::string_view target = line.substr(method_size + 1, last_space - method_size - 1);
  const std::string_view version = line.substr(last_space + 1);

  request_.method_ = slice(method);
  // The version comes first: the first line of HTTP/2, PRI * HTTP/2.0, shall be answered with 505.
  if (const Error error = parse_version(version, request_.version_minor_); error != Error::none) {
    return malformed(line, error);
  }
  if (!is_known_method(method)) return Error::method_unknown;
  if (const Error error = parse_target(target); error != Error::none) return malformed(line, error);
  return Error::none;
}

Error RequestParser::parse_target(std::string_view target) {
  if (!consists_of(target, target_char)) return Error::request_target_malformed;

  std::string_view authority = target.substr(0, 0);
  std::string_view path_and_query = target;
  if (target == "*") {
    // RFC 9112 §3.2.4: asterisk-form is for OPTIONS only.
    if (request_.method() != "OPTIONS") return Error::request_target_malformed;
  } else if (target.front() != '/') {
    // RFC 9112 §3.2.2, RFC 6455 §4.2.1 item 1: a server must accept absolute-form. (Authority-form
    // is CONNECT's alone.)
    const std::size_t scheme_size = target.find("://");
    if (scheme_size == std::string_view::npos || !is_known_scheme(target.substr(0, scheme_size))) {
      return Error::request_target_malformed;
    }
    const std::string_view rest = target.substr(scheme_size + 3);
    authority = rest.substr(0, rest.find_first_of("/?"));
    path_and_query = rest.substr(authority.size());
    if (!parse_authority(authority)) return Error::request_target_malformed;
  }

  const std::string_view path = path_and_query.substr(0, path_and_query.find('?'));
  const std::string_view query =
      path_and_query.substr(std::min(path.size() + 1, path_and_query.size()));
  request_.target_ = slice(target);
  request_.authority_ = slice(authority);
  request_.path_ = slice(path);
  request_.query_ = slice(query);
  return Error::none;
}

// RFC 9112 §3.2, RFC 6455 §4.2.1 item 2: 400 to a request that has more than one Host, or a
// malformed one, or (in HTTP/1.1) none.
Error RequestParser::finish() {
  const std::size_t hosts = request_.count("host");
  if (hosts > 1) return Error::host_repeated;
  if (hosts == 0) return request_.version_minor() >= 1 ? Error::host_missing : Error::none;

  const std::string_view host = *request_.field("host");
  if (!parse_authority(host)) return Error::host_malformed;
  // RFC 9112 §3.2.2: a target in absolute-form overrides Host.
  if (request_.authority_.size == 0) request_.authority_ = slice(host);
  return Error::none;
}

void ResponseParser::reset() {
  HeadParser::reset();
  response_.status_ = 0;
  response_.reason_ = {};
}

// RFC 9112 §4: status-line = HTTP-version SP status-code SP [ reason-phrase ].
Error ResponseParser::start_line(std::string_view line) {
  const auto is_digit = [](char c) { return is(c, digit); };
  if (line.size() < 13 || line[8] != ' ' || line[12] != ' ' ||
      !std::ranges::all_of(line.begin() + 9, line.begin() + 12, is_digit) ||
      span_of(line, value_char) < line.size()) {
    return malformed(line, Error::response_malformed);
  }
  const Error error = parse_version(line.substr(0, 8), response_.version_minor_);
  if (error != Error::none) return error;
  response_.status_ =
      static_cast<std::uint16_t>((line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0'));
  response_.reason_ = slice(line.substr(13));
  return Error::none;
}

}  // namespace sockeye::ws::http
