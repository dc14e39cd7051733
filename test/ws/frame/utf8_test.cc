// UTF-8: every kernel against a slow reference that computes with code points, not with bytes.
//
// SPDX-License-Identifier: MIT
#include "ws/frame/utf8.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <random>
#include <string>
#include <vector>

#include "test/support/guarded_memory.h"
#include "test/support/runnable.h"
#include "ws/kernels.h"

namespace sockeye::ws::frame {
namespace {

using Text = std::vector<std::uint8_t>;

// RFC 3629 §3: the number of bytes in a character with this first byte; 0 where there is none.
std::size_t announced_length(std::uint8_t lead) {
  switch (std::countl_one(lead)) {
    case 0:
      return 1;
    case 2:
      return 2;
    case 3:
      return 3;
    case 4:
      return 4;
  }
  return 0;
}

// Whether some character of Unicode begins with `bytes`: the x bits that are known and those that
// are not span a range of numbers, and that range must hold one that this length may spell.
bool begins_a_character(Bytes bytes) {
  const std::size_t length = announced_length(bytes[0]);
  if (length == 0 || bytes.size() > length) return false;
  std::uint32_t known = length == 1 ? bytes[0] : bytes[0] & (0x7fu >> length);
  for (const std::uint8_t byte : bytes.subspan(1)) {
    if ((byte & 0xc0) != 0x80) return false;
    known = known << 6 | (byte & 0x3f);
  }
  const std::size_t unknown_bits = 6 * (length - bytes.size());
  constexpr std::uint32_t least[] = {0, 0x80, 0x800, 0x10000};  // §3: the shortest form only
  const std::uint32_t first = std::max(known << unknown_bits, least[length - 1]);
  const std::uint32_t last = std::min((known + 1) << unknown_bits, 0x110000u) - 1;
  const bool only_surrogates = first >= 0xd800 && last <= 0xdfff;
  return first <= last && !only_surrogates;
}

struct Verdict {
  std::size_t first_bad;  // the index of the first byte that no text could have; or the size
  bool complete;          // of the good bytes before: they end with a character's last one

  bool operator==(const Verdict&) const = default;
};

Verdict judge(Bytes text) {
  std::size_t start = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const Bytes sequence = text.subspan(start, i + 1 - start);
    if (!begins_a_character(sequence)) return {i, i == start};
    if (sequence.size() == announced_length(text[start])) start = i + 1;
  }
  return {text.size(), start == text.size()};
}

bool valid(Bytes text) {
  const Verdict verdict = judge(text);
  return verdict.first_bad == text.size() && verdict.complete;
}

bool feed_all(Bytes text, Utf8Kernel* kernel) {
  Utf8Validator validator;
  return validator.feed(text, kernel) && validator.complete();
}

void append(Text& text, std::uint32_t code_point) {
  const auto tail = [&](int shift) {
    text.push_back(static_cast<std::uint8_t>(0x80 | (code_point >> shift & 0x3f)));
  };
  if (code_point < 0x80) {
    text.push_back(static_cast<std::uint8_t>(code_point));
  } else if (code_point < 0x800) {
    text.push_back(static_cast<std::uint8_t>(0xc0 | code_point >> 6));
    tail(0);
  } else if (code_point < 0x10000) {
    text.push_back(static_cast<std::uint8_t>(0xe0 | code_point >> 12));
    tail(6);
    tail(0);
  } else {
    text.push_back(static_cast<std::uint8_t>(0xf0 | code_point >> 18));
    tail(12);
    tail(6);
    tail(0);
  }
}

constexpr unsigned seed = 3629;

// Characters of all lengths, with runs of ASCII between.
Text random_text(std::mt19937& random, std::size_t least_size) {
  Text text;
  while (text.size() < least_size) {
    switch (random() % 5) {
      case 0:
        text.insert(text.end(), random() % 70, 'a');
        break;
      case 1:
        append(text, random() % 0x80);
        break;
      case 2:
        append(text, 0x80 + random() % (0x800 - 0x80));
        break;
      case 3:
        append(text, random() % 2 ? 0x800 + random() % (0xd800 - 0x800)
                                  : 0xe000 + random() % (0x10000 - 0xe000));
        break;
      case 4:
        append(text, 0x10000 + random() % (0x110000 - 0x10000));
        break;
    }
  }
  return text;
}

Text corrupted(Text text, std::mt19937& random) {
  text[random() % text.size()] = static_cast<std::uint8_t>(random());
  return text;
}

const auto kernels = test::runnable(utf8_kernels());

}  // namespace

static_assert(sizeof(Utf8Validator) <= 4, "every connection holds one");

TEST_CASE("UTF-8: every code point is valid, and every surrogate is not (RFC 3629 §3)") {
  for (const auto& row : kernels) {
    CAPTURE(row.name);
    Text all;
    for (std::uint32_t code_point = 0; code_point < 0x110000; ++code_point) {
      if (code_point >= 0xd800 && code_point <= 0xdfff) {
        Text surrogate;
        append(surrogate, code_point);
        if (feed_all(surrogate, row.kernel)) FAIL("surrogate ", code_point);
      } else {
        append(all, code_point);
      }
    }
    CHECK(feed_all(all, row.kernel));
  }
}

// Of a text of 80 bytes, the scalar kernel gets the first 8, vectors of 16 bytes begin at 8, 24,
// 40, those of 32 at 8, 40, and the last one of either ends at 80.
constexpr std::size_t text_size = 80;
constexpr std::size_t astride = 38;  // sequences of three and four bytes here lie in two vectors

TEST_CASE("UTF-8: every sequence of one and two bytes, at every edge of the vectors") {
  constexpr std::size_t places[] = {0, 1, 6, 7, 8, 22, 23, 24, 38, 39, 40, 47, 63, 77, 78};
  Text text(text_size, 'a');
  for (unsigned value = 0; value < 0x10000; ++value) {
    const std::uint8_t two[] = {static_cast<std::uint8_t>(value >> 8),
                                static_cast<std::uint8_t>(value)};
    const bool expected = valid(two);
    for (const std::size_t place : places) {
      copy_bytes(text.data() + place, two);
      for (const auto& row : kernels) {
        if (feed_all(text, row.kernel) != expected) FAIL(row.name, ": ", value, " at ", place);
      }
      text[place] = text[place + 1] = 'a';
    }
  }
  for (unsigned value = 0; value < 0x100; ++value) {
    text.back() = static_cast<std::uint8_t>(value);
    for (const auto& row : kernels) CHECK(feed_all(text, row.kernel) == (value < 0x80));
  }
}

// Whatever begins with anything but a lead byte (C0..FF) and a tail (80..BF) is decided by two
// bytes, and all of these were seen above.
template <typename Function>
void for_each_lead_and_tail(Function function) {
  for (unsigned lead = 0xc0; lead <= 0xff; ++lead) {
    for (unsigned tail = 0x80; tail <= 0xbf; ++tail) {
      function(static_cast<std::uint8_t>(lead), static_cast<std::uint8_t>(tail));
    }
  }
}

TEST_CASE("UTF-8: every sequence of three bytes, alone and astride two vectors") {
  Text text(text_size, 'a');
  for_each_lead_and_tail([&](std::uint8_t lead, std::uint8_t tail) {
    for (unsigned value = 0; value < 0x100; ++value) {
      const std::uint8_t three[] = {lead, tail, static_cast<std::uint8_t>(value)};
      copy_bytes(text.data() + astride, three);
      const bool expected = valid(three);
      for (const auto& row : kernels) {
        if (feed_all(three, row.kernel) != expected || feed_all(text, row.kernel) != expected) {
          FAIL(row.name, ": ", int{lead}, ", ", int{tail}, ", ", value);
        }
      }
    }
  });
}

TEST_CASE("UTF-8: every first and second byte of four, with good and bad third and fourth ones") {
  constexpr std::uint8_t others[] = {0x00, 0x7f, 0x80, 0x8f, 0x90, 0xbf, 0xc2, 0xe1, 0xf1, 0xff};
  Text text(text_size, 'a');
  for_each_lead_and_tail([&](std::uint8_t lead, std::uint8_t tail) {
    for (const std::uint8_t third : others) {
      for (const std::uint8_t fourth : others) {
        const std::uint8_t four[] = {lead, tail, third, fourth};
        copy_bytes(text.data() + astride, four);
        const bool expected = valid(four);
        for (const auto& row : kernels) {
          if (feed_all(four, row.kernel) != expected || feed_all(text, row.kernel) != expected) {
            FAIL(row.name, ": ", int{lead}, ", ", int{tail}, ", ", int{third}, ", ", int{fourth});
          }
        }
      }
    }
  });
}

TEST_CASE("UTF-8 fails at the first bad byte, not at the end of the message (RFC 6455 §8.1)") {
  const struct {
    std::string_view text;
    std::size_t first_bad;
  } rows[] = {
      {"\x80", 0},              // no lead byte
      {"\xc0", 0},              // no character begins so
      {"\xc1", 0},              //
      {"\xf5", 0},              //
      {"\xff", 0},              //
      {"ok\xc3(", 3},           // no second byte
      {"\xe0\x9f", 1},          // overlong, three bytes
      {"\xed\xa0", 1},          // a surrogate
      {"\xf0\x8f", 1},          // overlong, four bytes
      {"\xf4\x90", 1},          // beyond U+10FFFF
      {"\xe2\x82(", 2},         // no third byte
      {"\xf0\x9f\x90(", 3},     // no fourth byte
      {"\xe2\x82\xac\xac", 3},  // one byte too many
  };
  for (const auto& row : rows) {
    const Bytes text = as_bytes(row.text);
    CHECK(judge(text).first_bad == row.first_bad);
    for (const auto& kernel : kernels) {
      CAPTURE(kernel.name);
      Utf8Validator validator;
      CHECK(validator.feed(text.first(row.first_bad), kernel.kernel));
      CHECK_FALSE(validator.feed(text.subspan(row.first_bad, 1), kernel.kernel));

      // The same where nothing at all follows the bad byte, within a text of one piece.
      const std::string long_text = std::string(100, 'a') + std::string(row.text);
      CHECK_FALSE(Utf8Validator().feed(as_bytes(long_text), kernel.kernel));
    }
  }
}

TEST_CASE("UTF-8, fed byte by byte, fails exactly where the reference does") {
  std::mt19937 random(seed);
  for (int round = 0; round < 3000; ++round) {
    const Text text = corrupted(random_text(random, 40), random);
    const Verdict expected = judge(text);
    for (const auto& row : kernels) {
      Utf8Validator validator;
      std::size_t fed = 0;
      while (fed < text.size() && validator.feed(Bytes(text).subspan(fed, 1), row.kernel)) ++fed;
      if (fed != expected.first_bad) FAIL(row.name, ", round ", round, ": failed at ", fed);
      if (fed == text.size()) CHECK(validator.complete() == expected.complete);
    }
  }
}

TEST_CASE("UTF-8 across fragments: every cut into three pieces, each piece with its own verdict") {
  std::mt19937 random(seed);
  std::vector<Text> texts;
  for (int i = 0; i < 4; ++i) {
    texts.push_back(random_text(random, 90));
    texts.push_back(corrupted(texts.back(), random));
  }
  for (const Text& text : texts) {
    const Verdict expected = judge(text);
    std::vector<bool> complete_after;
    for (std::size_t to = 0; to <= text.size(); ++to) {
      complete_after.push_back(judge(Bytes(text).first(to)).complete);
    }
    for (const auto& row : kernels) {
      for (std::size_t first = 0; first <= text.size(); ++first) {
        for (std::size_t second = first; second <= text.size(); ++second) {
          Utf8Validator validator;
          std::size_t from = 0;
          for (const std::size_t to : {first, second, text.size()}) {
            const bool good = validator.feed(Bytes(text).subspan(from, to - from), row.kernel);
            if (good != (expected.first_bad >= to)) FAIL(row.name, ": ", first, ", ", second);
            if (!good) break;
            if (validator.complete() != complete_after[to]) FAIL(row.name, ": complete, ", to);
            from = to;
          }
        }
      }
    }
  }
}

TEST_CASE("UTF-8: one bad byte in a long text is found, whatever the pieces") {
  std::mt19937 random(seed);
  for (int round = 0; round < 1500; ++round) {
    const Text good = random_text(random, random() % 3000 + 1);
    const Text bad = corrupted(good, random);
    const Verdict expected = judge(bad);
    for (const auto& row : kernels) {
      if (!feed_all(good, row.kernel)) FAIL(row.name, ", round ", round, ": refused a good text");

      Utf8Validator validator;
      std::size_t from = 0;
      while (from < bad.size()) {
        const std::size_t size = std::min<std::size_t>(random() % 400, bad.size() - from);
        const bool still_good = validator.feed(Bytes(bad).subspan(from, size), row.kernel);
        from += size;
        if (still_good != (expected.first_bad >= from)) FAIL(row.name, ", round ", round);
        if (!still_good) break;
      }
      if (from == bad.size() && expected.first_bad == bad.size()) {
        CHECK(validator.complete() == expected.complete);
      }
    }
  }
}

TEST_CASE(
    "UTF-8 kernels keep their promise: a valid prefix of whole characters, and few bytes left") {
  constexpr std::size_t widest_vector = 32;
  constexpr std::size_t cut_character = 3;
  std::mt19937 random(seed);
  for (int round = 0; round < 3000; ++round) {
    const Text good = random_text(random, random() % 300 + 1);
    const Text text = round % 2 ? corrupted(good, random) : good;
    const Bytes part = Bytes(text).first(random() % (text.size() + 1));
    const Verdict expected = judge(part);
    for (const auto& row : kernels) {
      const std::size_t prefix = row.kernel(part.data(), part.size());
      if (prefix > part.size() || !valid(part.first(prefix))) FAIL(row.name, ", round ", round);
      const bool bad = expected.first_bad < part.size();
      const std::size_t most = bad ? widest_vector + cut_character : cut_character;
      if (expected.first_bad - prefix > most) FAIL(row.name, ", round ", round, ": gave up early");
    }
  }
}

TEST_CASE("UTF-8 kernels read nothing outside the text: every length beside a guard page") {
  std::mt19937 random(seed);
  const test::GuardedMemory memory(4096);
  for (std::size_t size = 0; size <= 257; ++size) {
    for (int round = 0; round < 8; ++round) {
      Text text = random_text(random, size);
      text.resize(size);
      // Good ones, and ones that are bad at once: the kernels must not look back from there.
      if (round % 2 && size > 0) text[random() % std::min<std::size_t>(size, 4)] = 0xff;
      const bool expected = judge(text).first_bad == size;
      const MutableBytes in_front = memory.all().first(size);
      const MutableBytes behind = memory.all().last(size);
      for (const MutableBytes place : {in_front, behind}) {
        copy_bytes(place.data(), text);
        for (const auto& row : kernels) {
          if (Utf8Validator().feed(place, row.kernel) != expected) FAIL(row.name, ": ", size);
        }
      }
    }
  }
}

TEST_CASE("Utf8Validator: a new text may begin after reset, whatever was half done") {
  Utf8Validator validator;
  CHECK(validator.complete());
  CHECK(validator.feed(as_bytes("\xf0\x9f"), utf8_scalar));
  CHECK_FALSE(validator.complete());
  validator.reset();
  CHECK(validator.complete());
  CHECK(validator.feed(as_bytes("plain"), utf8_scalar));
  CHECK(validator.feed({}, utf8_scalar));
  CHECK(validator.complete());
}

}  // namespace sockeye::ws::frame
