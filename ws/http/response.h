// The head of an HTTP response, as a client sees it.
//
// RFC 9112 §4. A value that owns nothing; see head.h. The parser says how long its views hold.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string_view>

#include "ws/http/head.h"

namespace sockeye::ws::http {

class Response : public Head {
 public:
  std::uint16_t status() const { return status_; }
  std::string_view reason() const { return view(reason_); }

 private:
  friend class ResponseParser;

  std::uint16_t status_ = 0;
  Slice reason_{};
};

}  // namespace sockeye::ws::http
