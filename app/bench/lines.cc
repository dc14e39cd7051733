// SPDX-License-Identifier: MIT
#include "app/bench/lines.h"

#include "app/decimal.h"

namespace sockeye::app::bench {

namespace {

constexpr std::size_t name_width = 12;

}  // namespace

Lines& Lines::line(std::string_view name) {
  if (!text_.empty()) text_ += '\n';
  return put("  ").put(name).put(std::string(name_width - name.size(), ' '));
}

Lines& Lines::put(std::string_view text) {
  text_ += text;
  return *this;
}

Lines& Lines::count(std::uint64_t number) {
  return put(grouped(number));
}

Lines& Lines::count(std::uint64_t number, std::string_view what) {
  return count(number).put(" ").put(what).put(number == 1 ? "" : "s");
}

Lines& Lines::decimal(double number, unsigned decimals) {
  return put(fixed(number, decimals));
}

Lines& Lines::percent(double share) {
  return decimal(100 * share, 0).put(" %");
}

Lines& Lines::duration(double ns) {
  return put(duration_text(static_cast<std::uint64_t>(ns)));
}

Lines& Lines::size(double bytes) {
  return put(size_text(static_cast<std::uint64_t>(bytes)));
}

}  // namespace sockeye::app::bench
