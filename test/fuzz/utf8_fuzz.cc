// Every UTF-8 kernel that runs here, whole and cut, against a reference that decodes characters.
// The last byte chooses the cuts.
//
// SPDX-License-Identifier: MIT
#include "ws/frame/utf8.h"

#include "net/cpu.h"
#include "test/fuzz/fuzz_input.h"
#include "ws/kernels.h"

namespace sockeye::ws::frame {
namespace {

// Decodes the character at the front of `text` and returns its size; 0 where there is none.
// RFC 3629 §3 by its table of bits, then its three prohibitions.
std::size_t decode(Bytes text) {
  const std::uint32_t lead = text[0];
  std::size_t size;
  std::uint32_t code;
  if (lead < 0x80) {
    return 1;
  } else if ((lead & 0xe0) == 0xc0) {
    size = 2;
    code = lead & 0x1f;
  } else if ((lead & 0xf0) == 0xe0) {
    size = 3;
    code = lead & 0x0f;
  } else if ((lead & 0xf8) == 0xf0) {
    size = 4;
    code = lead & 0x07;
  } else {
    return 0;
  }
  if (text.size() < size) return 0;
  for (const std::uint8_t byte : text.subspan(1, size - 1)) {
    if ((byte & 0xc0) != 0x80) return 0;
    code = code << 6 | (byte & 0x3f);
  }
  const std::uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code >= 0xd800 && code <= 0xdfff;
  return code < least[size] || surrogate || code > 0x10ffff ? 0 : size;
}

bool is_utf8(Bytes text) {
  while (!text.empty()) {
    const std::size_t size = decode(text);
    if (size == 0) return false;
    text = text.subspan(size);
  }
  return true;
}

bool validate_cut(Bytes text, std::uint8_t seed, Utf8Kernel* kernel) {
  Utf8Validator validator;
  for (test::FuzzPieces pieces(text, seed); !pieces.at_end();) {
    if (!validator.feed(pieces.next(), kernel)) return false;
  }
  return validator.complete();
}

}  // namespace
}  // namespace sockeye::ws::frame

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sockeye;
  test::FuzzInput input(data, size);
  const std::uint8_t seed = input.choice();
  const bool valid = ws::frame::is_utf8(input.data());
  const CpuFeatures cpu = detect_cpu();
  for (const auto& row : ws::utf8_kernels()) {
    if (!cpu.includes(row.needs)) continue;
    ws::frame::Utf8Validator whole;
    const bool good = whole.feed(input.data(), row.kernel) && whole.complete();
    test::expect(good == valid, "whole, against the reference");
    test::expect(ws::frame::validate_cut(input.data(), seed, row.kernel) == valid,
                 "cut, against the reference");
  }
  return 0;
}
