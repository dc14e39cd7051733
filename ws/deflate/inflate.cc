// There are two ways through a block: decode_fast() while there is more than enough of input and
// room, so that neither has to be looked at within a symbol; and decode() near the end of one of
// them, which takes a symbol with all that belongs to it or leaves it alone.
//
// SPDX-License-Identifier: MIT
#include "ws/deflate/inflate.h"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace sockeye::ws::deflate {
namespace {

// What a special entry of the code of literals and lengths leads to; and one of the distances'.
Status literal_status(Entry entry) {
  switch (special_of(entry)) {
    case Special::block_end:
      return Status::end;
    case Special::reserved:
      return Status::reserved_length_symbol;
    case Special::unassigned:
      return Status::unassigned_literal_code;
  }
  return Status::unassigned_literal_code;
}
Status distance_status(Entry entry) {
  return special_of(entry) == Special::reserved ? Status::reserved_distance_symbol
                                                : Status::unassigned_distance_code;
}

// Matches are copied in steps, beyond their end: from where one goes, max_match + copy_slack bytes
// may be written. Most are done with the first step.
constexpr std::size_t half_step = 16;
constexpr std::size_t copy_step = 2 * half_step;
constexpr std::size_t copy_slack = copy_step;

inline void copy_half_step(std::uint8_t* to, const std::uint8_t* from) {
  std::array<std::uint8_t, half_step> bytes;
  std::memcpy(bytes.data(), from, half_step);
  std::memcpy(to, bytes.data(), half_step);
}

// `from` may be as close behind `to` as half a step.
inline void copy_in_steps(std::uint8_t* to, const std::uint8_t* from, std::size_t length) {
  std::uint8_t* const end = to + length;
  do {
    copy_half_step(to, from);
    copy_half_step(to + half_step, from + half_step);
    to += copy_step;
    from += copy_step;
  } while (to < end);
}

// §3.2.3: a match may overlap itself, and then repeats a pattern. Each step doubles it, until it is
// long enough.
inline void copy_match_in_steps(std::uint8_t* to, std::size_t distance, std::size_t length) {
  const std::uint8_t* const from = to - distance;
  std::size_t done = 0;
  for (; done + distance < half_step; done += done + distance) copy_half_step(to + done, from);
  copy_in_steps(to + done, from, length - std::min(done, length));
}

// What decode_fast() needs for a round: it refills its bits twice, and writes up to three literals,
// or two and a match.
constexpr std::size_t fast_input_bytes = 16;
constexpr std::size_t fast_output_bytes = 2 + max_match + copy_slack;

}  // namespace

Inflater::Inflater() {
  // §3.2.6.
  std::array<std::uint16_t, fixed_literal_symbols> words;
  for (std::size_t i = 0; i < words.size(); ++i) words[i] = code_word(i, fixed_literal_bits(i));
  build_table(words, literal_alphabet(), fixed_literal_entries_, fixed_literal_table_bits,
              fixed_literals_);
  for (std::size_t i = 0; i < words.size(); ++i) words[i] = code_word(i, fixed_distance_bits);
  build_table(CodeWords(words).first(fixed_distance_symbols), distance_alphabet(),
              fixed_distance_entries_, fixed_distance_bits, fixed_distances_);
}

void Inflater::begin(int window_bits) {
  bits_ = {};
  state_ = State::block_header;
  last_block_ = false;
  max_distance_ = std::size_t{1} << window_bits;
}

Status Inflater::run(Bytes& input, MutableBytes output, std::size_t& used, const Window* window) {
  bits_.begin(input);
  output_ = output.data();
  output_size_ = output.size();
  used_ = used;
  window_ = window;
  while (step()) {
  }
  if (status_ != Status::needs_input) bits_.give_back();
  input = input.last(bits_.bytes_left());
  used = used_;
  return status_;
}

// Goes one step on. False where that isn't possible; status_ says why.
bool Inflater::step() {
  switch (state_) {
    case State::block_header:
      return read_block_header();
    case State::stored_length:
      return read_stored_length();
    case State::stored:
      return copy_stored();
    case State::code_counts:
      return read_code_counts();
    case State::code_length_lengths:
      return read_code_length_lengths();
    case State::code_lengths:
      return read_code_lengths();
    case State::symbols:
      return bits_.bytes_left() >= fast_input_bytes && output_size_ - used_ >= fast_output_bytes
                 ? decode_fast()
                 : decode();
    case State::match:
      return copy_match();
    case State::stopped:
      return false;
  }
  return false;
}

bool Inflater::wait_for(Status what) {
  status_ = what;
  return false;
}

bool Inflater::stop(Status status) {
  state_ = State::stopped;
  return wait_for(status);
}

bool Inflater::read_block_header() {
  bits_.refill();
  if (bits_.count < block_header_bits) return wait_for(Status::needs_input);
  last_block_ = bits_.take(1) == 1;
  switch (bits_.take(2)) {
    case static_cast<unsigned>(BlockType::stored):
      state_ = State::stored_length;
      return true;
    case static_cast<unsigned>(BlockType::fixed):
      literals_ = fixed_literals_;
      distances_ = fixed_distances_;
      state_ = State::symbols;
      return true;
    case static_cast<unsigned>(BlockType::dynamic):
      state_ = State::code_counts;
      return true;
  }
  return stop(Status::reserved_block_type);
}

bool Inflater::end_block() {
  state_ = State::block_header;
  if (!last_block_) return true;
  return stop(Status::end);
}

// §3.2.4: from the next byte on, LEN, its one's complement, and so many bytes.
bool Inflater::read_stored_length() {
  bits_.refill();
  const unsigned padding = bits_.count % 8;
  if (bits_.count < padding + 32) return wait_for(Status::needs_input);
  bits_.drop(padding);
  stored_left_ = bits_.take(16);
  if ((stored_left_ ^ bits_.take(16)) != max_stored_bytes) return stop(Status::bad_stored_length);
  bits_.give_back();
  assert(bits_.count == 0);
  state_ = State::stored;
  return true;
}

bool Inflater::copy_stored() {
  const std::size_t size = std::min({stored_left_, bits_.bytes_left(), output_size_ - used_});
  copy_bytes(output_ + used_, {bits_.next, size});
  used_ += size;
  bits_.next += size;
  stored_left_ -= size;
  if (stored_left_ == 0) return end_block();
  return wait_for(used_ == output_size_ ? Status::needs_output : Status::needs_input);
}

// §3.2.7: HLIT, HDIST and HCLEN.
bool Inflater::read_code_counts() {
  bits_.refill();
  if (bits_.count < 14) return wait_for(Status::needs_input);
  literal_lengths_ = min_literal_lengths + bits_.take(5);
  distance_lengths_ = min_distance_lengths + bits_.take(5);
  code_length_lengths_ = min_code_length_lengths + bits_.take(4);
  if (literal_lengths_ > literal_symbols) return stop(Status::too_many_literal_lengths);
  if (distance_lengths_ > distance_symbols) return stop(Status::too_many_distance_lengths);
  lengths_read_ = 0;
  code_length_bits_.fill(0);
  state_ = State::code_length_lengths;
  return true;
}

bool Inflater::read_code_length_lengths() {
  for (; lengths_read_ < code_length_lengths_; ++lengths_read_) {
    if (bits_.count < 3) bits_.refill();
    if (bits_.count < 3) return wait_for(Status::needs_input);
    code_length_bits_[code_length_order[lengths_read_]] = static_cast<std::uint8_t>(bits_.take(3));
  }
  word_count_ = 0;
  for (std::size_t i = 0; i < code_length_symbols; ++i) {
    if (code_length_bits_[i] > 0) words_[word_count_++] = code_word(i, code_length_bits_[i]);
  }
  switch (build_table(CodeWords(words_).first(word_count_), code_length_alphabet(),
                      code_length_entries_, max_code_length_bits, code_lengths_)) {
    case CodeShape::complete:
      break;
    case CodeShape::single:
    case CodeShape::incomplete:
      return stop(Status::code_lengths_incomplete);
    case CodeShape::oversubscribed:
      return stop(Status::code_lengths_oversubscribed);
  }
  lengths_read_ = 0;
  word_count_ = 0;
  state_ = State::code_lengths;
  return true;
}

// §3.2.7: the lengths of both codes, one behind the other; a repetition may go across.
bool Inflater::read_code_lengths() {
  const std::size_t all = literal_lengths_ + distance_lengths_;
  BitReader bits = bits_;
  std::size_t word_count = word_count_;
  Status why = Status::end;  // or why it is not reached
  while (lengths_read_ < all) {
    if (bits.count < max_code_length_bits + 7) bits.refill();
    const Entry entry = code_lengths_.first_entry(bits.word);
    if (bits_of(entry) > bits.count) {
      why = Status::needs_input;
      break;
    }
    const std::size_t value = with_extra_bits(entry, bits.word);
    const std::size_t symbol = value >> 8;
    const std::size_t times = value & 0xff;
    bits.drop(bits_of(entry));
    if (symbol < repeat_previous) {
      // Length 0 means that there's no word: it will be written over.
      words_[word_count] = code_word(lengths_read_++, symbol);
      word_count += symbol > 0;
      last_length_ = symbol;
      continue;
    }
    if (symbol == repeat_previous && lengths_read_ == 0) {
      why = Status::nothing_to_repeat;
      break;
    }
    if (times > all - lengths_read_) {
      why = Status::repeats_too_often;
      break;
    }
    if (symbol != repeat_previous) last_length_ = 0;
    for (std::size_t i = 0; last_length_ > 0 && i < times; ++i) {
      words_[word_count++] = code_word(lengths_read_ + i, last_length_);
    }
    lengths_read_ += times;
  }
  bits_ = bits;
  word_count_ = word_count;
  if (why == Status::end) return begin_symbols();
  return why == Status::needs_input ? wait_for(why) : stop(why);
}

bool Inflater::begin_symbols() {
  // The distances' symbols count from 0 again.
  const auto end = words_.begin() + static_cast<std::ptrdiff_t>(word_count_);
  const std::uint16_t first_distance = code_word(literal_lengths_, 0);
  const auto distances = std::lower_bound(words_.begin(), end, first_distance);
  for (auto word = distances; word != end; ++word) {
    *word = static_cast<std::uint16_t>(*word - first_distance);
  }

  const auto is_end_of_block = [](std::uint16_t word) { return symbol_of(word) == end_of_block; };
  if (std::ranges::none_of(words_.begin(), distances, is_end_of_block)) {
    return stop(Status::no_end_of_block);
  }
  switch (build_table({words_.begin(), distances}, literal_alphabet(), literal_entries_,
                      literal_table_bits, literals_)) {
    case CodeShape::complete:
    case CodeShape::single:  // §3.2.7 doesn't say so here, but zlib takes it
      break;
    case CodeShape::incomplete:
      return stop(Status::literals_incomplete);
    case CodeShape::oversubscribed:
      return stop(Status::literals_oversubscribed);
  }
  switch (build_table({distances, end}, distance_alphabet(), distance_entries_, distance_table_bits,
                      distances_)) {
    case CodeShape::complete:
    case CodeShape::single:
      break;
    case CodeShape::incomplete:
      return stop(Status::distances_incomplete);
    case CodeShape::oversubscribed:
      return stop(Status::distances_oversubscribed);
  }
  state_ = State::symbols;
  return true;
}

// The end of a block, or an error.
bool Inflater::end_symbols(Status why) {
  return why == Status::end ? end_block() : stop(why);
}

// One symbol: a literal, or a length with its distance.
bool Inflater::decode() {
  bits_.refill();
  BitReader ahead = bits_;
  const Entry entry = literals_.look_up(ahead.word);
  if (bits_of(entry) > ahead.count) return wait_for(Status::needs_input);
  if (entry & literal_flag) {
    if (used_ == output_size_) return wait_for(Status::needs_output);
    output_[used_++] = static_cast<std::uint8_t>(value_of(entry));
    bits_.drop(bits_of(entry));
    return true;
  }
  const std::size_t length = with_extra_bits(entry, ahead.word);
  ahead.drop(bits_of(entry));
  if (entry & special_flag) {
    bits_ = ahead;
    return end_symbols(literal_status(entry));
  }

  const Entry distance_entry = distances_.look_up(ahead.word);
  if (bits_of(distance_entry) > ahead.count) return wait_for(Status::needs_input);
  if (distance_entry & special_flag) return stop(distance_status(distance_entry));
  const std::size_t distance = with_extra_bits(distance_entry, ahead.word);
  ahead.drop(bits_of(distance_entry));
  bits_ = ahead;
  return begin_match(length, distance);
}

bool Inflater::begin_match(std::size_t length, std::size_t distance) {
  const std::size_t there = used_ + (window_ ? window_->size() : 0);
  if (distance > there || distance > max_distance_) return stop(Status::distance_too_far);
  match_length_ = length;
  match_distance_ = distance;
  state_ = State::match;
  return copy_match();
}

bool Inflater::copy_match() {
  while (match_length_ > 0) {
    const std::size_t room = output_size_ - used_;
    if (room == 0) return wait_for(Status::needs_output);
    std::uint8_t* const to = output_ + used_;
    // No further than a piece of the window goes, or than what is written has come.
    const Bytes from = match_distance_ > used_ ? window_->piece(match_distance_ - used_)
                                               : Bytes(to - match_distance_, match_distance_);
    const std::size_t size = std::min({match_length_, from.size(), room});
    copy_bytes(to, from.first(size));
    used_ += size;
    match_length_ -= size;
  }
  state_ = State::symbols;
  return true;
}

// As decode(), again and again while there is enough input and room. At the start of each round
// there are 56 bits or more, and `entry` is the first one for them; a word of the table has at most
// 10, a length at most 20, a distance 28.
bool Inflater::decode_fast() {
  BitReader bits = bits_;
  const DecodeTable literals = literals_;
  const DecodeTable distances = distances_;
  const std::uint8_t* const input_last = bits.end - fast_input_bytes;
  std::uint8_t* out = output_ + used_;
  std::uint8_t* const output_last = output_ + output_size_ - fast_output_bytes;
  bits.refill_fast();
  Entry entry = literals.first_entry(bits.word);
  const auto put_literal = [&] {
    *out++ = static_cast<std::uint8_t>(value_of(entry));
    bits.drop(bits_of(entry));
    entry = literals.first_entry(bits.word);
  };

  while (bits.next <= input_last && out <= output_last) {
    if (entry & literal_flag) {
      put_literal();
      if (entry & literal_flag) {
        put_literal();
        if (entry & literal_flag) {
          put_literal();
          bits.refill_fast();
          continue;
        }
      }
    }
    if (entry & special_flag) [[unlikely]] {
      if (entry & subtable_flag) entry = literals.second_entry(entry, bits.word);
      if (entry & literal_flag) {
        *out++ = static_cast<std::uint8_t>(value_of(entry));
        bits.drop(bits_of(entry));
        bits.refill_fast();
        entry = literals.first_entry(bits.word);
        continue;
      }
      if (entry & special_flag) {
        bits.drop(bits_of(entry));
        bits_ = bits;
        used_ = static_cast<std::size_t>(out - output_);
        return end_symbols(literal_status(entry));
      }
    }
    const std::size_t length = with_extra_bits(entry, bits.word);
    bits.drop(bits_of(entry));
    if (bits.count < 28) [[unlikely]]
      bits.refill_fast();
    entry = distances.first_entry(bits.word);
    if (entry & special_flag) [[unlikely]] {
      if (entry & subtable_flag) entry = distances.second_entry(entry, bits.word);
      if (entry & special_flag) {
        used_ = static_cast<std::size_t>(out - output_);
        return stop(distance_status(entry));
      }
    }
    const std::size_t distance = with_extra_bits(entry, bits.word);
    bits.drop(bits_of(entry));
    bits.refill_fast();
    entry = literals.first_entry(bits.word);

    const auto written = static_cast<std::size_t>(out - output_);
    if (distance <= written && distance <= max_distance_) [[likely]] {
      copy_match_in_steps(out, distance, length);
      out += length;
      continue;
    }
    used_ = written;
    if (!begin_match(length, distance)) return false;
    out = output_ + used_;
  }

  bits_ = bits;
  used_ = static_cast<std::size_t>(out - output_);
  return true;
}

}  // namespace sockeye::ws::deflate
