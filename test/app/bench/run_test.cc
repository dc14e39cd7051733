// SPDX-License-Identifier: MIT
#include "app/bench/run.h"

#include <doctest/doctest.h>

using namespace sockeye::app::bench;

TEST_CASE(
    "Outcome: the generator held it up if it had no time left and no thread of the server was "
    "full") {
  Outcome outcome;
  outcome.generator_share = 0.99;
  CHECK(outcome.generator_was_bottleneck());  // of the server nothing is known
  outcome.server.emplace().busiest_share = 0.6;
  CHECK(outcome.generator_was_bottleneck());
  outcome.server->cpu.user_ns = 1'200'000'000;  // two threads of 60 % each aren't a full one
  CHECK(outcome.generator_was_bottleneck());
  outcome.server->busiest_share = 0.98;
  CHECK(!outcome.generator_was_bottleneck());
  outcome.server->busiest_share = 0.6;
  outcome.generator_share = 0.8;
  CHECK(!outcome.generator_was_bottleneck());
}
