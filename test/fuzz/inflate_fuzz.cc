// Inflate, whole and cut, beside zlib's. The last byte chooses the cuts; the one before it how much
// there was before the stream; the one before that a smaller window.
//
// SPDX-License-Identifier: MIT
#include "ws/deflate/inflate.h"

#include <zlib.h>

#include <algorithm>
#include <string>
#include <vector>

#include "net/pool.h"
#include "test/fuzz/fuzz_input.h"

namespace sockeye::ws::deflate {
namespace {

using Data = std::vector<std::uint8_t>;

constexpr std::size_t most_bytes = 1 << 20;  // a stream may bring a thousand times its size

struct Result {
  Status status;
  std::string text;
  std::size_t left;  // of the input
};

// What was inflated before: bytes that don't repeat within a window.
Data history_of(std::size_t size) {
  Data history(size);
  for (std::size_t i = 0; i < size; ++i) history[i] = static_cast<std::uint8_t>(i * i >> 5);
  return history;
}

Result inflate_whole(Bytes input, int window_bits, const Window* window) {
  static Inflater inflater;
  static Data output(most_bytes);
  std::size_t used = 0;
  inflater.begin(window_bits);
  const Status status = inflater.run(input, output, used, window);
  return {status, std::string(as_text({output.data(), used})), input.size()};
}

// Input and room come in pieces; each is an allocation of its own. All of the input is offered
// before more room is.
Result inflate_cut(Bytes input, std::uint8_t seed, const Window* window) {
  static Inflater inflater;
  inflater.begin(max_window_bits);
  Data output;
  std::size_t used = 0;
  Status status = Status::needs_input;
  std::uint32_t random = seed;
  test::FuzzPieces pieces(input, seed);
  std::size_t left = input.size();
  while (status == Status::needs_input && !pieces.at_end()) {
    const MutableBytes whole_piece = pieces.next();
    Bytes piece = whole_piece;
    do {
      status = inflater.run(piece, output, used, window);
      if (status != Status::needs_output) break;
      test::expect(used == output.size(), "there is room");
      random = random * 1664525 + 1013904223;
      const std::size_t more = random % 4 == 0 ? 1 + (random >> 8) % 1000 : 1 + (random >> 8) % 8;
      Data larger(std::min(output.size() + more, most_bytes));
      std::copy(output.begin(), output.end(), larger.begin());
      output.swap(larger);
    } while (used < most_bytes);
    test::expect(status != Status::needs_input || piece.empty(), "there is input");
    left -= whole_piece.size() - piece.size();
  }
  return {status, std::string(as_text({output.data(), used})), left};
}

Result inflate_zlib(Bytes input, Bytes history) {
  static Data output(most_bytes);
  z_stream stream{};
  test::expect(inflateInit2(&stream, -max_window_bits) == Z_OK, "inflateInit2");
  if (!history.empty()) {
    test::expect(
        inflateSetDictionary(&stream, history.data(), static_cast<uInt>(history.size())) == Z_OK,
        "inflateSetDictionary");
  }
  stream.next_in = const_cast<std::uint8_t*>(input.data());
  stream.avail_in = static_cast<uInt>(input.size());
  stream.next_out = output.data();
  stream.avail_out = static_cast<uInt>(output.size());
  const int code = inflate(&stream, Z_SYNC_FLUSH);
  const std::size_t used = output.size() - stream.avail_out;
  const std::size_t left = stream.avail_in;
  inflateEnd(&stream);
  const Status status = code == Z_STREAM_END    ? Status::end
                        : code == Z_DATA_ERROR  ? Status::reserved_block_type  // or any
                        : used == output.size() ? Status::needs_output
                                                : Status::needs_input;
  return {status, std::string(as_text({output.data(), used})), left};
}

// A code of code lengths without a word is refused here when it's read; by zlib, when as many
// lengths were read in it as there should be.
bool zlib_refuses_later(Bytes input, Bytes history) {
  Data longer(input.begin(), input.end());
  longer.resize(longer.size() + 64);
  return is_error(inflate_zlib(longer, history).status);
}

void compare(const Result& ours, Bytes input, Bytes history) {
  const Result zlib = inflate_zlib(input, history);
  test::expect_equal(ours.text, zlib.text, "ours and zlib's");
  if (ours.text.size() == most_bytes) return;  // zlib doesn't look for what comes then
  if (is_error(ours.status)) {
    test::expect(is_error(zlib.status) || zlib_refuses_later(input, history), "zlib accepts it");
    return;
  }
  test::expect(ours.status == zlib.status, "zlib gets elsewhere");
  test::expect(ours.left == zlib.left, "zlib reads as far");
}

}  // namespace
}  // namespace sockeye::ws::deflate

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sockeye;
  using namespace sockeye::ws::deflate;
  test::FuzzInput input(data, size);
  const std::uint8_t seed = input.choice();
  const std::uint8_t history_choice = input.choice();
  const int small_bits = 8 + input.choice() % 7;
  const Data history =
      history_of(std::min<std::size_t>(std::size_t{history_choice} * history_choice, max_distance));

  Pool pool;
  Window window(pool, max_window_bits);
  test::expect(window.allocated(), "no memory");
  window.append(history);
  const Window* const before = history.empty() ? nullptr : &window;

  const Result whole = inflate_whole(input.data(), max_window_bits, before);
  compare(whole, input.data(), history);

  const Result cut = inflate_cut(input.data(), seed, before);
  test::expect(input.data().empty() || cut.status == whole.status, "cut, it ends elsewhere");
  test::expect_equal(cut.text, whole.text, "cut and whole");
  test::expect(cut.left == whole.left || is_error(cut.status), "cut, it reads as far");

  const Result small = inflate_whole(input.data(), small_bits, before);
  if (small.status == Status::distance_too_far) {
    test::expect(whole.text.starts_with(small.text), "a smaller window, something else");
  } else {
    test::expect(small.status == whole.status, "a smaller window, another end");
    test::expect_equal(small.text, whole.text, "a smaller window and the largest");
  }
  return 0;
}
