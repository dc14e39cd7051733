// The command line of a subcommand: which options there are, what they say in the help, and how
// each reads its value.
//
//   Flags flags("echo [OPTIONS]", "Sends every message back.");
//   flags.number("--port", "N", "listen on 127.0.0.1:N", 0, 65535, [&](auto n) { port = n; });
//   if (!flags.parse(arguments)) return exit_usage;
//
// SPDX-License-Identifier: MIT
#pragma once

#include <unistd.h>

#include <cstdint>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace sockeye::app {

inline constexpr int exit_ok = 0;
inline constexpr int exit_failure = 1;  // at run time: a taken port, a lost connection
inline constexpr int exit_usage = 2;    // a mistake in the command line

// Writes to `descriptor`, all of it, waiting where it must. False, with errno, when it can't be
// written to.
bool print(std::string_view text, int descriptor = STDOUT_FILENO);

// Prints "sockeye: <message>" as one line on standard error, with a "?" for each control character
// (a peer may have written a part of it); returns `status`.
int complain(std::string_view message, int status);

// "9000" but not "+9000", "9000 " or what exceeds `highest`.
bool parse_number(std::string_view text, std::uint64_t lowest, std::uint64_t highest,
                  std::uint64_t& value);

// A function object that holds two pointers or numbers at most, such as a lambda that refers to
// what it sets. (std::function would bring every option code for what is larger, or has a
// destructor.)
template <typename Signature>
class Action;

template <typename Returned, typename... Arguments>
class Action<Returned(Arguments...)> {
 public:
  Action() = default;

  template <typename Function>
  Action(Function function) {
    static_assert(sizeof function <= sizeof object_ && std::is_trivially_copyable_v<Function>);
    ::new (object_) Function(function);
    call_ = [](void* object, Arguments... arguments) -> Returned {
      return (*static_cast<Function*>(object))(arguments...);
    };
  }

  explicit operator bool() const { return call_ != nullptr; }
  Returned operator()(Arguments... arguments) const { return call_(object_, arguments...); }

 private:
  alignas(std::uint64_t) mutable unsigned char object_[2 * sizeof(std::uint64_t)];
  Returned (*call_)(void* object, Arguments... arguments) = nullptr;
};

// (Texts are given as they are written in the program: they are kept as pointers.)
class Flags {
 public:
  // What an option does with its value; what it returns says what is wrong with it, or is empty.
  using Take = Action<std::string(std::string_view)>;
  using TakeNumber = Action<void(std::uint64_t)>;

  // `usage`: what follows "sockeye" in the help's first line. `purpose`: its second paragraph.
  Flags(std::string_view usage, std::string_view purpose) : usage_(usage), purpose_(purpose) {}

  // An option with a value, "--name VALUE" or "--name=VALUE".
  void value(const char* name, const char* value_name, const char* help, const Take& take);
  // The help says what the default is, if that is given here.
  void number(const char* name, const char* value_name, const char* help, std::uint64_t lowest,
              std::uint64_t highest, const TakeNumber& take,
              std::optional<std::uint64_t> default_value = {});
  // An option that does without its value, and has it after "=" alone; else it is empty.
  void optional_value(const char* name, const char* value_name, const char* help, const Take& take);
  // An option without one.
  void toggle(const char* name, const char* help, const Action<void()>& take);
  // An argument that is no option, such as a URL.
  void operand(const Take& take) { operand_ = take; }

  // Takes all arguments. False, with a line on standard error, at the first mistake.
  bool parse(std::span<char* const> arguments) const;

  // The text for `sockeye help`.
  std::string help() const;

 private:
  struct Flag {
    const char* name;
    const char* help;
    const char* value_name = nullptr;  // null: takes no value
    bool value_is_optional = false;
    // One of these.
    Take take{};
    TakeNumber take_number{};
    Action<void()> toggle{};
    // Of a number.
    std::uint64_t lowest = 0;
    std::uint64_t highest = 0;
    std::optional<std::uint64_t> default_value{};

    std::string set(std::string_view text) const;
  };

  std::string command() const;
  std::string parse_one(std::string_view argument, std::span<char* const>& rest) const;

  std::string_view usage_;
  std::string_view purpose_;
  std::vector<Flag> flags_;
  Take operand_;
};

}  // namespace sockeye::app
