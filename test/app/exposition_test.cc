// SPDX-License-Identifier: MIT
#include "app/exposition.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace sockeye::app {

using Type = Exposition::Type;
using Unit = Exposition::Unit;

TEST_CASE("Exposition: HELP and TYPE once for each metric, and its samples after them") {
  Exposition page;
  CHECK(page.text() == "");
  page.metric("sockeye_connections", Type::gauge, "Connections now.");
  page.sample(3, {{"loop", "0"}});
  page.sample(0, {{"loop", "1"}, {"kind", "x"}});
  page.metric("sockeye_things_total", Type::counter, "Things.");
  page.sample(std::numeric_limits<std::uint64_t>::max());
  CHECK(page.text() ==
        "# HELP sockeye_connections Connections now.\n"
        "# TYPE sockeye_connections gauge\n"
        "sockeye_connections{loop=\"0\"} 3\n"
        "sockeye_connections{loop=\"1\",kind=\"x\"} 0\n"
        "# HELP sockeye_things_total Things.\n"
        "# TYPE sockeye_things_total counter\n"
        "sockeye_things_total 18446744073709551615\n");
}

TEST_CASE("Exposition: what would end a label's value or its line is escaped, and nothing else") {
  Exposition page;
  page.metric("m", Type::gauge, "M.");
  const std::string start = page.text();
  page.sample(1, {{"a", "\\ \" \n } , ü\t"}});
  CHECK(page.text() == start + "m{a=\"\\\\ \\\" \\n } , ü\t\"} 1\n");
}

TEST_CASE("Exposition: times are in seconds, with all their digits") {
  Exposition page;
  page.metric("t", Type::gauge, "T.");
  const std::string start = page.text();
  page.sample(1'764'000'000'007, {}, Unit::ms);
  page.sample(50, {}, Unit::us);
  page.sample(12'345'678, {}, Unit::us);
  CHECK(page.text() == start + "t 1764000000.007\nt 0.000050\nt 12.345678\n");
}

TEST_CASE("Exposition: a histogram's buckets count all that doesn't exceed their bounds") {
  Exposition page;
  page.metric("lag_seconds", Type::histogram, "Lag.");
  const std::vector<std::uint32_t> bounds_ms = {1, 25, 1000};
  const std::vector<std::uint64_t> counts = {5, 0, 2, 1};
  page.histogram({"loop", "0"}, bounds_ms, counts, 2'500'000);
  CHECK(page.text() ==
        "# HELP lag_seconds Lag.\n"
        "# TYPE lag_seconds histogram\n"
        "lag_seconds_bucket{loop=\"0\",le=\"0.001\"} 5\n"
        "lag_seconds_bucket{loop=\"0\",le=\"0.025\"} 5\n"
        "lag_seconds_bucket{loop=\"0\",le=\"1\"} 7\n"
        "lag_seconds_bucket{loop=\"0\",le=\"+Inf\"} 8\n"
        "lag_seconds_sum{loop=\"0\"} 2.500000\n"
        "lag_seconds_count{loop=\"0\"} 8\n");
}

}  // namespace sockeye::app
