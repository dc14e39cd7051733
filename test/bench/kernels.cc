// How fast the pure functions are that run over a connection's bytes: masking, UTF-8, SHA-1,
// Base64, frame headers, HTTP heads; with each kernel that this processor has, and beside them the
// plain loop that takes one byte at a time.
//
//   build/bench/kernels [--markdown]
//
// How it is measured. Each figure is the median of several rounds; a round takes every row in turn,
// so that a disturbance hits all alike, and counts the CPU time of its own thread. Small messages
// lie one behind the other in 16 KiB, six bytes apart as frames do (a header and a key), so that
// they have all alignments; large ones are one block. What runs over it works in place, as the
// server does, with a key of zeros: a text must still be one the next time. memcpy, the measure of
// what memory gives, copies from one such block to another.
//
// What it can't show: the same messages come again and again, so the processor knows by heart how
// the branches of small ones go. Code that branches by the text (the scalar kernels) does worse on
// text that is new.
//
// SPDX-License-Identifier: MIT
#include <time.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/base64.h"
#include "crypto/sha1.h"
#include "net/cpu.h"
#include "net/pool.h"
#include "net/text.h"
#include "ws/frame/assembler.h"
#include "ws/frame/frame.h"
#include "ws/frame/mask.h"
#include "ws/frame/utf8.h"
#include "ws/http/handshake.h"
#include "ws/http/parser.h"
#include "ws/kernels.h"

namespace {

using namespace sockeye;
using ws::Kernels;

constexpr std::array<std::size_t, 6> sizes = {20, 125, 1 << 10, 16 << 10, 1 << 20, 64 << 20};
constexpr std::size_t first_large = 3;  // from here on in GB/s
constexpr std::size_t small_messages_bytes = 16 << 10;
constexpr std::size_t between_messages = 6;
constexpr std::uint64_t measured_ns = 1'000'000;  // at least, for each figure of each round
constexpr int rounds = 11;
constexpr int rounds_of_largest = 3;
#ifdef __clang__
constexpr const char* compiler = "";  // its name is part of its version
#else
constexpr const char* compiler = "g++";
#endif

// What is computed goes here, so that it has to be computed.
std::uint64_t sink;

// Where the compiler must assume that any byte in memory is read and changed: a loop with this in
// it takes its bytes one after the other, whatever the compiler knows of vectors.
void one_at_a_time() {
  asm volatile("" ::: "memory");
}

std::uint64_t thread_cpu_ns() {
  timespec time;
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(time.tv_nsec);
}

// ------------------------------------------------------------------------------- what it works on

// Messages of one size.
struct Messages {
  std::size_t size;
  std::size_t stride;
  std::size_t count;
  std::vector<std::uint8_t> bytes;
};

enum class Text { ascii, mixed, cjk };
constexpr Text texts[] = {Text::ascii, Text::mixed, Text::cjk};

std::string name_of(std::string_view job, Text text) {
  constexpr std::string_view names[] = {", ASCII", ", mixed scripts", ", CJK"};
  return std::string(job).append(names[static_cast<std::size_t>(text)]);
}

// A character of as many bytes as its row; all of them are in use, none is a control character.
std::string random_character(Text text, std::mt19937& random) {
  const auto from = [&random](std::uint32_t first, std::uint32_t last) {
    return first + static_cast<std::uint32_t>(random() % (last - first + 1));
  };
  const auto tail = [](std::uint32_t c, int shift) {
    return static_cast<char>(0x80 | (c >> shift & 0x3f));
  };
  const std::uint32_t length = text == Text::ascii ? 1 : text == Text::cjk ? 3 : from(1, 4);
  if (length == 1) return {static_cast<char>(from(' ', '~'))};
  if (length == 2) {
    const std::uint32_t c = from(0x0430, 0x044f);  // Cyrillic
    return {static_cast<char>(0xc0 | c >> 6), tail(c, 0)};
  }
  if (length == 3) {
    const std::uint32_t c = from(0x4e00, 0x9fff);
    return {static_cast<char>(0xe0 | c >> 12), tail(c, 6), tail(c, 0)};
  }
  const std::uint32_t c = from(0x1f600, 0x1f64f);  // faces
  return {static_cast<char>(0xf0 | c >> 18), tail(c, 12), tail(c, 6), tail(c, 0)};
}

// Characters up to exactly `size` bytes; the last one is whole.
void fill(std::uint8_t* to, std::size_t size, Text text, std::mt19937& random) {
  for (std::size_t done = 0; done < size;) {
    std::string character = random_character(text, random);
    if (character.size() > size - done) character = "x";
    std::memcpy(to + done, character.data(), character.size());
    done += character.size();
  }
}

Messages make_messages(std::size_t size, Text text) {
  constexpr std::size_t drawn_bytes = 1 << 20;  // longer messages repeat this much
  Messages messages{.size = size, .stride = size + between_messages, .count = 1, .bytes = {}};
  if (size < small_messages_bytes) messages.count = small_messages_bytes / messages.stride;
  messages.bytes.resize(messages.stride * messages.count);
  std::mt19937 random(20'261'122);
  for (std::size_t i = 0; i < messages.count; ++i) {
    std::uint8_t* to = messages.bytes.data() + i * messages.stride;
    fill(to, std::min(size, drawn_bytes), text, random);
    for (std::size_t done = drawn_bytes; done < size; done += drawn_bytes) {
      std::memcpy(to + done, to, drawn_bytes);
    }
  }
  return messages;
}

// -------------------------------------------------------------------------------------- measuring

// One figure: what is done, how many calls that is, and what a call took, round by round.
struct Figure {
  std::function<void()> run;
  double calls;
  std::uint64_t repeats = 1;
  std::vector<double> ns = {};
};

struct Row {
  std::string job;
  std::string kernel;
  std::vector<Figure> figures = {};
};

// CPU time of `figure.repeats` runs.
std::uint64_t time_of(const Figure& figure) {
  const std::uint64_t start_ns = thread_cpu_ns();
  for (std::uint64_t i = 0; i < figure.repeats; ++i) figure.run();
  return thread_cpu_ns() - start_ns;
}

// Every figure in turn, round after round; before that, how often each must be repeated.
void measure(const std::vector<Figure*>& figures, int times) {
  for (Figure* figure : figures) {
    while (time_of(*figure) < measured_ns) figure->repeats *= 2;
  }
  for (int round = 0; round < times; ++round) {
    for (Figure* figure : figures) {
      const auto ns = static_cast<double>(time_of(*figure));
      figure->ns.push_back(ns / static_cast<double>(figure->repeats) / figure->calls);
    }
  }
}

double median_ns(const Figure& figure) {
  std::vector<double> ns = figure.ns;
  std::sort(ns.begin(), ns.end());
  return ns[ns.size() / 2];
}

// ------------------------------------------------------------------- what is done to every message

// Something that is done to messages of every size.
struct Job {
  std::string name;
  std::string kernel;
  Text text;
  std::function<void(Messages&)> run;  // does it to all of them
};

// The loop over the messages is compiled into each job: no call is counted but the kernel's.
template <typename Call>
Job make_job(std::string_view name, std::string_view kernel, Text text, Call call) {
  return {std::string(name), std::string(kernel), text, [call](Messages& messages) {
            std::uint8_t* bytes = messages.bytes.data();
            for (std::size_t i = 0; i < messages.count; ++i, bytes += messages.stride) {
              sink += call(bytes, messages.size);
            }
          }};
}

// RFC 6455 §5.3 as it reads.
void mask_plain(std::uint8_t* to, const std::uint8_t* from, std::size_t size, std::uint32_t key) {
  std::array<std::uint8_t, 4> octets;
  store_be32(octets.data(), key);
  for (std::size_t i = 0; i < size; ++i) {
    to[i] = from[i] ^ octets[i % 4];
    one_at_a_time();
  }
}

// Gets nowhere, and so leaves each byte to the validator's own loop.
std::size_t utf8_plain(const std::uint8_t*, std::size_t) {
  return 0;
}

std::uint64_t check_text(std::uint8_t* bytes, std::size_t size, ws::frame::Utf8Kernel* utf8) {
  ws::frame::Utf8Validator validator;
  if (!validator.feed({bytes, size}, utf8) || !validator.complete()) std::abort();
  return 1;
}

std::uint64_t unmask_text(std::uint8_t* bytes, std::size_t size, const Kernels& kernels) {
  ws::frame::Utf8Validator validator;
  if (!ws::frame::unmask({bytes, size}, 0, true, validator, kernels)) std::abort();
  return validator.complete();
}

// Those of a table's kernels that this processor has.
template <typename Kernel>
std::vector<ws::KernelRow<Kernel>> at_hand(std::span<const ws::KernelRow<Kernel>> rows) {
  const CpuFeatures cpu = detect_cpu();
  std::vector<ws::KernelRow<Kernel>> result;
  for (const auto& row : rows) {
    if (cpu.includes(row.needs)) result.push_back(row);
  }
  return result;
}

void add_copy(std::vector<Job>& jobs) {
  static std::vector<std::uint8_t> copy(sizes.back());
  jobs.push_back(make_job("memcpy", "", Text::ascii, [](std::uint8_t* bytes, std::size_t size) {
    std::memcpy(copy.data(), bytes, size);
    one_at_a_time();
    return copy[0];
  }));
}

void add_mask(std::vector<Job>& jobs) {
  const auto add = [&jobs](std::string_view kernel, auto* mask) {
    jobs.push_back(
        make_job("mask", kernel, Text::ascii, [mask](std::uint8_t* bytes, std::size_t size) {
          mask(bytes, bytes, size, 0);
          return bytes[0];
        }));
  };
  add("plain loop", mask_plain);
  for (const auto& row : at_hand(ws::mask_kernels())) add(row.name, row.kernel);
}

void add_utf8(std::vector<Job>& jobs, Text text) {
  const auto add = [&jobs, text](std::string_view kernel, ws::frame::Utf8Kernel* utf8) {
    jobs.push_back(make_job(
        name_of("UTF-8", text), kernel, text,
        [utf8](std::uint8_t* bytes, std::size_t size) { return check_text(bytes, size, utf8); }));
  };
  add("plain loop", utf8_plain);
  for (const auto& row : at_hand(ws::utf8_kernels())) add(row.name, row.kernel);
}

// Both in one pass, as a text message's payload is unmasked.
void add_mask_and_utf8(std::vector<Job>& jobs, Text text) {
  const std::string name = name_of("mask and UTF-8", text);
  jobs.push_back(make_job(name, "plain loop", text, [](std::uint8_t* bytes, std::size_t size) {
    mask_plain(bytes, bytes, size, 0);
    return check_text(bytes, size, utf8_plain);
  }));
  for (const auto& row : at_hand(ws::utf8_kernels())) {
    const Kernels kernels = *ws::choose_kernels(detect_cpu(), row.name);
    jobs.push_back(make_job(name, row.name, text, [kernels](std::uint8_t* bytes, std::size_t size) {
      return unmask_text(bytes, size, kernels);
    }));
  }
}

void add_sha1(std::vector<Job>& jobs) {
  for (const auto& row : at_hand(ws::sha1_kernels())) {
    jobs.push_back(make_job("SHA-1", row.name, Text::ascii,
                            [sha1 = row.kernel](std::uint8_t* bytes, std::size_t size) {
                              crypto::Sha1 hash(sha1);
                              hash.update({bytes, size});
                              return hash.digest()[0];
                            }));
  }
}

std::vector<Job> all_jobs() {
  std::vector<Job> jobs;
  add_copy(jobs);
  add_mask(jobs);
  for (const Text text : texts) add_utf8(jobs, text);
  for (const Text text : texts) add_mask_and_utf8(jobs, text);
  add_sha1(jobs);
  return jobs;
}

std::vector<Row> measure_jobs() {
  const std::vector<Job> jobs = all_jobs();
  std::vector<Row> rows;
  for (const Job& job : jobs) rows.push_back({job.name, job.kernel});
  for (const std::size_t size : sizes) {
    std::vector<Messages> messages;
    for (const Text text : texts) messages.push_back(make_messages(size, text));
    std::vector<Figure*> figures;
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      Messages& those = messages[static_cast<std::size_t>(jobs[i].text)];
      rows[i].figures.push_back(
          {[&run = jobs[i].run, &those] { run(those); }, static_cast<double>(those.count)});
      figures.push_back(&rows[i].figures.back());
    }
    measure(figures, size == sizes.back() ? rounds_of_largest : rounds);
  }
  return rows;
}

// ------------------------------------------------------------- what is done per frame or handshake

constexpr std::string_view browser_request =
    "GET /chat HTTP/1.1\r\n"
    "Host: 127.0.0.1:9000\r\n"
    "Connection: Upgrade\r\n"
    "Pragma: no-cache\r\n"
    "Cache-Control: no-cache\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/130.0.0.0 Safari/537.36\r\n"
    "Upgrade: websocket\r\n"
    "Origin: http://127.0.0.1:9000\r\n"
    "Sec-WebSocket-Version: 13\r\n"
    "Accept-Encoding: gzip, deflate, br, zstd\r\n"
    "Accept-Language: en-US,en;q=0.9\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
    "\r\n";
constexpr std::string_view key = "dGhlIHNhbXBsZSBub25jZQ==";

template <typename Call>
Row make_row(std::string_view job, std::string_view kernel, Call call) {
  constexpr int calls = 100;
  const auto run = [call] {
    for (int i = 0; i < calls; ++i) {
      sink += static_cast<std::uint64_t>(call());
      one_at_a_time();  // so that no call is done ahead of the loop, once for all
    }
  };
  return {std::string(job), std::string(kernel), {{run, calls}}};
}

// As the protocol reads one: how long, is it allowed, what does it say, is its length well written.
std::size_t read_header(const std::uint8_t* bytes) {
  const std::size_t size = ws::frame::header_size(bytes[1]);
  if (ws::frame::check_start(bytes[0], bytes[1], ws::frame::Role::server, false) !=
      ws::Error::none) {
    std::abort();
  }
  const ws::frame::Header header = ws::frame::decode(bytes);
  if (ws::frame::check_length(header, size) != ws::Error::none) std::abort();
  return static_cast<std::size_t>(header.payload_size) + header.masking_key;
}

void add_headers(std::vector<Row>& rows) {
  for (const std::uint64_t payload_size : {20u, 1u << 10, 1u << 20}) {
    const std::string length = payload_size < 126       ? ", length in 7 bits"
                               : payload_size < 0x10000 ? ", length in 16 bits"
                                                        : ", length in 64 bits";
    ws::frame::Header header{.fin = true,
                             .opcode = ws::frame::Opcode::binary,
                             .masked = true,
                             .payload_size = payload_size,
                             .masking_key = 0x37fa213d};
    std::array<std::uint8_t, ws::frame::max_header_size> bytes;
    ws::frame::encode(header, bytes.data());
    rows.push_back(
        make_row("frame header read" + length, "", [bytes] { return read_header(bytes.data()); }));
    header.masked = false;
    rows.push_back(make_row("frame header written" + length, "", [header] {
      std::array<std::uint8_t, ws::frame::max_header_size> written;
      const std::size_t size = ws::frame::encode(header, written.data());
      return written[size - 1];
    }));
  }
}

void add_base64(std::vector<Row>& rows) {
  rows.push_back(make_row("Base64, 20 bytes encoded", "", [] {
    static const std::array<std::uint8_t, 20> digest = crypto::Sha1().digest();
    std::array<char, 28> text;
    return crypto::base64_encode(digest, text).back();
  }));
  rows.push_back(make_row("Base64, 24 letters decoded", "", [] {
    std::array<std::uint8_t, 18> bytes;
    return *crypto::base64_decode(key, bytes) + bytes[15];
  }));
}

// What no parser can do without.
std::size_t find_end_of_head() {
  const char* bytes = browser_request.data();
  std::uint32_t last_four = 0;
  for (std::size_t i = 0; i < browser_request.size(); ++i) {
    last_four = last_four << 8 | static_cast<std::uint8_t>(bytes[i]);
    if (last_four == 0x0d0a0d0a) return i;
    one_at_a_time();
  }
  std::abort();
}

void add_handshake(std::vector<Row>& rows) {
  static Pool pool;
  static const ws::Limits limits;
  static ws::http::RequestParser parser(pool, limits);
  const auto parse = [] {
    parser.reset();
    Bytes input = as_bytes(browser_request);
    if (parser.parse(input) != ws::http::HeadParser::Status::complete) std::abort();
    return parser.request().field_count();
  };
  const std::string size = ", " + std::to_string(browser_request.size()) + " bytes";
  rows.push_back(make_row("HTTP head" + size, "plain search for its end", find_end_of_head));
  rows.push_back(make_row("HTTP head" + size + " parsed", "", parse));
  for (const auto& row : at_hand(ws::sha1_kernels())) {
    rows.push_back(make_row("accept value of a key", row.name,
                            [sha1 = row.kernel] { return ws::http::accept_value(key, sha1)[0]; }));
    rows.push_back(
        make_row("opening handshake checked, answered", row.name, [parse, sha1 = row.kernel] {
          parse();
          if (ws::http::check_upgrade(parser.request()) != ws::Error::none) std::abort();
          net::Text<512> response;
          return ws::http::upgrade_response(response, parser.request(), {}, sha1)->size();
        }));
  }
}

std::vector<Row> measure_rows() {
  std::vector<Row> rows;
  add_headers(rows);
  add_base64(rows);
  add_handshake(rows);
  std::vector<Figure*> figures;
  for (Row& row : rows) figures.push_back(&row.figures[0]);
  measure(figures, rounds);
  return rows;
}

// -----------------------------------------------------------------------------------------
// printing

using Line = std::vector<std::string>;

std::string decimal(double number, int decimals) {
  char text[32];
  std::snprintf(text, sizeof text, "%.*f", decimals, number);
  return text;
}

std::string ns_text(double ns) {
  return decimal(ns, ns < 99.95 ? 1 : 0);
}

std::vector<Line> lines_by_size(const std::vector<Row>& rows) {
  std::vector<Line> lines = {{"", "kernel", "20 B, ns", "125 B, ns", "1 KiB, ns", "16 KiB, GB/s",
                              "1 MiB, GB/s", "64 MiB, GB/s"}};
  for (const Row& row : rows) {
    Line line = {row.job, row.kernel};
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      const double ns = median_ns(row.figures[i]);
      const double memcpy_ns = median_ns(rows[0].figures[i]);
      const double gb_per_s = static_cast<double>(sizes[i]) / ns;
      line.push_back(i < first_large ? ns_text(ns)
                                     : decimal(gb_per_s, gb_per_s < 9.995 ? 2 : 1) + " (" +
                                           decimal(100 * memcpy_ns / ns, 0) + " %)");
    }
    lines.push_back(line);
  }
  return lines;
}

std::vector<Line> lines_of_calls(const std::vector<Row>& rows) {
  std::vector<Line> lines = {{"", "kernel", "ns"}};
  for (const Row& row : rows) {
    lines.push_back({row.job, row.kernel, ns_text(median_ns(row.figures[0]))});
  }
  return lines;
}

void print_table(const std::vector<Line>& lines, bool markdown) {
  std::vector<int> widths(lines[0].size());
  for (const Line& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) {
      widths[i] = std::max(widths[i], static_cast<int>(line[i].size()));
    }
  }
  constexpr std::size_t names = 2;  // columns of text, to the left; the others are numbers
  for (const Line& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) {
      std::printf("%s%*s",
                  markdown ? "| "
                  : i > 0  ? "  "
                           : "",
                  i < names ? -widths[i] : widths[i], line[i].c_str());
      if (markdown) std::printf(" ");
    }
    std::printf(markdown ? "|\n" : "\n");
    if (!markdown || &line != &lines[0]) continue;
    for (std::size_t i = 0; i < line.size(); ++i) std::printf(i < names ? "|---" : "|---:");
    std::printf("|\n");
  }
}

std::string processor() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "an unnamed processor";
}

}  // namespace

int main(int argc, char** argv) {
  const bool markdown = argc == 2 && std::string_view(argv[1]) == "--markdown";
  if (argc > 1 && !markdown) {
    std::fprintf(stderr, "usage: kernels [--markdown]\n");
    return 2;
  }
  const std::vector<Row> by_size = measure_jobs();
  const std::vector<Row> calls = measure_rows();
  std::printf("%s, compiled with %s %s. CPU time of one thread; medians of %d rounds.\n",
              processor().c_str(), compiler, __VERSION__, rounds);
  std::printf(
      "In parentheses: the share of memcpy's bandwidth; what reads only or works in place may "
      "exceed it.\n\n");
  print_table(lines_by_size(by_size), markdown);
  std::printf("\n");
  print_table(lines_of_calls(calls), markdown);
  return sink == 0;
}
