// SPDX-License-Identifier: MIT
#include "ws/deflate/deflate.h"

#include <cassert>
#include <cstring>

#include "ws/deflate/block_writer.h"

namespace sockeye::ws::deflate {

Deflater::Deflater(Level level, int window_bits)
    : level_(level),
      window_bits_(window_bits),
      window_bytes_(1u << window_bits),
      tables_(
          static_cast<Position*>(std::calloc(table_size(level, window_bits), sizeof(Position)))),
      history_(static_cast<std::uint8_t*>(std::malloc(history_capacity(window_bits)))) {
  assert(window_bits >= min_window_bits && window_bits <= max_window_bits);
}

void Deflater::forget() {
  oldest_ = position_;
  history_size_ = 0;
}

// Positions end, and where nothing is remembered, they can begin anew. So a message without history
// is one stretch, where it isn't longer than all of them: and compressed the same, wherever
// positions are.
void Deflater::make_positions(std::size_t message_size) {
  if (oldest_ != position_ || message_size <= end_of_positions - position_) return;
  std::fill_n(tables_.get(), table_size(level_, window_bits_), Position{0});
  oldest_ = position_ = 1;
}

// The same with history: all positions are lowered, to where a window is left below. It is a whole
// number of windows, so that each position keeps its place in a chain matcher's table.
void Deflater::lower_positions() {
  const std::uint32_t step = end_of_positions - window_bytes_;
  const std::size_t size = table_size(level_, window_bits_);
  for (std::size_t i = 0; i < size; ++i) {
    tables_[i] = static_cast<Position>(tables_[i] - std::min<std::uint32_t>(tables_[i], step));
  }
  position_ -= step;
  oldest_ = std::max(oldest_, step + 1) - step;
}

// Copies what has room of `rest`, and returns the copy, with the history in front of it.
Bytes Deflater::append_to_history(Bytes rest) {
  const std::size_t capacity = history_capacity(window_bits_);
  if (history_size_ > window_bytes_ && capacity - history_size_ < rest.size()) {
    std::memmove(history_.get(), history_.get() + history_size_ - window_bytes_, window_bytes_);
    history_size_ = window_bytes_;
  }
  const Bytes part = rest.first(std::min(rest.size(), capacity - history_size_));
  std::uint8_t* const copy = history_.get() + history_size_;
  copy_bytes(copy, part);
  history_size_ += part.size();
  return {copy, part.size()};
}

// The front of `rest`: where it lies, if all that is in reach lies in front of it; or its copy.
Stretch Deflater::next_stretch(Bytes rest, bool in_message) {
  if (position_ == end_of_positions) lower_positions();
  const std::size_t size = std::min<std::size_t>(rest.size(), end_of_positions - position_);
  const Bytes text = in_message ? rest.first(size) : append_to_history(rest.first(size));
  return {text.data(), text.data() + text.size(), position_, oldest_, window_bytes_};
}

const std::uint8_t* Deflater::find(const Stretch& stretch, Symbols& symbols) {
  const std::span<Position> table(tables_.get(), table_size(level_, window_bits_));
  return level_ == Level::fast ? FastMatcher(table, window_bits_).find(stretch, symbols)
                               : ChainMatcher(table, window_bits_).find(stretch, symbols);
}

void Deflater::keep_end_of(Bytes message) {
  const Bytes end = message.last(std::min<std::size_t>(message.size(), window_bytes_));
  copy_bytes(history_.get(), end);
  history_size_ = end.size();
}

std::size_t Deflater::compress(Bytes message, MutableBytes output, Symbols& symbols) {
  assert(output.size() >= max_compressed_size(message.size()));
  make_positions(message.size());
  const bool no_history = history_size_ == 0;
  BitWriter out(output.data());
  symbols.clear();
  Bytes block = message.first(0);  // what `symbols` tell
  Bytes rest = message;
  while (!rest.empty()) {
    // Beyond a window of the message itself, nothing before it is in reach.
    const bool in_message = no_history || message.size() - rest.size() >= window_bytes_;
    const std::size_t block_room = max_stored_bytes - block.size();
    const Stretch stretch = next_stretch(rest.first(std::min(rest.size(), block_room)), in_message);
    const std::uint8_t* const reached = find(stretch, symbols);
    const auto size = static_cast<std::size_t>(reached - stretch.begin);
    position_ += static_cast<std::uint32_t>(size);
    if (!in_message) history_size_ -= static_cast<std::size_t>(stretch.end - reached);
    block = {block.data(), block.size() + size};
    rest = rest.subspan(size);
    if (rest.empty() || reached != stretch.end || block.size() == max_stored_bytes) {
      out = write_block(out, block, symbols);
      symbols.clear();
      block = rest.first(0);
    }
  }
  if (no_history || message.size() > window_bytes_) keep_end_of(message);

  // RFC 7692 §7.2.1: an empty stored block takes the stream to a whole byte, and its length isn't
  // sent.
  out.put(static_cast<unsigned>(BlockType::stored) << 1, block_header_bits);
  return static_cast<std::size_t>(out.align() - output.data());
}

}  // namespace sockeye::ws::deflate
