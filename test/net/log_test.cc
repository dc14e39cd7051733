// SPDX-License-Identifier: MIT
#include "net/log.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "net/fd.h"
#include "test/support/sockets.h"
#include "test/support/system_calls.h"

using sockeye::net::configure_log;
using sockeye::net::Fd;
using sockeye::net::log_enabled;
using sockeye::net::LogField;
using sockeye::net::LogFormat;
using sockeye::net::LogLevel;
using sockeye::net::parse_log_format;
using sockeye::net::parse_log_level;
using sockeye::net::put_utc_time;
using sockeye::net::Text;
using sockeye::test::SystemCalls;
using namespace std::string_view_literals;

namespace {

// Sends the log into a pipe for as long as it lives.
class Captured {
 public:
  enum class Writes { fail, wait };  // when the pipe is full

  Captured(LogLevel level, LogFormat format, Writes writes = Writes::fail) {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
    from_.reset(ends[0]);
    to_.reset(ends[1]);
    if (writes == Writes::wait) REQUIRE(::fcntl(to_.get(), F_SETFL, 0) == 0);
    configure_log(level, format, to_.get());
  }
  ~Captured() { configure_log(LogLevel::warn, LogFormat::text); }

  // Has the pipe take no more than `bytes`.
  void resize(int bytes) { REQUIRE(::fcntl(to_.get(), F_SETPIPE_SZ, bytes) == bytes); }

  // All that was written since the last call.
  std::string take() {
    char bytes[2 * PIPE_BUF];
    const auto size = ::read(from_.get(), bytes, sizeof bytes);
    return {bytes, size > 0 ? static_cast<std::size_t>(size) : 0};
  }

 private:
  Fd from_;
  Fd to_;
};

using Fields = std::initializer_list<LogField>;

// One line without its time, which is always 24 characters long.
std::string text_line(std::string_view message, Fields fields = {}) {
  Captured captured(LogLevel::info, LogFormat::text);
  sockeye::net::log(LogLevel::info, message, fields);
  const std::string line = captured.take();
  REQUIRE(line.size() > 31);
  REQUIRE(line.size() <= PIPE_BUF);
  REQUIRE(line.find('\n') == line.size() - 1);
  REQUIRE(line.substr(23, 8) == "Z info  ");
  return line.substr(31, line.size() - 32);
}

std::string json_line(std::string_view message, Fields fields = {}) {
  Captured captured(LogLevel::info, LogFormat::json);
  sockeye::net::log(LogLevel::info, message, fields);
  const std::string line = captured.take();
  REQUIRE(!line.empty());
  REQUIRE(line.size() <= PIPE_BUF);
  REQUIRE(line.find('\n') == line.size() - 1);
  return line.substr(0, line.size() - 1);
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// `text` with every digit made a 9.
std::string shape(std::string text) {
  std::replace_if(text.begin(), text.end(), is_digit, '9');
  return text;
}

// Reads an object of strings, numbers and booleans by the letter of RFC 8259, and nothing else.
// Strings come out decoded, numbers and booleans as they stand.
class FlatJson {
 public:
  using Members = std::vector<std::pair<std::string, std::string>>;

  explicit FlatJson(std::string_view text) : rest_(text) {}

  Members object() {
    Members members;
    expect("{");
    do {
      std::string name = string();
      expect(":");
      members.emplace_back(std::move(name), rest_.starts_with('"') ? string() : word());
    } while (skip(","));
    expect("}");
    REQUIRE(rest_.empty());
    return members;
  }

 private:
  bool skip(std::string_view token) {
    if (!rest_.starts_with(token)) return false;
    rest_.remove_prefix(token.size());
    return true;
  }

  void expect(std::string_view token) {
    if (!skip(token)) FAIL("expected " << token << " at " << rest_);
  }

  std::string word() {
    const std::string found(rest_.substr(0, rest_.find_first_of(",}")));
    const std::string digits = found.substr(found.starts_with('-'));
    const bool number = !digits.empty() && std::all_of(digits.begin(), digits.end(), is_digit) &&
                        (digits == "0" || digits[0] != '0');
    REQUIRE_MESSAGE((number || found == "true" || found == "false"), found);
    rest_.remove_prefix(found.size());
    return found;
  }

  // RFC 8259 §7: all but the quotation mark, the reverse solidus and U+0000 to U+001F may stand.
  std::string string() {
    std::string decoded;
    expect("\"");
    while (!skip("\"")) {
      const bool may_stand = !rest_.empty() && static_cast<unsigned char>(rest_[0]) >= 0x20;
      if (!may_stand) FAIL("a string is cut or holds a control character: " << rest_);
      if (skip("\\")) {
        decoded += escape();
      } else {
        decoded += rest_[0];
        rest_.remove_prefix(1);
      }
    }
    return decoded;
  }

  std::string escape() {
    static const std::pair<std::string_view, const char*> plain[] = {
        {"n", "\n"}, {"r", "\r"}, {"t", "\t"}, {"\"", "\""}, {"\\", "\\"}};
    for (const auto& [token, meaning] : plain) {
      if (skip(token)) return meaning;
    }
    expect("u00");  // the log escapes none beyond U+009F
    const auto code =
        static_cast<unsigned>(std::stoul(std::string(rest_.substr(0, 2)), nullptr, 16));
    rest_.remove_prefix(2);
    if (code < 0x80) return {static_cast<char>(code)};
    return {static_cast<char>(0xc0 | code >> 6), static_cast<char>(0x80 | (code & 0x3f))};
  }

  std::string_view rest_;
};

// What the field "value" holds when it is read back.
std::string read_back(std::string_view value) {
  const auto members = FlatJson(json_line("m", {{"value", value}})).object();
  REQUIRE(members.size() == 4);
  REQUIRE(members[3].first == "value");
  return members[3].second;
}

std::string utc(std::uint64_t unix_ms) {
  Text<32> text;
  put_utc_time(text, unix_ms);
  return std::string(text.view());
}

}  // namespace

TEST_CASE("log: a line of text") {
  Captured captured(LogLevel::info, LogFormat::text);
  sockeye::net::log(LogLevel::error, "connection closed",
                    {{"peer", "127.0.0.1:5000"}, {"code", 1002}});
  const std::string line = captured.take();
  CHECK(shape(line) ==
        "9999-99-99T99:99:99.999Z error connection closed peer=999.9.9.9:9999 code=9999\n");
  CHECK(line.ends_with("peer=127.0.0.1:5000 code=1002\n"));
}

TEST_CASE("log: a line of JSON") {
  const auto members =
      FlatJson(json_line("connection closed", {{"peer", "127.0.0.1:5000"}, {"code", 1002}}))
          .object();
  REQUIRE(members.size() == 5);
  CHECK(members[0].first == "time");
  CHECK(shape(members[0].second) == "9999-99-99T99:99:99.999Z");
  using Member = std::pair<std::string, std::string>;
  CHECK(members[1] == Member{"level", "info"});
  CHECK(members[2] == Member{"message", "connection closed"});
  CHECK(members[3] == Member{"peer", "127.0.0.1:5000"});
  CHECK(members[4] == Member{"code", "1002"});
}

TEST_CASE("log: what is less grave than the level isn't written") {
  const LogLevel levels[] = {LogLevel::error, LogLevel::warn, LogLevel::info, LogLevel::debug};
  for (const LogLevel limit :
       {LogLevel::off, LogLevel::error, LogLevel::warn, LogLevel::info, LogLevel::debug}) {
    Captured captured(limit, LogFormat::text);
    for (const LogLevel level : levels) {
      sockeye::net::log(level, "message");
      CHECK(log_enabled(level) == (level <= limit));
      CHECK(captured.take().empty() == (level > limit));
    }
  }
}

TEST_CASE("log: levels and formats are read from their names") {
  CHECK(parse_log_level("off") == LogLevel::off);
  CHECK(parse_log_level("error") == LogLevel::error);
  CHECK(parse_log_level("warn") == LogLevel::warn);
  CHECK(parse_log_level("info") == LogLevel::info);
  CHECK(parse_log_level("debug") == LogLevel::debug);
  CHECK(parse_log_format("text") == LogFormat::text);
  CHECK(parse_log_format("json") == LogFormat::json);
  for (const auto name : {"", "Error", "errors", "warning", "info ", "yaml"}) {
    CHECK(!parse_log_level(name));
    CHECK(!parse_log_format(name));
  }
}

TEST_CASE("log: the levels stand in columns") {
  Captured captured(LogLevel::debug, LogFormat::text);
  const auto from_level = [&](LogLevel level) {
    sockeye::net::log(level, "m");
    return captured.take().substr(25);
  };
  CHECK(from_level(LogLevel::error) == "error m\n");
  CHECK(from_level(LogLevel::warn) == "warn  m\n");
  CHECK(from_level(LogLevel::info) == "info  m\n");
  CHECK(from_level(LogLevel::debug) == "debug m\n");
}

TEST_CASE("log: numbers of every type, and booleans") {
  const Fields fields = {{"a", -1},
                         {"b", std::numeric_limits<std::int64_t>::min()},
                         {"c", std::numeric_limits<std::uint64_t>::max()},
                         {"d", std::uint8_t{200}},
                         {"e", std::int8_t{-100}},
                         {"f", true},
                         {"g", false}};
  CHECK(text_line("m", fields) ==
        "m a=-1 b=-9223372036854775808 c=18446744073709551615 d=200 e=-100 f=true g=false");
  const auto members = FlatJson(json_line("m", fields)).object();
  CHECK(members[3].second == "-1");
  CHECK(members[4].second == "-9223372036854775808");
  CHECK(members[5].second == "18446744073709551615");
  CHECK(members[8].second == "true");
}

TEST_CASE("log: a value that could be taken for more is quoted") {
  CHECK(text_line("m", {{"v", "plain/1.2:3[@]"}}) == "m v=plain/1.2:3[@]");
  CHECK(text_line("m", {{"v", ""}}) == "m v=\"\"");
  CHECK(text_line("m", {{"v", "a b"}}) == "m v=\"a b\"");
  CHECK(text_line("m", {{"v", "x code=1"}}) == "m v=\"x code=1\"");
  CHECK(text_line("m", {{"v", "a=b"}}) == "m v=\"a=b\"");
  CHECK(text_line("m", {{"v", "say \"hi\""}}) == "m v=\"say \\\"hi\\\"\"");
  CHECK(text_line("m", {{"v", "a\\nb"}}) == "m v=\"a\\\\nb\"");
  CHECK(text_line("m", {{"v", "§5.1"}}) == "m v=\"§5.1\"");
  CHECK(text_line("cannot open \"x\"") == "cannot open \"x\"");
}

TEST_CASE("log: no peer forges a line or commands a terminal") {
  const auto forged = "x\n2026-01-01T00:00:00.000Z error forged\r\t\x1b[2J\x7f\0"sv;
  CHECK(text_line("m", {{"v", forged}}) ==
        "m v=\"x\\n2026-01-01T00:00:00.000Z error forged\\r\\t\\u001b[2J\\u007f\\u0000\"");
  CHECK(text_line(forged) ==
        "x\\n2026-01-01T00:00:00.000Z error forged\\r\\t\\u001b[2J\\u007f\\u0000");
  CHECK(text_line("m", {{"v", "\u009b2J"}}) == "m v=\"\\u009b2J\"");  // CSI as one character
  CHECK(json_line("m", {{"v", "\u009b2J"}}).ends_with(",\"v\":\"\\u009b2J\"}"));
}

TEST_CASE("log: every ASCII character survives JSON (RFC 8259 §7)") {
  std::string all;
  for (int c = 0; c < 0x80; ++c) all += static_cast<char>(c);
  CHECK(read_back(all) == all);
  for (const char c : all) CHECK(read_back({&c, 1}) == std::string(1, c));
}

TEST_CASE("log: UTF-8 survives, what isn't is replaced in JSON and shown in text (RFC 3629 §3)") {
  for (const auto valid :
       {"é"sv, "€"sv, "\U0001f41f"sv, "\u0080"sv, "\u00a0"sv, "\u07ff"sv, "\u0800"sv, "\ud7ff"sv,
        "\ue000"sv, "\uffff"sv, "\U00010000"sv, "\U0010ffff"sv}) {
    CHECK(read_back(valid) == valid);
  }

  const std::string bad = "\uFFFD";
  CHECK(read_back("\x80") == bad);                                // a continuation byte alone
  CHECK(read_back("\xc3") == bad);                                // cut
  CHECK(read_back("\xc3(") == bad + "(");                         // what follows isn't swallowed
  CHECK(read_back("\xc3\"") == bad + "\"");                       // nor gets out
  CHECK(read_back("\xc0\xaf") == bad + bad);                      // not the shortest form
  CHECK(read_back("\xe0\x9f\xbf") == bad + bad + bad);            // nor this
  CHECK(read_back("\xed\xa0\x80") == bad + bad + bad);            // a surrogate
  CHECK(read_back("\xf4\x90\x80\x80") == bad + bad + bad + bad);  // beyond U+10FFFF
  CHECK(read_back("\xf0\x8f\xbf\xbf") == bad + bad + bad + bad);  // not the shortest form
  CHECK(read_back("\xf8\x88\x80\x80\x80") == bad + bad + bad + bad + bad);
  CHECK(read_back("\xfe\xff") == bad + bad);
  CHECK(read_back("a\xe2\x82") == "a" + bad + bad);
  CHECK(text_line("m", {{"v", "a\xff\xc3"}}) == "m v=\"a\\xff\\xc3\"");
}

TEST_CASE("log: a text is cut at 1 KiB as written, and marked") {
  const std::string fits(1024, 'x');
  CHECK(text_line("m", {{"v", fits}}) == "m v=" + fits);
  CHECK(text_line("m", {{"v", fits + "y"}}) == "m v=" + fits + "…");
  CHECK(text_line(fits + "y") == fits + "…");
  CHECK(read_back(fits + "y") == fits + "…");
  // No escape and no character is cut through.
  const std::string nulls(1024, '\0');
  CHECK(read_back(nulls) == std::string(1024 / 6, '\0') + "…");
  CHECK(read_back("x" + fits.substr(2) + "é") == fits.substr(1) + "…");
}

TEST_CASE("log: fields that don't fit are left out, and the line says so") {
  const std::string value(1024, 'x');
  const Fields fields = {{"a", value}, {"b", value}, {"c", value}, {"d", value}, {"e", 1}};
  const std::string text = text_line("m", fields);
  CHECK(text.starts_with("m a=x"));
  CHECK(text.ends_with("x truncated=true"));
  CHECK(text.find(" d=") == text.npos);

  const auto members = FlatJson(json_line("m", fields)).object();
  REQUIRE(members.size() == 7);
  CHECK(members[5].first == "c");
  CHECK(members[6].first == "truncated");
  CHECK(members[6].second == "true");
}

TEST_CASE("log: whatever the sizes, a line is whole and at most PIPE_BUF bytes long") {
  for (std::size_t size = 900; size <= 1030; size += 3) {
    const std::string value(size, 'x');
    for (std::size_t message = 890; message <= 1030; message += 7) {
      const Fields fields = {{"a", value}, {"b", value}, {"c", value}, {"d", 12345}, {"e", "f"}};
      const auto members = FlatJson(json_line(std::string(message, 'm'), fields)).object();
      const bool cut = members.back().first == "truncated";
      CHECK(members.size() >= (cut ? 6 : 8));
      text_line(std::string(message, 'm'), fields);
    }
  }
}

TEST_CASE("log: a line that can't be written is lost without a trace") {
  Captured captured(LogLevel::info, LogFormat::text);
  const std::string value(1000, 'x');
  errno = E2BIG;
  for (int i = 0; i < 200; ++i)
    sockeye::net::log(LogLevel::info, "m", {{"v", value}});  // more than a pipe holds
  CHECK(errno == E2BIG);
  configure_log(LogLevel::info, LogFormat::text, -1);
  sockeye::net::log(LogLevel::info, "m");
  CHECK(errno == E2BIG);
}

TEST_CASE("Threads: lines from several are whole, and each is written or counted as lost") {
  constexpr int writers = 4;
  constexpr int lines_each = 1000;
  Captured captured(LogLevel::info, LogFormat::json);
  const std::string filling(300, 'x');
  sockeye::net::log(LogLevel::info, "first");  // which counts what tests before this one have lost
  captured.take();
  std::atomic<int> written{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < writers; ++i) {
    threads.emplace_back([&, i] {
      for (int line = 0; line < lines_each; ++line) {
        sockeye::net::log(LogLevel::info, "m", {{"writer", i}, {"line", line}, {"x", filling}});
        ++written;
      }
    });
  }
  while (written < lines_each) std::this_thread::yield();  // nobody reads, and the pipe fills up
  std::string all;
  while (written < writers * lines_each) all += captured.take();
  for (std::thread& thread : threads) thread.join();
  for (std::string more; !(more = captured.take()).empty();) all += more;
  sockeye::net::log(LogLevel::info, "last");
  all += captured.take();

  int next[writers] = {};
  int lines = 0;
  int lost = 0;
  for (std::size_t begin = 0, end; (end = all.find('\n', begin)) != all.npos; begin = end + 1) {
    const auto members = FlatJson({all.data() + begin, end - begin}).object();
    ++lines;
    if (members.back().first == "lost_before") lost += std::stoi(members.back().second);
    if (members[2].second == "last") continue;
    REQUIRE(members.size() >= 6);
    CHECK(members[5].second == filling);
    int& expected = next[std::stoi(members[3].second)];
    const int line = std::stoi(members[4].second);
    CHECK(line >= expected);  // one thread's lines stay in order
    expected = line + 1;
  }
  CHECK(all.ends_with('\n'));
  CHECK(lost > 0);
  CHECK(lines + lost == writers * lines_each + 1);
}

TEST_CASE("Threads: none waits for a log that nobody reads, when another takes the last room") {
  Captured captured(LogLevel::info, LogFormat::text, Captured::Writes::wait);
  captured.resize(PIPE_BUF);
  const std::string filling(1000, 'x');
  const auto log_most_of_a_pipe = [&filling] {
    sockeye::net::log(LogLevel::info, "m", {{"a", filling}, {"b", filling}, {"c", filling}});
  };
  const auto wait_until = [](const std::atomic<bool>& condition, std::chrono::milliseconds limit) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!condition && std::chrono::steady_clock::now() < end) ::poll(nullptr, 0, 1);
    return condition.load();
  };
  std::atomic<bool> has_seen_room{false};
  std::atomic<bool> first_done{false};
  std::atomic<bool> second_done{false};
  std::thread first([&] {
    SystemCalls calls;
    calls.after_poll([&] {
      has_seen_room = true;
      // Now is the other one's chance, which it had better not have.
      wait_until(second_done, std::chrono::milliseconds(200));
    });
    log_most_of_a_pipe();
    first_done = true;
  });
  std::thread second([&] {
    wait_until(has_seen_room, sockeye::test::patience);
    log_most_of_a_pipe();
    second_done = true;
  });
  CHECK(wait_until(first_done, sockeye::test::patience));
  CHECK(wait_until(second_done, sockeye::test::patience));
  captured.take();  // lets go whoever waits
  first.join();
  second.join();
}

TEST_CASE("put_utc_time: the days that calendars get wrong") {
  CHECK(utc(0) == "1970-01-01T00:00:00.000Z");
  CHECK(utc(1) == "1970-01-01T00:00:00.001Z");
  CHECK(utc(951'782'399'999) == "2000-02-28T23:59:59.999Z");
  CHECK(utc(951'782'400'000) == "2000-02-29T00:00:00.000Z");
  CHECK(utc(951'868'800'000) == "2000-03-01T00:00:00.000Z");
  CHECK(utc(978'220'800'000) == "2000-12-31T00:00:00.000Z");
  CHECK(utc(1'000'000'000'000) == "2001-09-09T01:46:40.000Z");
  CHECK(utc(4'107'542'399'000) == "2100-02-28T23:59:59.000Z");
  CHECK(utc(4'107'542'400'000) == "2100-03-01T00:00:00.000Z");
  CHECK(utc(253'402'300'799'999) == "9999-12-31T23:59:59.999Z");
}

TEST_CASE("put_utc_time: every day of a cycle of 400 years follows the one before") {
  constexpr int month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  std::uint64_t day = 0;
  for (int year = 1970; year < 2370; ++year) {
    const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    for (int month = 1; month <= 12; ++month) {
      const int last = month_days[month - 1] + (month == 2 && leap);
      for (int date = 1; date <= last; ++date, ++day) {
        Text<32> expected;
        expected.put_decimal(year, 4).put("-").put_decimal(month, 2).put("-").put_decimal(date, 2);
        if (utc(day * 86'400'000).substr(0, 10) != expected.view()) FAIL(expected.view());
      }
    }
  }
}
