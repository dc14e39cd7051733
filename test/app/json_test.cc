// SPDX-License-Identifier: MIT
#include "app/json.h"

#include <doctest/doctest.h>

namespace sockeye::app {

TEST_CASE("Json: texts, numbers, truths and objects") {
  CHECK(Json().text() == "{}");
  Json json;
  json.put("mode", "closed").put("n", std::uint64_t{18446744073709551615u}).put("x", 1.5, 2);
  json.open("inner").put_bool("yes", true).open("empty").close().close().put_bool("no", false);
  CHECK(json.text() == R"({"mode":"closed","n":18446744073709551615,"x":1.50,)"
                       R"("inner":{"yes":true,"empty":{}},"no":false})");
}

// RFC 8259 §7
TEST_CASE("Json: what would end a text, or isn't to stand in one, is escaped") {
  Json json;
  json.put("a\"b", "c\\d\n\x01\x7f\xc3\xbc");
  CHECK(json.text() == "{\"a\\\"b\":\"c\\\\d\\u000a\\u0001\x7f\xc3\xbc\"}");
}

TEST_CASE("Json: a text that ends like an object is no object") {
  CHECK(Json().put("a", "{").put("b", "{").text() == R"({"a":"{","b":"{"})");
}

}  // namespace sockeye::app
