// The files of the pages that `sockeye echo` and `sockeye hub` (the chat) serve, as they were when
// the program was built, in gzip's form (RFC 1952).
//
// The texts live as long as the program. Next: app/page/embed.S puts them there.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string_view>

// Where each file begins and ends: names of the assembler.
extern "C" {
extern const char sockeye_page_index_html[], sockeye_page_index_html_end[];
extern const char sockeye_page_page_css[], sockeye_page_page_css_end[];
extern const char sockeye_page_page_js[], sockeye_page_page_js_end[];
extern const char sockeye_page_wire_js[], sockeye_page_wire_js_end[];
extern const char sockeye_page_handshake_js[], sockeye_page_handshake_js_end[];
extern const char sockeye_page_frame_js[], sockeye_page_frame_js_end[];
extern const char sockeye_page_parts_js[], sockeye_page_parts_js_end[];
extern const char sockeye_page_chat_html[], sockeye_page_chat_html_end[];
extern const char sockeye_page_chat_css[], sockeye_page_chat_css_end[];
extern const char sockeye_page_chat_js[], sockeye_page_chat_js_end[];
}

namespace sockeye::app::page {

// Whether they are there: make WITHOUT=page leaves them out.
#ifdef SOCKEYE_WITHOUT_page
inline constexpr bool is_embedded = false;
#else
inline constexpr bool is_embedded = true;
#endif

inline std::string_view between(const char* begin, const char* end) {
  return {begin, static_cast<std::size_t>(end - begin)};
}

inline std::string_view index_html() {
  return between(sockeye_page_index_html, sockeye_page_index_html_end);
}

inline std::string_view page_css() {
  return between(sockeye_page_page_css, sockeye_page_page_css_end);
}

inline std::string_view page_js() {
  return between(sockeye_page_page_js, sockeye_page_page_js_end);
}

inline std::string_view wire_js() {
  return between(sockeye_page_wire_js, sockeye_page_wire_js_end);
}

inline std::string_view handshake_js() {
  return between(sockeye_page_handshake_js, sockeye_page_handshake_js_end);
}

inline std::string_view frame_js() {
  return between(sockeye_page_frame_js, sockeye_page_frame_js_end);
}

inline std::string_view parts_js() {
  return between(sockeye_page_parts_js, sockeye_page_parts_js_end);
}

inline std::string_view chat_html() {
  return between(sockeye_page_chat_html, sockeye_page_chat_html_end);
}

inline std::string_view chat_css() {
  return between(sockeye_page_chat_css, sockeye_page_chat_css_end);
}

inline std::string_view chat_js() {
  return between(sockeye_page_chat_js, sockeye_page_chat_js_end);
}

}  // namespace sockeye::app::page
