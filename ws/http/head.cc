// SPDX-License-Identifier: MIT
#include "ws/http/head.h"

#include <cassert>

#include "ws/http/chars.h"

namespace sockeye::ws::http {

Field Head::field_at(std::size_t index) const {
  assert(index < field_count_);
  return {view(fields_[index].name), view(fields_[index].value)};
}

// RFC 9110 §5.1, RFC 6455 §4.1: the names of fields are the same in whatever case.
std::optional<std::string_view> Head::field(std::string_view name) const {
  for (std::size_t i = 0; i < field_count_; ++i) {
    if (equal_ignoring_case(view(fields_[i].name), name)) return view(fields_[i].value);
  }
  return std::nullopt;
}

std::size_t Head::count(std::string_view name) const {
  std::size_t n = 0;
  for (std::size_t i = 0; i < field_count_; ++i) {
    if (equal_ignoring_case(view(fields_[i].name), name)) ++n;
  }
  return n;
}

}  // namespace sockeye::ws::http
