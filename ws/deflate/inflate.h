// Inflate: from a DEFLATE stream back to what was compressed.
//
// RFC 1951; read ws/deflate/format.h first, it says how the format goes. The stream may come in
// pieces, and the room for what it brings, too; the result is the same for any cut. Every rule that
// a stream can break has a Status of its own.
//
// An Inflater is what it takes to work on one message, and serves all connections of a thread. What
// a connection keeps from one message to the next is a Window.
//
// Pure, and without an allocation.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "net/bytes.h"
#include "ws/deflate/bit_reader.h"
#include "ws/deflate/decode_table.h"
#include "ws/deflate/format.h"
#include "ws/deflate/window.h"

namespace sockeye::ws::deflate {

enum class Status : std::uint8_t {
  needs_input,
  needs_output,
  end,  // of the final block

  // Errors: nothing can be done then but begin().
  reserved_block_type,          // §3.2.3: type 3
  bad_stored_length,            // §3.2.4: NLEN isn't the one's complement of LEN
  too_many_literal_lengths,     // §3.2.7, §3.2.5: more than 286
  too_many_distance_lengths,    // more than 30
  nothing_to_repeat,            // §3.2.7: the first code length is to be the one before
  repeats_too_often,            // beyond the last code length
  code_lengths_oversubscribed,  // §3.2.2: the lengths make for more code words than there are
  code_lengths_incomplete,      // or for fewer
  no_end_of_block,              // §3.2.3: symbol 256 ends each block, and has no code word
  literals_oversubscribed,      // §3.2.2
  literals_incomplete,          // unless it's a single code word of one bit
  distances_oversubscribed,     // §3.2.2
  distances_incomplete,         // §3.2.7: unless it's a single code word of one bit, or none
  unassigned_literal_code,      // not the single code word
  unassigned_distance_code,     // the same, or there's none
  reserved_length_symbol,       // §3.2.6: 286 and 287 never occur
  reserved_distance_symbol,     // nor do 30 and 31
  distance_too_far,             // §3.2.5, §2: before the start of the stream, or the window's
};

constexpr bool is_error(Status status) {
  return status > Status::end;
}

class Inflater {
 public:
  Inflater();
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  // Before a stream's first byte; and after a final block (RFC 7692 §7.2.3.4), where another may
  // follow with the next byte. A distance of more than 2^window_bits is an error: 8 to 15.
  void begin(int window_bits);

  // Goes on. The first `used` bytes of `output` are what the current message has brought so far,
  // and before that was what `window` holds (null: nothing); matches refer to both. Cuts what it
  // reads off the front of `input`, and advances `used`; what follows that in `output` may be
  // overwritten.
  //
  // needs_input: all input is taken. needs_output: `used` is output.size(), and there's more to
  // come. end: a final block ended; what follows its last byte is left in `input`.
  [[nodiscard]] Status run(Bytes& input, MutableBytes output, std::size_t& used,
                           const Window* window);

  // Whether the input so far ends with a block; that is where a message may end, its 00 00 ff ff
  // included (RFC 7692 §7.2.2).
  bool between_blocks() const { return state_ == State::block_header && bits_.count == 0; }

 private:
  enum class State : std::uint8_t {
    block_header,
    stored_length,
    stored,
    code_counts,
    code_length_lengths,
    code_lengths,
    symbols,
    match,
    stopped,  // at the end, or at an error
  };

  static constexpr unsigned literal_table_bits = 10;
  static constexpr unsigned distance_table_bits = 8;
  static constexpr unsigned fixed_literal_table_bits = 9;
  // With their subtables, for the worst code that there is (zlib's examples/enough.c computes it).
  static constexpr std::size_t literal_table_size = 1332;
  static constexpr std::size_t distance_table_size = 400;

  bool step();
  bool wait_for(Status what);
  bool stop(Status status);
  bool read_block_header();
  bool end_block();
  bool read_stored_length();
  bool copy_stored();
  bool read_code_counts();
  bool read_code_length_lengths();
  bool read_code_lengths();
  bool begin_symbols();
  bool end_symbols(Status why);
  bool decode();
  bool decode_fast();
  bool begin_match(std::size_t length, std::size_t distance);
  bool copy_match();

  // As long as run() goes on.
  std::uint8_t* output_ = nullptr;
  std::size_t output_size_ = 0;
  std::size_t used_ = 0;
  const Window* window_ = nullptr;

  BitReader bits_;
  State state_ = State::block_header;
  Status status_ = Status::needs_input;
  bool last_block_ = false;
  std::size_t max_distance_ = max_distance;

  std::size_t stored_left_ = 0;
  std::size_t match_length_ = 0;  // what is left to copy
  std::size_t match_distance_ = 0;

  // Of a dynamic block's header.
  std::size_t literal_lengths_ = 0;  // how many there are
  std::size_t distance_lengths_ = 0;
  std::size_t code_length_lengths_ = 0;
  std::size_t lengths_read_ = 0;
  std::size_t last_length_ = 0;
  std::array<std::uint8_t, code_length_symbols> code_length_bits_;
  std::array<std::uint16_t, literal_symbols + distance_symbols + 1> words_;  // of both codes
  std::size_t word_count_ = 0;

  DecodeTable code_lengths_;
  DecodeTable literals_;
  DecodeTable distances_;
  DecodeTable fixed_literals_;
  DecodeTable fixed_distances_;
  std::array<Entry, 1 << max_code_length_bits> code_length_entries_;
  std::array<Entry, literal_table_size> literal_entries_;
  std::array<Entry, distance_table_size> distance_entries_;
  std::array<Entry, 1 << fixed_literal_table_bits> fixed_literal_entries_;
  std::array<Entry, 1 << fixed_distance_bits> fixed_distance_entries_;
};

}  // namespace sockeye::ws::deflate
