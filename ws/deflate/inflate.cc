// How a code word becomes a symbol. A table is indexed with the next bits of the stream, so many
// that most code words fit; a shorter one stands at every index that begins with it. An entry says
// how many bits to drop and what they meant. Longer words, rare by design, share an entry that
// points to a subtable, which is indexed with the bits that follow.
//
//   bits 0..7    how many bits to drop: the code word and its extra bits
//   bits 8..11   of these, the code word's; or how many the subtable is indexed with
//   bit 13       points to a subtable
//   bit 14       neither a literal nor a length or distance
//   bit 15       a literal
//   bits 16..31  the literal; the length's or distance's base; where the subtable starts; or the
//                Status that the symbol leads to
//
// There are two ways through a block: decode_fast() while there is more than enough of input and
// room, so that neither has to be looked at within a symbol; decode() near the end of one of them,
// which takes a symbol with all that belongs to it or leaves it alone.
//
// SPDX-License-Identifier: MIT
#include "ws/deflate/inflate.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>

namespace sockeye::ws::deflate {
namespace {

constexpr Entry subtable_flag = 1u << 13;
constexpr Entry exceptional_flag = 1u << 14;
constexpr Entry literal_flag = 1u << 15;

constexpr Entry with_value(std::size_t value) {
  return static_cast<Entry>(value << 16);
}
constexpr Entry leading_to(Status status) {
  return with_value(static_cast<std::size_t>(status)) | exceptional_flag;
}
constexpr std::size_t value_of(Entry entry) {
  return entry >> 16;
}
constexpr Status status_of(Entry entry) {
  return static_cast<Status>(value_of(entry));
}
constexpr unsigned bits_of(Entry entry) {
  return entry & 0xff;
}

// What the symbols mean: their entries, to which the code word's length is to be added.
constexpr auto literal_entries = [] {
  std::array<Entry, fixed_literal_symbols> entries{};
  for (std::size_t i = 0; i < end_of_block; ++i) entries[i] = with_value(i) | literal_flag;
  entries[end_of_block] = leading_to(Status::end);
  for (std::size_t i = 0; i < length_bases.size(); ++i) {
    entries[first_length_symbol + i] = with_value(length_bases[i]) | length_extra_bits[i];
  }
  entries[286] = entries[287] = leading_to(Status::reserved_length_symbol);
  return entries;
}();

constexpr auto distance_entries = [] {
  std::array<Entry, fixed_distance_symbols> entries{};
  for (std::size_t i = 0; i < distance_bases.size(); ++i) {
    entries[i] = with_value(distance_bases[i]) | distance_extra_bits[i];
  }
  entries[30] = entries[31] = leading_to(Status::reserved_distance_symbol);
  return entries;
}();

// Here, the value is the symbol, times 256, and how many lengths it stands for.
constexpr auto code_length_entries = [] {
  std::array<Entry, code_length_symbols> entries{};
  for (std::size_t i = 0; i < repeat_previous; ++i) entries[i] = with_value(i << 8 | 1);
  entries[repeat_previous] = with_value(repeat_previous << 8 | 3) | 2;
  entries[repeat_zero] = with_value(repeat_zero << 8 | 3) | 3;
  entries[repeat_zero_often] = with_value(repeat_zero_often << 8 | 11) | 7;
  return entries;
}();

constexpr Entry with_code_bits(Entry entry, unsigned bits) {
  return entry + (bits << 8 | bits);
}

// An entry's value with what its extra bits add; the code word is still in front of `word`.
std::size_t with_extra_bits(Entry entry, std::uint64_t word) {
  const std::uint64_t all_bits = word & ((std::uint64_t{1} << (entry & 63)) - 1);
  return value_of(entry) + static_cast<std::size_t>(all_bits >> (entry >> 8 & 15));
}

// The next code word of `bits` bits, the one's first bit being lowest: adds one, from the last bit
// (the highest) to the first. §3.2.2: words of one length count upwards in the order of their
// symbols, and longer ones go on where the shorter ones ended. §3.1.1: the first bit comes first.
std::uint32_t reversed(std::uint32_t word, unsigned bits) {
  word = (word & 0x5555) << 1 | (word >> 1 & 0x5555);
  word = (word & 0x3333) << 2 | (word >> 2 & 0x3333);
  word = (word & 0x0f0f) << 4 | (word >> 4 & 0x0f0f);
  word = (word & 0x00ff) << 8 | word >> 8;
  return word >> (16 - bits);
}

// A code is given by the lengths of its words (§3.2.2): a list, in the order of the symbols, of
// those that have a word. Each in 16 bits: the symbol times 16, and the length.
using CodeWords = std::span<const std::uint16_t>;

constexpr std::uint16_t code_word(std::size_t symbol, std::size_t length) {
  return static_cast<std::uint16_t>(symbol << 4 | length);
}
constexpr std::size_t symbol_of(std::uint16_t word) {
  return word >> 4;
}
constexpr unsigned length_of(std::uint16_t word) {
  return word & 15;
}

// What the lengths of a code's words come to, §3.2.2.
enum class Shape { complete, incomplete, oversubscribed };

using Counts = std::array<std::uint16_t, max_code_bits + 1>;  // of words, by length

Counts count(CodeWords words) {
  Counts counts{};
  for (const std::uint16_t word : words) ++counts[length_of(word)];
  return counts;
}

Shape shape_of(const Counts& counts) {
  int free_words = 1;
  for (unsigned bits = 1; bits <= max_code_bits; ++bits) {
    free_words = 2 * free_words - counts[bits];
    if (free_words < 0) return Shape::oversubscribed;
  }
  return free_words == 0 ? Shape::complete : Shape::incomplete;
}

unsigned longest_word(const Counts& counts) {
  unsigned bits = max_code_bits;
  while (counts[bits] == 0) --bits;
  return bits;
}

// Writes the subtables behind the table of `table_bits`: for the words from `word` on, which are
// longer. Each has room for all words that begin with the same `table_bits` bits.
void build_subtables(Counts counts, const Entry* next, std::uint32_t word, std::span<Entry> table,
                     unsigned table_bits) {
  const std::uint32_t table_mask = (1u << table_bits) - 1;
  std::uint32_t prefix = ~0u;
  std::size_t start = 0;
  std::size_t end = table_mask + 1;
  for (unsigned bits = table_bits + 1; bits <= max_code_bits; ++bits) {
    word <<= 1;
    for (; counts[bits] > 0; --counts[bits]) {
      const std::uint32_t rev = reversed(word, bits);
      if ((rev & table_mask) != prefix) {
        prefix = rev & table_mask;
        // As many bits as it takes until the next words fill the subtable.
        unsigned index_bits = bits - table_bits;
        int free_entries = (1 << index_bits) - counts[bits];
        while (free_entries > 0) {
          ++index_bits;
          free_entries = 2 * free_entries - counts[table_bits + index_bits];
        }
        start = end;
        end += std::size_t{1} << index_bits;
        assert(end <= table.size());
        table[prefix] =
            with_value(start) | exceptional_flag | subtable_flag | index_bits << 8 | table_bits;
      }
      const std::size_t step = std::size_t{1} << (bits - table_bits);
      for (std::size_t i = start + (rev >> table_bits); i < end; i += step) table[i] = *next;
      ++next;
      ++word;
    }
  }
}

// Makes the table for a complete code. Returns how many bits it is indexed with.
unsigned build_complete(CodeWords words, const Counts& counts, const Entry* entries,
                        std::span<Entry> table, unsigned max_table_bits) {
  // The entries in the order of their code words: by length, then by symbol.
  std::array<std::uint16_t, max_code_bits + 2> places{};
  for (unsigned bits = 1; bits <= max_code_bits; ++bits) {
    places[bits + 1] = static_cast<std::uint16_t>(places[bits] + counts[bits]);
  }
  std::array<Entry, fixed_literal_symbols> sorted;
  for (const std::uint16_t word : words) {
    const unsigned bits = length_of(word);
    sorted[places[bits]++] = with_code_bits(entries[symbol_of(word)], bits);
  }

  // A table for words of one bit, of two, and so on: each is the one before, twice, with the words
  // of its own length added.
  const Entry* next = sorted.data();
  const unsigned longest = longest_word(counts);
  const unsigned table_bits = std::min(max_table_bits, longest);
  std::uint32_t word = 0;
  table[0] = 0;
  for (unsigned bits = 1; bits <= table_bits; ++bits) {
    const std::size_t half = std::size_t{1} << (bits - 1);
    std::copy_n(table.begin(), half, table.begin() + half);
    word <<= 1;
    for (unsigned left = counts[bits]; left > 0; --left) table[reversed(word++, bits)] = *next++;
  }
  if (longest > table_bits) build_subtables(counts, next, word, table, table_bits);
  return table_bits;
}

// Makes the table for a code of no word, or of one that has one bit.
unsigned build_small(CodeWords words, const Entry* entries, std::span<Entry> table,
                     Status unassigned) {
  table[0] = table[1] = with_code_bits(leading_to(unassigned), 1);
  if (!words.empty()) table[0] = with_code_bits(entries[symbol_of(words[0])], 1);
  return 1;
}

// Copies `length` bytes from `distance` before `out`, in steps, and so may write up to
// copy_slack bytes more. Returns the copy's end.
constexpr std::size_t copy_step = 16;
constexpr std::size_t copy_slack = 3 * copy_step;

inline void copy_one_step(std::uint8_t* to, const std::uint8_t* from) {
  std::array<std::uint8_t, copy_step> step;
  std::memcpy(step.data(), from, copy_step);
  std::memcpy(to, step.data(), copy_step);
}

inline std::uint8_t* copy_in_steps(std::uint8_t* out, std::size_t distance, std::size_t length) {
  std::uint8_t* const end = out + length;
  if (distance < copy_step) {
    // A match that overlaps itself (§3.2.3) repeats a pattern. Each step doubles it, until it is
    // long enough that a step reads nothing it writes.
    const std::uint8_t* const from = out - distance;
    for (; distance < copy_step; distance *= 2) {
      copy_one_step(out, from);
      out = const_cast<std::uint8_t*>(from) + 2 * distance;
    }
  }
  do {
    copy_one_step(out, out - distance);
    copy_one_step(out + copy_step, out + copy_step - distance);
    out += 2 * copy_step;
  } while (out < end);
  return end;
}

// decode_fast() needs so much for one round: it refills its bits twice, and writes up to three
// literals or two and a match.
constexpr std::size_t fast_input_bytes = 16;
constexpr std::size_t fast_output_bytes = 2 + max_match + copy_slack;

}  // namespace

// ----------------------------------------------------------------------------------------- window

Window::Window(Pool& pool, int bits)
    : pool_(pool),
      capacity_(std::size_t{1} << bits),
      data_(static_cast<std::uint8_t*>(pool.allocate(capacity_))) {}

void Window::append(Bytes bytes) {
  if (bytes.size() > capacity_) bytes = bytes.last(capacity_);
  const std::size_t until_wrap = std::min(bytes.size(), capacity_ - end_);
  copy_bytes(data_ + end_, bytes.first(until_wrap));
  copy_bytes(data_, bytes.subspan(until_wrap));
  end_ = (end_ + bytes.size()) & (capacity_ - 1);
  size_ = std::min(size_ + bytes.size(), capacity_);
}

void Window::copy(std::uint8_t* to, std::size_t distance, std::size_t size) const {
  assert(size <= distance && distance <= size_);
  const std::size_t start = (end_ - distance) & (capacity_ - 1);
  const std::size_t until_wrap = std::min(size, capacity_ - start);
  to = copy_bytes(to, {data_ + start, until_wrap});
  copy_bytes(to, {data_, size - until_wrap});
}

// ------------------------------------------------------------------------------------ bits, tables

// At least 56 bits then; there must be eight bytes. Bits of `word` beyond `count` are those that
// the next refill brings again.
inline void BitReader::refill_fast() {
  word |= load_le64(next) << count;
  next += (63 - count) / 8;
  count |= 56;
}

inline void BitReader::refill() {
  if (end - next >= 8) return refill_fast();
  for (; count < 56 && next != end; count += 8) word |= std::uint64_t{*next++} << count;
}

inline void BitReader::drop(unsigned bits) {
  word >>= bits;
  count -= bits;
}

inline std::uint32_t BitReader::take(unsigned bits) {
  const auto value = static_cast<std::uint32_t>(word & ((std::uint64_t{1} << bits) - 1));
  drop(bits);
  return value;
}

inline void BitReader::give_back() {
  const auto read = static_cast<std::size_t>(next - start);
  const auto bytes = static_cast<unsigned>(std::min<std::size_t>(count / 8, read));
  next -= bytes;
  count -= 8 * bytes;
  word &= (std::uint64_t{1} << count) - 1;
}

inline Entry Table::first_entry(std::uint64_t word) const {
  return entries[word & ((std::size_t{1} << bits) - 1)];
}

inline Entry Table::look_up(std::uint64_t word) const {
  const Entry entry = first_entry(word);
  return entry & subtable_flag ? look_up_further(entry, word) : entry;
}

inline Entry Table::look_up_further(Entry pointer, std::uint64_t word) const {
  const std::size_t mask = (std::size_t{1} << (pointer >> 8 & 15)) - 1;
  return entries[value_of(pointer) + (word >> bits_of(pointer) & mask)];
}

// --------------------------------------------------------------------------------------- inflater

Inflater::Inflater() {
  // §3.2.6.
  std::array<std::uint16_t, fixed_literal_symbols> words;
  for (std::size_t i = 0; i < words.size(); ++i) words[i] = code_word(i, fixed_literal_bits(i));
  build_complete(words, count(words), literal_entries.data(), fixed_literals_,
                 fixed_literal_table_bits);
  for (std::size_t i = 0; i < words.size(); ++i) words[i] = code_word(i, fixed_distance_bits);
  const CodeWords distances = CodeWords(words).first(fixed_distance_symbols);
  build_complete(distances, count(distances), distance_entries.data(), fixed_distances_,
                 fixed_distance_bits);
}

void Inflater::begin(int window_bits) {
  bits_ = {};
  state_ = State::block_header;
  last_block_ = false;
  max_distance_ = std::size_t{1} << window_bits;
}

Status Inflater::run(Bytes& input, MutableBytes output, std::size_t& used, const Window* window) {
  bits_.start = bits_.next = input.data();
  bits_.end = input.data() + input.size();
  output_ = output.data();
  output_size_ = output.size();
  used_ = used;
  window_ = window;
  while (step()) {
  }
  if (status_ != Status::needs_input) bits_.give_back();
  input = input.subspan(static_cast<std::size_t>(bits_.next - bits_.start));
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
      return bits_.left() >= fast_input_bytes && output_size_ - used_ >= fast_output_bytes
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
      literals_ = {fixed_literals_.data(), fixed_literal_table_bits};
      distances_ = {fixed_distances_.data(), fixed_distance_bits};
      state_ = State::symbols;
      return true;
    case static_cast<unsigned>(BlockType::dynamic):
      state_ = State::code_counts;
      return true;
  }
  return stop(Status::reserved_block_type);
}

// What an entry says that is neither a literal nor a length or distance.
bool Inflater::follow(Status status) {
  if (status != Status::end) return stop(status);
  return end_block();
}

bool Inflater::end_block() {
  state_ = State::block_header;
  if (!last_block_) return true;
  bits_.drop(bits_.count % 8);  // belong to nothing
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
  const std::size_t size = std::min({stored_left_, bits_.left(), output_size_ - used_});
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
  const CodeWords words = CodeWords(words_).first(word_count_);
  const Counts counts = count(words);
  switch (shape_of(counts)) {
    case Shape::complete:
      break;
    case Shape::incomplete:
      return stop(Status::code_lengths_incomplete);
    case Shape::oversubscribed:
      return stop(Status::code_lengths_oversubscribed);
  }
  code_length_code_ = {code_length_table_.data(),
                       build_complete(words, counts, code_length_entries.data(), code_length_table_,
                                      max_code_length_bits)};
  lengths_read_ = 0;
  word_count_ = 0;
  state_ = State::code_lengths;
  return true;
}

// §3.2.7: the lengths of both codes, one behind the other; a repetition may go across.
bool Inflater::read_code_lengths() {
  const std::size_t all = literal_lengths_ + distance_lengths_;
  BitReader bits = bits_;
  std::size_t read = lengths_read_;
  std::size_t word_count = word_count_;
  Status problem = Status::end;  // none
  while (read < all) {
    if (bits.count < max_code_length_bits + 7) bits.refill();
    const Entry entry = code_length_code_.first_entry(bits.word);
    if (bits_of(entry) > bits.count) {
      problem = Status::needs_input;
      break;
    }
    const std::size_t value = with_extra_bits(entry, bits.word);
    const std::size_t symbol = value >> 8;
    bits.drop(bits_of(entry));
    if (symbol < repeat_previous) {
      last_length_ = static_cast<std::uint16_t>(symbol);
      words_[word_count] = code_word(read++, symbol);
      word_count += symbol > 0;
      continue;
    }
    const std::size_t times = value & 0xff;
    if (symbol == repeat_previous && read == 0) {
      problem = Status::nothing_to_repeat;
      break;
    }
    if (times > all - read) {
      problem = Status::repeats_too_often;
      break;
    }
    if (symbol != repeat_previous) last_length_ = 0;
    if (last_length_ > 0) {
      for (std::size_t i = 0; i < times; ++i)
        words_[word_count++] = code_word(read + i, last_length_);
    }
    read += times;
  }
  bits_ = bits;
  lengths_read_ = read;
  word_count_ = word_count;
  if (problem == Status::needs_input) return wait_for(problem);
  if (problem != Status::end) return stop(problem);
  return begin_dynamic();
}

bool Inflater::begin_dynamic() {
  const auto words_end = words_.begin() + word_count_;
  const auto literals_end =
      std::lower_bound(words_.begin(), words_end, code_word(literal_lengths_, 0));
  const CodeWords literals(words_.begin(), literals_end);
  for (auto word = literals_end; word != words_end; ++word) *word -= code_word(literal_lengths_, 0);
  const CodeWords distances(literals_end, words_end);
  if (std::none_of(literals.rbegin(), literals.rend(),
                   [](std::uint16_t word) { return symbol_of(word) == end_of_block; }))
    return stop(Status::no_end_of_block);
  const Counts literal_counts = count(literals);
  literals_.entries = literal_table_.data();
  switch (shape_of(literal_counts)) {
    case Shape::complete:
      literals_.bits = build_complete(literals, literal_counts, literal_entries.data(),
                                      literal_table_, literal_table_bits);
      break;
    case Shape::incomplete:
      if (literal_counts[1] != literals.size()) return stop(Status::literals_incomplete);
      literals_.bits = build_small(literals, literal_entries.data(), literal_table_,
                                   Status::unassigned_literal_code);
      break;
    case Shape::oversubscribed:
      return stop(Status::literals_oversubscribed);
  }
  const Counts distance_counts = count(distances);
  distances_.entries = distance_table_.data();
  switch (shape_of(distance_counts)) {
    case Shape::complete:
      distances_.bits = build_complete(distances, distance_counts, distance_entries.data(),
                                       distance_table_, distance_table_bits);
      break;
    case Shape::incomplete:
      if (distance_counts[1] != distances.size()) {
        return stop(Status::distances_incomplete);
      }
      distances_.bits = build_small(distances, distance_entries.data(), distance_table_,
                                    Status::unassigned_distance_code);
      break;
    case Shape::oversubscribed:
      return stop(Status::distances_oversubscribed);
  }
  state_ = State::symbols;
  return true;
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
  if (entry & exceptional_flag) {
    bits_ = ahead;
    return follow(status_of(entry));
  }

  const Entry distance_entry = distances_.look_up(ahead.word);
  if (bits_of(distance_entry) > ahead.count) return wait_for(Status::needs_input);
  if (distance_entry & exceptional_flag) return stop(status_of(distance_entry));
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
    std::size_t size = std::min({match_length_, match_distance_, output_size_ - used_});
    if (size == 0) return wait_for(Status::needs_output);
    std::uint8_t* const to = output_ + used_;
    if (match_distance_ > used_) {
      const std::size_t before_output = match_distance_ - used_;
      size = std::min(size, before_output);
      window_->copy(to, before_output, size);
    } else {
      copy_bytes(to, {to - match_distance_, size});
    }
    used_ += size;
    match_length_ -= size;
  }
  state_ = State::symbols;
  return true;
}

// As decode(), again and again while there is enough input and room.
bool Inflater::decode_fast() {
  BitReader bits = bits_;
  const Table literals = literals_;
  const Table distances = distances_;
  const std::uint8_t* const input_last = bits.end - fast_input_bytes;
  std::uint8_t* out = output_ + used_;
  std::uint8_t* const output_last = output_ + output_size_ - fast_output_bytes;
  const auto put_literal = [&](Entry entry) {
    *out++ = static_cast<std::uint8_t>(value_of(entry));
    bits.drop(bits_of(entry));
  };
  Status found = Status::needs_input;  // or what an exceptional entry leads to

  bits.refill_fast();
  Entry entry = literals.first_entry(bits.word);
  while (bits.next <= input_last && out <= output_last) {
    if (entry & literal_flag) {
      put_literal(entry);
      entry = literals.first_entry(bits.word);
      if (entry & literal_flag) {
        put_literal(entry);
        entry = literals.first_entry(bits.word);
        if (entry & literal_flag) {
          put_literal(entry);
          entry = literals.first_entry(bits.word);
          bits.refill_fast();
          continue;
        }
      }
    }
    if (entry & exceptional_flag) [[unlikely]] {
      if (entry & subtable_flag) entry = literals.look_up_further(entry, bits.word);
      if (entry & literal_flag) {
        put_literal(entry);
        bits.refill_fast();
        entry = literals.first_entry(bits.word);
        continue;
      }
      if (entry & exceptional_flag) {
        bits.drop(bits_of(entry));
        found = status_of(entry);
        break;
      }
    }
    const std::size_t length = with_extra_bits(entry, bits.word);
    bits.drop(bits_of(entry));
    if (bits.count < 28) [[unlikely]]
      bits.refill_fast();
    entry = distances.first_entry(bits.word);
    if (entry & exceptional_flag) [[unlikely]] {
      if (entry & subtable_flag) entry = distances.look_up_further(entry, bits.word);
      if (entry & exceptional_flag) {
        found = status_of(entry);
        break;
      }
    }
    const std::size_t distance = with_extra_bits(entry, bits.word);
    bits.drop(bits_of(entry));
    bits.refill_fast();
    entry = literals.first_entry(bits.word);
    if (distance <= static_cast<std::size_t>(out - output_) && distance <= max_distance_)
        [[likely]] {
      out = copy_in_steps(out, distance, length);
      continue;
    }
    used_ = static_cast<std::size_t>(out - output_);
    if (!begin_match(length, distance)) return false;
    out = output_ + used_;
  }

  bits_ = bits;
  used_ = static_cast<std::size_t>(out - output_);
  return found == Status::needs_input || follow(found);
}

}  // namespace sockeye::ws::deflate
