// Inflate: every rule that a stream can break, by a stream that breaks it; streams that others made
// and streams made by hand; everything cut everywhere.
//
// SPDX-License-Identifier: MIT
#include "ws/deflate/inflate.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <ostream>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "net/pool.h"
#include "test/support/guarded_memory.h"
#include "test/support/splits.h"

namespace sockeye::ws::deflate {
namespace {

using Data = std::vector<std::uint8_t>;

Data unhex(std::string_view hex) {
  Data data;
  std::string digits;
  for (const char c : hex) {
    if (c != ' ') digits += c;
    if (digits.size() < 2) continue;
    data.push_back(static_cast<std::uint8_t>(std::stoi(digits, nullptr, 16)));
    digits.clear();
  }
  return data;
}

struct Result {
  Status status;
  std::string text;
  std::size_t left;  // of the input; 0 after an error

  bool operator==(const Result&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Result& result) {
  return out << "status " << static_cast<int>(result.status) << ", " << result.text.size()
             << " bytes, " << result.left << " left: " << result.text;
}

struct Setting {
  int window_bits = max_window_bits;
  const Window* window = nullptr;
  std::size_t first_room = 1000;
  std::size_t more_room = 1000;  // each time there isn't enough
};

// Room is given in allocations of exactly its size. It stops where there is something else to say
// than that it wants more.
Result inflate(const test::Pieces& pieces, const Setting& setting) {
  Inflater inflater;
  inflater.begin(setting.window_bits);
  Data output(setting.first_room);
  std::size_t used = 0;
  std::size_t left = 0;
  for (const test::Piece& piece : pieces) left += piece.size();
  Status status = Status::needs_input;
  for (const test::Piece& piece : pieces) {
    Bytes input = piece;
    status = inflater.run(input, output, used, setting.window);
    while (status == Status::needs_output) {
      if (used < output.size()) return {status, "there is room", used};
      Data larger(output.size() + setting.more_room);
      std::copy(output.begin(), output.end(), larger.begin());
      output.swap(larger);
      status = inflater.run(input, output, used, setting.window);
    }
    left -= piece.size() - input.size();
    if (status != Status::needs_input) break;
    if (!input.empty()) return {status, "there is input", input.size()};
  }
  return {status, std::string(as_text(Bytes(output).first(used))), is_error(status) ? 0 : left};
}

// With every cut of the input; with every room at first; with room that comes byte by byte.
void check(const Data& stream, const Result& expected, Setting setting = {}) {
  test::for_each_split(stream, [&](const test::Pieces& pieces) {
    CHECK(inflate(pieces, setting) == expected);
    setting.first_room = 0;
    setting.more_room = pieces.size() == 2 ? 25 : 1;
    CHECK(inflate(pieces, setting) == expected);
    setting.first_room = setting.more_room = 1000;
  });
  for (std::size_t room = 0; room <= std::min<std::size_t>(expected.text.size(), 600); ++room) {
    setting.first_room = room;
    CHECK(inflate({stream}, setting) == expected);
  }
}

// Writes a stream bit by bit, §3.1.1.
class BitWriter {
 public:
  void bits(std::size_t value, int count) {
    for (int i = 0; i < count; ++i) bit(value >> i & 1);
  }
  // Huffman codes go from their highest bit on.
  void code(std::size_t word, int count) {
    for (int i = count; i-- > 0;) bit(word >> i & 1);
  }
  void fill_byte() {
    while (used_ % 8 != 0) bit(0);
  }
  const Data& data() const { return data_; }

 private:
  void bit(std::size_t value) {
    if (used_ % 8 == 0) data_.push_back(0);
    data_.back() = static_cast<std::uint8_t>(data_.back() | value << used_ % 8);
    ++used_;
  }

  Data data_;
  std::size_t used_ = 0;
};

// The code words that belong to lengths: §3.2.2, as it reads.
struct Code {
  explicit Code(std::vector<int> code_lengths) : lengths(std::move(code_lengths)) {
    std::size_t word = 0;
    words.resize(lengths.size());
    for (int bits = 1; bits <= max_code_bits; ++bits) {
      for (std::size_t symbol = 0; symbol < lengths.size(); ++symbol) {
        if (lengths[symbol] == bits) words[symbol] = word++;
      }
      word <<= 1;
    }
  }

  std::vector<int> lengths;
  std::vector<std::size_t> words;
};

Code fixed_literals() {
  std::vector<int> lengths;
  for (std::size_t i = 0; i < fixed_literal_symbols; ++i) lengths.push_back(fixed_literal_bits(i));
  return Code(lengths);
}

Code fixed_distances() {
  return Code(std::vector<int>(fixed_distance_symbols, fixed_distance_bits));
}

// Writes the symbols of a block, and keeps the text that they stand for.
class BlockWriter {
 public:
  BlockWriter(BitWriter& out, Code literals, Code distances, std::string& text)
      : out_(out), literals_(std::move(literals)), distances_(std::move(distances)), text_(text) {}

  void literal(std::uint8_t byte) {
    symbol(literals_, byte);
    text_ += static_cast<char>(byte);
  }
  void match(std::size_t length, std::size_t distance) {
    range(literals_, first_length_symbol, length_bases, length_extra_bits, length);
    range(distances_, 0, distance_bases, distance_extra_bits, distance);
    for (; length > 0; --length) text_ += text_[text_.size() - distance];
  }
  void end() { symbol(literals_, end_of_block); }

 private:
  void symbol(const Code& code, std::size_t value) {
    out_.code(code.words[value], code.lengths[value]);
  }
  template <typename Bases, typename ExtraBits>
  void range(const Code& code, std::size_t first, const Bases& bases, const ExtraBits& extra_bits,
             std::size_t value) {
    const auto after = std::upper_bound(bases.begin(), bases.end(), value);
    const auto i = static_cast<std::size_t>(after - bases.begin()) - 1;
    symbol(code, first + i);
    out_.bits(value - bases[i], extra_bits[i]);
  }

  BitWriter& out_;
  const Code literals_;
  const Code distances_;
  std::string& text_;
};

void block_header(BitWriter& out, bool last, BlockType type) {
  out.bits(last, 1);
  out.bits(static_cast<std::size_t>(type), 2);
}

// §3.2.7, in a code of code lengths that has 4 bits for each of 0..15 and no repetition.
void dynamic_header(BitWriter& out, const Code& literals, const Code& distances) {
  block_header(out, true, BlockType::dynamic);
  out.bits(literals.lengths.size() - min_literal_lengths, 5);
  out.bits(distances.lengths.size() - min_distance_lengths, 5);
  out.bits(code_length_symbols - min_code_length_lengths, 4);
  for (const std::uint8_t symbol : code_length_order) out.bits(symbol < 16 ? 4 : 0, 3);
  for (const Code* code : {&literals, &distances}) {
    for (const int length : code->lengths) out.code(static_cast<std::size_t>(length), 4);
  }
}

// A text as messages are.
std::string records(int count) {
  constexpr const char* names[] = {"Anna", "Bilal", "Chiara", "Dmitri"};
  std::string text;
  for (int i = 0; i < count; ++i) {
    const std::string minute = std::to_string(i * 13 % 60);
    text += "{\"id\":" + std::to_string(i * 7919 % 1000) + ",\"name\":\"" + names[i % 4] +
            "\",\"ok\":" + (i % 3 ? "true" : "false") +
            ",\"at\":\"2026-11-22T10:" + (minute.size() == 1 ? "0" : "") + minute + ":07Z\"},";
  }
  return text;
}

}  // namespace

// The trailer is part of these streams, as §7.2.2 has the receiver add it.
TEST_CASE("inflate: the examples of RFC 7692 §7.2.3") {
  // §7.2.3.1: one block.
  check(unhex("f2 48 cd c9 c9 07 00 00 00 ff ff"), {Status::needs_input, "Hello", 0});
  // §7.2.3.3: a stored block.
  check(unhex("00 05 00 fa ff 48 65 6c 6c 6f 00 00 00 ff ff"), {Status::needs_input, "Hello", 0});
  // §7.2.3.4: BFINAL. What follows the block is for the caller.
  check(unhex("f3 48 cd c9 c9 07 00 00 00 00 ff ff"), {Status::end, "Hello", 5});
  // §7.2.3.5: two blocks.
  check(unhex("f2 48 05 00 00 00 ff ff ca c9 c9 07 00 00 00 ff ff"),
        {Status::needs_input, "Hello", 0});
  // §7.2.3.6: an empty message.
  check(unhex("00 00 00 ff ff"), {Status::needs_input, "", 0});
  check(unhex("02 00 00 00 ff ff"), {Status::needs_input, "", 0});
}

TEST_CASE("inflate: with the window of the message before, RFC 7692 §7.2.3.2") {
  Pool pool;
  Window window(pool, max_window_bits);
  REQUIRE(window.allocated());
  window.append(as_bytes("Hello"));
  const Data second = unhex("f2 00 11 00 00 00 00 ff ff");
  check(second, {Status::needs_input, "Hello", 0}, {.window = &window});
  window.clear();
  check(second, {Status::distance_too_far, "H", 0}, {.window = &window});
  check(second, {Status::distance_too_far, "H", 0});
}

TEST_CASE("inflate: goes on after a final block, RFC 7692 §7.2.3.4") {
  Inflater inflater;
  inflater.begin(max_window_bits);
  const Data stream = unhex("f3 48 cd c9 c9 07 00 00 00 00 ff ff");
  Bytes input = stream;
  Data output(100);
  std::size_t used = 0;
  CHECK(inflater.run(input, output, used, nullptr) == Status::end);
  CHECK_FALSE(inflater.between_blocks());
  CHECK(inflater.run(input, output, used, nullptr) == Status::end);
  CHECK(input.size() == 5);
  inflater.begin(max_window_bits);
  CHECK(inflater.run(input, output, used, nullptr) == Status::needs_input);
  CHECK(inflater.between_blocks());
  CHECK(as_text(Bytes(output).first(used)) == "Hello");
}

TEST_CASE("inflate: knows whether a message ends with a block") {
  const Data stream = unhex("f2 48 cd c9 c9 07 00 00 00 ff ff");
  for (std::size_t size = 0; size <= stream.size(); ++size) {
    CAPTURE(size);
    Inflater inflater;
    inflater.begin(max_window_bits);
    Bytes input = Bytes(stream).first(size);
    Data output(100);
    std::size_t used = 0;
    CHECK(inflater.run(input, output, used, nullptr) == Status::needs_input);
    CHECK(inflater.between_blocks() == (size == 0 || size == stream.size()));
  }
}

TEST_CASE("inflate: a block's end within a byte is no message's end") {
  BitWriter out;
  std::string text;
  block_header(out, false, BlockType::fixed);
  BlockWriter block(out, fixed_literals(), fixed_distances(), text);
  for (int i = 0; i < 4; ++i) block.literal(0xff);
  block.end();  // two bits are left, too few for a block's header
  Inflater inflater;
  inflater.begin(max_window_bits);
  Bytes input = out.data();
  Data output(100);
  std::size_t used = 0;
  CHECK(inflater.run(input, output, used, nullptr) == Status::needs_input);
  CHECK(used == 4);
  CHECK_FALSE(inflater.between_blocks());
}

TEST_CASE("inflate: waits for room with bits of an earlier piece") {
  BitWriter out;
  std::string text;
  block_header(out, true, BlockType::fixed);
  BlockWriter block(out, fixed_literals(), fixed_distances(), text);
  for (int i = 0; i < 50; ++i) block.literal(static_cast<std::uint8_t>(0x90 + i));  // nine bits
  block.end();
  check(out.data(), {Status::end, text, 0});
}

TEST_CASE("inflate: refuses what breaks a rule of RFC 1951") {
  const struct {
    const char* hex;
    Status status;
    const char* text = "";
  } streams[] = {
      // §3.2.3
      {"07", Status::reserved_block_type},
      // §3.2.4
      {"01 01 00 01 00 41", Status::bad_stored_length},
      // §3.2.7: 287 and 31 lengths
      {"f5 00 02 00", Status::too_many_literal_lengths},
      {"05 1e 02 00", Status::too_many_distance_lengths},
      // 16 comes first
      {"05 00 02 24", Status::nothing_to_repeat},
      // 138 + 121 zeros, of 258 lengths; a repetition of ones, where zeros took all but one
      {"05 00 80 e4 bf 1b", Status::repeats_too_often},
      {"05 c0 85 00 00 00 00 00 20 7f eb 06", Status::repeats_too_often},
      // §3.2.2: three words of one bit; three of two bits; none
      {"05 00 92 00", Status::code_lengths_oversubscribed},
      {"05 00 24 01", Status::code_lengths_incomplete},
      {"05 00 00 00", Status::code_lengths_incomplete},
      {"05 c0 81 08 00 00 00 00 a0 f7 97 6e", Status::no_end_of_block},
      // Three words of one bit; two of two bits; one of two bits
      {"05 c0 81 00 00 00 00 00 10 fe a7 01", Status::literals_oversubscribed},
      {"05 80 81 00 00 00 00 40 fc 57 03", Status::literals_incomplete},
      {"05 80 81 00 00 00 00 40 fe af 01", Status::literals_incomplete},
      {"05 c2 81 00 00 00 00 00 90 ff 6b 00", Status::distances_oversubscribed},
      {"05 c1 81 00 00 00 00 80 20 7f eb 1e", Status::distances_incomplete},
      // Bit 1 where the only code word is 0; where there is none, whichever bit
      {"05 c0 81 00 00 00 00 00 90 ff 6b 02", Status::unassigned_literal_code},
      {"0d c0 81 00 00 00 00 00 90 ff 6b 0c", Status::unassigned_distance_code},
      {"0d c0 81 08 00 00 00 00 20 7f eb 2f", Status::unassigned_distance_code},
      // §3.2.6: 286, 287; 30, 31
      {"1b 03", Status::reserved_length_symbol},
      {"1b 07", Status::reserved_length_symbol},
      {"4b 04 3e", Status::reserved_distance_symbol, "a"},
      {"4b 04 7e", Status::reserved_distance_symbol, "a"},
      // One literal, then two bytes back
      {"4b 04 42", Status::distance_too_far, "a"},
  };
  for (const auto& stream : streams) {
    CAPTURE(stream.hex);
    Data data = unhex(stream.hex);
    const Result result = inflate({data}, {});
    CHECK(result.status == stream.status);
    CHECK(result.text == stream.text);
    check(data, result);
    // The same where there is plenty of input and room.
    data.resize(data.size() + 100);
    const Result longer = inflate({data}, {});
    CHECK(longer.status == stream.status);
    CHECK(longer.text == stream.text);
  }
}

TEST_CASE("inflate: stays at an error until it begins again") {
  Inflater inflater;
  inflater.begin(max_window_bits);
  Data output(10);
  std::size_t used = 0;
  Data stream = unhex("07");
  Bytes input = stream;
  CHECK(inflater.run(input, output, used, nullptr) == Status::reserved_block_type);
  stream = unhex("03 00");
  input = stream;
  CHECK(inflater.run(input, output, used, nullptr) == Status::reserved_block_type);
  CHECK(input.size() == 2);
  inflater.begin(max_window_bits);
  CHECK(inflater.run(input, output, used, nullptr) == Status::end);
}

TEST_CASE("inflate: takes what is odd, but allowed") {
  // §3.2.7: a code of one literal, or distance, has one bit.
  check(unhex("05 c0 81 00 00 00 00 00 90 ff 6b 00"), {Status::end, "", 0});
  check(unhex("0d c0 81 00 00 00 00 80 20 d6 fc 25 3e 0b"), {Status::end, "aaaa", 0});
  // No distance at all, where there are only literals.
  check(unhex("05 c0 81 08 00 00 00 00 20 d6 fd 25 4e"), {Status::end, "a", 0});
  // A repetition that goes from the literals' lengths to the distances'.
  check(unhex("05 83 05 01 00 00 00 40 fe 8f 86 72"), {Status::end, "\xfe", 0});
  // Length 258 has a symbol of its own, and yet another one reaches it.
  const std::string many(259, 'a');
  check(unhex("4b 1c f9 00 00"), {Status::end, many, 0});
  check(unhex("4b 1c 05 00"), {Status::end, many, 0});
}

TEST_CASE("inflate: what zlib 1.2.13 made, by Python") {
  // compressobj(6, wbits=-15): a fixed block
  check(unhex("aa56ca4c51b232d051ca4bcc4d55b25272cccb4b54d251cacf56b24a4bcc294ed5514a2c010a1b19"
              "1899e91a1aea1a1985181a58190091799452ad4e3558b7a5a1255cbf53664e620ed48092a252ecfa"
              "0d8d51f45b185bc0f53b67642616251232c0c80c6a00000000ffff"),
        {Status::needs_input, records(3), 0});
  // strategy=Z_HUFFMAN_ONLY: a dynamic block without distances
  check(unhex("04c1410a83400c05d0bbfc75069214b4fdbbb65770e52ee0940eea08765c8977ef7b27ca04aaa0c6"
              "9a413c6b0d08b619fcc4f2cb8268205cbd4b66c97d30a52ab51f71c98932810f7b086aac19c4ab2c"
              "b140b0cd60db8f2c8806c2d5bb6496dc0753da8dda8fb8e44499c0fbed2ea8b16610ef6f893d20d8"
              "66b0ed47164403e1ea5d324bee8329bda3f6232ef9030000ffff"),
        {Status::needs_input, records(3), 0});
  // level 0: a stored block
  check(unhex("003e00c1ff7b226964223a302c226e616d65223a22416e6e61222c226f6b223a66616c73652c2261"
              "74223a22323032362d31312d32325431303a30303a30375a227d2c000000ffff"),
        {Status::needs_input, records(1), 0});
}

TEST_CASE("inflate: what zlib 1.3.1 made, by Node") {
  // deflateRawSync(text, {level: 9})
  check(unhex("95934d6ac4300c85efa2750624d9b26ceffa7384aeba33744a4d3329a4e96ae8dd0ba50d081c061d"
              "e03df43e3e5da1bf40c5099676394385bb656930c1c73bd4d7367f9e27681b5460e474223a313f11"
              "56c48afa0cdfd3f5375da8ecf9fb3eb7f9af605bbfc6790a269f43def30f6fbdaded56012753a0a2"
              "7bc1e3a56f6bbf392114d390348d101c1e206ce252c44700c5e6298e091c0fa06c1a620863048727"
              "04320541d84520461367a52181e301a2a6800a3a25206b2161711260ab2167df17042b6189ea7320"
              "5a05734a4e006825d42cde2f20aba1627439c0d6c1c4c149c02a2891bd5f20d6c298c8e900fe5bf8"
              "03"),
        {Status::end, records(20), 0});
  // deflateRawSync(text, {level: 1, finishFlush: Z_SYNC_FLUSH})
  check(unhex("8c924b4ec4301044efd2eb8ce46eff62ef8039022b7696184444264821ac46737704626c97448b1c"
              "a04a5dafdf85a667ca66a0a59c4f94e96e590a0df4fe46f9a5cc1fa781ca4699c44838301f441ed9"
              "6463b2894f741d2e3fe9c4a9e6efa7b9ccbf05dbfaf9779e2de4473bd6fcc3eb54d6db056a810428"
              "883ed682e379dad6e9df0936414388a1367408d403bc40dc275fe3bb08188f7976350f04f41ff008"
              "0dcedada0008d40996a1c07aa9057b08380771895ce33d017d808f50c0a9490808d401df227616b2"
              "6916ee2320a8a1340b3b00fa008b1226d724ec09a8f73b54700c4dc17d000c4a18c7262100d02730"
              "6a184dd3b043a02e1074304873701f0154d0bba62010d00778b4d0856621205027989b855f000000"
              "ffff"),
        {Status::needs_input, records(20), 0});
}

TEST_CASE("inflate: every length at every short distance") {
  for (std::size_t distance = 1; distance <= 40; ++distance) {
    BitWriter out;
    std::string text;
    block_header(out, true, BlockType::fixed);
    BlockWriter block(out, fixed_literals(), fixed_distances(), text);
    for (std::size_t i = 0; i < distance; ++i) block.literal(static_cast<std::uint8_t>('A' + i));
    for (std::size_t length = min_match; length <= max_match; ++length) {
      block.match(length, distance);
      block.literal(static_cast<std::uint8_t>(length));  // so that the pattern changes
    }
    block.end();
    CAPTURE(distance);
    const Result expected = {Status::end, text, 0};
    CHECK(inflate({out.data()}, {.first_room = text.size()}) == expected);
    CHECK(inflate({out.data()}, {.first_room = 0, .more_room = 500}) == expected);
  }
}

TEST_CASE("inflate: every distance symbol, from the output and from the window") {
  std::string before;
  std::mt19937 random(1);
  for (std::size_t i = 0; i < max_distance; ++i) before += static_cast<char>(random());
  Pool pool;
  Window window(pool, max_window_bits);
  REQUIRE(window.allocated());
  window.append(as_bytes("shifts the ring"));
  window.append(as_bytes(before));

  BitWriter out;
  std::string text = before;
  block_header(out, true, BlockType::fixed);
  BlockWriter block(out, fixed_literals(), fixed_distances(), text);
  for (std::size_t i = 0; i < distance_symbols; ++i) {
    block.match(17, distance_bases[i]);
    block.match(258, distance_bases[i] + (std::size_t{1} << distance_extra_bits[i]) - 1);
    block.literal('x');
  }
  block.match(258, max_distance);
  block.end();
  const Result expected = {Status::end, text.substr(before.size()), 0};
  check(out.data(), expected, {.window = &window});
}

TEST_CASE("inflate: a window of 2^8 to 2^15 bytes, and not one byte further back") {
  for (int bits = min_window_bits; bits <= max_window_bits; ++bits) {
    CAPTURE(bits);
    const std::size_t size = std::size_t{1} << bits;
    for (const bool from_window : {false, true}) {
      CAPTURE(from_window);
      Pool pool;
      Window window(pool, bits);
      REQUIRE(window.allocated());
      CHECK(window.capacity() == size);
      // Up to `size` bytes back, and where that's possible, one further.
      for (const std::size_t distance : {size, size + 1}) {
        if (distance > max_distance) continue;
        BitWriter out;
        std::string text;
        block_header(out, true, BlockType::fixed);
        BlockWriter block(out, fixed_literals(), fixed_distances(), text);
        while (text.size() < size + 10) {
          if (from_window) {
            text += static_cast<char>('a' + text.size() % 23);
          } else {
            block.literal(static_cast<std::uint8_t>('a' + text.size() % 23));
          }
        }
        const std::string before = from_window ? text : "";
        const std::string good = text;
        window.clear();
        window.append(as_bytes(before));
        block.match(100, distance);
        for (int i = 0; i < 40; ++i) block.literal('z');
        block.end();
        const Setting setting = {.window_bits = bits,
                                 .window = from_window ? &window : nullptr,
                                 .first_room = text.size() + 400};
        const Result result = inflate({out.data()}, setting);
        const bool allowed = distance == size;
        CHECK(result.status == (allowed ? Status::end : Status::distance_too_far));
        CHECK(result.text == (allowed ? text : good).substr(before.size()));
      }
    }
  }
}

TEST_CASE("inflate: code words of every length, with subtables in both tables") {
  // Lengths 1, 2, ... 14, 15, 15: the first symbol has one bit.
  std::vector<int> literal_lengths(literal_symbols, 0);
  std::vector<int> distance_lengths(distance_symbols, 0);
  const std::size_t literals[] = {'a', 'b', 257, 'c', 265, 'd', 'e', 270,
                                  'f', 'g', 284, 'h', 256, 'i', 285, 'j'};
  const std::size_t distances[] = {0, 3, 4, 7, 29, 8, 5, 28, 12, 2, 13, 14, 6, 16, 18, 20};
  for (int i = 0; i < 16; ++i) {
    literal_lengths[literals[i]] = std::min(i + 1, 15);
    distance_lengths[distances[i]] = std::min(i + 1, 15);
  }
  const Code literal_code(literal_lengths);
  const Code distance_code(distance_lengths);
  std::mt19937 random(2);
  for (int round = 0; round < 20; ++round) {
    BitWriter out;
    std::string text;
    dynamic_header(out, literal_code, distance_code);
    BlockWriter block(out, literal_code, distance_code, text);
    for (std::size_t i = 0; i < 3000; ++i) {
      const std::size_t symbol = literals[random() % 16];
      if (symbol < 256) {
        block.literal(static_cast<std::uint8_t>(symbol));
      } else if (symbol > 256) {
        const std::size_t length_index = symbol - first_length_symbol;
        const std::size_t distance_index = distances[random() % 16];
        const std::size_t distance =
            distance_bases[distance_index] +
            random() % (std::size_t{1} << distance_extra_bits[distance_index]);
        if (distance > text.size()) continue;
        block.match(length_bases[length_index], distance);
      }
    }
    block.end();
    const Result expected = {Status::end, text, 0};
    CHECK(inflate({out.data()}, {.first_room = text.size()}) == expected);
    CHECK(inflate({out.data()}, {.first_room = 0, .more_room = 1000}) == expected);
  }
}

TEST_CASE("inflate: the largest tables that there can be") {
  // Two of those that zlib's examples/enough.c finds for 286 symbols and 10 bits, and 30 and 8: so
  // many words of so many bits.
  const auto code_of = [](std::size_t symbols, const std::map<int, int>& counts) {
    std::vector<int> lengths;
    for (auto count = counts.rbegin(); count != counts.rend(); ++count) {
      lengths.insert(lengths.end(), static_cast<std::size_t>(count->second), count->first);
    }
    REQUIRE(lengths.size() == symbols);
    return Code(lengths);
  };
  const Code literals =
      code_of(literal_symbols,
              {{1, 1}, {2, 1}, {3, 1}, {4, 1}, {11, 1}, {12, 229}, {13, 49}, {14, 1}, {15, 2}});
  const Code distances = code_of(distance_symbols, {{1, 1},
                                                    {2, 1},
                                                    {3, 1},
                                                    {4, 1},
                                                    {5, 1},
                                                    {9, 13},
                                                    {10, 5},
                                                    {11, 1},
                                                    {12, 1},
                                                    {14, 3},
                                                    {15, 2}});
  BitWriter out;
  std::string text;
  dynamic_header(out, literals, distances);
  BlockWriter block(out, literals, distances, text);
  for (int byte = 0; byte < 256; ++byte) block.literal(static_cast<std::uint8_t>(byte));
  for (std::size_t i = 0; i < 17; ++i) block.match(length_bases[i], distance_bases[i]);
  block.end();
  CHECK(inflate({out.data()}, {.first_room = text.size()}) == Result{Status::end, text, 0});
}

TEST_CASE("inflate: several blocks of every type") {
  BitWriter out;
  std::string text;
  for (int i = 0; i < 4; ++i) {
    block_header(out, false, BlockType::fixed);
    BlockWriter block(out, fixed_literals(), fixed_distances(), text);
    for (const char c : std::string_view("fixed ")) block.literal(static_cast<std::uint8_t>(c));
    block.end();
    block_header(out, false, BlockType::stored);
    out.fill_byte();
    const std::string_view stored = i % 2 ? "stored " : "";
    out.bits(stored.size(), 16);
    out.bits(~stored.size(), 16);
    for (const char c : stored) out.bits(static_cast<std::uint8_t>(c), 8);
    text += stored;
    block_header(out, false, BlockType::fixed);
    BlockWriter back(out, fixed_literals(), fixed_distances(), text);
    back.match(5, 6);
    back.end();
  }
  block_header(out, true, BlockType::stored);
  out.fill_byte();
  out.bits(0, 16);
  out.bits(0xffff, 16);
  Data data = out.data();
  data.push_back(0x55);
  check(data, {Status::end, text, 1});
}

TEST_CASE("inflate: a stored block of 65,535 bytes") {
  Data data = unhex("01 ff ff 00 00");
  std::string text;
  for (std::size_t i = 0; i < max_stored_bytes; ++i) text += static_cast<char>(i * 7 >> 3);
  const Bytes bytes = as_bytes(text);
  data.insert(data.end(), bytes.begin(), bytes.end());
  const Result expected = {Status::end, text, 0};
  CHECK(inflate({data}, {.first_room = text.size()}) == expected);
  CHECK(inflate({data}, {.first_room = 1, .more_room = 999}) == expected);
  const auto middle = data.begin() + 30'000;
  CHECK(inflate({{data.begin(), middle}, {middle, data.end()}}, {}) == expected);
}

TEST_CASE("inflate: a bomb gets the room there is, and no more") {
  BitWriter out;
  std::string text;
  block_header(out, true, BlockType::fixed);
  BlockWriter block(out, fixed_literals(), fixed_distances(), text);
  block.literal('!');
  for (int i = 0; i < 4000; ++i) block.match(258, 1);
  block.end();
  Inflater inflater;
  inflater.begin(max_window_bits);
  Bytes input = out.data();
  Data output(100'000);
  std::size_t used = 0;
  CHECK(inflater.run(input, output, used, nullptr) == Status::needs_output);
  CHECK(used == output.size());
  CHECK(inflater.run(input, output, used, nullptr) == Status::needs_output);
  CHECK(used == output.size());
  CHECK(input.size() > out.data().size() * 8 / 10);
  // Room that is just enough is enough: the block's end needs none.
  CHECK(inflate({out.data()}, {.first_room = text.size(), .more_room = 0}) ==
        Result{Status::end, text, 0});
}

TEST_CASE("inflate: touches nothing beside its input and its room") {
  const std::string text = records(20);
  const Data stream = unhex(
      "95934d6ac4300c85efa2750624d9b26ceffa7384aeba33744a4d3329a4e96ae8dd0ba50d081c061d"
      "e03df43e3e5da1bf40c5099676394385bb656930c1c73bd4d7367f9e27681b5460e474223a313f11"
      "56c48afa0cdfd3f5375da8ecf9fb3eb7f9af605bbfc6790a269f43def30f6fbdaded56012753a0a2"
      "7bc1e3a56f6bbf392114d390348d101c1e206ce252c44700c5e6298e091c0fa06c1a620863048727"
      "04320541d84520461367a52181e301a2a6800a3a25206b2161711260ab2167df17042b6189ea7320"
      "5a05734a4e006825d42cde2f20aba1627439c0d6c1c4c149c02a2891bd5f20d6c298c8e900fe5bf8"
      "03");
  const test::GuardedMemory from(stream.size());
  const test::GuardedMemory to(text.size());
  const MutableBytes input_room = from.all().last(stream.size());
  copy_bytes(input_room.data(), stream);
  for (std::size_t room = 0; room <= text.size(); ++room) {
    Inflater inflater;
    inflater.begin(max_window_bits);
    Bytes input = input_room;
    const MutableBytes output = to.all().last(room);
    std::size_t used = 0;
    const Status status = inflater.run(input, output, used, nullptr);
    CHECK(status == (room < text.size() ? Status::needs_output : Status::end));
    CHECK(as_text(output) == text.substr(0, room));
  }
}

TEST_CASE("inflate: cuts of a long message that has everything") {
  const std::string text = [] {
    std::mt19937 random(3);
    std::string result;
    while (result.size() < 20'000) {
      if (random() % 3 == 0) {
        result += records(static_cast<int>(random() % 4));
      } else {
        result += static_cast<char>(random());
      }
    }
    return result;
  }();
  BitWriter out;
  std::string written;
  block_header(out, true, BlockType::fixed);
  BlockWriter block(out, fixed_literals(), fixed_distances(), written);
  for (std::size_t i = 0; i < text.size();) {
    // The longest match among a few places before.
    std::size_t length = 0;
    std::size_t distance = 0;
    for (std::size_t back = 1; back <= i && back < 300; ++back) {
      std::size_t same = 0;
      while (same < max_match && i + same < text.size() &&
             text[i + same] == text[i + same - back]) {
        ++same;
      }
      if (same > length) length = same, distance = back;
    }
    if (length >= min_match) {
      block.match(length, distance);
      i += length;
    } else {
      block.literal(static_cast<std::uint8_t>(text[i++]));
    }
  }
  block.end();
  REQUIRE(written == text);
  std::mt19937 random(4);
  for (int round = 0; round < 200; ++round) {
    test::Pieces pieces;
    const Bytes all = out.data();
    for (std::size_t at = 0; at < all.size();) {
      const std::size_t size =
          std::min<std::size_t>(1 + random() % (1u << random() % 13), all.size() - at);
      pieces.push_back(test::piece_of(all.subspan(at, size)));
      at += size;
    }
    const Setting setting = {.first_room = random() % 30'000, .more_room = 1 + random() % 3000};
    CHECK(inflate(pieces, setting) == Result{Status::end, text, 0});
  }
}

TEST_CASE("inflate: an inflater takes 10.5 KiB") {
  CHECK(sizeof(Inflater) <= 10'752);
}

}  // namespace sockeye::ws::deflate
