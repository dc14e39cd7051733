// Writes metrics as Prometheus reads them: its text format, version 0.0.4.
// https://prometheus.io/docs/instrumenting/exposition_formats/
//
//   Exposition page;
//   page.metric("sockeye_connections", Exposition::Type::gauge, "Connections that are open.");
//   page.sample(3, {{"loop", "0"}});
//
//   # HELP sockeye_connections Connections that are open.
//   # TYPE sockeye_connections gauge
//   sockeye_connections{loop="0"} 3
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

namespace sockeye::app {

class Exposition {
 public:
  static constexpr std::string_view content_type = "text/plain; version=0.0.4; charset=utf-8";

  enum class Type : std::uint8_t { counter, gauge, histogram };

  // The name is one of the program's, [a-z_]+; the value may be any text.
  struct Label {
    std::string_view name;
    std::string_view value;
  };
  using Labels = std::initializer_list<Label>;

  // How a number is written: as it is, or as the seconds that so many of these are.
  enum class Unit : std::uint8_t { one, ms, us };

  // Begins a metric, whose samples all follow before the next one begins. `name` and `help` must
  // live until then, and `help` is one line without backslashes.
  void metric(std::string_view name, Type type, std::string_view help);

  void sample(std::uint64_t value, Labels labels = {}, Unit unit = Unit::one);

  // A sample of a histogram of times, with one label. `counts` has one more than `bounds_ms`, the
  // last for what is beyond all of them.
  void histogram(Label label, std::span<const std::uint32_t> bounds_ms,
                 std::span<const std::uint64_t> counts, std::uint64_t sum_us);

  const std::string& text() const { return text_; }

 private:
  void line(std::string_view suffix, Labels labels, std::uint64_t value, Unit unit = Unit::one);
  void put_escaped(std::string_view value);

  std::string text_;
  std::string_view name_;
};

}  // namespace sockeye::app
