// Only for builds against musl (make tiny): the character classes of std::ctype, which libstdc++
// otherwise takes from glibc's tables. Declarations want them; nothing here uses them.
//
// SPDX-License-Identifier: MIT
#pragma once

namespace std {

struct ctype_base {
  using __to_type = const int*;
  using mask = unsigned short;
  static constexpr mask upper = 1 << 0;
  static constexpr mask lower = 1 << 1;
  static constexpr mask digit = 1 << 2;
  static constexpr mask xdigit = 1 << 3;
  static constexpr mask space = 1 << 4;
  static constexpr mask cntrl = 1 << 5;
  static constexpr mask punct = 1 << 6;
  static constexpr mask blank = 1 << 7;
  static constexpr mask print = 1 << 8;
  static constexpr mask alpha = upper | lower;
  static constexpr mask alnum = alpha | digit;
  static constexpr mask graph = alnum | punct;
};

}  // namespace std
