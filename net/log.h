// The log: one line per event on standard error, for people or as JSON for machines.
//
//   2026-11-22T10:11:12.345Z warn  refused peer=127.0.0.1:40122 status=400 rule="RFC 9112 §5.1"
//   {"time":"2026-11-22T10:11:12.345Z","level":"warn","message":"refused","peer":"127.0.0.1:40122",…}
//
// Texts may come from a peer. None can forge a line or a terminal command: control characters are
// escaped, and bytes that aren't UTF-8 are shown as such (as \xNN) or replaced (by U+FFFD in JSON,
// which has to be UTF-8: RFC 8259 §8.1).
//
// A line goes out in one write of at most PIPE_BUF bytes, which a pipe takes whole, so lines of
// several threads and processes don't mix. A text is cut at 1 KiB, marked "…"; fields that don't
// fit into the line are left out, marked by truncated=true. A line that can't be written at
// once is lost, and the next one counts it (lost_before=1): a server doesn't wait for its log.
//
// The log belongs to the process, as standard error does. It is configured once, before other
// threads start; then any thread may log.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>
#include <type_traits>

#include "net/text.h"

namespace sockeye::net {

enum class LogLevel : std::uint8_t { off, error, warn, info, debug };
enum class LogFormat : std::uint8_t { text, json };

// "off", "error", "warn", "info", "debug"; "text", "json". nullopt for anything else.
std::optional<LogLevel> parse_log_level(std::string_view text);
std::optional<LogFormat> parse_log_format(std::string_view text);

// Everything at `level` and graver is written to `descriptor` (borrowed) from here on. Before the
// first call: errors and warnings, as text, to standard error.
void configure_log(LogLevel level, LogFormat format, int descriptor = 2);

// One key=value of a line. Borrows its texts until log() returns.
class LogField {
 public:
  enum class Kind : std::uint8_t { text, boolean, signed_number, unsigned_number };

  LogField(std::string_view name, std::string_view value)
      : name_(name), text_(value), kind_(Kind::text) {}

  template <std::integral Integer>
  LogField(std::string_view name, Integer value)
      : name_(name),
        number_(static_cast<std::uint64_t>(value)),
        kind_(std::is_same_v<Integer, bool> ? Kind::boolean
              : std::is_signed_v<Integer>   ? Kind::signed_number
                                            : Kind::unsigned_number) {}

  std::string_view name() const { return name_; }
  Kind kind() const { return kind_; }
  std::string_view text() const { return text_; }
  std::uint64_t number() const { return number_; }  // two's complement where it is signed

 private:
  std::string_view name_;
  std::string_view text_;
  std::uint64_t number_ = 0;
  Kind kind_;
};

namespace detail {
extern LogLevel log_level;
void write_log_line(LogLevel level, std::string_view message,
                    std::initializer_list<LogField> fields);
}  // namespace detail

// Whether a line at `level` would be written: to be asked before costly texts are made for one.
inline bool log_enabled(LogLevel level) {
  return level <= detail::log_level;
}

// Writes one line. Leaves errno as it was.
inline void log(LogLevel level, std::string_view message,
                std::initializer_list<LogField> fields = {}) {
  if (log_enabled(level)) detail::write_log_line(level, message, fields);
}

// Milliseconds since 1970 as "2026-11-22T10:11:12.345Z" (ISO 8601, UTC).
void put_utc_time(TextWriter& text, std::uint64_t unix_ms);

}  // namespace sockeye::net
