// Deflate: from messages to a DEFLATE stream.
//
// RFC 1951, and RFC 7692 §7.2.1 for where a message ends. Read ws/deflate/format.h first, it says
// how the format goes. A message is turned into literals and matches (match.h), of which so many as
// suit make a block (block_writer.h), in codes made for it (huffman_code.h).
//
// Two classes, for two lifetimes: a Deflater has what the next message may refer to, so a
// connection with context takeover (RFC 7692 §7.1.1) has its own; without, one serves many, with
// forget() before each message. Symbols are what it takes to work on one, and serve all of a
// thread.
//
// Pure. Next to read: ws/deflate/match.h.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "net/bytes.h"
#include "ws/deflate/bit_writer.h"
#include "ws/deflate/format.h"
#include "ws/deflate/match.h"
#include "ws/deflate/symbols.h"

namespace sockeye::ws::deflate {

// fast: the size of zlib's level 1, in less than half of its time. small: the size of its level 6.
enum class Level : std::uint8_t { fast, small };

// What compress() needs of room: what a message grows by where nothing can be saved (five bytes for
// each stored block and one for the end, §3.2.4), and what the writer of bits uses beyond.
constexpr std::size_t max_compressed_size(std::size_t message_size) {
  constexpr std::size_t stored_header_bytes = 5;
  const std::size_t blocks = message_size / Symbols::limit + 1;
  return message_size + blocks * stored_header_bytes + 1 + BitWriter::slack_bytes;
}

class Deflater {
 public:
  // `window_bits`: 8 to 15.
  Deflater(Level level, int window_bits);
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;

  // Whether there was memory for it; without, nothing else may be called.
  [[nodiscard]] bool allocated() const { return tables_ != nullptr && history_ != nullptr; }

  // The memory it takes beside its own object: with the largest window 117 KiB, or 67 if fast.
  static constexpr std::size_t state_bytes(Level level, int window_bits) {
    return table_size(level, window_bits) * sizeof(Position) + history_capacity(window_bits);
  }

  // Writes `message`, compressed, to the front of `output`, which has room for
  // max_compressed_size(message.size()), and returns the size. It ends with a whole byte, and
  // without the 00 00 ff ff that the receiver adds (RFC 7692 §7.2.1). It depends on the messages
  // since the last forget(), and on how many bytes came before them (where 16-bit positions end, a
  // match may be cut), but never on what those were.
  std::size_t compress(Bytes message, MutableBytes output, Symbols& symbols);

  // The next message refers to nothing before it.
  void forget();

 private:
  static constexpr std::size_t table_size(Level level, int window_bits) {
    return level == Level::fast ? FastMatcher::table_size(window_bits)
                                : ChainMatcher::table_size(window_bits);
  }
  // A window, and room for what comes next: the more, the less often a window's bytes are moved.
  static constexpr std::size_t history_capacity(int window_bits) {
    const std::size_t window = std::size_t{1} << window_bits;
    return window + std::max<std::size_t>(window / 32 * 3, 512);
  }

  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };

  void make_positions(std::size_t message_size);
  void lower_positions();
  Stretch next_stretch(Bytes rest, bool in_message);
  Bytes append_to_history(Bytes rest);
  const std::uint8_t* find(const Stretch& stretch, Symbols& symbols);
  void keep_end_of(Bytes message);

  const Level level_;
  const int window_bits_;
  const std::uint32_t window_bytes_;
  const std::unique_ptr<Position[], Free> tables_;
  // The last bytes of what was compressed: a window of them, or all since forget().
  const std::unique_ptr<std::uint8_t[], Free> history_;
  std::size_t history_size_ = 0;
  // Of the next byte, and of the first one that isn't forgotten. 0 is where the tables hold none.
  std::uint32_t position_ = 1;
  std::uint32_t oldest_ = 1;
};

}  // namespace sockeye::ws::deflate
