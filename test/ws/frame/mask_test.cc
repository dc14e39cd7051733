// Masking: the RFC's formula at every length, alignment and key phase, between unmapped pages.
//
// SPDX-License-Identifier: MIT
#include "ws/frame/mask.h"

#include <doctest/doctest.h>

#include <cstring>
#include <vector>

#include "net/bytes.h"
#include "test/support/guarded_memory.h"
#include "test/support/runnable.h"
#include "ws/kernels.h"

namespace sockeye::ws::frame {
namespace {

constexpr std::uint32_t key = 0x37fa213d;
constexpr std::size_t longest = 257;
constexpr std::size_t offsets = 64;

// RFC 6455 §5.3, word for word: j = i MOD 4; transformed-octet-i = original-octet-i XOR
// masking-key-octet-j. The payload's part begins `phase` octets in.
void mask_by_the_rfc(std::uint8_t* to, const std::uint8_t* from, std::size_t size,
                     std::size_t phase) {
  constexpr std::uint8_t masking_key_octet[4] = {0x37, 0xfa, 0x21, 0x3d};
  for (std::size_t i = 0; i < size; ++i) {
    const std::size_t j = (phase + i) % 4;
    to[i] = from[i] ^ masking_key_octet[j];
  }
}

// Guarded memory filled with a pattern, and what is expected to be found in it.
class Page {
 public:
  Page() : expected_(memory_.all().size()) {
    for (std::size_t i = 0; i < expected_.size(); ++i) {
      expected_[i] = static_cast<std::uint8_t>(i * 13 + i / 251);
    }
    original_ = expected_;
    copy_bytes(memory_.all().data(), original_);
  }

  std::uint8_t* at(std::size_t place) { return memory_.all().data() + place; }
  std::size_t size() const { return expected_.size(); }

  // Whether the page holds `size` bytes of `from` at `place`, masked by the rule, and everywhere
  // else what it held at first. Puts everything back.
  bool holds_masked(std::size_t place, const std::uint8_t* from, std::size_t size,
                    std::size_t phase) {
    mask_by_the_rfc(expected_.data() + place, from, size, phase);
    const bool same = std::memcmp(memory_.all().data(), expected_.data(), expected_.size()) == 0;
    const Bytes before = Bytes(original_).subspan(place, size);
    copy_bytes(expected_.data() + place, before);
    copy_bytes(at(place), before);
    return same;
  }

  const std::uint8_t* original(std::size_t place) const { return original_.data() + place; }

 private:
  test::GuardedMemory memory_{2048};
  std::vector<std::uint8_t> expected_;
  std::vector<std::uint8_t> original_;
};

}  // namespace

TEST_CASE("key_at: octet i of the payload meets octet i MOD 4 of the key (§5.3)") {
  CHECK(key_at(0x37fa213d, 0) == 0x37fa213d);
  CHECK(key_at(0x37fa213d, 1) == 0xfa213d37);
  CHECK(key_at(0x37fa213d, 2) == 0x213d37fa);
  CHECK(key_at(0x37fa213d, 3) == 0x3d37fa21);
  CHECK(key_at(0x37fa213d, 4) == 0x37fa213d);
  CHECK(key_at(0x37fa213d, 0xffff'ffff'ffff'ffff) == 0x3d37fa21);
}

TEST_CASE("Masking turns \"Hello\" into the bytes of the example in §5.7, and back") {
  for (const auto& row : test::runnable(mask_kernels())) {
    CAPTURE(row.name);
    const std::vector<std::uint8_t> masked = {0x7f, 0x9f, 0x4d, 0x51, 0x58};
    std::vector<std::uint8_t> bytes = {'H', 'e', 'l', 'l', 'o'};
    row.kernel(bytes.data(), bytes.data(), bytes.size(), key);
    CHECK(bytes == masked);
    row.kernel(bytes.data(), bytes.data(), bytes.size(), key);
    CHECK(as_text(bytes) == "Hello");
  }
}

TEST_CASE(
    "Unmask out of bounds: in place, every length, alignment and key phase beside a guard page") {
  Page page;
  for (const auto& row : test::runnable(mask_kernels())) {
    for (std::size_t size = 0; size <= longest; ++size) {
      for (std::size_t offset = 0; offset < offsets; ++offset) {
        for (std::size_t phase = 0; phase < 4; ++phase) {
          // At a distance of `offset` from the guard page in front, then from the one behind.
          for (const std::size_t place : {offset, page.size() - size - offset}) {
            row.kernel(page.at(place), page.at(place), size, key_at(key, phase));
            if (!page.holds_masked(place, page.original(place), size, phase)) {
              FAIL(row.name, ": size ", size, ", offset ", offset, ", phase ", phase);
            }
          }
        }
      }
    }
  }
}

TEST_CASE(
    "Mask out of bounds: copying, every length, alignment and key phase beside a guard page") {
  Page source;
  Page page;
  for (const auto& row : test::runnable(mask_kernels())) {
    for (std::size_t size = 0; size <= longest; ++size) {
      for (std::size_t offset = 0; offset < offsets; ++offset) {
        for (std::size_t phase = 0; phase < 4; ++phase) {
          // The source is aligned differently, and touches a guard page at either end.
          const std::size_t other = offset * 5 % 16;
          for (const bool in_front : {true, false}) {
            const std::size_t from = in_front ? other : source.size() - size - other;
            const std::size_t to = in_front ? offset : page.size() - size - offset;
            row.kernel(page.at(to), source.at(from), size, key_at(key, phase));
            if (!page.holds_masked(to, source.original(from), size, phase)) {
              FAIL(row.name, ": size ", size, ", offset ", offset, ", phase ", phase);
            }
          }
        }
      }
    }
  }
}

TEST_CASE("Masking in two parts is masking at once, wherever the cut") {
  std::vector<std::uint8_t> payload(301);
  for (std::size_t i = 0; i < payload.size(); ++i) payload[i] = static_cast<std::uint8_t>(i * 31);
  std::vector<std::uint8_t> expected(payload.size());
  mask_by_the_rfc(expected.data(), payload.data(), payload.size(), 0);

  for (const auto& row : test::runnable(mask_kernels())) {
    CAPTURE(row.name);
    for (std::size_t cut = 0; cut <= payload.size(); ++cut) {
      std::vector<std::uint8_t> bytes = payload;
      row.kernel(bytes.data(), bytes.data(), cut, key);
      row.kernel(bytes.data() + cut, bytes.data() + cut, bytes.size() - cut, key_at(key, cut));
      CHECK(bytes == expected);
    }
  }
}

}  // namespace sockeye::ws::frame
