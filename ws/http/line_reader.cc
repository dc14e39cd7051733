// SPDX-License-Identifier: MIT
#include "ws/http/line_reader.h"

#include <algorithm>
#include <limits>
#include <string_view>

namespace sockeye::ws::http {

LineReader::LineReader(Pool& pool, std::size_t head_limit_bytes)
    : pool_(pool),
      // Head's slices count in 32 bits.
      head_limit_bytes_(
          std::min<std::size_t>(head_limit_bytes, std::numeric_limits<std::uint32_t>::max())) {}

LineReader::Status LineReader::next(Bytes& input, std::size_t line_limit_bytes, Error too_long) {
  const std::size_t head_room = head_limit_bytes_ - taken_;
  const std::size_t line_room = line_limit_bytes - std::min(line_limit_bytes, taken_ - next_begin_);
  const std::size_t room = std::min(head_room, line_room);

  const Bytes window = input.first(std::min(input.size(), room));
  const std::size_t line_feed = as_text(window).find('\n');
  const bool is_cut = line_feed == std::string_view::npos;
  if (is_cut && window.size() == room) {
    return fail(line_room <= head_room ? too_long : Error::head_too_large);
  }

  const Bytes piece = is_cut ? window : window.first(line_feed + 1);
  if (taken_ == 0) begin_ = input.data();
  if (kept_) {
    if (!kept_->append(piece)) return fail(Error::out_of_memory);
    begin_ = kept_->bytes().data();
  }
  taken_ += piece.size();
  input = input.subspan(piece.size());
  if (is_cut) return keep() ? Status::need_more : Status::failed;

  line_begin_ = next_begin_;
  next_begin_ = taken_;
  const std::size_t size = taken_ - line_begin_;
  // RFC 9112 §2.2: a recipient may take a bare LF for a line's end. Proxies that do, and servers
  // that don't, then see different requests; so here it is refused.
  if (size < 2 || begin_[taken_ - 2] != '\r') return fail(Error::line_feed_bare);
  line_size_ = size - 2;
  return Status::line;
}

bool LineReader::keep() {
  if (kept_ || taken_ == 0) return true;
  kept_.emplace(pool_);
  if (!kept_->append({begin_, taken_})) {
    error_ = Error::out_of_memory;
    return false;
  }
  begin_ = kept_->bytes().data();
  return true;
}

void LineReader::restart() {
  kept_.reset();
  begin_ = nullptr;
  taken_ = line_begin_ = line_size_ = next_begin_ = 0;
  error_ = Error::none;
}

LineReader::Status LineReader::fail(Error error) {
  error_ = error;
  return Status::failed;
}

}  // namespace sockeye::ws::http
