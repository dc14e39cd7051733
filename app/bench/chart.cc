// SPDX-License-Identifier: MIT
#include "app/bench/chart.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "app/decimal.h"

namespace sockeye::app::bench {

namespace {

constexpr double width = 760;
constexpr double height = 420;
constexpr double left = 84;
constexpr double right = 716;
constexpr double top = 76;
constexpr double bottom = 352;

// Without a colour scheme of its own, an image takes the system's, not the page's: so it brings a
// background along.
constexpr std::string_view head =
    R"(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 420" width="760" height="420">
<style>
  svg { font: 13px system-ui, sans-serif; --paper: #fff; --ink: #24292f; --grid: #d8dee4; --line: #0969da }
  @media (prefers-color-scheme: dark) {
    svg { --paper: #0d1117; --ink: #d0d7de; --grid: #30363d; --line: #58a6ff }
  }
  rect { fill: var(--paper) }
  text { fill: var(--ink) }
  .title { font-size: 16px; font-weight: 600 }
  .middle { text-anchor: middle }
  .end { text-anchor: end }
  .grid { stroke: var(--grid) }
  .curve { fill: none; stroke: var(--line); stroke-width: 2; stroke-linejoin: round }
  circle { fill: var(--line) }
  .value { stroke: var(--paper); stroke-width: 4; paint-order: stroke; font-weight: 600 }
</style>
<rect width="760" height="420"/>
)";

// To some five digits; libc's own is in another library, libm. `number` is at least 1.
double logarithm(double number) {
  double result = 0;
  for (; number >= 2; number /= 2) ++result;
  // Squaring doubles the logarithm, which brings out its next binary digit.
  for (double digit = 0.5; digit > 1e-5; digit /= 2) {
    number *= number;
    if (number >= 2) {
      number /= 2;
      result += digit;
    }
  }
  return result;
}

double position(double value, double lowest, double highest, double from, double to) {
  const double share = logarithm(value / lowest) / logarithm(highest / lowest);
  return from + (to - from) * share;
}

std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '&') {
      result += "&amp;";
    } else if (c == '<') {
      result += "&lt;";
    } else {
      // XML has no way to write control characters.
      result += static_cast<unsigned char>(c) < ' ' ? '?' : c;
    }
  }
  return result;
}

void add_text(std::string& to, std::string_view kind, double x, double y, std::string_view text) {
  to.append("<text class=\"").append(kind).append("\" x=\"").append(fixed(x, 1));
  to.append("\" y=\"").append(fixed(y, 1)).append("\">").append(text).append("</text>\n");
}

void add_grid_line(std::string& to, double x1, double y1, double x2, double y2) {
  to.append("<path class=\"grid\" d=\"M").append(fixed(x1, 1)).append(" ").append(fixed(y1, 1));
  to.append("L").append(fixed(x2, 1)).append(" ").append(fixed(y2, 1)).append("\"/>\n");
}

// 1, 2, 5, 10, 20, 50...: from the last that doesn't exceed `lowest` to the first that `highest`
// doesn't exceed, at least two of them. Where that would be many, only powers of ten.
std::vector<std::uint64_t> ticks_around(std::uint64_t lowest, std::uint64_t highest) {
  // An hour is as far as the buckets tell values apart, and no reason to draw years.
  highest = std::min(highest, Histogram::longest_ns);
  lowest = std::min(lowest, highest);
  const bool few = highest / 100'000 <= lowest;
  std::vector<std::uint64_t> ticks;
  for (std::uint64_t power = 1; ticks.size() < 2 || ticks.back() < highest; power *= 10) {
    for (const std::uint64_t tick : {power, 2 * power, 5 * power}) {
      if (tick > power && !few) break;
      if (tick <= lowest) ticks.clear();
      if (ticks.size() < 2 || ticks.back() < highest) ticks.push_back(tick);
    }
  }
  return ticks;
}

// Of a tick, which is a whole number of its unit: "500 us".
std::string tick_text(std::uint64_t ns) {
  if (ns >= 1'000'000'000) return grouped(ns / 1'000'000'000) + " s";
  if (ns >= 1'000'000) return to_text(ns / 1'000'000) + " ms";
  if (ns >= 1'000) return to_text(ns / 1'000) + " us";
  return to_text(ns) + " ns";
}

// The share of messages that are slower is 1 in `one_in`: "50", "90", "99", "99.9", "99.99"...
double percent_of(double one_in) {
  return 100 - 100 / one_in;
}

std::string percent_text(double one_in) {
  unsigned decimals = 0;
  for (double rest = one_in; rest > 100; rest /= 10) ++decimals;
  return fixed(percent_of(one_in), decimals) + " %";
}

class Chart {
 public:
  explicit Chart(const Histogram& latencies)
      : latencies_(latencies),
        count_(static_cast<double>(latencies.count())),
        ticks_(ticks_around(latencies.min(), latencies.max())) {
    while (rarest_ < count_) rarest_ *= 10;
  }

  std::string draw() {
    add_value_axis();
    add_percentile_axis();
    add_curve();
    add_values();
    return std::move(svg_);
  }

 private:
  double x_of(double one_in) const { return position(one_in, 1, rarest_, left, right); }
  double y_of(std::uint64_t ns) const {
    const std::uint64_t drawn = std::clamp(ns, ticks_.front(), ticks_.back());
    return position(static_cast<double>(drawn), static_cast<double>(ticks_.front()),
                    static_cast<double>(ticks_.back()), bottom, top);
  }

  void add_value_axis() {
    add_text(svg_, "end", left - 8, top - 18, "latency");
    for (const std::uint64_t tick : ticks_) {
      add_grid_line(svg_, left, y_of(tick), right, y_of(tick));
      add_text(svg_, "end", left - 8, y_of(tick) + 4, tick_text(tick));
    }
  }

  void add_percentile_axis() {
    for (const double one_in : marks()) {
      add_grid_line(svg_, x_of(one_in), top, x_of(one_in), bottom);
      add_text(svg_, "middle", x_of(one_in), bottom + 20, percent_text(one_in));
    }
    add_text(svg_, "middle", (left + right) / 2, height - 20,
             "of the messages took no longer; each step to the right leaves a tenth");
  }

  // 50 %, 90 %, 99 %...
  std::vector<double> marks() const {
    std::vector<double> marks{2};
    for (double one_in = 10; one_in <= rarest_; one_in *= 10) marks.push_back(one_in);
    return marks;
  }

  void add_curve() {
    constexpr double step = 1.05;  // 47 points for each tenth
    svg_ += "<path class=\"curve\" d=\"M";
    for (double one_in = 1; one_in < count_; one_in *= step) {
      add_point(one_in, latencies_.value_at(percent_of(one_in)));
      svg_ += "L";
    }
    add_point(count_, latencies_.max());
    svg_ += "\"/>\n";
  }

  void add_point(double one_in, std::uint64_t ns) {
    svg_.append(fixed(x_of(one_in), 1)).append(" ").append(fixed(y_of(ns), 1));
  }

  // Those of the marks, as far as the maximum at the curve's end leaves room for their texts.
  void add_values() {
    constexpr double text_width = 80;
    for (const double one_in : marks()) {
      if (x_of(one_in) + text_width > x_of(count_)) break;
      add_value(one_in, latencies_.value_at(percent_of(one_in)), "");
    }
    add_value(count_, latencies_.max(), "max ");
  }

  void add_value(double one_in, std::uint64_t ns, std::string_view name) {
    const double x = x_of(one_in);
    const double y = y_of(ns);
    svg_.append("<circle r=\"3.5\" cx=\"").append(fixed(x, 1)).append("\" cy=\"");
    svg_.append(fixed(y, 1)).append("\"/>\n");
    add_text(svg_, "middle value", std::min(x, width - 56), y - 10,
             std::string(name) + duration_text(ns));
  }

  const Histogram& latencies_;
  const double count_;
  const std::vector<std::uint64_t> ticks_;
  double rarest_ = 100;  // where the axis ends: 1 in so many
  std::string svg_;
};

}  // namespace

std::string latency_chart(const Histogram& latencies, std::string_view title) {
  std::string svg(head);
  add_text(svg, "title", 24, 34, escaped(title));
  if (latencies.count() == 0) {
    add_text(svg, "middle", width / 2, height / 2, "nothing was measured");
  } else {
    svg += Chart(latencies).draw();
  }
  return svg + "</svg>\n";
}

}  // namespace sockeye::app::bench
