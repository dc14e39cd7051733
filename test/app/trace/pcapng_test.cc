// What the tap writes, read back by a reader of its own.
//
// SPDX-License-Identifier: MIT
#include "app/trace/pcapng.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/version.h"
#include "net/log.h"
#include "net/loop.h"
#include "net/stream.h"
#include "test/support/failing_malloc.h"
#include "test/support/sockets.h"

using namespace sockeye;
using app::trace::PcapFile;
using net::Fd;
using net::Loop;
using net::Opener;
using test::MallocWatch;
using test::SocketPair;

namespace {

// ── A reader ─────────────────────────────────────────────────────────────────────────────────

struct RawBlock {
  std::uint32_t type;
  std::string body;
};

struct Packet {
  std::uint64_t time_ns;
  std::string from, to;  // "127.0.0.1:80", "0000…0001:80"
  std::uint32_t sequence, acknowledged;
  unsigned control;
  unsigned window;
  std::size_t size;  // of the whole packet
  std::string payload;
  std::string comment;

  bool has(char bit) const { return (control >> std::string_view("FSRPA").find(bit) & 1) != 0; }
};

template <typename Integer>
Integer native(std::string_view bytes, std::size_t at) {
  Integer value;
  REQUIRE(at + sizeof value <= bytes.size());
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

std::uint32_t big_endian(std::string_view bytes, std::size_t at, std::size_t size) {
  std::uint32_t value = 0;
  for (const char byte : bytes.substr(at, size)) {
    value = value << 8 | static_cast<unsigned char>(byte);
  }
  return value;
}

// RFC 1071, the slow way: a carry is added when it comes. 0xffff: the checksum is right.
std::uint16_t ones_complement_sum(std::string bytes) {
  if (bytes.size() % 2 != 0) bytes += '\0';
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); i += 2) {
    sum += big_endian(bytes, i, 2);
    if (sum > 0xffff) sum -= 0xffff;
  }
  return static_cast<std::uint16_t>(sum);
}

std::vector<RawBlock> blocks_of(std::string_view file) {
  std::vector<RawBlock> blocks;
  while (!file.empty()) {
    const auto size = native<std::uint32_t>(file, 4);
    REQUIRE(size % 4 == 0);
    REQUIRE(size >= 12);
    REQUIRE(size <= file.size());
    CHECK(native<std::uint32_t>(file, size - 4) == size);
    blocks.push_back({native<std::uint32_t>(file, 0), std::string(file.substr(8, size - 12))});
    file.remove_prefix(size);
  }
  return blocks;
}

// Options by their codes; the list has to end as it should.
std::map<unsigned, std::string> options_of(std::string_view bytes) {
  std::map<unsigned, std::string> options;
  for (;;) {
    const unsigned code = native<std::uint16_t>(bytes, 0);
    const std::size_t size = native<std::uint16_t>(bytes, 2);
    const std::size_t padded = (size + 3) / 4 * 4;
    REQUIRE(4 + padded <= bytes.size());
    CHECK(bytes.substr(4 + size, padded - size) == std::string(padded - size, '\0'));
    if (code == 0) break;
    options[code] = bytes.substr(4, size);
    bytes.remove_prefix(4 + padded);
  }
  CHECK(bytes == std::string_view("\0\0\0\0", 4));
  return options;
}

std::string host_text(std::string_view address) {
  std::string text;
  for (const char byte : address) {
    char digits[8];
    const bool is_ipv4 = address.size() == 4;
    std::snprintf(digits, sizeof digits, is_ipv4 ? "%u." : "%02x", byte & 0xffu);
    text += digits;
  }
  if (text.back() == '.') text.pop_back();
  return text;
}

Packet packet_of(const RawBlock& block) {
  CHECK(block.type == 6);
  CHECK(native<std::uint32_t>(block.body, 0) == 0);  // the one interface
  Packet packet{};
  packet.time_ns = std::uint64_t{native<std::uint32_t>(block.body, 4)} << 32 |
                   native<std::uint32_t>(block.body, 8);
  const std::size_t size = native<std::uint32_t>(block.body, 12);
  CHECK(native<std::uint32_t>(block.body, 16) == size);
  const std::size_t padded = (size + 3) / 4 * 4;
  REQUIRE(20 + padded <= block.body.size());
  for (const char byte : block.body.substr(20 + size, padded - size)) CHECK(byte == 0);
  if (20 + padded < block.body.size())
    packet.comment = options_of(block.body.substr(20 + padded))[1];

  const std::string ip = block.body.substr(20, size);
  packet.size = size;
  std::string addresses;
  std::string tcp;
  if (big_endian(ip, 0, 1) == 0x45) {
    CHECK(big_endian(ip, 2, 2) == size);
    CHECK(big_endian(ip, 6, 2) == 0x4000);
    CHECK(big_endian(ip, 8, 1) > 0);
    CHECK(big_endian(ip, 9, 1) == 6);
    CHECK(ones_complement_sum(ip.substr(0, 20)) == 0xffff);
    addresses = ip.substr(12, 8);
    tcp = ip.substr(20);
  } else {
    CHECK(big_endian(ip, 0, 4) == 0x60000000);
    CHECK(big_endian(ip, 4, 2) == size - 40);
    CHECK(big_endian(ip, 6, 1) == 6);
    CHECK(big_endian(ip, 7, 1) > 0);
    addresses = ip.substr(8, 32);
    tcp = ip.substr(40);
  }
  REQUIRE(tcp.size() >= 20);
  const std::string length{static_cast<char>(tcp.size() >> 8), static_cast<char>(tcp.size())};
  CHECK(ones_complement_sum(addresses + std::string("\0\6", 2) + length + tcp) == 0xffff);

  const std::size_t half = addresses.size() / 2;
  const auto port = [&](std::size_t at) { return ":" + std::to_string(big_endian(tcp, at, 2)); };
  packet.from = host_text(addresses.substr(0, half)) + port(0);
  packet.to = host_text(addresses.substr(half)) + port(2);
  packet.sequence = big_endian(tcp, 4, 4);
  packet.acknowledged = big_endian(tcp, 8, 4);
  CHECK(big_endian(tcp, 12, 1) == 0x50);  // a header of 5 words
  packet.control = big_endian(tcp, 13, 1);
  packet.window = big_endian(tcp, 14, 2);
  CHECK(big_endian(tcp, 18, 2) == 0);
  packet.payload = tcp.substr(20);
  return packet;
}

// A conversation as its ends see it: each packet as in "> SA 0 1 hello", with numbers that count
// from the first of their end; ">": from who began it. What doesn't go together is a failure.
std::vector<std::string> story_of(const std::vector<Packet>& packets) {
  REQUIRE(!packets.empty());
  std::map<std::string, std::uint32_t> first, next;
  std::vector<std::string> story;
  for (const Packet& packet : packets) {
    if (packet.has('S')) first[packet.from] = next[packet.from] = packet.sequence;
    CHECK(packet.sequence == next[packet.from]);
    if (packet.has('A')) CHECK(packet.acknowledged == next[packet.to]);
    if (!packet.has('A')) CHECK(packet.acknowledged == 0);
    next[packet.from] += static_cast<std::uint32_t>(packet.payload.size()) +
                         (packet.has('S') || packet.has('F') ? 1 : 0);
    std::string line = packet.from == packets.front().from ? "> " : "< ";
    for (const char bit : {'F', 'S', 'R', 'P', 'A'}) {
      if (packet.has(bit)) line += bit;
    }
    line += " " + std::to_string(packet.sequence - first[packet.from]);
    if (packet.has('A')) line += " " + std::to_string(packet.acknowledged - first[packet.to]);
    if (!packet.payload.empty()) line += " " + packet.payload;
    story.push_back(line);
  }
  return story;
}

// ── What is captured ─────────────────────────────────────────────────────────────────────────

class QuietStream final : public net::Stream {
 public:
  explicit QuietStream(Loop& loop) : Stream(loop) {}
  using Stream::start;

 private:
  void on_receive(MutableBytes) override {}
  void on_end(int) override {}
  void on_unblocked() override {}
  void on_released() override {}
};

// A folder of the test's own.
struct Folder {
  Folder() { REQUIRE(::mkdtemp(path.data()) != nullptr); }
  ~Folder() { REQUIRE(std::system(("rm -r " + path).c_str()) == 0); }

  std::string path = "/tmp/sockeye-pcapng-test-XXXXXX";
};

struct Capture {
  Capture() {
    REQUIRE(loop.open());
    auto opened = PcapFile::open(path);
    REQUIRE(opened);
    pcap = opened.take();
  }

  // A stream of the file's own loop; without a socket, it has no addresses.
  QuietStream& stream(Fd socket = {}, Opener opener = Opener::peer) {
    streams.push_back(std::make_unique<QuietStream>(loop));
    if (socket) REQUIRE(streams.back()->start(std::move(socket), opener));
    return *streams.back();
  }

  // The file from byte `begin` on.
  std::string bytes(std::uintmax_t begin = 0) const {
    std::string text(std::filesystem::file_size(path) - begin, '\0');
    std::ifstream file(path, std::ios::binary);
    file.seekg(static_cast<std::streamoff>(begin));
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    REQUIRE(file);
    return text;
  }
  std::vector<Packet> packets() const {
    std::vector<Packet> packets;
    const auto blocks = blocks_of(bytes());
    REQUIRE(blocks.size() >= 2);
    for (std::size_t i = 2; i < blocks.size(); ++i) packets.push_back(packet_of(blocks[i]));
    return packets;
  }
  std::vector<std::string> story() const { return story_of(packets()); }

  Folder folder;
  std::string path = folder.path + "/capture.pcapng";
  Loop loop;
  std::unique_ptr<PcapFile> pcap;
  std::vector<std::unique_ptr<QuietStream>> streams;
};

// A connection from `client_host` to a socket that listens at `server_host`.
SocketPair connect_pair(std::string_view server_host, std::string_view client_host) {
  const auto server = net::Address::numeric(server_host, 0);
  REQUIRE(server);
  const Fd listener(::socket(server->family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(::bind(listener.get(), server->data(), server->size()) == 0);
  REQUIRE(::listen(listener.get(), 1) == 0);
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  REQUIRE(::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&bound), &size) == 0);
  const auto port = net::Address::from(reinterpret_cast<sockaddr*>(&bound), size).port();
  const auto target = net::Address::numeric(client_host, port);
  REQUIRE(target);
  Fd theirs(::socket(target->family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(::connect(theirs.get(), target->data(), target->size()) == 0);
  Fd ours(::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  REQUIRE(ours);
  return {std::move(ours), std::move(theirs)};
}

std::uint16_t port_of(const Fd& socket) {
  sockaddr_storage name{};
  socklen_t size = sizeof name;
  REQUIRE(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&name), &size) == 0);
  return net::Address::from(reinterpret_cast<sockaddr*>(&name), size).port();
}

std::string varied_bytes(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>((i * 31 + (i >> 8)) % 251);
  return bytes;
}

using Story = std::vector<std::string>;

}  // namespace

TEST_CASE("PcapFile: begins with a section and an interface (pcapng §4.1, §4.2)") {
  const Capture capture;
  const auto blocks = blocks_of(capture.bytes());
  REQUIRE(blocks.size() == 2);

  const auto& [section_type, section] = blocks[0];
  CHECK(section_type == 0x0a0d0d0a);
  CHECK(native<std::uint32_t>(section, 0) == 0x1a2b3c4d);
  CHECK(native<std::uint16_t>(section, 4) == 1);
  CHECK(native<std::uint16_t>(section, 6) == 0);
  CHECK(native<std::int64_t>(section, 8) == -1);
  using Options = std::map<unsigned, std::string>;
  CHECK(options_of(section.substr(16)) == Options{{4, "sockeye " SOCKEYE_VERSION}});

  const auto& [interface_type, interface] = blocks[1];
  CHECK(interface_type == 1);
  CHECK(native<std::uint16_t>(interface, 0) == 101);
  CHECK(native<std::uint16_t>(interface, 2) == 0);
  CHECK(native<std::uint32_t>(interface, 4) == 0);
  CHECK(options_of(interface.substr(8)) == Options{{9, "\x09"}});
}

TEST_CASE("PcapFile: a conversation that the peer began, and ends") {
  Capture capture;
  const net::Stream& stream = capture.stream();
  capture.pcap->on_opened(stream, Opener::peer);
  capture.pcap->on_received(stream, as_bytes("question"));
  capture.pcap->on_received(stream, as_bytes("?"));
  capture.pcap->on_sent(stream, as_bytes("answer"));
  capture.pcap->on_peer_ended(stream, 0);
  capture.pcap->on_sent(stream, as_bytes("."));
  capture.pcap->on_closed(stream);
  CHECK(capture.story() == Story{"> S 0", "< SA 0 1", "> A 1 1", "> PA 1 1 question", "> PA 9 1 ?",
                                 "< PA 1 10 answer", "> FA 10 7", "< A 7 11", "< PA 7 11 .",
                                 "< FA 8 11", "> A 11 9"});
}

TEST_CASE("PcapFile: a conversation that we began, and end") {
  Capture capture;
  const net::Stream& stream = capture.stream();
  capture.pcap->on_opened(stream, Opener::us);
  capture.pcap->on_sent(stream, as_bytes("question"));
  capture.pcap->on_ended(stream);
  capture.pcap->on_received(stream, as_bytes("answer"));
  capture.pcap->on_peer_ended(stream, 0);
  capture.pcap->on_closed(stream);
  CHECK(capture.story() == Story{"> S 0", "< SA 0 1", "> A 1 1", "> PA 1 1 question", "> FA 9 1",
                                 "< A 1 10", "< PA 1 10 answer", "< FA 7 10", "> A 10 8"});
}

TEST_CASE("PcapFile: a reset ends a conversation, and so does what no packet tells") {
  for (const auto& [error, is_told] : std::initializer_list<std::pair<int, bool>>{
           {ECONNRESET, true}, {EPIPE, true}, {ETIMEDOUT, false}, {EHOSTUNREACH, false}}) {
    CAPTURE(error);
    Capture capture;
    const net::Stream& stream = capture.stream();
    capture.pcap->on_opened(stream, Opener::peer);
    capture.pcap->on_received(stream, as_bytes("never"));
    capture.pcap->on_peer_ended(stream, error);
    capture.pcap->on_ended(stream);
    capture.pcap->on_closed(stream);
    Story story{"> S 0", "< SA 0 1", "> A 1 1", "> PA 1 1 never"};
    if (is_told) story.push_back("> RA 6 1");
    CHECK(capture.story() == story);
  }
}

TEST_CASE("PcapFile: payloads of every length from 0 to 9 are padded and summed up") {
  Capture capture;
  const net::Stream& stream = capture.stream();
  capture.pcap->on_opened(stream, Opener::peer);
  const std::string text = "\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8\xf7";
  std::vector<std::string> sent;
  for (std::size_t size = 1; size <= text.size(); ++size) {
    sent.push_back(text.substr(0, size));
    capture.pcap->on_received(stream, as_bytes(sent.back()));
  }
  capture.pcap->on_received(stream, {});
  const auto packets = capture.packets();
  REQUIRE(packets.size() == 3 + sent.size());
  for (std::size_t i = 0; i < sent.size(); ++i) CHECK(packets[3 + i].payload == sent[i]);
}

TEST_CASE("PcapFile: a large piece is cut into segments, and acknowledged within the window") {
  for (const std::size_t size : {32'768u, 32'769u, 65'535u, 200'001u}) {
    CAPTURE(size);
    Capture capture;
    const net::Stream& stream = capture.stream();
    capture.pcap->on_opened(stream, Opener::peer);
    const std::string bytes = varied_bytes(size);
    capture.pcap->on_received(stream, as_bytes("small"));
    capture.pcap->on_received(stream, as_bytes(bytes));
    for (std::size_t i = 0; i < size; i += 1000) {
      capture.pcap->on_sent(stream, as_bytes(bytes.substr(i, 1000)));
    }
    const auto packets = capture.packets();
    story_of(packets);
    std::map<std::string, std::string> sent;
    std::map<std::string, std::uint32_t> acknowledged;
    for (const Packet& packet : packets) {
      CHECK(packet.size <= 65'535);
      CHECK(packet.window == 65'535);
      sent[packet.from] += packet.payload;
      acknowledged[packet.to] = packet.acknowledged;
      if (packet.has('S')) continue;
      const auto end = packet.sequence + static_cast<std::uint32_t>(packet.payload.size());
      CHECK(end - acknowledged[packet.from] < packet.window);
    }
    CHECK((sent[packets[0].from] == "small" + bytes));
    CHECK((sent[packets[0].to] == bytes));
    // An acknowledgement goes by itself only where it has to.
    const auto is_bare = [](const Packet& packet) { return packet.payload.empty(); };
    const auto bare = std::count_if(packets.begin() + 3, packets.end(), is_bare);
    CHECK(static_cast<std::size_t>(bare) <= 2 * size / 16'384);
  }
}

TEST_CASE("PcapFile: times are the wall clock's") {
  const auto wall_clock_ns = [] {
    std::timespec now{};
    REQUIRE(std::timespec_get(&now, TIME_UTC) == TIME_UTC);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
           static_cast<std::uint64_t>(now.tv_nsec);
  };
  Capture capture;
  std::uint64_t earliest_ns = wall_clock_ns();
  capture.pcap->on_opened(capture.stream(), Opener::peer);
  const std::uint64_t latest_ns = wall_clock_ns();
  for (const Packet& packet : capture.packets()) {
    CHECK(packet.time_ns >= earliest_ns);
    CHECK(packet.time_ns <= latest_ns);
    earliest_ns = packet.time_ns;
  }
}

// ── Addresses ────────────────────────────────────────────────────────────────────────────────

TEST_CASE("PcapFile: addresses and ports are the connection's, IPv4, IPv6 and IPv4 in IPv6") {
  struct Case {
    const char* server;
    const char* client;
    const char* shown;
  };
  const std::string ipv6_loopback = std::string(30, '0') + "01";
  for (const auto& [server, client, shown] :
       {Case{"127.0.0.1", "127.0.0.1", "127.0.0.1"}, Case{"::1", "::1", ipv6_loopback.c_str()},
        Case{"::", "127.0.0.1", "127.0.0.1"}}) {
    CAPTURE(server);
    for (const Opener opener : {Opener::peer, Opener::us}) {
      Capture capture;
      SocketPair pair = connect_pair(server, client);
      const std::string server_end = shown + (":" + std::to_string(port_of(pair.ours)));
      const std::string client_end = shown + (":" + std::to_string(port_of(pair.theirs)));
      Fd& socket = opener == Opener::peer ? pair.ours : pair.theirs;
      const net::Stream& stream = capture.stream(std::move(socket), opener);
      capture.pcap->on_opened(stream, opener);
      capture.pcap->on_received(stream, as_bytes("odd"));
      capture.pcap->on_sent(stream, as_bytes("even"));
      const auto packets = capture.packets();
      REQUIRE(packets.size() == 5);
      CHECK(packets[0].from == client_end);
      CHECK(packets[0].to == server_end);
      CHECK(packets[0].comment.empty());
      const bool by_peer = opener == Opener::peer;
      CHECK(packets[3].from == (by_peer ? client_end : server_end));
      CHECK(packets[4].from == (by_peer ? server_end : client_end));
      story_of(packets);
    }
  }
}

TEST_CASE("PcapFile: Unix sockets get addresses, each connection its own, and a comment says so") {
  Capture capture;
  std::set<std::string> clients;
  std::vector<Fd> peers;
  for (const Opener opener : {Opener::peer, Opener::us, Opener::peer}) {
    SocketPair pair = test::local_pair();
    capture.pcap->on_opened(capture.stream(std::move(pair.ours), opener), opener);
    peers.push_back(std::move(pair.theirs));
  }
  const auto packets = capture.packets();
  REQUIRE(packets.size() == 9);
  for (std::size_t i = 0; i < packets.size(); i += 3) {
    clients.insert(packets[i].from);
    CHECK(packets[i].from.starts_with("127.0.0.1:"));
    CHECK(packets[i].to == "127.0.0.1:80");
    CHECK(packets[i].comment.find("made up") != std::string::npos);
    CHECK(packets[i + 1].comment.empty());
    CHECK(packets[i + 2].comment.empty());
  }
  CHECK(clients.size() == 3);
}

TEST_CASE("PcapFile: made-up ports begin again after the last one, and numbers don't") {
  Capture capture;
  const net::Stream& stream = capture.stream();
  std::vector<std::string> ends;
  std::vector<std::uint32_t> numbers;
  constexpr int ports = 65'536 - 1024;
  for (int i = 0; i <= ports; ++i) {
    const auto before = std::filesystem::file_size(capture.path);
    capture.pcap->on_opened(stream, Opener::peer);
    if (i == 0 || i >= ports - 1) {
      const Packet syn = packet_of(blocks_of(capture.bytes(before)).front());
      ends.push_back(syn.from);
      numbers.push_back(syn.sequence);
    }
    capture.pcap->on_closed(stream);
  }
  CHECK(ends == std::vector<std::string>{"127.0.0.1:1024", "127.0.0.1:65535", "127.0.0.1:1024"});
  CHECK(numbers.front() != numbers.back());
}

TEST_CASE("PcapFile: conversations at once are kept apart, and their memory comes back") {
  Capture capture;
  constexpr int count = 2000;
  for (int i = 0; i < count; ++i) capture.stream();
  {
    const MallocWatch watch;
    for (const auto& stream : capture.streams) capture.pcap->on_opened(*stream, Opener::peer);
    CHECK(watch.live_blocks() == count);
    for (int i = count; i-- > 0;) {
      capture.pcap->on_received(*capture.streams[static_cast<std::size_t>(i)], as_bytes("mine"));
    }
    for (const auto& stream : capture.streams) capture.pcap->on_closed(*stream);
    CHECK(watch.live_blocks() == 0);
  }
  std::map<std::string, std::vector<Packet>> by_client;
  for (const Packet& packet : capture.packets()) {
    by_client[packet.to == "127.0.0.1:80" ? packet.from : packet.to].push_back(packet);
  }
  CHECK(by_client.size() == count);
  for (const auto& [client, packets] : by_client) {
    REQUIRE(story_of(packets) ==
            Story{"> S 0", "< SA 0 1", "> A 1 1", "> PA 1 1 mine", "< FA 1 5", "> A 5 2"});
  }
}

TEST_CASE("PcapFile: what is still open at its end is freed") {
  const MallocWatch watch;
  {
    Folder folder;
    auto opened = PcapFile::open(folder.path + "/capture.pcapng");
    REQUIRE(opened);
    const std::unique_ptr<PcapFile> pcap = opened.take();
    Loop loop;
    const QuietStream one(loop);
    const QuietStream other(loop);
    pcap->on_opened(one, Opener::peer);
    pcap->on_opened(other, Opener::us);
  }
  CHECK(watch.live_blocks() == 0);
}

// ── Failures ─────────────────────────────────────────────────────────────────────────────────

TEST_CASE("PcapFile: a new file is its owner's alone; one that exists is overwritten") {
  const Folder folder;
  const std::string path = folder.path + "/capture.pcapng";
  const auto mode_of = [](const std::string& file) {
    struct stat status {};
    REQUIRE(::stat(file.c_str(), &status) == 0);
    return status.st_mode & 0777u;
  };
  REQUIRE(PcapFile::open(path));
  CHECK(mode_of(path) == 0600);
  const auto size = std::filesystem::file_size(path);

  std::ofstream(path) << std::string(1000, 'x');
  REQUIRE(::chmod(path.c_str(), 0640) == 0);
  REQUIRE(PcapFile::open(path));
  CHECK(std::filesystem::file_size(path) == size);
  CHECK(mode_of(path) == 0640);
}

TEST_CASE("PcapFile: what can't be a capture is refused, by its name and a reason") {
  const Folder folder;
  const std::string pipe = folder.path + "/pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  const Fd reader(::open(pipe.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  for (const auto& [path, reason] : std::initializer_list<std::pair<std::string, const char*>>{
           {folder.path, "Is a directory"},
           {folder.path + "/none/capture.pcapng", "No such file or directory"},
           {"/dev/full", "Not a file"},
           {pipe, "Not a file"}}) {
    CAPTURE(path);
    const auto opened = PcapFile::open(path);
    REQUIRE(!opened);
    CHECK(opened.error().message == "cannot capture to " + path + ": " + reason);
  }
}

TEST_CASE("PcapFile: a file without room for more ends the capture, which the log says once") {
  Capture capture;
  const net::Stream& stream = capture.stream();
  const std::string log_path = capture.folder.path + "/log";
  const Fd log(::open(log_path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  net::configure_log(net::LogLevel::error, net::LogFormat::text, log.get());
  rlimit previous{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &previous) == 0);
  const rlimit little{4096, previous.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &little) == 0);
  capture.pcap->on_opened(stream, Opener::peer);
  for (int i = 0; i < 10; ++i) capture.pcap->on_received(stream, as_bytes(varied_bytes(1000)));
  capture.pcap->on_peer_ended(stream, 0);
  capture.pcap->on_closed(stream);
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &previous) == 0);
  net::configure_log(net::LogLevel::warn, net::LogFormat::text);

  std::ifstream file(log_path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  CHECK(std::count(text.begin(), text.end(), '\n') == 1);
  CHECK(text.find("error the capture has ended file=" + capture.path) != std::string::npos);
  CHECK(std::filesystem::file_size(capture.path) == 4096);
  // Nothing comes after the end, also not where there is room again.
  capture.pcap->on_opened(stream, Opener::peer);
  capture.pcap->on_closed(stream);
  CHECK(std::filesystem::file_size(capture.path) == 4096);
}

TEST_CASE("PcapFile: a connection for which there is no memory isn't captured, the next one is") {
  Capture capture;
  const net::Stream& first = capture.stream();
  const net::Stream& second = capture.stream();
  net::configure_log(net::LogLevel::off, net::LogFormat::text);
  {
    MallocWatch watch(0);
    capture.pcap->on_opened(first, Opener::peer);
    CHECK(watch.failed());
  }
  net::configure_log(net::LogLevel::warn, net::LogFormat::text);
  capture.pcap->on_received(first, as_bytes("lost"));
  capture.pcap->on_sent(first, as_bytes("lost"));
  capture.pcap->on_peer_ended(first, 0);
  capture.pcap->on_ended(first);
  capture.pcap->on_closed(first);
  CHECK(capture.packets().empty());
  capture.pcap->on_opened(second, Opener::peer);
  CHECK(capture.packets().size() == 3);
}
