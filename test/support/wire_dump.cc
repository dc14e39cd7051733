// SPDX-License-Identifier: MIT
#include "test/support/wire_dump.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <set>

namespace sockeye::test {

namespace {

// ── Parsing ──────────────────────────────────────────────────────────────────────────────────

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r';
}

std::optional<unsigned> hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return {};
}

template <typename Number>
bool parse_number(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

std::optional<ws::Error> error_named(std::string_view name) {
  for (std::size_t i = 0; i < static_cast<std::size_t>(ws::Error::count_); ++i) {
    const auto error = static_cast<ws::Error>(i);
    if (info(error).name == name) return error;
  }
  return {};
}

// Reads one line, word by word. The first mistake is kept in `mistake`; what follows it is empty.
class LineParser {
 public:
  explicit LineParser(std::string_view line) : rest_(line) { skip_blanks(); }

  bool at_end() const { return rest_.empty() || rest_.front() == '#'; }
  const std::string& mistake() const { return mistake_; }
  void fail(std::string mistake) {
    if (mistake_.empty()) mistake_ = std::move(mistake);
    rest_ = {};
  }

  std::string_view word() {
    if (at_end()) {
      fail("a word is missing");
      return {};
    }
    const std::string_view word = rest_.substr(0, rest_.find_first_of(" \t\r"));
    rest_.remove_prefix(word.size());
    skip_blanks();
    return word;
  }

  template <typename Number>
  Number number() {
    Number number = 0;
    const std::string_view text = word();
    if (!parse_number(text, number)) fail("not a number: " + std::string(text));
    return number;
  }

  // All bytes up to the end of the line.
  Piece bytes() {
    Piece bytes = group();
    if (!at_end()) fail("an unexpected )");
    return bytes;
  }

  std::string text() {
    const Piece all = bytes();
    return {all.begin(), all.end()};
  }

 private:
  void skip_blanks() {
    while (!rest_.empty() && is_blank(rest_.front())) rest_.remove_prefix(1);
  }

  bool take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }

  Piece group() {
    Piece bytes;
    while (!at_end() && rest_.front() != ')') {
      const Piece item = read_item();
      skip_blanks();
      std::size_t count = 1;
      if (take('*')) {
        skip_blanks();
        const std::string_view digits =
            rest_.substr(0, std::min(rest_.size(), rest_.find_first_not_of("0123456789")));
        rest_.remove_prefix(digits.size());
        if (!parse_number(digits, count)) fail("a number must follow *");
        skip_blanks();
      }
      for (std::size_t i = 0; i < count && mistake_.empty(); ++i) {
        bytes.insert(bytes.end(), item.begin(), item.end());
      }
    }
    return bytes;
  }

  Piece read_item() {
    if (take('(')) {
      skip_blanks();
      const Piece bytes = group();
      if (!take(')')) fail("a ) is missing");
      return bytes;
    }
    if (take('"')) return read_quoted();
    const std::size_t end = std::min(rest_.size(), rest_.find_first_of(" \t\r)#"));
    const std::string_view digits = rest_.substr(0, end);
    rest_.remove_prefix(end);
    const std::optional<std::uint8_t> byte = read_hex(digits);
    if (!byte) fail("neither a byte nor a text: " + std::string(digits));
    return {byte.value_or(0)};
  }

  Piece read_quoted() {
    Piece bytes;
    while (!take('"')) {
      if (rest_.empty()) {
        fail("a \" is missing");
        return {};
      }
      char c = rest_.front();
      rest_.remove_prefix(1);
      if (c == '\\') c = read_escape();
      bytes.push_back(static_cast<std::uint8_t>(c));
    }
    return bytes;
  }

  char read_escape() {
    if (take('r')) return '\r';
    if (take('n')) return '\n';
    if (take('t')) return '\t';
    if (take('0')) return '\0';
    if (take('"')) return '"';
    if (take('\\')) return '\\';
    if (take('x')) {
      const auto byte = read_hex(rest_.substr(0, 2));
      if (byte) {
        rest_.remove_prefix(2);
        return static_cast<char>(*byte);
      }
    }
    fail("an unknown escape");
    return 0;
  }

  static std::optional<std::uint8_t> read_hex(std::string_view digits) {
    if (digits.size() != 2 || !hex_value(digits[0]) || !hex_value(digits[1])) return {};
    return static_cast<std::uint8_t>(*hex_value(digits[0]) << 4 | *hex_value(digits[1]));
  }

  std::string_view rest_;
  std::string mistake_;
};

// Reads a file line by line.
class DumpParser {
 public:
  explicit DumpParser(std::string_view file) : file_(file) {}

  Result<std::vector<WireCase>, std::string> parse(std::string_view text) {
    for (std::size_t number = 1; !text.empty(); ++number) {
      const std::string_view line = text.substr(0, text.find('\n'));
      text.remove_prefix(std::min(text.size(), line.size() + 1));
      line_number_ = number;
      LineParser parser(line);
      if (parser.at_end()) continue;
      read_line(parser, line);
      if (parser.mistake().empty() && !parser.at_end()) parser.fail("something is left over");
      if (!parser.mistake().empty()) return place() + ": " + parser.mistake();
    }
    if (cases_.empty()) return std::string(file_) + ": there is no case in it";
    return std::move(cases_);
  }

 private:
  std::string place() const { return std::string(file_) + ":" + std::to_string(line_number_); }

  void read_line(LineParser& line, std::string_view whole) {
    const std::string_view first = line.word();
    if (first == "case") return begin_case(line, whole);
    const bool is_step = first == ">" || first == "<" || first == "=" || first == "!";
    if (!is_step) return read_directive(first, line);
    if (cases_.empty()) return line.fail("no case has begun");
    if (first == "!") return read_command(line);
    if (current().segments.empty()) begin_segment();
    WireSegment& segment = current().segments.back();
    if (first == ">") {
      segment.marks.push_back(segment.input.size());
      append(segment.input, line.bytes());
    } else if (first == "<") {
      read_output(line, segment);
    } else {
      segment.events.push_back(read_event(line));
    }
  }

  // The title is the rest of the line; it may end with the section, apart by two spaces or more.
  void begin_case(LineParser& line, std::string_view whole) {
    std::string title(whole.substr(whole.find("case") + 4));
    while (!title.empty() && is_blank(title.back())) title.pop_back();
    title.erase(0, std::min(title.size(), title.find_first_not_of(' ')));
    if (title.empty()) return line.fail("a case needs a title");
    while (!line.at_end()) line.word();
    cases_.push_back({std::move(title), place(), common_, {}});
    current_ = cases_.size() - 1;
  }

  WireCase& current() { return cases_[current_]; }

  // Names the case that has begun, or goes on with one that has the name.
  void read_connection(LineParser& line) {
    if (cases_.empty()) return line.fail("no case has begun");
    current_ = connections_.try_emplace(line.number<std::uint64_t>(), current_).first->second;
  }

  void begin_segment() { current().segments.push_back({.line = line_number_}); }

  static void append(Piece& to, const Piece& bytes) {
    to.insert(to.end(), bytes.begin(), bytes.end());
  }

  static void read_output(LineParser& line, WireSegment& segment) {
    if (segment.fin) return line.fail("nothing can follow fin");
    LineParser ahead = line;
    if (!ahead.at_end() && ahead.word() == "fin") {
      line = ahead;
      segment.fin = true;
      return;
    }
    append(segment.output, line.bytes());
  }

  static WireEvent read_event(LineParser& line) {
    std::string name(line.word());
    if (name == "chunked") {
      const std::string_view type = line.word();
      if (type != "text" && type != "binary") line.fail("chunked what?");
      name.append(" ").append(type);
    } else if (name == "close") {
      name.append(" ").append(std::to_string(line.number<std::uint16_t>()));
    } else if (name == "fail") {
      const std::string_view error = line.word();
      if (!error_named(error)) line.fail("there is no such error: " + std::string(error));
      return {name.append(" ").append(error), {}};
    } else if (name == "request") {
      name.append(" ").append(line.word());
      name.append(" ").append(line.word());
    } else if (name != "text" && name != "binary" && name != "ping" && name != "pong" &&
               name != "open") {
      line.fail("there is no such event: " + name);
    }
    return {std::move(name), line.bytes()};
  }

  void read_command(LineParser& line) {
    auto& segments = current().segments;
    const auto has_more = [](const WireSegment& segment) {
      return !segment.marks.empty() || !segment.events.empty() || !segment.output.empty() ||
             segment.fin;
    };
    if (segments.empty() || has_more(segments.back())) begin_segment();

    WireCommand command{};
    const std::string_view name = line.word();
    if (name == "send") {
      const std::string_view type = line.word();
      if (type != "text" && type != "binary") line.fail("send what?");
      command.kind = type == "text" ? WireCommand::Kind::send_text : WireCommand::Kind::send_binary;
    } else if (name == "ping") {
      command.kind = WireCommand::Kind::ping;
    } else if (name == "close") {
      command.kind = WireCommand::Kind::close;
      command.code = line.number<std::uint16_t>();
    } else {
      line.fail("there is no such command: " + std::string(name));
    }
    command.payload = line.bytes();
    segments.back().commands.push_back(std::move(command));
  }

  void read_directive(std::string_view name, LineParser& line) {
    if (name == "connection") return read_connection(line);
    if (name != "keys" && !cases_.empty() && !current().segments.empty()) {
      return line.fail("not a step, and too late for a directive: " + std::string(name));
    }
    WireSetup& setup = cases_.empty() ? common_ : current().setup;
    if (name == "role") {
      setup.role =
          choice(line, "server", "client") ? ws::frame::Role::client : ws::frame::Role::server;
    } else if (name == "begin") {
      setup.from_handshake = choice(line, "open", "handshake");
    } else if (name == "chunks") {
      setup.in_chunks = choice(line, "off", "on");
    } else if (name == "limit") {
      read_limit(line, setup.limits);
    } else if (name == "subprotocols") {
      while (!line.at_end()) setup.subprotocols.emplace_back(line.word());
    } else if (name == "compression") {
      if (!setup.compression) setup.compression.emplace();
      read_compression(line, *setup.compression);
    } else if (name == "origin") {
      setup.origin = line.text();
    } else if (name == "hosts") {
      setup.hosts = line.text();
    } else if (name == "refuse") {
      setup.refused_status = line.number<std::uint16_t>();
      setup.refusal_text = line.text();
    } else if (name == "url") {
      setup.url = line.word();
    } else if (name == "nonce") {
      setup.nonce = line.bytes();
      if (setup.nonce.size() != 16) line.fail("a nonce has 16 bytes");
    } else if (name == "keys") {
      const Piece keys = line.bytes();
      if (keys.empty() || keys.size() % 4 != 0) line.fail("a key has 4 bytes");
      if (cases_.empty() || !std::exchange(setup.has_own_keys, true)) setup.keys.clear();
      append(setup.keys, keys);
    } else {
      line.fail("there is no such line: " + std::string(name));
    }
  }

  static void read_compression(LineParser& line, ws::deflate::Parameters& wanted) {
    while (!line.at_end()) {
      const std::string_view name = line.word();
      if (name == "server_no_context_takeover") {
        wanted.server.context_takeover = false;
      } else if (name == "client_no_context_takeover") {
        wanted.client.context_takeover = false;
      } else if (name == "server_max_window_bits") {
        wanted.server.window_bits = line.number<std::uint8_t>();
      } else if (name == "client_max_window_bits") {
        wanted.client.window_bits = line.number<std::uint8_t>();
      } else {
        return line.fail("there is no such parameter: " + std::string(name));
      }
    }
  }

  // Whether the next word is the second of two.
  static bool choice(LineParser& line, std::string_view first, std::string_view second) {
    const std::string_view word = line.word();
    if (word != first && word != second) line.fail("not known: " + std::string(word));
    return word == second;
  }

  static void read_limit(LineParser& line, ws::Limits& limits) {
    const std::string_view name = line.word();
    const auto number = line.number<std::uint32_t>();
    if (name == "message_bytes") {
      limits.message_bytes = number;
    } else if (name == "message_fragments") {
      limits.message_fragments = number;
    } else if (name == "request_line_bytes") {
      limits.request_line_bytes = number;
    } else if (name == "head_bytes") {
      limits.head_bytes = number;
    } else if (name == "head_fields") {
      limits.head_fields = number;
    } else if (name == "request_body_bytes") {
      limits.request_body_bytes = number;
    } else {
      line.fail("there is no such limit: " + std::string(name));
    }
  }

  std::string_view file_;
  std::size_t line_number_ = 0;
  WireSetup common_;
  std::vector<WireCase> cases_;
  std::size_t current_ = 0;                           // the case that lines are for
  std::map<std::uint64_t, std::size_t> connections_;  // which case each number names
};

// ── Comparing ────────────────────────────────────────────────────────────────────────────────

// How bytes would stand in a dump; of many only the first.
std::string show(Bytes bytes) {
  constexpr std::size_t most = 300;
  std::string text;
  bool quoted = false;
  for (const std::uint8_t byte : bytes.first(std::min(bytes.size(), most))) {
    const bool printable =
        (byte >= ' ' && byte < 0x7f && byte != '"' && byte != '\\') || byte == '\r' || byte == '\n';
    if (printable != quoted) {
      text += printable ? " \"" : "\"";
      quoted = printable;
    }
    if (!printable) {
      constexpr char digits[] = "0123456789abcdef";
      text += ' ';
      text += digits[byte >> 4];
      text += digits[byte & 0xf];
    } else if (byte == '\r' || byte == '\n') {
      text += byte == '\r' ? "\\r" : "\\n";
    } else {
      text += static_cast<char>(byte);
    }
  }
  if (quoted) text += '"';
  if (bytes.size() > most) text += " ... (" + std::to_string(bytes.size()) + " bytes)";
  return text;
}

std::string show(const std::vector<WireEvent>& events) {
  std::string text;
  for (const WireEvent& event : events) text += "\n  = " + event.name + show(event.payload);
  return text.empty() ? "\n  (no event)" : text;
}

std::string show_output(const Piece& output, bool fin) {
  std::string text;
  if (!output.empty()) text += "\n  <" + show(output);
  if (fin) text += "\n  < fin";
  return text.empty() ? "\n  (no output)" : text;
}

std::string difference(const WireSegment& expected, const Observed& observed) {
  if (observed.events != expected.events) {
    return "expected events:" + show(expected.events) + "\nbut got:" + show(observed.events);
  }
  if (observed.output == expected.output && observed.fin == expected.fin) return {};
  const auto [wrong, right] = std::mismatch(observed.output.begin(), observed.output.end(),
                                            expected.output.begin(), expected.output.end());
  return "expected output:" + show_output(expected.output, expected.fin) +
         "\nbut got:" + show_output(observed.output, observed.fin) + "\ndifferent from byte " +
         std::to_string(right - expected.output.begin()) +
         " on:" + show(Bytes(wrong, observed.output.end()));
}

// ── Cutting ──────────────────────────────────────────────────────────────────────────────────

// Up to this size an input is cut everywhere; of a longer one the middle of a line is left out.
constexpr std::size_t cut_everywhere_limit = 600;
constexpr std::size_t around_mark = 16;

// Where one segment's stream is cut.
using Cuts = std::vector<std::size_t>;

// All cuts worth making in a stream of `size` bytes, whose lines begin at `marks`.
Cuts cuts_of(std::size_t size, const std::vector<std::size_t>& marks, std::size_t preamble_size) {
  // Cuts within the preamble: it has dumps of its own, so its end will do.
  const std::size_t first = preamble_size > 4 ? preamble_size - 4 : 1;
  std::set<std::size_t> cuts;
  const auto add_range = [&](std::size_t begin, std::size_t end) {
    for (std::size_t cut = std::max(begin, first); cut < std::min(end, size); ++cut) {
      cuts.insert(cut);
    }
  };
  if (size - preamble_size <= cut_everywhere_limit) {
    add_range(1, size);
  } else {
    for (const std::size_t mark : marks) {
      const std::size_t at = preamble_size + mark;
      add_range(at > around_mark ? at - around_mark : 1, at + around_mark);
    }
    add_range(size - around_mark, size);
  }
  return {cuts.begin(), cuts.end()};
}

class Player {
 public:
  Player(const WireCase& wire_case, const WireDriverFactory& make_driver)
      : case_(wire_case), make_driver_(make_driver) {
    preamble_size_ = make_driver_()->preamble().size();
    for (const WireSegment& segment : case_.segments) {
      const std::size_t before = preamble_of(segment);
      all_cuts_.push_back(cuts_of(before + segment.input.size(), segment.marks, before));
      single_cuts_.push_back(all_cuts_.back());
      if (before == 0) continue;
      Cuts& single = single_cuts_.back();
      for (std::size_t cut = before - 1; cut > 0; --cut) {
        if (cut < single.front()) single.insert(single.begin(), cut);
      }
    }
  }

  std::string play() {
    std::string problem = play_cut("whole", {});
    if (problem.empty()) problem = play_cut("byte by byte", single_cuts_);
    for (std::size_t i = 0; i < all_cuts_.size(); ++i) {
      for (const std::size_t cut : all_cuts_[i]) {
        if (!problem.empty()) return problem;
        std::vector<Cuts> cuts(i + 1);
        cuts[i] = {cut};
        problem = play_cut("cut in two, " + std::to_string(cut - preamble_of(case_.segments[i])) +
                               " bytes into line " + std::to_string(case_.segments[i].line) +
                               " and what follows it",
                           cuts);
      }
    }
    return problem;
  }

 private:
  // Ahead of the first input, unless we have something to do first.
  std::size_t preamble_of(const WireSegment& segment) const {
    const bool joined = &segment == &case_.segments.front() && segment.commands.empty();
    return joined ? preamble_size_ : 0;
  }

  std::string play_cut(const std::string& how, const std::vector<Cuts>& cuts) {
    const std::unique_ptr<WireDriver> driver = make_driver_();
    const Bytes preamble = driver->preamble();
    for (std::size_t i = 0; i < case_.segments.size(); ++i) {
      const WireSegment& segment = case_.segments[i];
      Piece stream;
      if (preamble_of(segment) > 0) {
        stream = piece_of(preamble);
      } else if (i == 0 && !preamble.empty()) {
        driver->feed(preamble);
      }
      for (const WireCommand& command : segment.commands) driver->command(command);
      stream.insert(stream.end(), segment.input.begin(), segment.input.end());

      std::size_t begin = 0;
      Cuts ends = i < cuts.size() ? cuts[i] : Cuts{};
      ends.push_back(stream.size());
      for (const std::size_t end : ends) {
        if (end > begin) driver->feed(Bytes(stream).subspan(begin, end - begin));
        begin = end;
      }
      const std::string problem = difference(segment, driver->take(segment));
      if (!problem.empty()) {
        return case_.place + ": " + case_.title + "\n(input " + how + ") from line " +
               std::to_string(segment.line) + " on:\n" + problem;
      }
    }
    return {};
  }

  const WireCase& case_;
  const WireDriverFactory& make_driver_;
  std::size_t preamble_size_ = 0;
  std::vector<Cuts> all_cuts_;     // each of them alone
  std::vector<Cuts> single_cuts_;  // all of them at once, and the preamble's
};

}  // namespace

Result<std::vector<WireCase>, std::string> parse_wire_dump(std::string_view file,
                                                           std::string_view text) {
  return DumpParser(file).parse(text);
}

std::string play(const WireCase& wire_case, const WireDriverFactory& make_driver) {
  return Player(wire_case, make_driver).play();
}

// ── What drivers share ───────────────────────────────────────────────────────────────────────

void EventLog::add(std::string name, Bytes payload) {
  events_.push_back({std::move(name), piece_of(payload)});
}

void EventLog::message(ws::frame::Opcode opcode, Bytes payload) {
  add(opcode == ws::frame::Opcode::text ? "text" : "binary", payload);
}

void EventLog::chunk(ws::frame::Opcode opcode, Bytes payload, bool first, bool last) {
  if (first == in_message_) add(first ? "a second first chunk" : "no first chunk");
  in_message_ = !last;
  chunks_.insert(chunks_.end(), payload.begin(), payload.end());
  if (!last) return;
  add(opcode == ws::frame::Opcode::text ? "chunked text" : "chunked binary", chunks_);
  chunks_.clear();
}

void EventLog::close(std::uint16_t code, std::string_view reason) {
  add("close " + std::to_string(code), as_bytes(reason));
}

void EventLog::fail(ws::Error error) {
  add("fail " + std::string(info(error).name));
}

void DumpRandom::fill(MutableBytes bytes) {
  if (bytes.size() == setup_.nonce.size()) {
    copy_bytes(bytes.data(), setup_.nonce);
    drawn_ = 0;
    return;
  }
  for (std::uint8_t& byte : bytes) byte = setup_.keys[drawn_++ % setup_.keys.size()];
}

}  // namespace sockeye::test
