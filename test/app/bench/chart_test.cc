// SPDX-License-Identifier: MIT
#include "app/bench/chart.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <string>

using sockeye::app::bench::Histogram;
using sockeye::app::bench::latency_chart;

namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// The y of the first mark that is drawn with this text.
double y_of_text(const std::string& svg, const std::string& text) {
  const std::size_t end = svg.find(">" + text + "<");
  REQUIRE(end != std::string::npos);
  return std::stod(svg.substr(svg.rfind("y=\"", end) + 3));
}

Histogram thousand_values() {
  Histogram histogram;
  for (int i = 0; i < 990; ++i) histogram.record(200'000);
  for (int i = 0; i < 9; ++i) histogram.record(1'000'000);
  histogram.record(20'000'000);
  return histogram;
}

}  // namespace

TEST_CASE("Chart: percentiles stand below, their values at the curve") {
  const std::string svg = latency_chart(thousand_values(), "echo");
  for (const char* percent : {">50 %<", ">90 %<", ">99 %<", ">99.9 %<"}) {
    CHECK(contains(svg, percent));
  }
  CHECK(!contains(svg, ">99.99 %<"));
  CHECK(contains(svg, ">200 us<"));
  CHECK(contains(svg, ">max 20.0 ms<"));
  CHECK(contains(svg, ">echo</text>"));
}

TEST_CASE("Chart: a step upwards is the same factor everywhere") {
  const std::string svg = latency_chart(thousand_values(), "");
  const double tenfold = y_of_text(svg, "200 us") - y_of_text(svg, "2 ms");
  CHECK(tenfold > 100);
  CHECK(y_of_text(svg, "500 us") - y_of_text(svg, "5 ms") ==
        doctest::Approx(tenfold).epsilon(0.01));
  CHECK(y_of_text(svg, "1 ms") - y_of_text(svg, "10 ms") == doctest::Approx(tenfold).epsilon(0.01));
}

TEST_CASE("Chart: a percentile next to the maximum leaves its text to it") {
  Histogram histogram;
  for (int i = 0; i < 120; ++i) histogram.record(200'000);
  const std::string svg = latency_chart(histogram, "");
  CHECK(contains(svg, ">99 %<"));
  CHECK(contains(svg, ">max 200 us<"));
  const auto dots = [&svg] {
    std::size_t count = 0;
    for (std::size_t at = 0; (at = svg.find("<circle ", at)) != std::string::npos; ++at) ++count;
    return count;
  };
  CHECK(dots() == 3);  // 50 %, 90 %, maximum
}

TEST_CASE("Chart: markup in the title is text") {
  const std::string svg = latency_chart({}, "a<b>&amp;\n\x1b");
  CHECK(contains(svg, ">a&lt;b>&amp;amp;\?\?</text>"));
}

TEST_CASE("Chart: without values, it says so") {
  const std::string svg = latency_chart({}, "echo");
  CHECK(contains(svg, "nothing was measured"));
  CHECK(svg.ends_with("</svg>\n"));
}

TEST_CASE("Chart: any values give numbers inside of the picture") {
  const std::uint64_t largest = std::numeric_limits<std::uint64_t>::max();
  const std::uint64_t lists[][3] = {{0, 0, 0}, {1, 1, 1},          {1, 2, 3},
                                    {5, 5, 5}, {0, 1000, largest}, {largest, largest, largest}};
  for (const auto& list : lists) {
    Histogram histogram;
    for (const std::uint64_t value : list) histogram.record(value);
    const std::string svg = latency_chart(histogram, "");
    CAPTURE(svg);
    const std::string drawn = svg.substr(svg.find("</style>"));
    CHECK(!contains(drawn, "?"));
    CHECK(!contains(drawn, "-"));
    CHECK(contains(svg, ">max "));
  }
}
