// SPDX-License-Identifier: MIT
#include "app/exposition.h"

#include <cassert>
#include <cstddef>

#include "net/text.h"

namespace sockeye::app {

namespace {

constexpr std::string_view to_text(Exposition::Type type) {
  switch (type) {
    case Exposition::Type::counter:
      return "counter";
    case Exposition::Type::gauge:
      return "gauge";
    case Exposition::Type::histogram:
      return "histogram";
  }
  return {};
}

using Number = net::Text<24>;

// "0.250" for 250 ms.
void put(Number& text, std::uint64_t value, Exposition::Unit unit) {
  switch (unit) {
    case Exposition::Unit::one:
      text.put_decimal(value);
      return;
    case Exposition::Unit::ms:
      text.put_decimal(value / 1000).put(".").put_decimal(value % 1000, 3);
      return;
    case Exposition::Unit::us:
      text.put_decimal(value / 1'000'000).put(".").put_decimal(value % 1'000'000, 6);
      return;
  }
}

// "0.025" for 25 ms, and "1" for 1,000 of them: a bound's text is its name.
std::string_view without_zeros(std::string_view number) {
  number = number.substr(0, number.find_last_not_of('0') + 1);
  if (number.ends_with('.')) number.remove_suffix(1);
  return number;
}

}  // namespace

void Exposition::metric(std::string_view name, Type type, std::string_view help) {
  assert(help.find_first_of("\\\n") == std::string_view::npos);
  name_ = name;
  text_.append("# HELP ").append(name).append(" ").append(help);
  text_.append("\n# TYPE ").append(name).append(" ").append(to_text(type)).append("\n");
}

void Exposition::sample(std::uint64_t value, Labels labels, Unit unit) {
  line("", labels, value, unit);
}

// Each bucket counts what those before it count, too; the last one is all.
void Exposition::histogram(Label label, std::span<const std::uint32_t> bounds_ms,
                           std::span<const std::uint64_t> counts, std::uint64_t sum_us) {
  assert(counts.size() == bounds_ms.size() + 1);
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < bounds_ms.size(); ++i) {
    total += counts[i];
    Number bound;
    put(bound, bounds_ms[i], Unit::ms);
    line("_bucket", {label, {"le", without_zeros(bound.view())}}, total);
  }
  total += counts.back();
  line("_bucket", {label, {"le", "+Inf"}}, total);
  line("_sum", {label}, sum_us, Unit::us);
  line("_count", {label}, total);
}

void Exposition::line(std::string_view suffix, Labels labels, std::uint64_t value, Unit unit) {
  text_.append(name_).append(suffix);
  char separator = '{';
  for (const Label& label : labels) {
    text_ += separator;
    text_.append(label.name).append("=\"");
    put_escaped(label.value);
    text_ += '"';
    separator = ',';
  }
  if (separator == ',') text_ += '}';
  Number number;
  put(number, value, unit);
  text_.append(" ").append(number.view()).append("\n");
}

// A backslash, a quotation mark and a line feed would end the value or the line.
void Exposition::put_escaped(std::string_view value) {
  for (const char c : value) {
    if (c == '\n') {
      text_ += "\\n";
      continue;
    }
    if (c == '"' || c == '\\') text_ += '\\';
    text_ += c;
  }
}

}  // namespace sockeye::app
