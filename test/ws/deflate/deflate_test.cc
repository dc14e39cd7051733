// Deflate: what is compressed comes back, within every bound; and each choice that the format
// leaves is made as it should be. What others' decoders say is asked by test/fuzz/deflate_fuzz.cc.
//
// SPDX-License-Identifier: MIT
#include "ws/deflate/deflate.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "net/pool.h"
#include "test/support/failing_malloc.h"
#include "test/support/guarded_memory.h"
#include "ws/deflate/huffman_code.h"
#include "ws/deflate/inflate.h"

namespace sockeye::ws::deflate {
namespace {

using Data = std::vector<std::uint8_t>;

constexpr Level levels[] = {Level::fast, Level::small};
constexpr std::string_view trailer("\x00\x00\xff\xff", 4);  // RFC 7692 §7.2.2

Data compress(Deflater& deflater, Bytes message) {
  static Symbols symbols;
  Data output(max_compressed_size(message.size()));
  output.resize(deflater.compress(message, output, symbols));
  return output;
}

Data compress(std::string_view message, Level level = Level::small, int window_bits = 15) {
  Deflater deflater(level, window_bits);
  return compress(deflater, as_bytes(message));
}

// Both ends of a connection, with context takeover. The receiver allows no distance beyond its
// window.
class Link {
 public:
  Link(Level level, int window_bits)
      : deflater(level, window_bits), window_bits_(window_bits), window_(pool_, window_bits) {}

  // Whether `message` comes back. Within `room`, whose last byte nobody may pass.
  bool carries(Bytes message) {
    last = compress(deflater, message);
    if (last.size() > max_compressed_size(message.size()) - BitWriter::slack_bytes) return false;
    Data stream = last;
    const Bytes end = as_bytes(trailer);
    stream.insert(stream.end(), end.begin(), end.end());
    Bytes input(stream);
    Data output(message.size() + 1);
    std::size_t used = 0;
    inflater_.begin(window_bits_);
    const Status status = inflater_.run(input, output, used, &window_);
    output.resize(used);
    window_.append(output);
    return status == Status::needs_input && inflater_.between_blocks() &&
           std::equal(output.begin(), output.end(), message.begin(), message.end());
  }
  bool carries(std::string_view message) { return carries(as_bytes(message)); }

  void forget() {
    deflater.forget();
    window_.clear();
  }

  Deflater deflater;
  Data last;  // as it was sent

 private:
  const int window_bits_;
  Pool pool_;
  Window window_;
  Inflater inflater_;
};

// §3.2.3: the type of a stream's first block.
BlockType type_of(const Data& stream) {
  return static_cast<BlockType>(stream.at(0) >> 1 & 3);
}

std::string random_text(std::mt19937& random, std::size_t size, unsigned letters) {
  std::string text(size, ' ');
  for (char& c : text) c = static_cast<char>(random() % letters);
  return text;
}

std::string json(std::mt19937& random, std::size_t size) {
  std::string text = "[";
  while (text.size() < size) {
    text += "{\"id\":" + std::to_string(random() % 100'000) + ",\"name\":\"" +
            (random() % 2 ? "Anna" : "Hana") + "\",\"price\":" + std::to_string(random() % 1000) +
            ".50,\"active\":" + (random() % 2 ? "true" : "false") + "},";
  }
  return text.substr(0, size);
}

// Texts of as many kinds as there are ways to go wrong.
std::vector<std::string> texts_of(std::size_t size) {
  std::mt19937 random(1951 + static_cast<unsigned>(size));
  std::string half_random = random_text(random, size / 2, 256);
  half_random += json(random, size - size / 2);
  std::string period = random_text(random, 300, 256);
  while (period.size() < size) period += period;
  return {std::string(size, 'a'),
          random_text(random, size, 256),
          random_text(random, size, 4),
          json(random, size),
          half_random,
          period.substr(0, size)};
}

std::size_t differing_distance(const std::string& text, std::size_t distance) {
  std::size_t count = 0;
  for (std::size_t i = distance; i < text.size(); ++i) count += text[i] != text[i - distance];
  return count;
}

}  // namespace

static_assert(Deflater::state_bytes(Level::small, 15) <= 117 * 1024);
static_assert(Deflater::state_bytes(Level::fast, 15) <= 67 * 1024);
static_assert(Deflater::state_bytes(Level::small, 8) <= 3 * 1024);
static_assert(sizeof(Deflater) <= 64);

TEST_CASE("Deflate: RFC 7692 §7.2.3.1 and §7.2.3.2, byte for byte where the RFC leaves no choice") {
  for (const Level level : levels) {
    Link link(level, max_window_bits);
    REQUIRE(link.carries("Hello"));
    CHECK(link.last == Data{0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00});  // one fixed block
    REQUIRE(link.carries("Hello"));
    if (level == Level::small) CHECK(link.last.size() <= 5);  // the RFC's has f2 00 11 00 00
    link.forget();
    REQUIRE(link.carries("Hello"));
    CHECK(link.last == Data{0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00});
  }
}

TEST_CASE("Deflate: an empty message is one byte (RFC 7692 §7.2.3.6)") {
  for (const Level level : levels) CHECK(compress("", level) == Data{0x00});
}

TEST_CASE("Deflate: every size up to 600, and some beyond, of several kinds, alone and in a row") {
  std::vector<std::size_t> sizes(601);
  std::iota(sizes.begin(), sizes.end(), std::size_t{0});
  for (const std::size_t size : {4096, 32'768, 65'534, 65'535, 65'536, 65'537, 200'000}) {
    sizes.push_back(static_cast<std::size_t>(size));
  }
  for (const Level level : levels) {
    Link alone(level, max_window_bits);
    Link in_a_row(level, max_window_bits);
    for (const std::size_t size : sizes) {
      for (const std::string& text : texts_of(size)) {
        alone.forget();
        if (!alone.carries(text)) FAIL("alone, ", size, " bytes");
        if (!in_a_row.carries(text)) FAIL("in a row, ", size, " bytes");
      }
    }
  }
}

TEST_CASE("Deflate: no distance is beyond the window, of any size (RFC 7692 §7.1.2)") {
  for (int bits = min_window_bits; bits <= max_window_bits; ++bits) {
    for (const Level level : levels) {
      CAPTURE(bits);
      const std::size_t window = std::size_t{1} << bits;
      Link link(level, bits);
      for (int round = 0; round < 3; ++round) {
        for (const std::size_t size : {window / 4, window - 1, window, window + 1, 3 * window}) {
          for (const std::string& text : texts_of(size)) REQUIRE(link.carries(text));
        }
      }
    }
  }
}

TEST_CASE("Deflate: the whole window is used") {
  for (int bits = min_window_bits; bits <= max_window_bits; ++bits) {
    for (const Level level : levels) {
      CAPTURE(bits);
      std::mt19937 random(static_cast<unsigned>(bits));
      const std::size_t window = std::size_t{1} << bits;
      const std::string once = random_text(random, window, 256);
      Link link(level, bits);
      REQUIRE(link.carries(once + once));
      CHECK(link.last.size() < window + window / 8 + 100);
      // And by the next message, too, but for what is beyond it.
      REQUIRE(link.carries(once));
      CHECK(link.last.size() < window / 4 + 100);
      REQUIRE(differing_distance(once, 1) > window / 2);
      // One byte further back is too far.
      link.forget();
      const std::string longer = once + "x";
      REQUIRE(link.carries(longer + longer));
      CHECK(link.last.size() > 2 * window);
    }
  }
}

TEST_CASE("Deflate: stored, fixed and dynamic blocks, where each takes the least room") {
  std::mt19937 random(3);
  for (const Level level : levels) {
    const std::string noise = random_text(random, 1000, 256);
    const Data stored = compress(noise, level);
    CHECK(type_of(stored) == BlockType::stored);
    CHECK(stored.size() == noise.size() + 6);  // §3.2.4: type, LEN, NLEN; and the empty block
    CHECK(std::equal(noise.begin(), noise.end(), stored.begin() + 5, [](char c, std::uint8_t byte) {
      return static_cast<std::uint8_t>(c) == byte;
    }));

    CHECK(type_of(compress("a short text", level)) == BlockType::fixed);
    CHECK(type_of(compress(std::string(1000, 'a'), level)) == BlockType::fixed);
    CHECK(type_of(compress(json(random, 1000), level)) == BlockType::dynamic);
    const Data digits = compress(random_text(random, 1000, 10), level);
    CHECK(type_of(digits) == BlockType::dynamic);
    CHECK(digits.size() < 500);
  }
}

TEST_CASE("Deflate: an incompressible message grows by 5 bytes for each 16 KiB and 1, at most") {
  std::mt19937 random(4);
  for (const Level level : levels) {
    for (const std::size_t size : {1, 10, 1000, 16'383, 65'535, 65'536, 300'000}) {
      const std::string noise = random_text(random, static_cast<std::size_t>(size), 256);
      const Data stream = compress(noise, level);
      CHECK(stream.size() <= noise.size() + 5 * (noise.size() / 16'384 + 1) + 1);
    }
  }
}

TEST_CASE("Deflate: what is written depends on no message before forget()") {
  std::mt19937 random(5);
  for (const Level level : levels) {
    Deflater used(level, max_window_bits);
    for (int round = 0; round < 400; ++round) {
      const std::string text = json(random, random() % 3000);
      used.forget();
      const Data after_others = compress(used, as_bytes(text));
      if (after_others != compress(text, level)) FAIL("round ", round);
    }
    const std::string large = json(random, 150'000);
    used.forget();
    CHECK(compress(used, as_bytes(large)) == compress(large, level));
  }
}

TEST_CASE("Deflate: context takeover pays, on and on, and forget() ends it") {
  std::mt19937 random(6);
  for (const Level level : levels) {
    Link link(level, max_window_bits);
    const std::string noise = random_text(random, 500, 256);
    REQUIRE(link.carries(noise));
    CHECK(link.last.size() > noise.size());
    // Positions wrap several times meanwhile, and the history is moved often.
    constexpr std::size_t rounds = 500;
    std::size_t sum = 0;
    for (std::size_t round = 0; round < rounds; ++round) {
      REQUIRE(link.carries(noise));
      sum += link.last.size();
    }
    CHECK(sum / rounds < 20);
    link.forget();
    REQUIRE(link.carries(noise));
    CHECK(link.last.size() > noise.size());
  }
}

TEST_CASE("Deflate: a message that is longer than the window, after others and before others") {
  std::mt19937 random(7);
  for (const Level level : levels) {
    for (const int bits : {8, 11, 15}) {
      Link link(level, bits);
      for (int round = 0; round < 20; ++round) {
        const std::size_t window = std::size_t{1} << bits;
        REQUIRE(link.carries(json(random, random() % window)));
        REQUIRE(link.carries(json(random, window + random() % (4 * window))));
        REQUIRE(link.carries(random_text(random, random() % (2 * window), 3)));
      }
    }
  }
}

TEST_CASE("Deflate: nothing outside the message is read, nothing beyond the room is written") {
  static Symbols symbols;
  const test::GuardedMemory text(8192);
  const test::GuardedMemory room(16'384);
  for (const Level level : levels) {
    Deflater deflater(level, max_window_bits);
    for (std::size_t size = 0; size <= 300; ++size) {
      for (const std::string& kind : texts_of(size)) {
        const MutableBytes output = room.all().last(max_compressed_size(size));
        for (const MutableBytes place : {text.all().first(size), text.all().last(size)}) {
          copy_bytes(place.data(), as_bytes(kind));
          deflater.forget();
          deflater.compress(place, output, symbols);
        }
      }
    }
  }
}

TEST_CASE("Deflate: without memory for its tables or its history, it says so") {
  for (const Level level : levels) {
    for (std::size_t failing = 0; failing < 2; ++failing) {
      test::MallocWatch watch(failing);
      const Deflater deflater(level, max_window_bits);
      CHECK_FALSE(deflater.allocated());
    }
    CHECK(Deflater(level, max_window_bits).allocated());
  }
}

// ----------------------------------------------------------------------------------- Huffman codes

namespace {

struct Built {
  std::vector<Code> codes;
  CodeSize size;
};

Built build(const std::vector<std::uint32_t>& frequencies, unsigned limit) {
  Built built{.codes = std::vector<Code>(frequencies.size()), .size = {}};
  built.size = build_code(frequencies, limit, built.codes);
  return built;
}

std::vector<int> lengths_of(const Built& built) {
  std::vector<int> lengths;
  for (const Code& code : built.codes) lengths.push_back(code.length);
  return lengths;
}

// Kraft's sum, in units of 2^-15: of a complete code, 2^15.
std::uint32_t taken(const Built& built) {
  std::uint32_t sum = 0;
  for (const Code& code : built.codes) sum += code.length > 0 ? 1u << (15 - code.length) : 0;
  return sum;
}

// Without any limit, by the definition: two lightest trees become one, until one is left.
std::size_t least_text_bits(std::vector<std::uint32_t> weights) {
  std::erase(weights, 0u);
  std::size_t bits = 0;
  while (weights.size() > 1) {
    std::sort(weights.rbegin(), weights.rend());
    const std::uint32_t sum = weights.back() + weights[weights.size() - 2];
    weights.resize(weights.size() - 2);
    weights.push_back(sum);
    bits += sum;
  }
  return bits;
}

}  // namespace

TEST_CASE("Huffman codes: RFC 1951 §3.2.2's example") {
  // Lengths 3, 3, 3, 3, 3, 2, 4, 4 for A to H, as the RFC has them.
  const Built built = build({4, 4, 4, 4, 4, 8, 2, 2}, 15);
  CHECK(lengths_of(built) == std::vector<int>{3, 3, 3, 3, 3, 2, 4, 4});
  const std::uint16_t expected[] = {0b010, 0b011, 0b100, 0b101, 0b110, 0b00, 0b1110, 0b1111};
  for (std::size_t i = 0; i < 8; ++i) {
    CHECK(built.codes[i].bits == in_stream_order(expected[i], built.codes[i].length));
  }
  CHECK(built.size.symbols == 8);
  CHECK(built.size.text_bits == 5 * 4 * 3 + 8 * 2 + 2 * 2 * 4);
}

TEST_CASE("Huffman codes: none, one and two symbols (RFC 1951 §3.2.7)") {
  CHECK(build({0, 0, 0}, 15).size.symbols == 0);
  const Built one = build({0, 7, 0}, 15);
  CHECK(lengths_of(one) == std::vector<int>{0, 1, 0});
  CHECK(one.codes[1].bits == 0);
  CHECK(one.size.symbols == 2);
  CHECK(lengths_of(build({0, 1, 100}, 15)) == std::vector<int>{0, 1, 1});
}

TEST_CASE("Huffman codes: Fibonacci's frequencies make the longest codes, and 15 is the limit") {
  std::vector<std::uint32_t> fibonacci = {1, 1};
  while (fibonacci.size() < 28) fibonacci.push_back(fibonacci.end()[-1] + fibonacci.end()[-2]);
  for (const unsigned limit : {7u, 14u, 15u}) {
    for (std::size_t count = 2; count <= fibonacci.size(); ++count) {
      const Built built =
          build({fibonacci.begin(), fibonacci.begin() + std::ptrdiff_t(count)}, limit);
      const std::vector<int> lengths = lengths_of(built);
      const int longest = *std::max_element(lengths.begin(), lengths.end());
      CHECK(longest == static_cast<int>(std::min<std::size_t>(count - 1, limit)));
      CHECK(taken(built) == 1u << 15);
      CHECK(std::is_sorted(lengths.rbegin(), lengths.rend()));
    }
  }
}

TEST_CASE("Huffman codes: no code takes fewer bits, and no code begins with another") {
  std::mt19937 random(8);
  for (int round = 0; round < 300; ++round) {
    std::vector<std::uint32_t> frequencies(2 + random() % 285);
    for (std::uint32_t& frequency : frequencies) {
      frequency = random() % 3 ? random() % (1u << random() % 12) : 0;
    }
    frequencies[0] = frequencies[1] = 1;
    const Built built = build(frequencies, 15);
    REQUIRE(taken(built) == 1u << 15);
    const std::vector<int> lengths = lengths_of(built);
    const std::size_t least = least_text_bits(frequencies);
    if (*std::max_element(lengths.begin(), lengths.end()) < 15) {
      CHECK(built.size.text_bits == least);
    } else {
      CHECK(built.size.text_bits <= least + least / 50);
    }
    std::vector<bool> seen(1 << 15);
    for (const Code& code : built.codes) {
      if (code.length == 0) continue;
      for (std::size_t rest = 0; rest < std::size_t{1} << (15 - code.length); ++rest) {
        const std::size_t word = rest << code.length | code.bits;
        REQUIRE_FALSE(seen[word]);
        seen[word] = true;
      }
    }
  }
}

}  // namespace sockeye::ws::deflate
