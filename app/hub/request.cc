// SPDX-License-Identifier: MIT
#include "app/hub/request.h"

#include <algorithm>

#include "app/flags.h"
#include "ws/http/chars.h"

namespace sockeye::app::hub {

namespace {

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_segment(std::string_view text) {
  const auto may_stand = [](char c) {
    return is_alphanumeric(c) || c == '.' || c == '_' || c == '~' || c == '-';
  };
  return !text.empty() && text.front() != '.' && text.front() != '-' &&
         std::ranges::all_of(text, may_stand);
}

std::optional<unsigned> hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return std::nullopt;
}

// RFC 3986 §2.1; nothing where a "%" isn't followed by two digits.
std::optional<std::string> percent_decode(std::string_view text) {
  std::string decoded;
  while (!text.empty()) {
    std::size_t size = 1;
    char c = text.front();
    if (c == '%') {
      if (text.size() < 3) return std::nullopt;
      const auto high = hex_digit(text[1]);
      const auto low = hex_digit(text[2]);
      if (!high || !low) return std::nullopt;
      c = static_cast<char>(*high << 4 | *low);
      size = 3;
    }
    decoded += c;
    text.remove_prefix(size);
  }
  return decoded;
}

// Cuts off what stands before the first `separator`, and that as well.
std::string_view cut(std::string_view& text, char separator) {
  const std::size_t end = std::min(text.find(separator), text.size());
  const std::string_view piece = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return piece;
}

class Reader {
 public:
  explicit Reader(std::size_t max_topics) : max_topics_(max_topics) {}

  // Empty, or what is wrong with it.
  std::string_view topic(std::string_view name) {
    if (!is_topic(name)) return "no topic has such a name\n";
    if (std::ranges::find(request.topics, name) != request.topics.end()) return {};
    if (request.topics.size() == max_topics_) return "too many topics\n";
    request.topics.emplace_back(name);
    return {};
  }

  std::string_view id(std::string_view text) {
    std::uint64_t id;
    if (!parse_number(text, 0, ~std::uint64_t{0} >> 1, id)) return "an id is a number\n";
    request.after = id;
    return {};
  }

  std::string_view parameter(std::string_view name, std::string_view value) {
    if (name == "topic") return topic(value);
    if (name == "after") return id(value);
    if (name == "token") request.token = value;
    if (name == "format") {
      if (value != "json" && value != "plain") return "format is json or plain\n";
      request.json = value == "json";
    }
    if (name == "echo") {
      if (value != "no" && value != "yes") return "echo is yes or no\n";
      request.hears_itself = value == "yes";
    }
    return {};  // others may be a page's
  }

  HubRequest request;

 private:
  const std::size_t max_topics_;
};

}  // namespace

bool is_topic(std::string_view name) {
  if (name.size() > max_topic_bytes || name == "metrics" || name == "healthz") return false;
  if (name.empty() || name.back() == '/') return false;
  while (!name.empty()) {
    if (!is_segment(cut(name, '/'))) return false;
  }
  return true;
}

Result<HubRequest, std::string_view> read_request(const ws::http::Request& request,
                                                  std::size_t max_topics) {
  Reader reader(max_topics);
  std::string_view mistake;
  const std::string_view path = request.path();
  if (path != "/") mistake = reader.topic(path.substr(1));
  for (std::string_view query = request.query(); !query.empty() && mistake.empty();) {
    std::string_view value = cut(query, '&');
    const std::string_view name = cut(value, '=');
    const auto decoded = percent_decode(value);
    mistake = decoded ? reader.parameter(name, *decoded) : "a % needs two digits behind it\n";
  }
  const auto last_id = request.field("last-event-id").value_or(std::string_view());
  if (!last_id.empty() && mistake.empty()) mistake = reader.id(last_id);
  // RFC 6750 §2.1.
  constexpr std::string_view scheme = "Bearer ";
  const auto credentials = request.field("authorization").value_or(std::string_view());
  if (ws::http::equal_ignoring_case(credentials.substr(0, scheme.size()), scheme)) {
    const std::size_t begin = credentials.find_first_not_of(' ', scheme.size());
    reader.request.token = credentials.substr(std::min(begin, credentials.size()));
  }
  if (!mistake.empty()) return mistake;
  return std::move(reader.request);
}

}  // namespace sockeye::app::hub
