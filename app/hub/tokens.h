// The secrets that let somebody publish or subscribe.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "net/error.h"
#include "net/result.h"

namespace sockeye::app::hub {

class Tokens {
 public:
  // None: everybody may.
  Tokens() = default;

  // Of a file with one on each line; any of them will do, so that an old one and its successor can
  // hold at once. A file without any is a mistake.
  static Result<Tokens, net::Error> read(const std::string& file);

  bool are_wanted() const { return !tokens_.empty(); }

  // Whether `given` is one of them. How long it takes tells nothing of them but their lengths.
  bool include(std::string_view given) const;

 private:
  std::vector<std::string> tokens_;
};

}  // namespace sockeye::app::hub
