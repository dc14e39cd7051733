// RFC 8259 §7 (JSON strings), RFC 3629 §3 (UTF-8).
//
// SPDX-License-Identifier: MIT
#include "net/log.h"

#include <limits.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <mutex>
#include <span>

namespace sockeye::net {

LogLevel detail::log_level = LogLevel::warn;

namespace {

constexpr std::string_view level_names[] = {"off", "error", "warn", "info", "debug"};
constexpr std::string_view format_names[] = {"text", "json"};

constexpr std::size_t text_limit = 1024;  // of one text, as it is written
constexpr std::size_t line_limit = PIPE_BUF;
constexpr std::size_t end_limit = 20;  // of what finish() puts

LogFormat log_format = LogFormat::text;
int log_descriptor = STDERR_FILENO;

// One thread writes at a time: the room that poll(2) has seen must be there when the line comes.
constinit std::mutex write_mutex;
std::uint64_t lost_lines = 0;  // since the last one that was written; guarded by write_mutex

// Whether the line went out. A server doesn't wait for a log that nobody reads: a pipe is writable
// while it has room for PIPE_BUF bytes, which no line exceeds.
bool write_line(std::string_view line) {
  pollfd writable{log_descriptor, POLLOUT, 0};
  if (::poll(&writable, 1, 0) != 1 || (writable.revents & POLLOUT) == 0) return false;
  ssize_t written;
  do {
    written = ::write(log_descriptor, line.data(), line.size());
  } while (written < 0 && errno == EINTR);
  return written >= 0;
}

// The enumerator with the number that `text` has among `names`.
template <typename Enum>
std::optional<Enum> parse_name(std::span<const std::string_view> names, std::string_view text) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == text) return static_cast<Enum>(i);
  }
  return std::nullopt;
}

struct Character {
  char32_t code;
  std::size_t size;  // in bytes
};

// The character that `text`, which isn't empty, starts with; nullopt where it isn't UTF-8.
std::optional<Character> first_character(std::string_view text) {
  const auto lead = static_cast<std::uint8_t>(text[0]);
  if (lead < 0x80) return Character{lead, 1};
  // RFC 3629 §3: the lead byte has as many ones at its top as the sequence has bytes: 2, 3 or 4.
  const auto size = static_cast<std::size_t>(std::countl_one(lead));
  if (size < 2 || size > 4 || size > text.size()) return std::nullopt;
  char32_t code = lead & (0x7fu >> size);
  for (const char c : text.substr(1, size - 1)) {
    if ((c & 0xc0) != 0x80) return std::nullopt;
    code = code << 6 | (c & 0x3f);
  }
  // In its shortest form, no surrogate, and not beyond the end of Unicode.
  constexpr char32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool valid = code >= smallest[size] && (code < 0xd800 || code > 0xdfff) && code <= 0x10ffff;
  return valid ? std::optional(Character{code, size}) : std::nullopt;
}

// C0, DEL and C1 (ISO 6429): what a terminal may take for a command.
bool is_control(char32_t code) {
  return code < 0x20 || (code >= 0x7f && code < 0xa0);
}

// Escapes that JSON knows, in both formats.
void put_control(TextWriter& to, char32_t code) {
  if (code == '\n') {
    to.put("\\n");
  } else if (code == '\r') {
    to.put("\\r");
  } else if (code == '\t') {
    to.put("\\t");
  } else {
    to.put("\\u").put_hex(code, 4);
  }
}

// Tells a value that needs no quotes in a line of text from one that could be taken for more.
bool is_plain(std::string_view value) {
  return !value.empty() && std::ranges::all_of(value, [](char c) {
    return c > ' ' && c < 0x7f && c != '"' && c != '=' && c != '\\';
  });
}

class LogLine {
 public:
  LogLine(LogFormat format, LogLevel level, std::string_view message);
  void put(const LogField& field);
  std::string_view finish();

 private:
  bool is_json() const { return format_ == LogFormat::json; }
  void put_field(const LogField& field);
  void put_quoted(std::string_view text);
  void put_escaped(std::string_view text, bool escape_quotes);
  void put_bad_byte(TextWriter& to, std::uint8_t byte) const;

  LogFormat format_;
  bool full_ = false;
  Text<line_limit> line_;
};

LogLine::LogLine(LogFormat format, LogLevel level, std::string_view message) : format_(format) {
  timespec now;
  static_assert(sizeof now.tv_sec == 8, "32 bits end in 2038: -D_TIME_BITS=64 is missing");
  ::clock_gettime(CLOCK_REALTIME, &now);
  const std::uint64_t unix_ms = static_cast<std::uint64_t>(now.tv_sec) * 1000 +
                                static_cast<std::uint64_t>(now.tv_nsec) / 1'000'000;
  const std::string_view level_name = level_names[static_cast<std::size_t>(level)];
  if (is_json()) {
    line_.put("{\"time\":\"");
    put_utc_time(line_, unix_ms);
    line_.put("\",\"level\":\"").put(level_name).put("\",\"message\":");
    put_quoted(message);
  } else {
    put_utc_time(line_, unix_ms);
    line_.put(" ").put(level_name).put(level_name.size() < 5 ? "  " : " ");
    put_escaped(message, false);
  }
}

// Puts the whole field, or takes it back when it leaves no room for the line's end.
void LogLine::put(const LogField& field) {
  if (full_) return;
  const std::size_t before = line_.size();
  put_field(field);
  if (!line_.truncated() && line_.room() >= end_limit) return;
  line_.rewind(before);
  full_ = true;
}

std::string_view LogLine::finish() {
  if (full_) put_field({"truncated", true});
  line_.put(is_json() ? "}\n" : "\n");
  return line_.view();
}

void LogLine::put_field(const LogField& field) {
  if (is_json()) {
    line_.put(",");
    put_quoted(field.name());
    line_.put(":");
  } else {
    line_.put(" ").put(field.name()).put("=");
  }
  switch (field.kind()) {
    case LogField::Kind::text:
      if (is_json() || !is_plain(field.text())) return put_quoted(field.text());
      return put_escaped(field.text(), false);
    case LogField::Kind::boolean:
      line_.put(field.number() ? "true" : "false");
      return;
    case LogField::Kind::signed_number:
      line_.put_decimal(static_cast<std::int64_t>(field.number()));
      return;
    case LogField::Kind::unsigned_number:
      line_.put_decimal(field.number());
      return;
  }
}

void LogLine::put_quoted(std::string_view text) {
  line_.put("\"");
  put_escaped(text, true);
  line_.put("\"");
}

// Puts `text` so that it can't end the line, the quotes around it, or what a terminal shows.
void LogLine::put_escaped(std::string_view text, bool escape_quotes) {
  const std::size_t start = line_.size();
  while (!text.empty()) {
    const auto character = first_character(text);
    const std::size_t size = character ? character->size : 1;
    Text<8> written;
    if (!character) {
      put_bad_byte(written, static_cast<std::uint8_t>(text[0]));
    } else if (is_control(character->code)) {
      put_control(written, character->code);
    } else {
      const bool escape = text[0] == '\\' || (text[0] == '"' && escape_quotes);
      written.put(escape ? "\\" : "").put(text.substr(0, size));
    }
    if (line_.size() - start + written.size() > text_limit) {
      line_.put("…");
      return;
    }
    line_.put(written.view());
    text.remove_prefix(size);
  }
}

void LogLine::put_bad_byte(TextWriter& to, std::uint8_t byte) const {
  if (is_json()) {
    to.put("\uFFFD");  // U+FFFD, the replacement character
  } else {
    to.put("\\x").put_hex(byte, 2);
  }
}

}  // namespace

void configure_log(LogLevel level, LogFormat format, int descriptor) {
  detail::log_level = level;
  log_format = format;
  log_descriptor = descriptor;
}

std::optional<LogLevel> parse_log_level(std::string_view text) {
  return parse_name<LogLevel>(level_names, text);
}

std::optional<LogFormat> parse_log_format(std::string_view text) {
  return parse_name<LogFormat>(format_names, text);
}

void detail::write_log_line(LogLevel level, std::string_view message,
                            std::initializer_list<LogField> fields) {
  const int saved_errno = errno;
  LogLine line(log_format, level, message);
  for (const LogField& field : fields) line.put(field);
  {
    const std::lock_guard lock(write_mutex);
    if (lost_lines > 0) line.put({"lost_before", lost_lines});
    lost_lines = write_line(line.finish()) ? 0 : lost_lines + 1;
  }
  errno = saved_errno;
}

// The Gregorian calendar repeats every 400 years, or 146097 days. Counted from a 1st of March, so
// that the leap day is the last of its year, the days before a year and before a month are plain
// formulas; the year and the month of a day are found by turning these around.
void put_utc_time(TextWriter& text, std::uint64_t unix_ms) {
  constexpr std::uint64_t day_ms = 86'400'000;
  constexpr std::uint64_t days_to_1970 = 719'468;  // from 1st March of the year 0

  const std::uint64_t days = unix_ms / day_ms + days_to_1970;
  const std::uint64_t cycle = days / 146'097;
  const std::uint64_t day_of_cycle = days % 146'097;
  // Less the leap days before it (one every four years, but for three centuries' ends), a day lies
  // among years of 365 days.
  const std::uint64_t year_of_cycle =
      (day_of_cycle - day_of_cycle / 1460 + day_of_cycle / 36'524 - day_of_cycle / 146'096) / 365;
  const std::uint64_t day_of_year =
      day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
  // From March on, five months have 153 days: 31, 30, 31, 30, 31.
  const std::uint64_t month_from_march = (5 * day_of_year + 2) / 153;
  const std::uint64_t day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
  const std::uint64_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
  const std::uint64_t year = 400 * cycle + year_of_cycle + (month <= 2);

  const std::uint64_t ms = unix_ms % day_ms;
  text.put_decimal(year, 4).put("-").put_decimal(month, 2).put("-").put_decimal(day, 2);
  text.put("T").put_decimal(ms / 3'600'000, 2);
  text.put(":").put_decimal(ms / 60'000 % 60, 2);
  text.put(":").put_decimal(ms / 1000 % 60, 2);
  text.put(".").put_decimal(ms % 1000, 3).put("Z");
}

}  // namespace sockeye::net
