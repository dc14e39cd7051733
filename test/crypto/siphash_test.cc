// SipHash-2-4: the reference implementation's vectors, and what a key and a length do.
//
// SPDX-License-Identifier: MIT
#include "crypto/siphash.h"

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "net/bytes.h"
#include "test/support/guarded_memory.h"

using sockeye::as_bytes;
using sockeye::Bytes;
using sockeye::crypto::siphash;
using sockeye::crypto::SipKey;
using sockeye::test::GuardedMemory;

namespace {

// The bytes 00 01 02 ... 0f.
constexpr SipKey reference_key = {0x0706050403020100, 0x0f0e0d0c0b0a0908};

// Of the messages 00 01 02 ... of 0 to 63 bytes. That of 15 bytes is the paper's appendix A.
constexpr std::array<std::uint64_t, 64> reference_vectors = {
    0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a, 0x85676696d7fb7e2d,
    0xcf2794e0277187b7, 0x18765564cd99a68d, 0xcbc9466e58fee3ce, 0xab0200f58b01d137,
    0x93f5f5799a932462, 0x9e0082df0ba9e4b0, 0x7a5dbbc594ddb9f3, 0xf4b32f46226bada7,
    0x751e8fbc860ee5fb, 0x14ea5627c0843d90, 0xf723ca908e7af2ee, 0xa129ca6149be45e5,
    0x3f2acc7f57c29bdb, 0x699ae9f52cbe4794, 0x4bc1b3f0968dd39c, 0xbb6dc91da77961bd,
    0xbed65cf21aa2ee98, 0xd0f2cbb02e3b67c7, 0x93536795e3a33e88, 0xa80c038ccd5ccec8,
    0xb8ad50c6f649af94, 0xbce192de8a85b8ea, 0x17d835b85bbb15f3, 0x2f2e6163076bcfad,
    0xde4daaaca71dc9a5, 0xa6a2506687956571, 0xad87a3535c49ef28, 0x32d892fad841c342,
    0x7127512f72f27cce, 0xa7f32346f95978e3, 0x12e0b01abb051238, 0x15e034d40fa197ae,
    0x314dffbe0815a3b4, 0x027990f029623981, 0xcadcd4e59ef40c4d, 0x9abfd8766a33735c,
    0x0e3ea96b5304a7d0, 0xad0c42d6fc585992, 0x187306c89bc215a9, 0xd4a60abcf3792b95,
    0xf935451de4f21df2, 0xa9538f0419755787, 0xdb9acddff56ca510, 0xd06c98cd5c0975eb,
    0xe612a3cb9ecba951, 0xc766e62cfcadaf96, 0xee64435a9752fe72, 0xa192d576b245165a,
    0x0a8787bf8ecb74b2, 0x81b3e73d20b49b6f, 0x7fa8220ba3b2ecea, 0x245731c13ca42499,
    0xb78dbfaf3a8d83bd, 0xea1ad565322a1a0b, 0x60e61c23a3795013, 0x6606d7e446282b93,
    0x6ca4ecb15c5f91e1, 0x9f626da15c9625f3, 0xe51b38608ef25f57, 0x958a324ceb064572,
};

}  // namespace

TEST_CASE("SipHash-2-4: the example of the paper's appendix A") {
  std::array<std::uint8_t, 15> message;
  for (std::size_t i = 0; i < message.size(); ++i) message[i] = static_cast<std::uint8_t>(i);
  CHECK(siphash(reference_key, message) == 0xa129ca6149be45e5);
}

TEST_CASE("SipHash-2-4: the vectors of the reference implementation; nothing beyond is read") {
  const GuardedMemory memory(64);
  for (std::size_t size = 0; size < 64; ++size) {
    CAPTURE(size);
    const auto message = memory.all().last(size);  // behind it, a read faults
    for (std::size_t i = 0; i < size; ++i) message[i] = static_cast<std::uint8_t>(i);
    CHECK(siphash(reference_key, message) == reference_vectors[size]);
  }
}

TEST_CASE("SipHash-2-4: a message longer than its length's byte can say") {
  std::vector<std::uint8_t> message(1000);
  for (std::size_t i = 0; i < message.size(); ++i) message[i] = static_cast<std::uint8_t>(7 * i);
  // By `openssl mac -macopt hexkey:ffeeddccbbaa99887766554433221100 -macopt size:8 SipHash`.
  CHECK(siphash({0x8899aabbccddeeff, 0x0011223344556677}, message) == 0x68d95d6f650b2a15);
}

TEST_CASE("SipHash-2-4: each bit of the key and of the message counts") {
  constexpr std::string_view name = "a room of its own";
  std::set<std::uint64_t> hashes = {siphash({}, as_bytes(name))};
  for (int bit = 0; bit < 64; ++bit) {
    hashes.insert(siphash({std::uint64_t{1} << bit, 0}, as_bytes(name)));
    hashes.insert(siphash({0, std::uint64_t{1} << bit}, as_bytes(name)));
  }
  for (std::size_t bit = 0; bit < 8 * name.size(); ++bit) {
    std::string other(name);
    other[bit / 8] = static_cast<char>(other[bit / 8] ^ 1 << bit % 8);
    hashes.insert(siphash({}, as_bytes(other)));
  }
  CHECK(hashes.size() == 1 + 2 * 64 + 8 * name.size());
}

TEST_CASE("SipHash-2-4: zeros at the end make another message") {
  const std::string zeros(20, '\0');
  std::set<std::uint64_t> hashes;
  for (std::size_t size = 0; size <= zeros.size(); ++size) {
    hashes.insert(siphash(reference_key, as_bytes(zeros).first(size)));
  }
  CHECK(hashes.size() == zeros.size() + 1);
}
