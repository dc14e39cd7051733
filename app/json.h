// Writes JSON (RFC 8259): objects within objects, texts and numbers.
//
//   Json json;
//   json.put("mode", "closed").open("errors").put("total", std::uint64_t{0}).close();
//   json.text()   // {"mode":"closed","errors":{"total":0}}
//
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "net/text.h"

namespace sockeye::app {

// Hands `text` on as it stands between quotation marks (RFC 8259 §7), in pieces, as long as
// `append(std::string_view)` returns true. Whether all of them were taken.
template <typename Append>
bool json_escape(std::string_view text, Append append) {
  const auto is_special = [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\';
  };
  while (!text.empty()) {
    const auto special = std::ranges::find_if(text, is_special);
    const auto plain = static_cast<std::size_t>(special - text.begin());
    if (plain > 0 && !append(text.substr(0, plain))) return false;
    if (special == text.end()) return true;
    net::Text<6> escaped;
    if (static_cast<unsigned char>(*special) < 0x20) {
      escaped.put("\\u").put_hex(static_cast<unsigned char>(*special), 4);
    } else {
      escaped.put("\\").put({&*special, 1});
    }
    if (!append(escaped.view())) return false;
    text.remove_prefix(plain + 1);
  }
  return true;
}

class Json {
 public:
  Json& put(std::string_view name, std::string_view text);
  Json& put(std::string_view name, const char* text) { return put(name, std::string_view(text)); }
  Json& put(std::string_view name, std::uint64_t number);
  // Rounded to `decimals` places.
  Json& put(std::string_view name, double number, unsigned decimals);
  Json& put_null(std::string_view name);
  Json& put_bool(std::string_view name, bool value);

  // An object, up to the close() that belongs to it.
  Json& open(std::string_view name);
  Json& close();

  // The whole; all that was opened is closed.
  std::string text() const { return text_ + "}"; }

 private:
  void name(std::string_view name);
  void quote(std::string_view text);

  std::string text_ = "{";
};

}  // namespace sockeye::app
