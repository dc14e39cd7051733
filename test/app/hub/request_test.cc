// What a request to the hub may ask for, and how.
//
// SPDX-License-Identifier: MIT
#include "app/hub/request.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "net/pool.h"
#include "ws/http/request_reader.h"
#include "ws/limits.h"

namespace sockeye::app::hub {
namespace {

// What is asked for by "GET <target>", with more fields; or what is wrong with it.
Result<HubRequest, std::string> read(const std::string& target, const std::string& fields = {}) {
  const std::string text = "GET " + target + " HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n";
  Pool pool;
  const ws::Limits limits;
  ws::http::RequestReader reader(pool, limits);
  Bytes input = as_bytes(text);
  auto status = reader.read(input);
  if (status == ws::http::RequestReader::Status::head) status = reader.read(input);
  REQUIRE(status == ws::http::RequestReader::Status::complete);
  auto wanted = read_request(reader.request(), 3);
  if (!wanted) return std::string(wanted.error());
  return std::move(*wanted);
}

using Names = std::vector<std::string>;

TEST_CASE("hub: names of topics") {
  for (const std::string name : {"a", "room", "a/b/c", "A-Z_a.z~0", "0", "a.", "a-"}) {
    CAPTURE(name);
    CHECK(is_topic(name));
  }
  for (const std::string& name :
       {std::string(), std::string("/"), std::string("/a"), std::string("a/"), std::string("a//b"),
        std::string("."), std::string(".."), std::string("a/.."), std::string("a/.b"),
        std::string("-"), std::string("-/chat.js"), std::string("a/-b"), std::string("metrics"),
        std::string("healthz"), std::string("a b"), std::string("a%20b"), std::string("\xc3\xa9"),
        std::string("a\0b", 3), std::string(129, 'x')}) {
    CAPTURE(name);
    CHECK(!is_topic(name));
  }
  CHECK(is_topic("metrics/a"));
  CHECK(is_topic(std::string(128, 'x')));
}

TEST_CASE("hub: topics are of the path and of the query, and none twice") {
  CHECK(read("/room")->topics == Names{"room"});
  CHECK(read("/a/b")->topics == Names{"a/b"});
  CHECK(read("/")->topics.empty());
  CHECK(read("/?topic=a&topic=b")->topics == Names{"a", "b"});
  CHECK(read("/a?topic=b&topic=a&topic=b")->topics == Names{"a", "b"});
  CHECK(read("/?topic=a%2Fb")->topics == Names{"a/b"});  // as a URLSearchParams writes it
  CHECK(read("/?topic=a&topic=b&topic=c")->topics.size() == 3);
  CHECK(read("/?topic=a&topic=b&topic=c&topic=d").error() == "too many topics\n");
  for (const char* target : {"/a%62", "/.a", "//", "/a/", "/?topic=", "/?topic", "/?topic=%2e%2e",
                             "/?topic=a%0", "/?topic=%", "/?topic=%zz", "/?topic=a%00"}) {
    CAPTURE(target);
    CHECK(!read(target));
  }
}

TEST_CASE("hub: form, echo, and what came before") {
  const auto plain = read("/a");
  CHECK(!plain->json);
  CHECK(plain->hears_itself);
  CHECK(!plain->after);
  CHECK(read("/a?format=json")->json);
  CHECK(!read("/a?format=plain")->json);
  CHECK(!read("/a?format=xml"));
  CHECK(!read("/a?echo=no")->hears_itself);
  CHECK(!read("/a?echo=0"));
  CHECK(read("/a?after=17")->after == 17);
  CHECK(read("/a?after=0")->after == 0);
  CHECK(read("/a?after=17", "Last-Event-ID: 18\r\n")->after == 18);
  for (const char* id : {"", "-1", "+1", "1.0", "x", "99999999999999999999"}) {
    CAPTURE(id);
    CHECK(!read("/a?after=" + std::string(id)));
  }
  CHECK(!read("/a", "Last-Event-ID: x\r\n"));
  CHECK(read("/a?name=Ann&&=x&lone")->topics == Names{"a"});
}

TEST_CASE("hub: a token is in the query, or in Authorization, which wins") {
  CHECK(read("/a")->token.empty());
  CHECK(read("/a?token=s%2B%26cret")->token == "s+&cret");
  CHECK(read("/a", "Authorization: Bearer secret\r\n")->token == "secret");
  CHECK(read("/a", "Authorization: bearer secret\r\n")->token == "secret");
  CHECK(read("/a?token=other", "Authorization: Bearer secret\r\n")->token == "secret");
  CHECK(read("/a?token=other", "Authorization: Basic c2VjcmV0\r\n")->token == "other");
}

}  // namespace
}  // namespace sockeye::app::hub
