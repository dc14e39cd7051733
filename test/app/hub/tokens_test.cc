// Tokens, and where they are read from.
//
// SPDX-License-Identifier: MIT
#include "app/hub/tokens.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <string>

namespace sockeye::app::hub {
namespace {

Result<Tokens, net::Error> tokens_of(const std::string& text) {
  char name[] = "/tmp/sockeye-tokens-XXXXXX";
  const int fd = ::mkstemp(name);
  REQUIRE(fd >= 0);
  ::close(fd);
  std::ofstream(name) << text;
  auto tokens = Tokens::read(name);
  ::unlink(name);
  return tokens;
}

TEST_CASE("hub: a token file has one on each line") {
  const auto tokens = tokens_of("first\r\n\n  \nsecond one \nthird");
  REQUIRE(tokens);
  for (const char* token : {"first", "second one", "third"}) CHECK(tokens->include(token));
  for (const char* token : {"", "firs", "first ", "First", "second", "irst", "first\r", "thirdx"}) {
    CAPTURE(token);
    CHECK(!tokens->include(token));
  }
}

TEST_CASE("hub: what can't be a token file is told") {
  CHECK(!Tokens::read("/nonexistent/tokens"));
  CHECK(!tokens_of(""));
  CHECK(!tokens_of("\n \n"));
  CHECK(!tokens_of(std::string(100'000, 'x')));
  CHECK(!Tokens().are_wanted());
  CHECK(!Tokens().include(""));
}

}  // namespace
}  // namespace sockeye::app::hub
