// The program: picks the subcommand.
//
// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <span>
#include <string>
#include <string_view>

#include "app/bench.h"
#include "app/cat.h"
#include "app/echo.h"
#include "app/flags.h"
#include "app/hub.h"
#include "app/init.h"
#include "app/version.h"

namespace {

using namespace sockeye::app;

struct Command {
  std::string_view name;
  std::string_view purpose;
  int (*run)(std::span<char* const> arguments);
  std::string (*help)();
};

// (make WITHOUT="client bench" leaves those out.)
constexpr Command commands[] = {
    {"echo", "a server that sends every message back", run_echo, echo_help},
#ifndef SOCKEYE_WITHOUT_hub
    {"hub", "topics: what is published to one reaches all who listen", run_hub, hub_help},
#endif
#ifndef SOCKEYE_WITHOUT_client
    {"cat", "a client for scripts and people", run_cat, cat_help},
#endif
#ifndef SOCKEYE_WITHOUT_bench
    {"bench", "a load generator, to measure servers", run_bench, bench_help},
#endif
};

const Command* find(std::string_view name) {
  for (const Command& command : commands) {
    if (command.name == name) return &command;
  }
  return nullptr;
}

int unknown(std::string_view what) {
  return complain("unknown command \"" + std::string(what) + "\" (see: sockeye help)", exit_usage);
}

int run_help(std::span<char* const> arguments) {
  if (arguments.empty()) {
    std::string text = "usage: sockeye COMMAND [OPTIONS]\n\n";
    for (const Command& command : commands) {
      text += "  " + std::string(command.name) + std::string(10 - command.name.size(), ' ') +
              std::string(command.purpose) + "\n";
    }
    text += "  help      this text, or that of a command: sockeye help echo\n\n";
    text += "  --version\n";
    return print(text) ? exit_ok : exit_failure;
  }
  const Command* command = find(arguments.front());
  if (command == nullptr) return unknown(arguments.front());
  return print(command->help()) ? exit_ok : exit_failure;
}

// Standard input, output and error may be closed. Then the first sockets would get their numbers,
// and what is printed would go to a peer; so their places are taken before.
void keep_standard_descriptors() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(descriptor, F_GETFD) >= 0) continue;
    // The lowest free number is this one. Without a /dev, any other descriptor will do.
    if (::open("/dev/null", O_RDWR) < 0) (void)::eventfd(0, EFD_NONBLOCK);
  }
}

}  // namespace

int main(int count, char** values) {
  std::span<char* const> arguments(values, static_cast<std::size_t>(count));
  if (is_init(arguments)) become_init();
  keep_standard_descriptors();
  // The kernel hands on words of its command line that it doesn't know.
  while (has_init() && arguments.size() > 1 && arguments[1][0] != '-' &&
         find(arguments[1]) == nullptr) {
    complain("\"" + std::string(arguments[1]) + "\" is no command, and passed over", exit_usage);
    arguments = arguments.subspan(1);
  }
  // The kernel starts /init without arguments, or with those on its command line.
  if (has_init() && (arguments.size() < 2 || arguments[1][0] == '-')) {
    return run_echo(arguments.subspan(1));
  }
  if (arguments.size() < 2) {
    return complain("a command is needed (see: sockeye help)", exit_usage);
  }
  const std::string_view name = arguments[1];
  const auto rest = arguments.subspan(2);
  if (name == "help" || name == "--help" || name == "-h") return run_help(rest);
  if (name == "--version") return print("sockeye " SOCKEYE_VERSION "\n") ? exit_ok : exit_failure;
  const Command* command = find(name);
  if (command == nullptr) return unknown(name);
  if (!rest.empty() &&
      (std::string_view(rest.front()) == "--help" || std::string_view(rest.front()) == "-h")) {
    return print(command->help()) ? exit_ok : exit_failure;
  }
  return command->run(rest);
}
