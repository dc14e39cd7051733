// SPDX-License-Identifier: MIT
#include "app/decimal.h"

#include <cassert>
#include <span>
#include <string_view>

#include "net/text.h"

namespace sockeye::app {

namespace {

// `units` are 1,000 times the one before. The first is counted, so it has no decimals.
std::string with_unit(std::uint64_t count, std::span<const std::string_view> units) {
  auto number = static_cast<double>(count);
  std::size_t unit = 0;
  // Compared with what still rounds to three digits: 999.6 us is 1.00 ms, not 1000 us.
  while (number >= 999.5 && unit + 1 < units.size()) {
    number /= 1000;
    ++unit;
  }
  const unsigned decimals = unit == 0 || number >= 99.95 ? 0 : number >= 9.995 ? 1 : 2;
  return fixed(number, decimals).append(" ").append(units[unit]);
}

}  // namespace

std::string to_text(std::uint64_t number) {
  return std::string(net::Text<20>().put_decimal(number).view());
}

std::string grouped(std::uint64_t number) {
  std::string text = to_text(number);
  for (std::size_t end = text.size(); end > 3; end -= 3) text.insert(end - 3, 1, ',');
  return text;
}

std::string fixed(double number, unsigned decimals) {
  assert(decimals <= 9);
  std::uint64_t scale = 1;
  for (unsigned i = 0; i < decimals; ++i) scale *= 10;
  const double scaled = (number < 0 ? -number : number) * static_cast<double>(scale);
  if (!(scaled < 1e15)) return "?";

  const auto rounded = static_cast<std::uint64_t>(scaled + 0.5);
  net::Text<32> text;
  if (number < 0 && rounded > 0) text.put("-");
  text.put_decimal(rounded / scale);
  if (decimals > 0) text.put(".").put_decimal(rounded % scale, decimals);
  return std::string(text.view());
}

std::string duration_text(std::uint64_t ns) {
  static constexpr std::string_view units[] = {"ns", "us", "ms", "s"};
  return with_unit(ns, units);
}

std::string size_text(std::uint64_t bytes) {
  static constexpr std::string_view units[] = {"B", "kB", "MB", "GB", "TB"};
  return with_unit(bytes, units);
}

}  // namespace sockeye::app
