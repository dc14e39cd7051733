// SPDX-License-Identifier: MIT
#include "ws/error.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "ws/http/writer.h"

namespace sockeye::ws {
namespace {

std::vector<ErrorInfo> all_rows() {
  std::vector<ErrorInfo> rows;
  for (int i = 0; i < static_cast<int>(Error::count_); ++i) {
    rows.push_back(info(static_cast<Error>(i)));
  }
  return rows;
}

TEST_CASE("each failure has its row in the table, under its own name") {
  std::set<std::string_view> names;
  int i = 0;
  for (const ErrorInfo& row : all_rows()) {
    CAPTURE(row.name);
    CHECK(static_cast<int>(row.error) == i++);
    CHECK(names.insert(row.name).second);
    CHECK(row.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") ==
          std::string_view::npos);
  }
  // Spot checks that names are those of the enumerators; the order is checked by the compiler.
  CHECK(info(Error::none).name == "none");
  CHECK(info(Error::text_not_utf8).name == "text_not_utf8");
  CHECK(info(Error::host_missing).name == "host_missing");
  CHECK(info(Error::field_reserved).name == "field_reserved");
}

TEST_CASE("RFC 6455 §5.5: each text fits into a Close frame's reason, on one line") {
  for (const ErrorInfo& row : all_rows()) {
    CAPTURE(row.name);
    CHECK(!row.text.empty());
    CHECK(row.text.size() <= 123);
    CHECK(std::all_of(row.text.begin(), row.text.end(), [](char c) { return c >= 0x20; }));
  }
}

TEST_CASE("each section names a document and a place in it") {
  for (const ErrorInfo& row : all_rows()) {
    CAPTURE(row.name);
    std::string_view section = row.section;
    if (section.starts_with("RFC ")) {
      section.remove_prefix(4);
      REQUIRE(section.find(' ') == 4);
      section.remove_prefix(5);
    } else if (section.starts_with("PROXY protocol ")) {
      section.remove_prefix(std::string_view("PROXY protocol ").size());
    }
    REQUIRE(section.starts_with("§"));
    section.remove_prefix(std::string_view("§").size());
    CHECK(!section.empty());
    CHECK(section.find_first_not_of("0123456789.") == std::string_view::npos);
  }
}

TEST_CASE("RFC 6455 §7.4.1: close codes may be sent, or are 1006, which never is") {
  const std::set<Error> never_answered = {Error::close_timeout, Error::connection_lost};
  const std::set<int> legal = {
      1000, 1001, 1002, 1003, 1007,
      1008, 1009, 1010, 1011, 1013};  // IANA has registered that one since (§7.4.2)
  for (const ErrorInfo& row : all_rows()) {
    CAPTURE(row.name);
    if (never_answered.contains(row.error)) {
      CHECK(row.close_code == 1006);
    } else {
      CHECK((row.close_code == 0 || legal.contains(row.close_code)));
    }
    const bool is_after_handshake = row.error < Error::request_line_malformed;
    CHECK(is_after_handshake == (row.close_code != 0));
  }
}

TEST_CASE(
    "RFC 9110 §15: statuses are errors with a phrase, and every one of the server's is there") {
  std::set<int> statuses;
  for (const ErrorInfo& row : all_rows()) {
    CAPTURE(row.name);
    if (row.http_status == 0) continue;
    statuses.insert(row.http_status);
    CHECK(row.http_status >= 400);
    CHECK(row.http_status <= 505);
    CHECK(!http::reason_phrase(row.http_status).empty());
  }
  CHECK(statuses ==
        std::set<int>{400, 403, 404, 405, 408, 413, 414, 417, 426, 429, 431, 500, 501, 503, 505});
  for (int i = static_cast<int>(Error::request_line_malformed);
       i <= static_cast<int>(Error::host_not_allowed); ++i) {
    CAPTURE(info(static_cast<Error>(i)).name);
    CHECK(info(static_cast<Error>(i)).http_status != 0);
  }
}

}  // namespace
}  // namespace sockeye::ws
