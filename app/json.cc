// SPDX-License-Identifier: MIT
#include "app/json.h"

#include "app/decimal.h"

namespace sockeye::app {

Json& Json::put(std::string_view key, std::string_view text) {
  name(key);
  quote(text);
  return *this;
}

Json& Json::put(std::string_view key, std::uint64_t number) {
  name(key);
  text_ += to_text(number);
  return *this;
}

Json& Json::put(std::string_view key, double number, unsigned decimals) {
  name(key);
  text_ += fixed(number, decimals);
  return *this;
}

Json& Json::put_null(std::string_view key) {
  name(key);
  text_ += "null";
  return *this;
}

Json& Json::put_bool(std::string_view key, bool value) {
  name(key);
  text_ += value ? "true" : "false";
  return *this;
}

Json& Json::open(std::string_view key) {
  name(key);
  text_ += '{';
  return *this;
}

Json& Json::close() {
  text_ += '}';
  return *this;
}

void Json::name(std::string_view name) {
  if (!text_.ends_with('{')) text_ += ',';
  quote(name);
  text_ += ':';
}

void Json::quote(std::string_view text) {
  text_ += '"';
  json_escape(text, [this](std::string_view piece) {
    text_ += piece;
    return true;
  });
  text_ += '"';
}

}  // namespace sockeye::app
