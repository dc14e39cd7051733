// SPDX-License-Identifier: MIT
#include "app/bench/histogram.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

using sockeye::app::bench::Histogram;

namespace {

constexpr double percents[] = {0.001, 1, 10, 50, 66.6, 90, 99, 99.9, 99.99, 99.999};

// The definition: the lowest of the sorted values that `percent` of them don't exceed.
std::uint64_t exact_value_at(const std::vector<std::uint64_t>& sorted, double percent) {
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    const double covered = 100 * static_cast<double>(i + 1) / static_cast<double>(sorted.size());
    if (covered >= percent * (1 - 1e-12)) return sorted[i];
  }
  return sorted.back();
}

bool is_within_a_thousandth_above(std::uint64_t value, std::uint64_t exact) {
  return value >= exact && static_cast<double>(value - exact) <= static_cast<double>(exact) / 1000;
}

Histogram histogram_of(const std::vector<std::uint64_t>& values) {
  Histogram histogram;
  for (const std::uint64_t value : values) histogram.record(value);
  return histogram;
}

// The same number of values for each length in bits up to `bits`.
std::vector<std::uint64_t> values_of_all_magnitudes(std::size_t count, int bits) {
  std::mt19937_64 random(20'261'122);
  std::vector<std::uint64_t> values(count);
  for (std::size_t i = 0; i < count; ++i) {
    values[i] = random() >> (64 - 1 - static_cast<int>(i % static_cast<std::size_t>(bits)));
  }
  return values;
}

}  // namespace

TEST_CASE("Histogram: without any values, all is 0") {
  const Histogram histogram;
  CHECK(histogram.count() == 0);
  CHECK(histogram.min() == 0);
  CHECK(histogram.max() == 0);
  CHECK(histogram.mean() == 0);
  for (const double percent : {0.0, 50.0, 100.0}) CHECK(histogram.value_at(percent) == 0);
}

TEST_CASE("Histogram: values up to 2,047 ns are exact") {
  for (std::uint64_t value = 0; value < 2048; ++value) {
    const Histogram histogram = histogram_of({value, 1'000'000});
    REQUIRE(histogram.value_at(50) == value);
  }
}

TEST_CASE("Histogram: at every magnitude, a value is at most a thousandth too high") {
  for (int bits = 0; bits < 42; ++bits) {
    const std::uint64_t power = std::uint64_t{1} << bits;
    for (const std::uint64_t value : {power, power + power / 3, power + power / 2, 2 * power - 1}) {
      const Histogram histogram = histogram_of({value, Histogram::longest_ns});
      CAPTURE(value);
      CHECK(is_within_a_thousandth_above(histogram.value_at(50), value));
    }
  }
}

TEST_CASE("Histogram: percentiles are those of the sorted values, to a thousandth") {
  std::vector<std::uint64_t> values = values_of_all_magnitudes(10'000, 42);
  const Histogram histogram = histogram_of(values);
  std::sort(values.begin(), values.end());
  for (const double percent : percents) {
    CAPTURE(percent);
    CHECK(
        is_within_a_thousandth_above(histogram.value_at(percent), exact_value_at(values, percent)));
  }
}

TEST_CASE("Histogram: a percentage that isn't exact as a double covers no value too many") {
  std::vector<std::uint64_t> values(100'000);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = i < 99'990 ? i % 100 : 2000;
  const Histogram histogram = histogram_of(values);
  CHECK(histogram.value_at(99.99) == 99);
  CHECK(histogram.value_at(99.991) == 2000);
  for (std::size_t count = 1000; count <= 100'000; count += 1000) {
    std::vector<std::uint64_t> some(count, 1);
    std::fill(some.end() - static_cast<std::ptrdiff_t>(count / 1000), some.end(), 2);
    REQUIRE(histogram_of(some).value_at(99.9) == 1);
  }
}

TEST_CASE("Histogram: minimum, maximum and mean are exact") {
  const std::vector<std::uint64_t> values = values_of_all_magnitudes(10'000, 42);
  const Histogram histogram = histogram_of(values);
  double sum = 0;
  for (const std::uint64_t value : values) sum += static_cast<double>(value);
  CHECK(histogram.count() == 10'000);
  CHECK(histogram.min() == *std::min_element(values.begin(), values.end()));
  CHECK(histogram.max() == *std::max_element(values.begin(), values.end()));
  CHECK(histogram.mean() == doctest::Approx(sum / 10'000));
  CHECK(histogram.value_at(0) == histogram.min());
  CHECK(histogram.value_at(100) == histogram.max());
}

TEST_CASE("Histogram: one value is every percentile, exactly") {
  const Histogram histogram = histogram_of({123'456'789});
  for (const double percent : {0.0, 0.001, 50.0, 99.99, 100.0}) {
    CHECK(histogram.value_at(percent) == 123'456'789);
  }
}

TEST_CASE("Histogram: no percentile exceeds the maximum") {
  const Histogram histogram = histogram_of({1'000'000, 1'000'001, 1'000'001});
  CHECK(histogram.value_at(99) == 1'000'001);
}

TEST_CASE("Histogram: what is longer than its buckets reach is in the last one") {
  constexpr auto largest = std::numeric_limits<std::uint64_t>::max();
  Histogram histogram = histogram_of({1, Histogram::longest_ns, Histogram::longest_ns + 1});
  CHECK(histogram.max() == Histogram::longest_ns + 1);
  histogram = histogram_of({5, 5, largest});
  CHECK(histogram.value_at(50) == 5);
  CHECK(histogram.max() == largest);
  CHECK(histogram.value_at(99) == largest);
}

TEST_CASE("Histogram: merged is as if recorded by one") {
  const std::vector<std::uint64_t> values = values_of_all_magnitudes(5'000, 42);
  Histogram parts[3];
  for (std::size_t i = 0; i < values.size(); ++i) parts[i % 3].record(values[i]);
  Histogram merged;
  for (const Histogram& part : parts) merged.merge(part);
  merged.merge(Histogram());

  const Histogram whole = histogram_of(values);
  CHECK(merged.count() == whole.count());
  CHECK(merged.min() == whole.min());
  CHECK(merged.max() == whole.max());
  CHECK(merged.mean() == whole.mean());
  for (const double percent : percents) CHECK(merged.value_at(percent) == whole.value_at(percent));
}
