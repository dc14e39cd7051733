// Hands out the files of a page that is a part of the program.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <string_view>

#include "app/page/embedded.h"
#include "ws/handler.h"

namespace sockeye::app::page {

inline constexpr std::string_view html = "text/html; charset=utf-8";
inline constexpr std::string_view css = "text/css; charset=utf-8";
inline constexpr std::string_view javascript = "text/javascript; charset=utf-8";

struct File {
  std::string_view path;
  std::string_view type;
  std::string_view (*text)();
};

// Answers with the file of that path; false, and nothing done, where there is none, or where the
// program was built without.
#ifdef SOCKEYE_WITHOUT_page
inline bool send(std::span<const File>, std::string_view, ws::Reply&) {
  return false;
}
#else
bool send(std::span<const File> files, std::string_view path, ws::Reply& reply);
#endif

}  // namespace sockeye::app::page
