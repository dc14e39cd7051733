// SPDX-License-Identifier: MIT
#include "app/static_request.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "ws/http/chars.h"

namespace sockeye::app {

namespace http = ws::http;

// ── The path ─────────────────────────────────────────────────────────────────────────────────

namespace {

unsigned hex_value(char digit) {
  const char lower = http::lower(digit);
  return static_cast<unsigned>(lower <= '9' ? lower - '0' : lower - 'a' + 10);
}

// One character of a path, taken off its front; nothing where the path is malformed, or the
// character can't be part of a name.
std::optional<char> take_char(std::string_view& path) {
  char c = path.front();
  path.remove_prefix(1);
  if (c != '%') return c;
  // RFC 3986 §2.1.
  if (path.size() < 2 || http::span_of(path.substr(0, 2), http::hex_digit) < 2) return std::nullopt;
  c = static_cast<char>(hex_value(path[0]) << 4 | hex_value(path[1]));
  path.remove_prefix(2);
  if (c == '\0' || c == '/') return std::nullopt;
  return c;
}

}  // namespace

bool decode_path(std::string_view path, net::TextWriter& name) {
  if (!path.starts_with('/')) return false;
  path.remove_prefix(1);
  bool begins = true;  // a part, which may be the last and empty
  while (!path.empty()) {
    const bool is_slash = path.front() == '/';
    const auto c = take_char(path);
    if (!c || (begins && (*c == '.' || is_slash))) return false;
    name.put({&*c, 1});
    begins = is_slash;
  }
  return name.size() <= longest_file_path && !name.truncated();
}

namespace {

struct Type {
  std::string_view suffix;
  std::string_view name;
};

constexpr std::string_view javascript = "text/javascript; charset=utf-8";
constexpr std::string_view html = "text/html; charset=utf-8";
constexpr std::string_view jpeg = "image/jpeg";

constexpr Type types[] = {
    {"avif", "image/avif"},
    {"css", "text/css; charset=utf-8"},
    {"csv", "text/csv; charset=utf-8"},
    {"gif", "image/gif"},
    {"gz", "application/gzip"},
    {"htm", html},
    {"html", html},
    {"ico", "image/vnd.microsoft.icon"},
    {"jpeg", jpeg},
    {"jpg", jpeg},
    {"js", javascript},
    {"json", "application/json"},
    {"map", "application/json"},
    {"md", "text/markdown; charset=utf-8"},
    {"mjs", javascript},
    {"mp3", "audio/mpeg"},
    {"mp4", "video/mp4"},
    {"ogg", "audio/ogg"},
    {"pdf", "application/pdf"},
    {"png", "image/png"},
    {"svg", "image/svg+xml; charset=utf-8"},
    {"txt", "text/plain; charset=utf-8"},
    {"wasm", "application/wasm"},
    {"wav", "audio/wav"},
    {"webm", "video/webm"},
    {"webmanifest", "application/manifest+json"},
    {"webp", "image/webp"},
    {"woff", "font/woff"},
    {"woff2", "font/woff2"},
    {"xml", "application/xml; charset=utf-8"},
    {"zip", "application/zip"},
};

}  // namespace

std::string_view content_type(std::string_view name) {
  const std::size_t dot = name.rfind('.');
  const std::string_view suffix = dot == name.npos ? std::string_view() : name.substr(dot + 1);
  const auto* const found = std::ranges::find_if(
      types, [suffix](const Type& type) { return http::equal_ignoring_case(type.suffix, suffix); });
  return found != std::end(types) ? found->name : "application/octet-stream";
}

// ── Its fields ───────────────────────────────────────────────────────────────────────────────

bool has_entity_tag(http::FieldValues if_none_match, std::string_view tag) {
  while (const auto value = if_none_match.next()) {
    if (*value == "*") return true;
    // A tag may have commas in it, so the list is read by its quotes. What breaks its grammar ends
    // it: without a match, the answer is the file.
    for (std::string_view rest = *value; !rest.empty();) {
      if (rest.starts_with(',') || rest.starts_with(' ') || rest.starts_with('\t')) {
        rest.remove_prefix(1);
        continue;
      }
      if (rest.starts_with("W/")) rest.remove_prefix(2);
      const std::size_t end = rest.starts_with('"') ? rest.find('"', 1) : rest.npos;
      if (end == rest.npos) break;
      if (rest.substr(0, end + 1) == tag) return true;
      rest.remove_prefix(end + 1);
    }
  }
  return false;
}

namespace {

// §12.4.2: what follows a coding, "" or ";q=0.5". A weight that is malformed is none at all.
bool has_weight(std::string_view parameter) {
  parameter = http::trim(parameter);
  if (parameter.empty()) return true;
  if (!parameter.starts_with(';')) return false;
  parameter = http::trim(parameter.substr(1));
  if (!parameter.starts_with("q=") && !parameter.starts_with("Q=")) return false;
  const std::string_view weight = parameter.substr(2);
  const bool is_number = http::span_of(weight.substr(0, 1), http::digit) == 1 &&
                         weight.find_first_not_of("0123456789.") == weight.npos;
  return is_number && weight.find_first_of("123456789") != weight.npos;
}

}  // namespace

bool accepts_gzip(http::FieldValues accept_encoding) {
  bool accepts_others = false;
  http::ListReader list(accept_encoding);
  while (const auto element = list.next()) {
    const std::size_t end = std::min(element->find(';'), element->size());
    const std::string_view coding = http::trim(element->substr(0, end));
    const bool accepted = has_weight(element->substr(end));
    if (http::equal_ignoring_case(coding, "gzip")) return accepted;
    if (coding == "*") accepts_others = accepted;
  }
  return accepts_others;
}

namespace {

// The digits at the front of `text`, taken off; nothing where there are none. A number that is too
// large for its type is as good as the largest.
std::optional<std::uint64_t> take_number(std::string_view& text) {
  constexpr std::uint64_t largest = std::numeric_limits<std::uint64_t>::max();
  const std::size_t digits = http::span_of(text, http::digit);
  if (digits == 0) return std::nullopt;
  std::uint64_t number = 0;
  for (const char digit : text.substr(0, digits)) {
    const auto value = static_cast<std::uint64_t>(digit - '0');
    number = number > (largest - value) / 10 ? largest : 10 * number + value;
  }
  text.remove_prefix(digits);
  return number;
}

}  // namespace

// §14.1.1, §14.1.2: "bytes=0-499", "bytes=500-", "bytes=-500".
Range read_range(std::string_view value, std::uint64_t file_size) {
  constexpr std::string_view unit = "bytes=";
  const Range unsatisfiable{Range::Kind::unsatisfiable, 0, 0};
  if (!http::equal_ignoring_case(value.substr(0, unit.size()), unit)) return {};
  std::string_view rest = http::trim(value.substr(unit.size()));
  const auto first = take_number(rest);
  if (!rest.starts_with('-')) return {};
  rest.remove_prefix(1);
  const auto last = take_number(rest);
  if (!rest.empty() || (!first && !last)) return {};

  if (!first) {  // the last so many
    if (*last == 0) return unsatisfiable;
    if (file_size == 0) return {};  // no Content-Range could say so
    const std::uint64_t size = std::min(*last, file_size);
    return {Range::Kind::part, file_size - size, size};
  }
  if (last && *last < *first) return {};
  if (*first >= file_size) return unsatisfiable;
  const std::uint64_t end = last ? std::min(*last, file_size - 1) : file_size - 1;
  return {Range::Kind::part, *first, end - *first + 1};
}

}  // namespace sockeye::app
