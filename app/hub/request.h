// What a request to the hub asks for: which topics, in what form, since when, by whose leave.
//
// The topics are its path without the first "/", where there is more to it, and each topic= of its
// query. See README.md for the rest of the query.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/result.h"
#include "ws/http/request.h"

namespace sockeye::app::hub {

inline constexpr std::size_t max_topic_bytes = 128;

// A topic's name: segments of A-Z a-z 0-9 . _ ~ - with a "/" between each two, which don't begin
// with "." or "-" (whose paths are the hub's own). "metrics" and "healthz" aren't topics either.
bool is_topic(std::string_view name);

struct HubRequest {
  std::vector<std::string> topics;     // none twice
  bool json = false;                   // format=json
  bool hears_itself = true;            // unless echo=no
  std::optional<std::uint64_t> after;  // after=ID, or Last-Event-ID, which wins
  std::string token;                   // of Authorization: Bearer, or else of token=
};

// The error says what is wrong with it.
Result<HubRequest, std::string_view> read_request(const ws::http::Request& request,
                                                  std::size_t max_topics);

}  // namespace sockeye::app::hub
