// What messages look like as JSON and as Server-Sent Events.
//
// SPDX-License-Identifier: MIT
#include "app/hub/format.h"

#include <doctest/doctest.h>

#include <string>

#include "test/support/failing_malloc.h"

namespace sockeye::app::hub {
namespace {

std::string formatted(Format format, std::string_view payload, bool is_text = true) {
  Pool pool;
  Buffer to(pool);
  REQUIRE(to.append(as_bytes("of the last one")));
  REQUIRE(put(to, format, {17, "a/b", is_text, as_bytes(payload)}));
  return std::string(as_text(to.bytes()));
}

TEST_CASE("hub: JSON, with all that has to be escaped (RFC 8259 §7)") {
  CHECK(formatted(Format::json, "hello") == R"({"id":17,"topic":"a/b","text":"hello"})");
  CHECK(formatted(Format::json, "") == R"({"id":17,"topic":"a/b","text":""})");
  CHECK(
      formatted(Format::json, "\"\\\n\x01\x1f\x7f/\xe2\x80\xa8") ==
      "{\"id\":17,\"topic\":\"a/b\",\"text\":\"\\\"\\\\\\u000a\\u0001\\u001f\x7f/\xe2\x80\xa8\"}");
  CHECK(formatted(Format::json, std::string("\0", 1)) ==
        R"({"id":17,"topic":"a/b","text":"\u0000"})");
  CHECK(formatted(Format::json, "\xff\x00", false) == R"({"id":17,"topic":"a/b","base64":"/w=="})");
}

TEST_CASE("hub: events have a field for each line, whatever ends it (WHATWG HTML)") {
  CHECK(formatted(Format::event, "hello") == "id: 17\ndata: hello\n\n");
  CHECK(formatted(Format::event, "") == "id: 17\ndata: \n\n");
  CHECK(formatted(Format::event, "a\nb\r\nc\rd") ==
        "id: 17\ndata: a\ndata: b\ndata: c\ndata: d\n\n");
  CHECK(formatted(Format::event, "\n") == "id: 17\ndata: \ndata: \n\n");
  CHECK(formatted(Format::event, "\r\r\n") == "id: 17\ndata: \ndata: \ndata: \n\n");
  // Nothing in a message passes for a field of its own.
  CHECK(formatted(Format::event, "x\n\nid: 9\nevent: y") ==
        "id: 17\ndata: x\ndata: \ndata: id: 9\ndata: event: y\n\n");
  CHECK(formatted(Format::event, "\x01\x02", false) == "id: 17\nevent: binary\ndata: AQI=\n\n");
  CHECK(formatted(Format::json_event, "a\nb") ==
        "id: 17\ndata: {\"id\":17,\"topic\":\"a/b\",\"text\":\"a\\u000ab\"}\n\n");
}

TEST_CASE("hub: where memory is short, a message isn't formatted, or whole") {
  for (const Format format : {Format::plain, Format::json, Format::event, Format::json_event}) {
    bool failed = true;
    for (std::size_t failing = 0; failed; ++failing) {
      Pool pool;
      Buffer to(pool);
      test::MallocWatch watch(failing);
      const bool done = put(to, format, {17, "a", true, as_bytes(std::string(500, '\n'))});
      failed = watch.failed();
      CHECK(done == !failed);
    }
  }
}

}  // namespace
}  // namespace sockeye::app::hub
