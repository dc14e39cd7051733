// SPDX-License-Identifier: MIT
#include "ws/deflate/message_codec.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "ws/limits.h"

namespace sockeye::ws::deflate {
namespace {

constexpr std::size_t no_limit = 1 << 30;
constexpr Parameters::Side keeps{.context_takeover = true};
constexpr Parameters::Side keeps_nothing{.context_takeover = false};

struct Rig {
  Pool pool{0};
  MessageCodec codec{pool, Level::fast};
  Contexts sender;
  Contexts receiver;

  std::string sent(std::string_view message, Parameters::Side side = keeps_nothing) {
    std::string payload(as_text(*codec.deflate(as_bytes(message), side, &sender)));
    codec.release_deflated();
    return payload;
  }
  Result<MutableBytes, Error> received(std::string_view payload, std::size_t limit = no_limit,
                                       Parameters::Side side = keeps_nothing) {
    return codec.inflate(as_bytes(payload), side, limit, &receiver);
  }
};

// The same words again and again, in changing order: there is much to refer to, near and far.
std::string some_text(std::size_t size) {
  std::string text;
  for (std::uint32_t i = 1; text.size() < size; i = i * 1664525 + 1013904223) {
    text +=
        "{\"id\":" + std::to_string(i >> 20) + ",\"name\":\"user" + std::to_string(i >> 28) + "\"}";
  }
  return text.substr(0, size);
}

TEST_CASE("MessageCodec: what is sent is what was meant, of any size, with and without takeover") {
  for (const Parameters::Side side : {keeps, keeps_nothing}) {
    for (const std::uint8_t bits : {8, 9, 12, 15}) {
      Rig rig;
      const Parameters::Side with_bits{side.context_takeover, bits};
      for (const std::size_t size : {0, 1, 2, 3, 64, 300, 5'000, 65'535, 300'000, 1, 0, 100}) {
        const std::string text = some_text(size);
        const std::string payload = rig.sent(text, with_bits);
        const auto message = rig.received(payload, no_limit, with_bits);
        REQUIRE(message);
        CHECK(as_text(*message) == text);
      }
    }
  }
}

TEST_CASE("RFC 7692 §7.1.1: with takeover, what was said before is said in fewer bytes") {
  Rig rig;
  const std::string text = some_text(3'000);
  const std::size_t first = rig.sent(text, keeps).size();
  CHECK(rig.sent(text, keeps).size() < first / 5);
  CHECK(rig.sent(text, keeps_nothing).size() == first);
  CHECK(rig.sent(text, keeps_nothing).size() == first);
}

TEST_CASE("RFC 7692 §7.1.2: nothing further back than the window is referred to") {
  Rig rig;
  const std::string far = some_text(700);
  const Parameters::Side small{.context_takeover = true, .window_bits = 8};
  const std::string payload = rig.sent(far, {.context_takeover = true, .window_bits = 15});
  // Without the limit, this text reaches back by more than 256 bytes.
  const auto refused = rig.received(payload, no_limit, small);
  REQUIRE(!refused);
  CHECK(refused.error() == Error::compressed_data_invalid);
}

TEST_CASE("RFC 6455 §10.4: the limit holds while a message is inflated") {
  Rig rig;
  const std::string bomb = rig.sent(std::string(10'000'000, '\0'));
  REQUIRE(bomb.size() < 50'000);
  MemoryBudget budget(256 * 1024);
  rig.pool.draw_on(&budget);
  for (const std::size_t limit : {std::size_t{1}, std::size_t{1'000}, std::size_t{100'000}}) {
    const auto message = rig.received(bomb, limit);
    REQUIRE(!message);
    CHECK(message.error() == Error::message_too_big);
    CHECK(budget.used_bytes() == 0);
  }
  // Where the memory ends before the limit, that is told.
  const auto message = rig.received(bomb, 10'000'000);
  REQUIRE(!message);
  CHECK(message.error() == Error::out_of_memory);
  CHECK(budget.used_bytes() == 0);
  rig.pool.draw_on(nullptr);
}

TEST_CASE("RFC 6455 §10.4: a message of just the limit is none too large") {
  Rig rig;
  for (const std::size_t size : {1, 1'023, 1'024, 1'025, 4'096, 70'000}) {
    for (const std::string& text : {some_text(size), std::string(size, 'a')}) {
      const std::string payload = rig.sent(text);
      const auto whole = rig.received(payload, size);
      REQUIRE(whole);
      CHECK(as_text(*whole) == text);
      const auto cut = rig.received(payload, size - 1);
      REQUIRE(!cut);
      CHECK(cut.error() == Error::message_too_big);
    }
  }
}

TEST_CASE("RFC 6455 §10.4: no compressor makes a message so large that it is refused for that") {
  Rig rig;
  for (const std::size_t size : {0, 1, 100, 70'000, 1'000'000}) {
    std::string noise(size, '\0');
    std::uint32_t state = 1;
    for (char& byte : noise) {
      byte = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
    }
    CHECK(rig.sent(noise).size() <= compressed_limit(size));
    CHECK(max_compressed_size(size) <= compressed_limit(size));
  }
}

TEST_CASE("MessageCodec: what its Contexts take is what it says") {
  Rig rig;
  CHECK(rig.codec.context_bytes(keeps_nothing, keeps_nothing) == 0);
  CHECK(rig.codec.context_bytes(keeps_nothing, keeps) == 32 * 1024);
  const Parameters::Side small{.context_takeover = true, .window_bits = 8};
  CHECK(rig.codec.context_bytes(small, small) < rig.codec.context_bytes(keeps, keeps) / 8);
  // Half of what zlib takes by default: 256 KiB + 6 KB to deflate, 32 KiB + 7 KB to inflate.
  const MessageCodec larger(rig.pool, Level::small);
  CHECK(larger.context_bytes(keeps, keeps) <= 150 * 1024);
}

}  // namespace
}  // namespace sockeye::ws::deflate
