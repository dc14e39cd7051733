// SPDX-License-Identifier: MIT
#include "app/flags.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "app/decimal.h"
#include "net/error.h"

namespace sockeye::app {

namespace {

// Where the descriptions begin in the help, and where its lines end.
constexpr std::size_t help_column = 26;
constexpr std::size_t help_width = 96;

// Adds `text` to `to`, broken between words so that each line ends before help_width.
void add_wrapped(std::string& to, std::string_view text, std::size_t column) {
  std::size_t width = column;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    if (width > column && width + 1 + word.size() > help_width) {
      to += "\n" + std::string(column, ' ');
      width = column;
    } else if (width > column) {
      to += ' ';
      ++width;
    }
    to += word;
    width += word.size();
  }
  to += '\n';
}

}  // namespace

bool print(std::string_view text, int descriptor) {
  while (!text.empty()) {
    const ssize_t written = ::write(descriptor, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && errno == EAGAIN) {
      pollfd room{.fd = descriptor, .events = POLLOUT, .revents = 0};
      ::poll(&room, 1, -1);
      continue;
    }
    if (written < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

int complain(std::string_view message, int status) {
  std::string line(message);
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; };
  std::replace_if(line.begin(), line.end(), is_control, '?');
  report(net::Error{std::move(line)});
  return status;
}

bool parse_number(std::string_view text, std::uint64_t lowest, std::uint64_t highest,
                  std::uint64_t& value) {
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value);
  return parsed.ec == std::errc() && parsed.ptr == end && value >= lowest && value <= highest;
}

void Flags::value(const char* name, const char* value_name, const char* help, const Take& take) {
  flags_.push_back({.name = name, .help = help, .value_name = value_name, .take = take});
}

void Flags::optional_value(const char* name, const char* value_name, const char* help,
                           const Take& take) {
  value(name, value_name, help, take);
  flags_.back().value_is_optional = true;
}

void Flags::number(const char* name, const char* value_name, const char* help, std::uint64_t lowest,
                   std::uint64_t highest, const TakeNumber& take,
                   std::optional<std::uint64_t> default_value) {
  flags_.push_back({.name = name,
                    .help = help,
                    .value_name = value_name,
                    .take_number = take,
                    .lowest = lowest,
                    .highest = highest,
                    .default_value = default_value});
}

void Flags::toggle(const char* name, const char* help, const Action<void()>& take) {
  flags_.push_back({.name = name, .help = help, .toggle = take});
}

// Does what the option does; returns what is wrong with its value.
std::string Flags::Flag::set(std::string_view text) const {
  if (take) return take(text);
  if (toggle) {
    toggle();
    return {};
  }
  std::uint64_t number;
  if (!parse_number(text, lowest, highest, number)) {
    return "must be a number from " + to_text(lowest) + " to " + to_text(highest);
  }
  take_number(number);
  return {};
}

std::string Flags::command() const {
  return std::string(usage_.substr(0, usage_.find(' ')));
}

bool Flags::parse(std::span<char* const> arguments) const {
  while (!arguments.empty()) {
    const std::string_view argument = arguments.front();
    arguments = arguments.subspan(1);
    const std::string mistake = parse_one(argument, arguments);
    if (mistake.empty()) continue;
    complain(mistake + " (see: sockeye help " + command() + ")", exit_usage);
    return false;
  }
  return true;
}

// Takes `argument`, and its value from `rest` if it stands there; returns what is wrong.
std::string Flags::parse_one(std::string_view argument, std::span<char* const>& rest) const {
  const bool is_option = argument.starts_with("-") && argument.size() > 1;
  if (!is_option) {
    if (!operand_) return "unexpected argument \"" + std::string(argument) + "\"";
    return operand_(argument);
  }
  const std::size_t equals = argument.find('=');
  const std::string name(argument.substr(0, equals));
  const auto flag =
      std::ranges::find_if(flags_, [&name](const Flag& one) { return one.name == name; });
  if (flag == flags_.end()) return "unknown option " + name;

  std::string_view text;
  if (flag->value_name == nullptr) {
    if (equals != std::string_view::npos) return name + " takes no value";
  } else if (equals != std::string_view::npos) {
    text = argument.substr(equals + 1);
  } else if (flag->value_is_optional) {
    text = {};
  } else if (!rest.empty()) {
    text = rest.front();
    rest = rest.subspan(1);
  } else {
    return name + " needs a value: " + std::string(flag->value_name);
  }
  const std::string mistake = flag->set(text);
  return mistake.empty() ? mistake : name + " " + std::string(text) + ": " + mistake;
}

std::string Flags::help() const {
  std::string text = "usage: sockeye " + std::string(usage_) + "\n\n";
  add_wrapped(text, purpose_, 0);
  text += '\n';
  for (const Flag& flag : flags_) {
    std::string head = std::string("  ") + flag.name;
    if (flag.value_is_optional) {
      head.append("[=").append(flag.value_name) += ']';
    } else if (flag.value_name != nullptr) {
      head.append(" ").append(flag.value_name);
    }
    // A head that reaches into the descriptions has a line to itself.
    if (head.size() + 2 > help_column) {
      text += head + "\n" + std::string(help_column, ' ');
    } else {
      text += head + std::string(help_column - head.size(), ' ');
    }
    std::string help = flag.help;
    if (flag.default_value) help.append(" (default: ").append(to_text(*flag.default_value)) += ')';
    add_wrapped(text, help, help_column);
  }
  return text;
}

}  // namespace sockeye::app
