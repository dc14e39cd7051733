// The command line of a subcommand: which options there are, what they say in the help, and how
// each reads its value.
//
//   Flags flags("echo", "echo", "Echoes every message back.");
//   flags.number("--port", "N", "listen on 127.0.0.1:N", 0, 65535, [&](auto n) { port = n; });
//   if (!flags.parse(arguments)) return exit_usage;
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sockeye::app {

inline constexpr int exit_ok = 0;
inline constexpr int exit_failure = 1;  // at run time: a taken port, a lost connection
inline constexpr int exit_usage = 2;    // a mistake in the command line

// Writes to standard output, all of it, waiting where it must. False when it can't be written to.
bool print(std::string_view text);

// Prints "sockeye: <message>" as one line on standard error, with a "?" for each control character
// (a peer may have written a part of it); returns `status`.
int complain(std::string_view message, int status);

// "9000" but not "+9000", "9000 " or what exceeds `highest`.
bool parse_number(std::string_view text, std::uint64_t lowest, std::uint64_t highest,
                  std::uint64_t& value);

class Flags {
 public:
  // What an option does with its value; what it returns says what is wrong with it, or is empty.
  using Take = std::function<std::string(std::string_view)>;

  // `usage`: what follows "sockeye" in the help's first line. `purpose`: its second paragraph.
  Flags(std::string_view usage, std::string_view purpose) : usage_(usage), purpose_(purpose) {}

  // An option with a value, "--name VALUE" or "--name=VALUE".
  void value(std::string_view name, std::string_view value_name, std::string_view help, Take take);
  void number(std::string_view name, std::string_view value_name, std::string_view help,
              std::uint64_t lowest, std::uint64_t highest, std::function<void(std::uint64_t)> take);
  // An option without one.
  void toggle(std::string_view name, std::string_view help, std::function<void()> take);
  // An argument that is no option, such as a URL.
  void operand(Take take) { operand_ = std::move(take); }

  // Takes all arguments. False, with a line on standard error, at the first mistake.
  bool parse(std::span<char* const> arguments) const;

  // The text for `sockeye help`.
  std::string help() const;

 private:
  struct Flag {
    std::string_view name;
    std::string_view value_name;  // empty: takes no value
    std::string help;
    Take take;
  };

  std::string command() const;
  std::string parse_one(std::string_view argument, std::span<char* const>& rest) const;

  std::string_view usage_;
  std::string_view purpose_;
  std::vector<Flag> flags_;
  Take operand_;
};

}  // namespace sockeye::app
