// SPDX-License-Identifier: MIT
#include "ws/http/list.h"

#include <algorithm>
#include <utility>

#include "ws/http/chars.h"

namespace sockeye::ws::http {

std::optional<std::string_view> FieldValues::next() {
  if (head_ == nullptr) return std::exchange(text_, std::nullopt);
  while (next_index_ < head_->field_count()) {
    const Field field = head_->field_at(next_index_++);
    if (equal_ignoring_case(field.name, name_)) return field.value;
  }
  return std::nullopt;
}

std::optional<std::string_view> ListReader::next() {
  while (true) {
    // RFC 9110 §5.3: fields of one name are one list, as if joined by commas.
    if (rest_.empty()) {
      const std::optional<std::string_view> value = values_.next();
      if (!value) return std::nullopt;
      rest_ = *value;
    }
    const std::size_t size = std::min(rest_.find(','), rest_.size());
    const std::string_view element = trim(rest_.substr(0, size));
    rest_.remove_prefix(std::min(size + 1, rest_.size()));
    // RFC 9110 §5.6.1.2: a recipient ignores empty elements.
    if (!element.empty()) return element;
  }
}

bool list_contains(const Head& head, std::string_view name, std::string_view element) {
  ListReader list(FieldValues(head, name));
  while (const auto candidate = list.next()) {
    if (equal_ignoring_case(*candidate, element)) return true;
  }
  return false;
}

}  // namespace sockeye::ws::http
