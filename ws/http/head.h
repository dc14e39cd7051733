// A parsed HTTP head: the bytes of it, and where its fields lie in them.
//
// RFC 9112 §5, RFC 9110 §5. What requests (request.h) and responses (response.h) have in common.
// A value that owns nothing: every view it hands out lies in the bytes the head was parsed from.
// The parser says how long those hold.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace sockeye::ws::http {

struct Field {
  std::string_view name;   // as it was sent; names are compared without regard to case
  std::string_view value;  // without the white space around it
};

class Head {
 public:
  // How many fields fit, so limits.head_fields has no effect beyond it.
  static constexpr std::size_t max_fields = 128;

  // The digit after "HTTP/1.".
  std::uint8_t version_minor() const { return version_minor_; }

  // The fields in the order in which they came.
  std::size_t field_count() const { return field_count_; }
  Field field_at(std::size_t index) const;

  // The value of the first field of that name; linear in the number of fields, as is count().
  std::optional<std::string_view> field(std::string_view name) const;

  // How many fields have that name.
  std::size_t count(std::string_view name) const;

 protected:
  friend class HeadParser;

  // A part of the head. It stays right when the bytes are moved, which views would not.
  struct Slice {
    std::uint32_t begin;
    std::uint32_t size;
  };
  struct FieldSlices {
    Slice name;
    Slice value;
  };

  std::string_view view(Slice slice) const { return {base_ + slice.begin, slice.size}; }

  const char* base_ = "";
  std::uint32_t field_count_ = 0;
  std::uint8_t version_minor_ = 1;
  std::array<FieldSlices, max_fields> fields_;  // the first field_count_ of them; no others are set
};

}  // namespace sockeye::ws::http
