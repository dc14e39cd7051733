// SPDX-License-Identifier: MIT
#include "app/hub/format.h"

#include <algorithm>
#include <span>

#include "app/json.h"
#include "crypto/base64.h"
#include "net/text.h"

namespace sockeye::app::hub {

namespace {

bool put_text(Buffer& to, std::string_view text) {
  return to.append(as_bytes(text));
}

bool put_base64(Buffer& to, Bytes bytes) {
  const std::size_t size = crypto::base64_encoded_size(bytes.size());
  if (!to.reserve(to.size() + size)) return false;
  crypto::base64_encode(bytes, {reinterpret_cast<char*>(to.space().data()), size});
  to.commit(size);
  return true;
}

bool put_json(Buffer& to, const Published& message) {
  net::Text<32> id;
  id.put("{\"id\":").put_decimal(message.id);
  const auto quote = [&to](std::string_view piece) { return put_text(to, piece); };
  return put_text(to, id.view()) && put_text(to, ",\"topic\":\"") &&
         json_escape(message.topic, quote) &&
         put_text(to, message.is_text ? "\",\"text\":\"" : "\",\"base64\":\"") &&
         (message.is_text ? json_escape(as_text(message.payload), quote)
                          : put_base64(to, message.payload)) &&
         put_text(to, "\"}");
}

// (WHATWG HTML, "Interpreting an event stream".) A line ends with CR LF, LF or CR; each has a field
// "data" of its own.
bool put_lines(Buffer& to, std::string_view text) {
  while (true) {
    const std::size_t end = std::min(text.find_first_of("\r\n"), text.size());
    if (!put_text(to, "data: ") || !put_text(to, text.substr(0, end)) || !put_text(to, "\n")) {
      return false;
    }
    if (end == text.size()) return true;
    text.remove_prefix(end + (text.substr(end).starts_with("\r\n") ? 2 : 1));
  }
}

bool put_event(Buffer& to, Format format, const Published& message) {
  net::Text<32> id;
  id.put("id: ").put_decimal(message.id).put("\n");
  if (!put_text(to, id.view())) return false;
  if (format == Format::json_event) {
    if (!put_text(to, "data: ") || !put_json(to, message) || !put_text(to, "\n")) return false;
  } else if (message.is_text) {
    if (!put_lines(to, as_text(message.payload))) return false;
  } else if (!put_text(to, "event: binary\ndata: ") || !put_base64(to, message.payload) ||
             !put_text(to, "\n")) {
    return false;
  }
  return put_text(to, "\n");
}

}  // namespace

bool put(Buffer& to, Format format, const Published& message) {
  to.clear();
  switch (format) {
    case Format::plain:
      return to.append(message.payload);
    case Format::json:
      return put_json(to, message);
    case Format::event:
    case Format::json_event:
      return put_event(to, format, message);
  }
  return false;
}

}  // namespace sockeye::app::hub
