// Puts a report for people together, piece by piece:
//
//   Lines lines;
//   lines.line("messages").count(1234567).put(", ").count(98765).put(" per second");
//   lines.text()   // "  messages    1,234,567, 98,765 per second\n"
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sockeye::app::bench {

class Lines {
 public:
  // Begins a line that says what `name` is; without one, a line more of the same.
  Lines& line(std::string_view name = {});

  Lines& put(std::string_view text);
  Lines& count(std::uint64_t number);                         // "1,234"
  Lines& count(std::uint64_t number, std::string_view what);  // "1,234 threads", "1 thread"
  Lines& decimal(double number, unsigned decimals);           // "0.97"
  Lines& percent(double share);                               // "97 %"
  Lines& duration(double ns);                                 // "12.3 us"
  Lines& size(double bytes);                                  // "3.40 MB"

  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

}  // namespace sockeye::app::bench
