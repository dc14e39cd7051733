// SPDX-License-Identifier: MIT
#include "ws/http/list.h"

#include <string>
#include <vector>

#include "test/ws/http/support.h"

namespace sockeye::ws::http {
namespace {

std::vector<std::string> elements(FieldValues values) {
  std::vector<std::string> all;
  ListReader list(values);
  while (const auto element = list.next()) all.emplace_back(*element);
  CHECK(!list.next());
  return all;
}

TEST_CASE("RFC 9110 §5.6.1.2: empty elements are passed over") {
  using List = std::vector<std::string>;
  CHECK(elements(FieldValues("a,b")) == List{"a", "b"});
  CHECK(elements(FieldValues(" ,\t, a b ,,c , ")) == List{"a b", "c"});
  CHECK(elements(FieldValues("")) == List{});
  CHECK(elements(FieldValues(",")) == List{});
}

TEST_CASE("RFC 9110 §5.3: fields of one name are one list") {
  const ParsedRequest request("GET / HTTP/1.1\r\nHost: a\r\nX: 1,2\r\nY: no\r\nx:\r\nX: 3\r\n\r\n");
  CHECK(elements(FieldValues(request, "x")) == std::vector<std::string>{"1", "2", "3"});
  CHECK(list_contains(request, "x", "3"));
  CHECK(!list_contains(request, "x", "no"));
  CHECK(!list_contains(request, "z", "3"));
}

TEST_CASE("elements are compared whole") {
  const ParsedRequest request(
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrader, keep-alive\r\n\r\n");
  CHECK(!list_contains(request, "connection", "upgrade"));
  CHECK(list_contains(request, "connection", "Keep-Alive"));
}

}  // namespace
}  // namespace sockeye::ws::http
