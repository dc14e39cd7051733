// SPDX-License-Identifier: MIT
#include "app/bench/payload.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <string>

#include "net/bytes.h"
#include "ws/frame/utf8.h"

namespace sockeye::app::bench {
namespace {

constexpr PayloadKind texts[] = {PayloadKind::ascii, PayloadKind::mixed, PayloadKind::json};

bool is_utf8(Bytes bytes) {
  ws::frame::Utf8Validator validator;
  return validator.feed(bytes, ws::frame::utf8_scalar) && validator.complete();
}

// How many characters of `text` take so many bytes.
std::size_t characters_of(Bytes text, std::size_t bytes) {
  const auto leads = [bytes](std::uint8_t byte) {
    const std::size_t size = byte < 0x80 ? 1 : byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
    return (byte & 0xc0) != 0x80 && size == bytes;
  };
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), leads));
}

}  // namespace

TEST_CASE("Payload: every size is exact, and texts are UTF-8") {
  for (const PayloadKind kind : texts) {
    CAPTURE(name_of(kind));
    for (std::size_t largest = 0; largest <= 200; ++largest) {
      Payload payload(kind, 0, largest);
      for (std::size_t size = 0; size <= largest; ++size) {
        const MutableBytes message = payload.message(size);
        REQUIRE(message.size() == size);
        REQUIRE(is_utf8(message));
      }
    }
    Payload large(kind, 0, 100'003);
    for (std::size_t size = 90'000; size <= 100'003; size += 7) {
      REQUIRE(large.message(size).size() == size);
      REQUIRE(is_utf8(large.message(size)));
    }
    CHECK(large.opcode() == ws::frame::Opcode::text);
  }
}

TEST_CASE("Payload: mixed text has characters of one, two, three and four bytes") {
  Payload payload(PayloadKind::mixed, 1000, 1000);
  for (std::size_t bytes = 1; bytes <= 4; ++bytes) {
    CAPTURE(bytes);
    CHECK(characters_of(payload.message(1000), bytes) >= 10);
  }
}

TEST_CASE("Payload: ASCII is printable") {
  Payload payload(PayloadKind::ascii, 1000, 1000);
  for (const std::uint8_t byte : payload.message(1000)) CHECK((byte >= ' ' && byte <= '~'));
}

TEST_CASE("Payload: JSON is a whole document at the largest size") {
  for (const std::size_t size : {2u, 3u, 20u, 53u, 1000u}) {
    CAPTURE(size);
    Payload payload(PayloadKind::json, size, size);
    const std::string_view text = as_text(payload.message(size));
    CHECK(text.starts_with('['));
    CHECK(text.ends_with(']'));
    CHECK(std::count(text.begin(), text.end(), '{') == std::count(text.begin(), text.end(), '}'));
    if (size >= 60) CHECK(text.find("{\"id\":1,") == 1);
  }
  CHECK(as_text(Payload(PayloadKind::json, 1, 1).message(1)) == "1");
}

TEST_CASE("Payload: binary is no text, and holds every byte") {
  Payload payload(PayloadKind::binary, 10'000, 10'000);
  const MutableBytes message = payload.message(10'000);
  CHECK(payload.opcode() == ws::frame::Opcode::binary);
  CHECK(!is_utf8(message));
  CHECK(std::set<std::uint8_t>(message.begin(), message.end()).size() == 256);
}

TEST_CASE("Payload: of texts the first bytes are ASCII, for others to write there") {
  for (const PayloadKind kind : texts) {
    Payload payload(kind, Payload::head_bytes, 200);
    for (std::size_t size = Payload::head_bytes; size <= 200; ++size) {
      const MutableBytes message = payload.message(size);
      std::fill_n(message.begin(), Payload::head_bytes, '0');
    }
    for (std::size_t size = Payload::head_bytes; size <= 200; ++size) {
      REQUIRE(is_utf8(payload.message(size)));
    }
  }
}

TEST_CASE("Payload: the sizes of a range all come, and no others") {
  Payload payload(PayloadKind::binary, 10, 13);
  std::size_t count[4] = {};
  for (int i = 0; i < 4000; ++i) {
    const std::size_t size = payload.next_size();
    REQUIRE((size >= 10 && size <= 13));
    ++count[size - 10];
  }
  for (const std::size_t one : count) CHECK((one > 800 && one < 1200));
  CHECK(Payload(PayloadKind::binary, 7, 7).next_size() == 7);
}

}  // namespace sockeye::app::bench
