// How fast messages are inflated and compressed here, and to what size, beside the system's zlib.
//
//   build/bench/deflate
//
// How it is measured. All messages of a row are taken one after the other, by zlib and by the
// project's own code in turn, round after round, so that a disturbance hits both alike; CPU time of
// the one thread. A row's ratio is the median of its rounds' ratios. Both sides keep their state
// allocated from one message to the next and reset it, as a server does without context takeover;
// with it ("kept"), the messages are one stream. What is inflated was compressed by zlib's default
// level, as most peers do. Each result is compared with the original once. What is compressed
// stands beside zlib's level 1 or 6, with the mean size of a message on the line below.
//
// SPDX-License-Identifier: MIT
#include <time.h>
#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "net/bytes.h"
#include "net/pool.h"
#include "test/bench/deflate_corpus.h"
#include "ws/deflate/deflate.h"
#include "ws/deflate/inflate.h"

namespace {

using namespace sockeye;
using namespace ws::deflate;
using test::Corpus;

constexpr std::uint64_t measured_ns = 4'000'000;  // at least, for each side of each round
constexpr int rounds = 15;

enum class Context { forgotten, kept };
constexpr Context contexts[] = {Context::forgotten, Context::kept};

std::uint64_t thread_cpu_ns() {
  timespec time;
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(time.tv_nsec);
}

void expect(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "bench-deflate: %s\n", what);
  std::exit(1);
}

std::size_t total_size(const std::vector<std::string>& messages) {
  std::size_t size = 0;
  for (const std::string& message : messages) size += message.size();
  return size;
}

std::size_t largest_size(const std::vector<std::string>& messages) {
  std::size_t size = 0;
  for (const std::string& message : messages) size = std::max(size, message.size());
  return size;
}

// -------------------------------------------------------------------------------------- measuring

// What both sides do with all messages of a row, and how long that takes.
struct Pair {
  std::function<void()> zlib;
  std::function<void()> ours;
};
struct Times {
  double zlib_ns;
  double ours_ns;
  double ratio;  // how many times as fast ours is
};

std::uint64_t time_of(const std::function<void()>& run, int repeats) {
  const std::uint64_t start_ns = thread_cpu_ns();
  for (int i = 0; i < repeats; ++i) run();
  return thread_cpu_ns() - start_ns;
}

double median(std::vector<double> numbers) {
  std::sort(numbers.begin(), numbers.end());
  return numbers[numbers.size() / 2];
}

Times measure(const Pair& pair) {
  int repeats = 1;
  while (time_of(pair.ours, repeats) < measured_ns) repeats *= 2;
  std::vector<double> zlib_ns, ours_ns, ratios;
  for (int round = 0; round < rounds; ++round) {
    zlib_ns.push_back(static_cast<double>(time_of(pair.zlib, repeats)) / repeats);
    ours_ns.push_back(static_cast<double>(time_of(pair.ours, repeats)) / repeats);
    ratios.push_back(zlib_ns.back() / ours_ns.back());
  }
  return {median(zlib_ns), median(ours_ns), median(ratios)};
}

void print_line(const Corpus& corpus, Context context, const char* job, const Times& times) {
  const auto size = static_cast<double>(total_size(corpus.messages));
  std::printf("%-14s %-9s %-18s %7.0f MB/s %7.0f MB/s %6.2f x\n", corpus.name.c_str(),
              context == Context::kept ? "kept" : "forgotten", job, 1000 * size / times.zlib_ns,
              1000 * size / times.ours_ns, times.ratio);
}

// ------------------------------------------------------------------------------------------- zlib

constexpr char trailer[] = {'\0', '\0', '\xff', '\xff'};  // RFC 7692 §7.2.1: not sent
constexpr int raw_window = -15;

class ZlibDeflater {
 public:
  explicit ZlibDeflater(int level) {
    expect(deflateInit2(&stream_, level, Z_DEFLATED, raw_window, 8, Z_DEFAULT_STRATEGY) == Z_OK,
           "zlib's deflateInit2");
  }
  ~ZlibDeflater() { deflateEnd(&stream_); }

  void forget() { deflateReset(&stream_); }

  // RFC 7692 §7.2.1. The size of what is written to `output`, without the trailer.
  std::size_t compress(Bytes message, MutableBytes output) {
    stream_.next_in = const_cast<std::uint8_t*>(message.data());
    stream_.avail_in = static_cast<uInt>(message.size());
    stream_.next_out = output.data();
    stream_.avail_out = static_cast<uInt>(output.size());
    expect(deflate(&stream_, Z_SYNC_FLUSH) == Z_OK && stream_.avail_out > 0, "zlib's deflate");
    return output.size() - stream_.avail_out - sizeof trailer;
  }

 private:
  z_stream stream_{};
};

class ZlibInflater {
 public:
  ZlibInflater() { expect(inflateInit2(&stream_, raw_window) == Z_OK, "zlib's inflateInit2"); }
  ~ZlibInflater() { inflateEnd(&stream_); }

  void forget() { inflateReset(&stream_); }

  // RFC 7692 §7.2.2. `message` has its trailer.
  std::size_t inflate(Bytes message, MutableBytes output) {
    stream_.next_in = const_cast<std::uint8_t*>(message.data());
    stream_.avail_in = static_cast<uInt>(message.size());
    stream_.next_out = output.data();
    stream_.avail_out = static_cast<uInt>(output.size());
    expect(::inflate(&stream_, Z_SYNC_FLUSH) == Z_OK, "zlib's inflate");
    return output.size() - stream_.avail_out;
  }

 private:
  z_stream stream_{};
};

// ---------------------------------------------------------------------------------------- inflate

class OurInflater {
 public:
  void forget() { window_.clear(); }
  void keep() { kept_ = true; }

  // As ZlibInflater's.
  std::size_t inflate(Bytes message, MutableBytes output) {
    std::size_t used = 0;
    inflater_.begin(max_window_bits);
    const Status status = inflater_.run(message, output, used, kept_ ? &window_ : nullptr);
    expect(status == Status::needs_input && inflater_.between_blocks(), "our inflate");
    if (kept_) window_.append(output.first(used));
    return used;
  }

 private:
  Pool pool_;
  Window window_{pool_, max_window_bits};
  Inflater inflater_;
  bool kept_ = false;
};

// The messages as a peer sends them, each with the trailer that the receiver adds.
std::vector<std::string> compressed(const Corpus& corpus, Context context) {
  ZlibDeflater deflater(Z_DEFAULT_COMPRESSION);
  std::vector<std::uint8_t> output(2 * largest_size(corpus.messages) + 100);
  std::vector<std::string> result;
  for (const std::string& message : corpus.messages) {
    if (context == Context::forgotten) deflater.forget();
    const std::size_t size = deflater.compress(as_bytes(message), output);
    result.emplace_back(as_text({output.data(), size})).append(trailer, sizeof trailer);
  }
  return result;
}

// Inflates all of a row's messages, and compares them with the original where that is wanted.
template <typename Inflater>
void inflate_all(Inflater& inflater, const std::vector<std::string>& messages, Context context,
                 MutableBytes output, const Corpus* original = nullptr) {
  inflater.forget();
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (context == Context::forgotten) inflater.forget();
    const std::size_t size = inflater.inflate(as_bytes(messages[i]), output);
    expect(!original || as_text(output.first(size)) == original->messages[i],
           "inflated isn't what was compressed");
  }
}

void measure_inflate(const Corpus& corpus, Context context) {
  const std::vector<std::string> messages = compressed(corpus, context);
  std::vector<std::uint8_t> output(2 * largest_size(corpus.messages) + 1000);
  ZlibInflater zlib;
  inflate_all(zlib, messages, context, output, &corpus);
  OurInflater ours;
  if (context == Context::kept) ours.keep();
  inflate_all(ours, messages, context, output, &corpus);
  const Times times = measure({[&] { inflate_all(zlib, messages, context, output); },
                               [&] { inflate_all(ours, messages, context, output); }});
  print_line(corpus, context, "inflate", times);
}

// ---------------------------------------------------------------------------------------- deflate

class OurDeflater {
 public:
  explicit OurDeflater(Level level) : deflater_(level, max_window_bits) {
    expect(deflater_.allocated(), "no memory");
  }

  void forget() { deflater_.forget(); }

  // As ZlibDeflater's.
  std::size_t compress(Bytes message, MutableBytes output) {
    return deflater_.compress(message, output, symbols_);
  }

 private:
  Deflater deflater_;
  Symbols symbols_;
};

// Compresses all of a row's messages, and returns their size.
template <typename AnyDeflater>
std::size_t compress_all(AnyDeflater& deflater, const Corpus& corpus, Context context,
                         MutableBytes output) {
  std::size_t size = 0;
  deflater.forget();
  for (const std::string& message : corpus.messages) {
    if (context == Context::forgotten) deflater.forget();
    size += deflater.compress(as_bytes(message), output);
  }
  return size;
}

void check_ours(OurDeflater& ours, const Corpus& corpus, Context context, MutableBytes output) {
  std::vector<std::string> messages;
  for (const std::string& message : corpus.messages) {
    if (context == Context::forgotten) ours.forget();
    const std::size_t size = ours.compress(as_bytes(message), output);
    messages.emplace_back(as_text(output.first(size))).append(trailer, sizeof trailer);
  }
  ZlibInflater zlib;
  inflate_all(zlib, messages, context, output, &corpus);
}

void measure_deflate(const Corpus& corpus, Context context, Level level) {
  const bool fast = level == Level::fast;
  std::vector<std::uint8_t> output(max_compressed_size(largest_size(corpus.messages)) + 100);
  ZlibDeflater zlib(fast ? 1 : 6);
  const auto ours = std::make_unique<OurDeflater>(level);
  check_ours(*ours, corpus, context, output);
  const auto zlib_size = static_cast<double>(compress_all(zlib, corpus, context, output));
  const auto our_size = static_cast<double>(compress_all(*ours, corpus, context, output));
  const Times times = measure({[&] { compress_all(zlib, corpus, context, output); },
                               [&] { compress_all(*ours, corpus, context, output); }});
  print_line(corpus, context, fast ? "deflate, fast (1)" : "deflate, (6)", times);
  std::printf("%-42s %9.1f B    %9.1f B    %+6.2f %%\n", "",
              zlib_size / static_cast<double>(corpus.messages.size()),
              our_size / static_cast<double>(corpus.messages.size()),
              100 * (our_size / zlib_size - 1));
}

}  // namespace

int main() {
  std::printf("%-14s %-9s %-18s %12s %12s %8s\n", "messages", "context", "", "zlib", "Sockeye",
              "ratio");
  for (const Corpus& corpus : test::deflate_corpora()) {
    for (const Context context : contexts) {
      measure_inflate(corpus, context);
      measure_deflate(corpus, context, Level::fast);
      measure_deflate(corpus, context, Level::small);
    }
  }
}
