// Lists in fields: the elements between the commas, over all fields of one name.
//
// RFC 9110 §5.3 and §5.6.1. Readers that allocate nothing; what they hand out are views of the text
// they were given.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "ws/http/head.h"

namespace sockeye::ws::http {

// The values of all fields of one name, in order; or one text, as if it were the only value.
class FieldValues {
 public:
  // `head` must outlive the reader.
  FieldValues(const Head& head, std::string_view name) : head_(&head), name_(name) {}
  explicit FieldValues(std::string_view text) : text_(text) {}

  // Nothing when all were handed out.
  std::optional<std::string_view> next();

 private:
  const Head* head_ = nullptr;
  std::string_view name_;
  std::size_t next_index_ = 0;
  std::optional<std::string_view> text_;
};

// The elements of lists whose elements have no comma in them.
class ListReader {
 public:
  explicit ListReader(FieldValues values) : values_(values) {}

  // The next element, without white space around it; empty ones are passed over. Nothing at the
  // end.
  std::optional<std::string_view> next();

 private:
  FieldValues values_;
  std::string_view rest_;
};

// Whether the list in the fields of that name has the element, in whatever case.
bool list_contains(const Head& head, std::string_view name, std::string_view element);

}  // namespace sockeye::ws::http
