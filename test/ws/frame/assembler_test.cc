// SPDX-License-Identifier: MIT
#include "ws/frame/assembler.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "test/support/failing_malloc.h"

namespace sockeye::ws::frame {
namespace {

constexpr Header text_header{.fin = true, .opcode = Opcode::text};
constexpr Header binary_header{.fin = true, .opcode = Opcode::binary};
constexpr Header continuation{.fin = true, .opcode = Opcode::continuation};

Header sized(Header header, std::uint64_t size, bool fin = true) {
  header.payload_size = size;
  header.fin = fin;
  return header;
}

struct Fixture {
  Pool pool;
  Limits limits;
  Kernels kernels;
  Assembler assembler{pool, limits, kernels};

  std::string message() { return std::string(as_text(assembler.message())); }
};

// RFC 6455 §5.3, octet by octet.
std::vector<std::uint8_t> masked(Bytes payload, std::uint32_t key) {
  const std::uint8_t octets[] = {
      static_cast<std::uint8_t>(key >> 24), static_cast<std::uint8_t>(key >> 16),
      static_cast<std::uint8_t>(key >> 8), static_cast<std::uint8_t>(key)};
  std::vector<std::uint8_t> result;
  for (std::size_t i = 0; i < payload.size(); ++i) result.push_back(payload[i] ^ octets[i % 4]);
  return result;
}

TEST_CASE("RFC 6455 §5.4: fragments are put together") {
  Fixture fixture;
  Assembler& assembler = fixture.assembler;
  CHECK(!assembler.in_message());
  CHECK(assembler.begin_frame(sized(text_header, 3, false)) == Error::none);
  CHECK(assembler.in_message());
  CHECK(assembler.at_start());
  CHECK(assembler.frame_left() == 3);
  CHECK(assembler.add(as_bytes("He")) == Error::none);
  CHECK(!assembler.at_start());
  CHECK(assembler.frame_left() == 1);
  CHECK(assembler.add(as_bytes("l")) == Error::none);
  CHECK(!assembler.last_frame());
  CHECK(assembler.begin_frame(sized(continuation, 2)) == Error::none);
  CHECK(assembler.add(as_bytes("lo")) == Error::none);
  CHECK(assembler.last_frame());
  CHECK(assembler.opcode() == Opcode::text);
  CHECK(assembler.end_message() == Error::none);
  CHECK(!assembler.in_message());
  CHECK(fixture.message() == "Hello");
}

TEST_CASE("RFC 6455 §5.4: the place of a frame in its message") {
  Fixture fixture;
  Assembler& assembler = fixture.assembler;
  CHECK(assembler.begin_frame(sized(continuation, 0)) == Error::continuation_without_message);
  CHECK(assembler.begin_frame(sized(text_header, 0, false)) == Error::none);
  CHECK(assembler.begin_frame(sized(text_header, 0)) == Error::message_interrupted);
  CHECK(assembler.begin_frame(sized(binary_header, 0)) == Error::message_interrupted);
  CHECK(assembler.begin_frame(sized(continuation, 0)) == Error::none);
  CHECK(assembler.end_message() == Error::none);
  CHECK(assembler.begin_frame(sized(continuation, 0)) == Error::continuation_without_message);
}

TEST_CASE(
    "RFC 6455 §5.3: unmasking, by every mix of add() and space(), at every phase of the key") {
  std::mt19937 random(1);
  std::vector<std::uint8_t> original(40'000);
  for (auto& byte : original) byte = static_cast<std::uint8_t>(random());
  for (int round = 0; round < 200; ++round) {
    CAPTURE(round);
    Fixture fixture;
    Assembler& assembler = fixture.assembler;
    std::size_t done = 0;
    while (done < original.size()) {
      const std::size_t frame = std::min<std::size_t>(random() % 20'000, original.size() - done);
      const bool last = done + frame == original.size();
      Header header =
          sized(done == 0 && !assembler.in_message() ? binary_header : continuation, frame, last);
      header.masked = random() % 4 != 0;
      header.masking_key = header.masked ? static_cast<std::uint32_t>(random()) : 0;
      const auto sent = masked(Bytes(original).subspan(done, frame), header.masking_key);
      REQUIRE(assembler.begin_frame(header) == Error::none);
      std::size_t at = 0;
      while (at < frame) {
        const std::size_t wanted = std::min<std::size_t>(1 + random() % 9'000, frame - at);
        if (random() % 2 == 0) {
          REQUIRE(assembler.add(Bytes(sent).subspan(at, wanted)) == Error::none);
          at += wanted;
        } else {
          const MutableBytes space = assembler.space();
          REQUIRE(!space.empty());
          REQUIRE(space.size() <= assembler.frame_left());
          const std::size_t size = std::min(wanted, space.size());
          copy_bytes(space.data(), Bytes(sent).subspan(at, size));
          REQUIRE(assembler.commit(size) == Error::none);
          at += size;
        }
        REQUIRE(assembler.frame_left() == frame - at);
      }
      done += frame;
    }
    REQUIRE(assembler.end_message() == Error::none);
    const MutableBytes message = assembler.message();
    REQUIRE(std::equal(message.begin(), message.end(), original.begin(), original.end()));
  }
}

TEST_CASE("RFC 6455 §8.1: text fails at its first bad byte, however it came") {
  const std::string good(20'000, 'a');
  const std::string bad = good + "\xff";
  {
    Fixture fixture;
    CHECK(fixture.assembler.begin_frame(sized(text_header, 1'000'000)) == Error::none);
    CHECK(fixture.assembler.add(as_bytes(good)) == Error::none);
    CHECK(fixture.assembler.add(as_bytes("\xff")) == Error::text_not_utf8);
  }
  {
    Fixture fixture;
    CHECK(fixture.assembler.begin_frame(sized(text_header, 1'000'000)) == Error::none);
    CHECK(fixture.assembler.add(as_bytes("a")) == Error::none);
    const MutableBytes space = fixture.assembler.space();
    REQUIRE(space.size() >= 2);
    copy_bytes(space.data(), as_bytes("b\xff"));
    CHECK(fixture.assembler.commit(2) == Error::text_not_utf8);
  }
  {
    Fixture fixture;
    CHECK(fixture.assembler.begin_frame(sized(text_header, 1'000'000)) == Error::none);
    std::vector<std::uint8_t> piece(bad.begin(), bad.end());
    CHECK(fixture.assembler.pass(piece) == Error::text_not_utf8);
  }
  {
    Fixture fixture;
    CHECK(fixture.assembler.begin_frame(sized(text_header, 2)) == Error::none);
    CHECK(fixture.assembler.add(as_bytes("\xe2\x82")) == Error::none);
    CHECK(fixture.assembler.end_message() == Error::text_not_utf8);
  }
}

TEST_CASE("RFC 6455 §10.4: a message's size is compared by subtraction") {
  Fixture fixture;
  fixture.limits.message_bytes = 100;
  Assembler& assembler = fixture.assembler;
  CHECK(assembler.begin_frame(sized(binary_header, 101)) == Error::message_too_big);
  Fixture other;
  other.limits.message_bytes = 100;
  CHECK(other.assembler.begin_frame(sized(binary_header, 1, false)) == Error::none);
  CHECK(other.assembler.add(as_bytes("a")) == Error::none);
  for (const std::uint64_t size :
       {std::uint64_t{100}, ~std::uint64_t{0} >> 1, ~std::uint64_t{0}, ~std::uint64_t{0} - 1}) {
    CHECK(other.assembler.begin_frame(sized(continuation, size)) == Error::message_too_big);
  }
  CHECK(other.assembler.begin_frame(sized(continuation, 99)) == Error::none);
}

TEST_CASE("RFC 6455 §10.4: memory follows what has arrived, not what a header declares") {
  Fixture fixture;
  fixture.limits.message_bytes = std::uint64_t{1} << 40;
  const test::MallocWatch watch;
  CHECK(fixture.assembler.begin_frame(sized(binary_header, std::uint64_t{1} << 40)) == Error::none);
  CHECK(watch.calls() == 0);
  CHECK(fixture.assembler.add(as_bytes("a")) == Error::none);
  CHECK(watch.largest() <= 64);
  std::size_t arrived = 1;
  const std::string piece(1000, 'a');
  for (int i = 0; i < 1000; ++i) {
    CHECK(fixture.assembler.add(as_bytes(piece)) == Error::none);
    arrived += piece.size();
    // Room for eight times as much, in blocks of powers of two.
    REQUIRE(watch.largest() <= 16 * arrived);
  }
}

TEST_CASE("RFC 6455 §10.4: of a small message's end, the room ends there too") {
  Fixture fixture;
  CHECK(fixture.assembler.begin_frame(sized(binary_header, 1000)) == Error::none);
  CHECK(fixture.assembler.add(as_bytes(std::string(500, 'a'))) == Error::none);
  const test::MallocWatch watch;
  CHECK(fixture.assembler.add(as_bytes(std::string(500, 'a'))) == Error::none);
  CHECK(watch.calls() == 0);
  CHECK(fixture.assembler.space().empty());
}

TEST_CASE("RFC 6455 §10.4: no memory is an error, and the assembler gives back what it has") {
  Limits limits;
  Kernels kernels;
  for (std::size_t failing_call = 0;; ++failing_call) {
    CAPTURE(failing_call);
    const test::MallocWatch watch(failing_call);
    {
      Pool pool;
      Assembler assembler(pool, limits, kernels);
      REQUIRE(assembler.begin_frame(sized(binary_header, 100'000)) == Error::none);
      const std::string piece(1000, 'a');
      Error error = Error::none;
      while (error == Error::none && assembler.frame_left() > 0) {
        error = assembler.add(as_bytes(piece));
      }
      REQUIRE(error == (watch.failed() ? Error::out_of_memory : Error::none));
    }
    REQUIRE(watch.live_blocks() == 0);
    if (!watch.failed()) {
      CHECK(failing_call == 2);  // 8,000 bytes first, then all
      break;
    }
  }
}

TEST_CASE("RFC 6455 §10.4: without memory there is no space to receive to") {
  Fixture fixture;
  CHECK(fixture.assembler.begin_frame(sized(binary_header, 100'000)) == Error::none);
  const test::MallocWatch watch(0);
  CHECK(fixture.assembler.space().empty());
  CHECK(watch.failed());
  CHECK(!fixture.assembler.space().empty());
}

}  // namespace
}  // namespace sockeye::ws::frame
