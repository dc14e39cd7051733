// SPDX-License-Identifier: MIT
#include "app/bench/settings.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "net/fd.h"

namespace sockeye::app::bench {
namespace {

constexpr const char* url = "ws://127.0.0.1:9000/";

// While it lives, what is written to standard error is lost: for mistakes made on purpose.
struct QuietErrors {
  QuietErrors() : before(::dup(STDERR_FILENO)) {
    const net::Fd nowhere(::open("/dev/null", O_WRONLY | O_CLOEXEC));
    ::dup2(nowhere.get(), STDERR_FILENO);
  }
  ~QuietErrors() { ::dup2(before.get(), STDERR_FILENO); }
  net::Fd before;
};

// What the command line makes of `arguments` and a URL.
struct Parsed {
  explicit Parsed(std::vector<std::string> arguments, bool with_url = true) {
    if (with_url) arguments.emplace_back(url);
    std::vector<char*> pointers;
    for (std::string& argument : arguments) pointers.push_back(argument.data());
    parses = make_flags(settings).parse(pointers);
    if (parses) mistake = settings.complete();
  }
  Settings settings;
  bool parses;
  std::string mistake;
};

}  // namespace

TEST_CASE("bench flags: what is not given has defaults") {
  const Parsed parsed({});
  REQUIRE(parsed.parses);
  CHECK(parsed.mistake.empty());
  const Settings& settings = parsed.settings;
  CHECK(settings.url == url);
  CHECK(settings.mode() == Mode::closed);
  CHECK(settings.connections == 100);
  CHECK(settings.outstanding == 1);
  CHECK(settings.threads == 1);
  CHECK(settings.smallest_bytes == 20);
  CHECK(settings.largest_bytes == 20);
  CHECK(settings.kind == PayloadKind::binary);
  CHECK(settings.duration_ms == 10'000);
  CHECK(settings.warm_up_ms == 1'000);
}

TEST_CASE("bench flags: each says what it means") {
  const Settings settings =
      Parsed({"-c",     "7",      "-p",          "3",          "-t",       "2",
              "-d",     "0.25",   "--warm-up=2", "--timeout",  "1.5",      "-s",
              "10-300", "--text", "mixed",       "--check",    "--pid",    "42",
              "--json", "--svg",  "x.svg",       "--raw-echo", "--source", "127.0.0.1-127.0.0.3"})
          .settings;
  CHECK(settings.connections == 7);
  CHECK(settings.outstanding == 3);
  CHECK(settings.threads == 2);
  CHECK(settings.duration_ms == 250);
  CHECK(settings.warm_up_ms == 2'000);
  CHECK(settings.timeout_ms == 1'500);
  CHECK(settings.smallest_bytes == 10);
  CHECK(settings.largest_bytes == 300);
  CHECK(settings.kind == PayloadKind::mixed);
  CHECK(settings.check);
  CHECK(settings.pid == 42);
  CHECK(settings.json);
  CHECK(settings.svg == "x.svg");
  CHECK(settings.raw_echo);
  CHECK(settings.sources.size() == 3);
}

TEST_CASE("bench flags: the mode follows from what is given") {
  CHECK(Parsed({"--rate", "1000"}).settings.mode() == Mode::open);
  CHECK(Parsed({"--connect"}).settings.mode() == Mode::connect);
  const Settings fan_out = Parsed({"--subscribers", "50", "--rate", "10"}).settings;
  CHECK(fan_out.mode() == Mode::fan_out);
  CHECK(fan_out.connections == 1);
  CHECK(fan_out.all_connections() == 51);
  const Settings idle = Parsed({"--idle", "5000"}).settings;
  CHECK(idle.mode() == Mode::idle);
  CHECK(idle.connections == 5000);
  CHECK(idle.warm_up_ms == 0);
}

TEST_CASE("bench flags: what contradicts itself, or can't be, is said") {
  CHECK(Parsed({}, false).mistake.find("bench needs a URL") == 0);
  const std::vector<std::vector<std::string>> contradictions = {
      {"--connect", "--idle", "5"},
      {"--connect", "--subscribers", "5"},
      {"--subscribers", "5", "--idle", "5"},
      {"--connect", "--rate", "5"},
      {"--idle", "5", "--rate", "5"},
      {"--connect", "-s", "5"},
      {"--idle", "5", "--text", "ascii"},
      {"--connect", "--check"},
      {"--rate", "5", "-p", "2"},
      {"--connect", "-p", "2"},
      {"--idle", "5", "-c", "5"},
      {"--raw-echo", "--subscribers", "5"},
      {"--raw-echo", "--idle", "5"},
      {"--subscribers", "5", "-s", "15"},
      {"--subscribers", "5", "-c", "65537"},
      {"-c", "2", "-t", "3"},
      {"--subscribers", "2", "-t", "3"},
  };
  for (const auto& arguments : contradictions) {
    CAPTURE(arguments[0] + " " + arguments[1]);
    const Parsed parsed(arguments);
    CHECK(parsed.parses);
    CHECK(parsed.mistake != "");
  }
}

TEST_CASE("bench flags: values that are none are refused") {
  const QuietErrors quiet;
  const std::vector<std::vector<std::string>> mistakes = {
      {"-c", "0"},     {"-p", "0"},       {"-t", "0"},          {"-d", "0"},
      {"-d", "-1"},    {"-d", "1."},      {"-d", "1.2345"},     {"-d", ".5"},
      {"-d", "ten"},   {"-s", "10-"},     {"-s", "10-9"},       {"-s", "-5"},
      {"-s", "1k"},    {"-s", "1-2-3"},   {"--text", "latin"},  {"--rate", "0"},
      {"--pid", "0"},  {"--source", "x"}, {"--source", "::1-"}, {"--idle", "0"},
      {"ws://other/"}, {"--unknown"},     {"--json=yes"},       {"-s"},
  };
  for (const auto& arguments : mistakes) {
    CAPTURE(arguments.front());
    CAPTURE(arguments.back());
    CHECK(!Parsed(arguments, arguments.front() != "-s" || arguments.size() > 1).parses);
  }
  CHECK(!Parsed({"wss://127.0.0.1/"}, false).parses);
}

}  // namespace sockeye::app::bench
