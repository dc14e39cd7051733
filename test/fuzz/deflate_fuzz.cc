// Messages, compressed and inflated again: here, and by zlib. The last byte chooses the level, the
// window and whether there is context takeover; the one before it how the data is cut into
// messages; the one before that how often each comes.
//
// SPDX-License-Identifier: MIT
#include "ws/deflate/deflate.h"

#include <zlib.h>

#include <algorithm>
#include <string>
#include <vector>

#include "net/pool.h"
#include "test/fuzz/fuzz_input.h"
#include "ws/deflate/inflate.h"

namespace sockeye::ws::deflate {
namespace {

using Data = std::vector<std::uint8_t>;

// Refuses distances beyond the window, of any size.
class OurReceiver {
 public:
  explicit OurReceiver(int window_bits) : window_bits_(window_bits), window_(pool_, window_bits) {}

  void forget() { window_.clear(); }
  std::string inflate(Bytes stream, std::size_t size) {
    Data output(size + 1);
    std::size_t used = 0;
    inflater_.begin(window_bits_);
    const Status status = inflater_.run(stream, output, used, &window_);
    test::expect(status == Status::needs_input && inflater_.between_blocks(), "our inflate");
    output.resize(used);
    window_.append(output);
    return std::string(as_text(output));
  }

 private:
  const int window_bits_;
  Pool pool_;
  Window window_;
  Inflater inflater_;
};

// zlib's has no windows of 2^8 bytes: that one is ours to check.
class ZlibReceiver {
 public:
  explicit ZlibReceiver(int window_bits) {
    test::expect(inflateInit2(&stream_, -std::max(window_bits, 9)) == Z_OK, "inflateInit2");
  }
  ~ZlibReceiver() { inflateEnd(&stream_); }

  void forget() { inflateReset(&stream_); }
  std::string inflate(Bytes stream, std::size_t size) {
    Data output(size + 1);
    stream_.next_in = const_cast<std::uint8_t*>(stream.data());
    stream_.avail_in = static_cast<uInt>(stream.size());
    stream_.next_out = output.data();
    stream_.avail_out = static_cast<uInt>(output.size());
    test::expect(::inflate(&stream_, Z_SYNC_FLUSH) == Z_OK && stream_.avail_in == 0, "zlib");
    output.resize(output.size() - stream_.avail_out);
    return std::string(as_text(output));
  }

 private:
  z_stream stream_{};
};

// RFC 7692 §7.2.1 and §7.2.2. The room is an allocation of exactly its size.
Data compress(Deflater& deflater, Bytes message) {
  static Symbols symbols;
  const std::size_t room = max_compressed_size(message.size());
  const auto output = std::make_unique<std::uint8_t[]>(room);
  const std::size_t size = deflater.compress(message, {output.get(), room}, symbols);
  test::expect(size <= room - BitWriter::slack_bytes, "larger than said");
  Data stream(output.get(), output.get() + size);
  stream.insert(stream.end(), {0x00, 0x00, 0xff, 0xff});
  return stream;
}

void send_all(Bytes data, std::uint8_t choices, std::uint8_t seed, int times) {
  const Level level = choices & 1 ? Level::fast : Level::small;
  const bool keep = choices & 2;
  const int bits = min_window_bits + (choices >> 2) % 8;
  Deflater deflater(level, bits);
  OurReceiver ours(bits);
  ZlibReceiver zlib(bits);
  for (test::FuzzPieces pieces(data, seed); !pieces.at_end();) {
    const Bytes piece = pieces.next();
    Data message;
    for (int i = 0; i < times; ++i) message.insert(message.end(), piece.begin(), piece.end());
    if (!keep) {
      deflater.forget();
      ours.forget();
      zlib.forget();
    }
    const Data stream = compress(deflater, message);
    const std::string expected(as_text(message));
    test::expect_equal(expected, ours.inflate(stream, message.size()), "our receiver");
    test::expect_equal(expected, zlib.inflate(stream, message.size()), "zlib");
    if (keep) continue;
    Deflater fresh(level, bits);
    test::expect(compress(fresh, message) == stream, "depends on what was forgotten");
  }
}

}  // namespace
}  // namespace sockeye::ws::deflate

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sockeye::test::FuzzInput input(data, size);
  const std::uint8_t choices = input.choice();
  const std::uint8_t seed = input.choice();
  const std::uint8_t often = input.choice();
  // Up to some 100,000 bytes: so positions wrap, and windows are left behind.
  const int times = often < 200 ? 1 : 1 + (often - 200) * 4;
  if (input.data().size() * static_cast<std::size_t>(times) > 400'000) return 0;
  sockeye::ws::deflate::send_all(input.data(), choices, seed, times);
  return 0;
}
