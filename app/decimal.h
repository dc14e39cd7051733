// Numbers as people read them, without printf and without the floating-point half of to_chars,
// which libc alone doesn't have.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

namespace sockeye::app {

// "1234567", for help, messages and JSON.
std::string to_text(std::uint64_t number);

// "1,234,567".
std::string grouped(std::uint64_t number);

// "0.97", rounded to `decimals` places, of which there are 9 at most. "?" stands for what is no
// number, and for what has more than 15 digits in all, which a double doesn't keep apart.
std::string fixed(double number, unsigned decimals);

// Three digits and a unit: "0 ns", "12.3 us", "1.00 ms", "123 s"; only seconds may have more.
std::string duration_text(std::uint64_t ns);

// The same with powers of 1,000: "999 B", "16.4 kB", "3.40 MB"; only terabytes may have more.
std::string size_text(std::uint64_t bytes);

}  // namespace sockeye::app
