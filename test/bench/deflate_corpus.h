// What compression is measured on: JSON messages of several sizes, HTML and source text.
//
// The JSON is made up, with the parts that real messages have: names that come again in every
// record, ids and numbers that don't, timestamps, short texts. It is drawn from a fixed seed, and
// the same in every run. HTML and source are what comes with Debian's zlib1g-dev and doctest-dev
// and with the compiler, and this project's own files.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace sockeye::test {

struct Corpus {
  std::string name;  // "json 1 KiB"
  std::vector<std::string> messages;
};

// In the order in which they are printed. Run it in the project's root, for its own files.
std::vector<Corpus> deflate_corpora();

}  // namespace sockeye::test
