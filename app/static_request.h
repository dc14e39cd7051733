// What a request for a file says: which file, which part of it, and in which form. Pure functions
// over borrowed text.
//
// RFC 9110 §8.8.3 (entity tags), §12.5.3 (Accept-Encoding), §13.1 (conditions), §14 (ranges);
// RFC 3986 §2.1 (percent-encoding).
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "net/text.h"
#include "ws/http/list.h"

namespace sockeye::app {

// The longest name of a file that is taken: the kernel takes none that is longer.
inline constexpr std::size_t longest_file_path = 4095;

// Decodes a target's path, once, into the name of a file or folder relative to a root: nothing for
// "/", "a b/c" for "/a%20b/c", "a/" for "/a/". False where no file is meant: a part of the path is
// empty or begins with a dot, a percent sign isn't followed by two hexadecimal digits, or encodes a
// zero or a slash.
[[nodiscard]] bool decode_path(std::string_view path, net::TextWriter& name);

// By the name's suffix, in whatever case; application/octet-stream where it isn't known.
std::string_view content_type(std::string_view name);

// Whether If-None-Match has `tag`, which is '"..."', or is "*": §13.1.2, compared weakly
// (§8.8.3.2).
bool has_entity_tag(ws::http::FieldValues if_none_match, std::string_view tag);

// Whether Accept-Encoding takes gzip, by its name or by "*", with a weight above zero.
bool accepts_gzip(ws::http::FieldValues accept_encoding);

// What Range asks for, of a file of some size.
struct Range {
  enum class Kind : std::uint8_t { whole, part, unsatisfiable };
  Kind kind = Kind::whole;
  std::uint64_t first = 0;
  std::uint64_t size = 0;
};

// §14.2 allows to ignore a Range. That is done with what is malformed, with several ranges, and
// with units other than bytes: the whole file.
Range read_range(std::string_view value, std::uint64_t file_size);

}  // namespace sockeye::app
