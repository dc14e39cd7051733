// SPDX-License-Identifier: MIT
#include "ws/deflate/deflate.h"

#include <algorithm>
#include <new>

#include "ws/deflate/block_writer.h"

namespace sockeye::ws::deflate {
namespace {
constexpr std::uint32_t end_of_positions = 65536;
constexpr std::size_t max_block = 65535;
}  // namespace

std::unique_ptr<Deflater> Deflater::make(Level level, int window_bits) {
  std::unique_ptr<Deflater> d(new (std::nothrow) Deflater);
  d->level_ = level;
  d->window_bits_ = window_bits;
  d->window_ = std::size_t{1} << window_bits;
  d->slack_ = std::max<std::size_t>(d->window_ / 8, 512);
  d->table_size_ = level == Level::fast ? FastMatcher::table_size(window_bits) : ChainMatcher::table_size(window_bits);
  d->tables_.reset(new (std::nothrow) Position[d->table_size_]());
  d->history_.reset(new (std::nothrow) std::uint8_t[d->window_ + d->slack_]);
  return d;
}

void Deflater::forget() {
  oldest_ = position_;
  history_size_ = 0;
}

std::size_t Deflater::compress(Bytes message, MutableBytes output, Symbols& symbols) {
  BitWriter out(output.data());
  symbols.clear();
  const std::span<Position> tables(tables_.get(), table_size_);
  FastMatcher fast(level_ == Level::fast ? tables : std::span<Position>(), window_bits_);
  ChainMatcher chain(level_ == Level::fast ? std::span<Position>() : tables, window_bits_);
  const std::uint8_t* const message_end = message.data() + message.size();
  if (oldest_ == position_ && message.size() > end_of_positions - position_) {
    std::fill_n(tables_.get(), table_size_, Position{0});
    oldest_ = position_ = 1;
  }
  const bool direct = history_size_ == 0;
  std::size_t done = 0;
  const std::uint8_t* block = message.data();
  while (done < message.size()) {
    if (position_ == end_of_positions) {
      const auto d = static_cast<std::uint32_t>(end_of_positions - window_);
      for (std::size_t i = 0; i < table_size_; ++i) tables[i] = static_cast<Position>(tables[i] > d ? tables[i] - d : 0);
      position_ -= d;
      oldest_ = oldest_ > d ? oldest_ - d : 1;
    }
    const std::uint8_t* next = message.data() + done;
    if (static_cast<std::size_t>(next - block) == max_block) {
      out = write_block(out, {block, next}, symbols);
      symbols.clear();
      block = next;
    }
    std::size_t size = std::min<std::size_t>({message.size() - done, end_of_positions - position_, max_block - static_cast<std::size_t>(next - block)});
    Stretch stretch;
    if (direct || done >= window_) {
      stretch.begin = next;
    } else {
      if (window_ + slack_ - history_size_ < std::min(size, slack_)) {
        std::copy_n(history_.get() + history_size_ - window_, window_, history_.get());
        history_size_ = window_;
      }
      size = std::min(size, window_ + slack_ - history_size_);
      stretch.begin = history_.get() + history_size_;
      std::copy_n(next, size, history_.get() + history_size_);
      history_size_ += size;
    }
    stretch.end = stretch.begin + size;
    stretch.position = position_;
    stretch.oldest = oldest_;
    stretch.window = static_cast<std::uint32_t>(window_);
    while (true) {
      const std::uint8_t* reached = level_ == Level::fast ? fast.find(stretch, symbols) : chain.find(stretch, symbols);
      const auto n = static_cast<std::size_t>(reached - stretch.begin);
      done += n;
      position_ += static_cast<std::uint32_t>(n);
      stretch.position = position_;
      stretch.begin = reached;
      if (stretch.begin == stretch.end) break;
      out = write_block(out, {block, message.data() + done}, symbols);
      symbols.clear();
      block = message.data() + done;
    }
  }
  if (block != message_end) out = write_block(out, {block, message_end}, symbols);
  if (direct || done > window_) {
    history_size_ = std::min(message.size(), window_);
    std::copy_n(message_end - history_size_, history_size_, history_.get());
  }
  out.put(0, block_header_bits);
  return static_cast<std::size_t>(out.align() - output.data());
}

}  // namespace sockeye::ws::deflate
