// Writes JSON (RFC 8259): objects within objects, texts and numbers.
//
//   Json json;
//   json.put("mode", "closed").open("errors").put("total", std::uint64_t{0}).close();
//   json.text()   // {"mode":"closed","errors":{"total":0}}
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sockeye::app {

class Json {
 public:
  Json& put(std::string_view name, std::string_view text);
  Json& put(std::string_view name, const char* text) { return put(name, std::string_view(text)); }
  Json& put(std::string_view name, std::uint64_t number);
  // Rounded to `decimals` places.
  Json& put(std::string_view name, double number, unsigned decimals);
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
