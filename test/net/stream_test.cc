// SPDX-License-Identifier: MIT
#include "net/stream.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "test/support/failing_malloc.h"
#include "test/support/sockets.h"
#include "test/support/system_calls.h"

using sockeye::as_bytes;
using sockeye::as_text;
using sockeye::MutableBytes;
using sockeye::net::Fd;
using sockeye::net::Loop;
using sockeye::net::Opener;
using sockeye::net::Stream;
using sockeye::net::Watcher;
using sockeye::test::Call;
using sockeye::test::close_with_reset;
using sockeye::test::MallocWatch;
using sockeye::test::open_descriptors;
using sockeye::test::pending;
using sockeye::test::receive_available;
using sockeye::test::send_text;
using sockeye::test::SocketPair;
using sockeye::test::SystemCalls;
using sockeye::test::Transport;
using sockeye::test::turn_until;

namespace {

// Records what happens to it, and does as it is told.
class TestStream final : public Stream {
 public:
  explicit TestStream(Loop& loop) : Stream(loop) {}

  using Stream::close;
  using Stream::close_when_written;
  using Stream::closed;
  using Stream::drained;
  using Stream::finish_writing;
  using Stream::pause_reading;
  using Stream::read_now;
  using Stream::reading_paused;
  using Stream::resume_reading;
  using Stream::start;
  using Stream::started;

  void write(std::string_view head, std::string_view body = {}) {
    CHECK(Stream::write(as_bytes(head), as_bytes(body)));
  }
  void write_file(const Fd& file, std::uint64_t offset, std::uint64_t size) {
    CHECK(Stream::write_file(Fd(::dup(file.get())), offset, size));
  }
  bool try_write_file(Fd file, std::uint64_t size) {
    return Stream::write_file(std::move(file), 0, size);
  }
  using Stream::writing_file;
  bool try_write(std::string_view text) { return Stream::write(as_bytes(text)); }
  bool try_write_newest(std::string_view text) { return Stream::write_newest(as_bytes(text)); }
  std::uint8_t* room(std::size_t size) { return Stream::append(size); }
  void write_newest(std::string_view text) { CHECK(Stream::write_newest(as_bytes(text))); }
  void append(std::string_view text) {
    std::uint8_t* to = Stream::append(text.size());
    REQUIRE(to != nullptr);
    sockeye::copy_bytes(to, as_bytes(text));
  }

  std::function<void(std::string_view)> at_receive = [](std::string_view) {};
  std::function<void()> at_direct = [] {};
  std::function<void()> at_end = [] {};
  std::function<void()> at_unblocked = [] {};
  std::function<void()> at_progress = [] {};
  std::function<void()> at_turn = [] {};
  std::function<void()> at_released = [] {};

  std::string received;            // all of it
  std::vector<std::size_t> reads;  // the size of each read
  std::vector<int> ends;           // what each on_end() said
  int unblocked = 0;
  int released = 0;
  bool called_after_close = false;
  MutableBytes direct;  // what is left of a buffer of its own

 private:
  void on_receive(MutableBytes bytes) override {
    note_call();
    received += as_text(bytes);
    reads.push_back(bytes.size());
    at_receive(as_text(bytes));
  }
  MutableBytes direct_space() override { return direct; }
  void on_direct(std::size_t size) override {
    note_call();
    direct = direct.subspan(size);
    at_direct();
  }
  void on_end(int error) override {
    note_call();
    ends.push_back(error);
    at_end();
  }
  void on_unblocked() override {
    note_call();
    CHECK(!blocked());
    ++unblocked;
    at_unblocked();
  }
  void on_progress() override {
    note_call();
    at_progress();
  }
  void on_turn() override {
    note_call();
    at_turn();
  }
  void on_released() override {
    CHECK(closed());
    ++released;
    at_released();
  }
  void note_call() { called_after_close = called_after_close || closed(); }
};

// A stream on its loop, and its peer.
struct Wire {
  Loop loop;
  TestStream stream{loop};
  Fd peer;

  explicit Wire(Transport transport = Transport::local, bool small = false) {
    REQUIRE(loop.open());
    SocketPair pair = sockeye::test::socket_pair(transport);
    if (small) shrink_buffers(pair);
    REQUIRE(stream.start(std::move(pair.ours), Opener::peer));
    peer = std::move(pair.theirs);
    loop.turn(0);  // takes the first EPOLLOUT
  }

  // Has the stream do something while its own events are handled.
  void in_events(const std::function<void()>& action) {
    bool done = false;
    stream.at_receive = [&](std::string_view) {
      if (!done) action();
      done = true;
    };
    send_text(peer.get(), "!");
    REQUIRE(turn_until(loop, [&] { return done; }));
    stream.at_receive = [](std::string_view) {};
  }

  // Epoll's word that the kernel has room, where a test only pretended that it had none.
  void report_room() { static_cast<Watcher&>(stream).on_events(EPOLLOUT); }

  // Reads as the peer until `size` bytes are there and the stream has nothing left to send.
  std::string receive(std::size_t size) {
    std::string text;
    CHECK(turn_until(loop, [&] {
      text += receive_available(peer.get());
      return text.size() >= size && stream.buffered_bytes() == 0;
    }));
    return text;
  }

  // All that the peer gets up to the stream's FIN.
  std::string receive_to_end() {
    std::string text;
    bool ended = false;
    CHECK(turn_until(loop, [&] {
      text += receive_available(peer.get(), &ended);
      return ended;
    }));
    return text;
  }
};

// Bytes in which a piece lost, doubled or moved shows.
std::string pattern(std::size_t size, std::uint32_t seed = 1) {
  std::string text(size, '\0');
  for (char& byte : text) {
    seed = seed * 1664525 + 1013904223;
    byte = static_cast<char>(seed >> 24);
  }
  return text;
}

const std::string large = pattern(5'000'000);

// Writes until the kernel refuses, and returns what was written.
std::string block(Wire& wire) {
  std::string written;
  while (!wire.stream.blocked()) {
    const std::string piece = pattern(10'000, static_cast<std::uint32_t>(written.size()));
    wire.stream.write(piece);
    written += piece;
    wire.loop.turn(0);
    REQUIRE(written.size() < 100'000'000);
  }
  return written;
}

constexpr Transport transports[] = {Transport::tcp, Transport::local};

}  // namespace

// ── Starting ─────────────────────────────────────────────────────────────────────────────────

TEST_CASE("Stream: a socket that epoll refuses is closed, and nothing else happens") {
  for (const int error : {ENOMEM, ENOSPC}) {
    Loop loop;
    REQUIRE(loop.open());
    TestStream stream(loop);
    const std::size_t before = open_descriptors();
    SocketPair pair = sockeye::test::local_pair();
    {
      SystemCalls calls;
      calls.fail(Call::epoll_ctl, error);
      CHECK(!stream.start(std::move(pair.ours), Opener::peer));
      CHECK(errno == error);
    }
    CHECK(!stream.started());
    CHECK(open_descriptors() == before + 1);
  }
}

TEST_CASE("Stream: an idle one costs no system call") {
  for (const Transport transport : transports) {
    Wire wire(transport);
    SystemCalls calls;
    for (int i = 0; i < 5; ++i) wire.loop.turn(0);
    CHECK(calls.receives() == 0);
    CHECK(calls.sends() == 0);
    CHECK(wire.stream.drained());
  }
}

TEST_CASE("Stream: what arrived before it started is read") {
  Loop loop;
  REQUIRE(loop.open());
  SocketPair pair = sockeye::test::local_pair();
  send_text(pair.theirs.get(), "early");
  TestStream stream(loop);
  REQUIRE(stream.start(std::move(pair.ours), Opener::peer));
  loop.turn(0);
  CHECK(stream.received == "early");
}

// ── Reading ──────────────────────────────────────────────────────────────────────────────────

TEST_CASE("Stream: a short read means drained: one recv, and none until the next event") {
  Wire wire;
  SystemCalls calls;
  for (int i = 1; i <= 10; ++i) {
    send_text(wire.peer.get(), "hello");
    wire.loop.turn(0);
    CHECK(calls.count(Call::recv) == i);
    CHECK(wire.stream.drained());
    wire.loop.turn(0);
    CHECK(calls.count(Call::recv) == i);
  }
  CHECK(wire.stream.received.size() == 50);
}

TEST_CASE("Stream: a closed-loop echo is one recv and one send a message, and no epoll_ctl") {
  for (const Transport transport : transports) {
    Wire wire(transport);
    wire.stream.at_receive = [&](std::string_view text) { wire.stream.write(text); };
    SystemCalls calls;
    for (int i = 1; i <= 50; ++i) {
      send_text(wire.peer.get(), "message");
      REQUIRE(turn_until(wire.loop, [&] { return pending(wire.peer.get()) == 7; }));
      CHECK(receive_available(wire.peer.get()) == "message");
      CHECK(calls.count(Call::recv) == i);
      CHECK(calls.count(Call::send) == i);
    }
    CHECK(calls.count(Call::readv) == 0);
    CHECK(calls.count(Call::sendmsg) == 0);
    CHECK(calls.count(Call::epoll_ctl) == 0);
  }
}

namespace {

// Sends all of `text` and doesn't turn the loop. False when the kernel has no room for that.
bool send_unread(Wire& wire, std::string_view text) {
  const sockeye::test::Deadline deadline;
  while (!text.empty() && !deadline.passed()) {
    const ssize_t size = ::write(wire.peer.get(), text.data(), text.size());
    if (size < 0 && !sockeye::test::wait_for(wire.peer.get(), POLLOUT)) return false;
    if (size > 0) text.remove_prefix(static_cast<std::size_t>(size));
  }
  return text.empty();
}

// Has `text` wait in the kernel for the stream, over TCP. The kernel has little room for a start,
// and more when it sees that the program reads fast.
void fill_kernel(Wire& wire, std::string_view text) {
  wire.stream.received.clear();
  std::size_t sent = 0;
  REQUIRE(turn_until(wire.loop, [&] {
    const ssize_t size = ::write(wire.peer.get(), large.data(), large.size() - sent);
    if (size > 0) sent += static_cast<std::size_t>(size);
    return wire.stream.received.size() == large.size();
  }));
  REQUIRE(turn_until(wire.loop, [&] { return wire.stream.drained(); }));
  wire.stream.received.clear();
  wire.stream.reads.clear();
  REQUIRE(send_unread(wire, text));
  REQUIRE(sockeye::test::wait_for_bytes(wire.stream.descriptor(), text.size()));
}

constexpr std::size_t buffer_bytes = Loop::buffer_bytes;

}  // namespace

TEST_CASE("Stream: more than the receive buffer takes several turns, and waits for no event") {
  Wire wire(Transport::tcp);
  const std::string_view text = std::string_view(large).substr(0, 3 * buffer_bytes + 1000);
  fill_kernel(wire, text);
  SystemCalls calls;
  wire.loop.turn(0);
  CHECK(calls.count(Call::recv) == 2);  // one for the event, one on the agenda
  CHECK(!wire.stream.drained());
  CHECK(wire.loop.wait_ms() == 0);
  wire.loop.turn(5000);
  CHECK(calls.count(Call::recv) == 3);
  CHECK(!wire.stream.drained());
  wire.loop.turn(5000);
  CHECK(calls.count(Call::recv) == 4);
  CHECK(wire.stream.drained());
  CHECK(wire.stream.reads ==
        std::vector<std::size_t>{buffer_bytes, buffer_bytes, buffer_bytes, 1000});
  CHECK(wire.stream.received == text);
  CHECK(wire.loop.wait_ms() == -1);
}

TEST_CASE("Stream: exactly the receive buffer's size: one read more, and nothing is missed later") {
  Wire wire(Transport::tcp);
  fill_kernel(wire, std::string_view(large).substr(0, buffer_bytes));
  SystemCalls calls;
  wire.loop.turn(0);
  CHECK(wire.stream.reads == std::vector{buffer_bytes});
  CHECK(calls.count(Call::recv) == 2);  // the second one brings EAGAIN
  CHECK(wire.stream.drained());
  CHECK(wire.stream.ends.empty());
  send_text(wire.peer.get(), "more");
  REQUIRE(turn_until(wire.loop, [&] { return wire.stream.received.ends_with("more"); }));
}

TEST_CASE("Stream: a flood on one doesn't keep another from its turn") {
  Wire wire(Transport::tcp);
  SocketPair pair = sockeye::test::local_pair();
  TestStream other(wire.loop);
  REQUIRE(other.start(std::move(pair.ours), Opener::peer));
  wire.loop.turn(0);
  fill_kernel(wire, std::string_view(large).substr(0, 3 * buffer_bytes + 1));
  wire.loop.turn(0);
  CHECK(wire.stream.reads.size() == 2);
  send_text(pair.theirs.get(), "me too");
  wire.loop.turn(0);
  CHECK(other.received == "me too");
  CHECK(wire.stream.reads.size() == 3);
}

TEST_CASE("Stream: two floods take turns: both read in every turn, and little") {
  Loop loop;
  REQUIRE(loop.open());
  std::vector<Fd> peers;
  std::vector<std::unique_ptr<TestStream>> streams;
  for (int i = 0; i < 2; ++i) {
    SocketPair pair = sockeye::test::tcp_pair();
    streams.push_back(std::make_unique<TestStream>(loop));
    REQUIRE(streams.back()->start(std::move(pair.ours), Opener::peer));
    peers.push_back(std::move(pair.theirs));
  }
  const sockeye::test::Deadline deadline;
  int both_undrained = 0;
  while (both_undrained < 20) {
    REQUIRE(!deadline.passed());
    for (const Fd& peer : peers) {
      while (::write(peer.get(), large.data(), large.size()) > 0) continue;
    }
    const bool undrained[] = {!streams[0]->drained(), !streams[1]->drained()};
    both_undrained += undrained[0] && undrained[1];
    loop.turn(0);
    for (std::size_t i = 0; i < 2; ++i) {
      CHECK(streams[i]->reads.size() <= 2);  // one for an event, one on the agenda
      if (undrained[i]) CHECK(streams[i]->reads.size() >= 1);
      streams[i]->reads.clear();
      streams[i]->received.clear();
    }
  }
}

TEST_CASE(
    "Stream: a read that a signal interrupts is made again; one without bytes means nothing") {
  Wire wire;
  SystemCalls calls;
  calls.fail(Call::recv, EINTR, 3);
  send_text(wire.peer.get(), "hello");
  wire.loop.turn(0);
  CHECK(wire.stream.received == "hello");
  CHECK(calls.count(Call::recv) == 4);

  wire.stream.read_now();
  wire.loop.turn(0);
  CHECK(calls.count(Call::recv) == 5);  // EAGAIN
  CHECK(wire.stream.drained());
  CHECK(wire.stream.ends.empty());
}

TEST_CASE("Stream: read_now() reads what arrived, though no event has said so") {
  Wire wire;
  send_text(wire.peer.get(), "late");
  wire.stream.read_now();
  SystemCalls calls;
  calls.fail(Call::epoll_wait, EINTR);
  wire.loop.turn(0);
  CHECK(wire.stream.received == "late");
  wire.stream.close();
  wire.stream.read_now();  // does nothing
  wire.loop.turn(0);
  CHECK(wire.stream.released == 1);
}

// ── Directly into a message ──────────────────────────────────────────────────────────────────

TEST_CASE("Stream: bytes go where direct_space() says, and what follows to the receive buffer") {
  Wire wire;
  std::string message(1000, '\0');
  const std::string text = pattern(1500);
  wire.stream.direct = {reinterpret_cast<std::uint8_t*>(message.data()), message.size()};
  SystemCalls calls;

  send_text(wire.peer.get(), text.substr(0, 600));
  wire.loop.turn(0);
  CHECK(calls.count(Call::readv) == 1);
  CHECK(wire.stream.direct.size() == 400);
  CHECK(wire.stream.reads.empty());
  CHECK(wire.stream.drained());

  send_text(wire.peer.get(), text.substr(600));
  wire.loop.turn(0);
  CHECK(calls.count(Call::readv) == 2);
  CHECK(calls.count(Call::recv) == 0);
  CHECK(wire.stream.direct.empty());
  CHECK(message == text.substr(0, 1000));
  CHECK(wire.stream.received == text.substr(1000));

  send_text(wire.peer.get(), "next");
  wire.loop.turn(0);
  CHECK(calls.count(Call::recv) == 1);
}

TEST_CASE("Stream: a large space is filled by pieces of the receive buffer's size") {
  Wire wire(Transport::tcp);
  std::string message(buffer_bytes + 1000, '\0');
  fill_kernel(wire, std::string_view(large).substr(0, message.size() + 10));
  wire.stream.direct = {reinterpret_cast<std::uint8_t*>(message.data()), message.size()};
  SystemCalls calls;
  std::vector<std::size_t> left;
  wire.stream.at_direct = [&] { left.push_back(wire.stream.direct.size()); };
  wire.loop.turn(0);
  CHECK(left == std::vector<std::size_t>{1000, 0});
  CHECK(calls.count(Call::readv) == 2);
  CHECK(message + wire.stream.received == large.substr(0, message.size() + 10));
}

TEST_CASE("Stream: a read that fills what it was given leaves the stream readable, and no other") {
  Wire wire(Transport::tcp);
  std::string message(1000, '\0');
  const MutableBytes direct{reinterpret_cast<std::uint8_t*>(message.data()), message.size()};
  fill_kernel(wire, std::string_view(large).substr(0, 1000 + buffer_bytes + 10));
  wire.stream.direct = direct;
  SystemCalls calls;
  wire.loop.turn(0);
  CHECK(calls.count(Call::readv) == 1);
  CHECK(calls.count(Call::recv) == 1);
  CHECK(wire.stream.reads == std::vector<std::size_t>{buffer_bytes - 1000, 1010});
  CHECK(message + wire.stream.received == large.substr(0, 1000 + buffer_bytes + 10));

  fill_kernel(wire, std::string_view(large).substr(0, buffer_bytes - 1));
  wire.stream.direct = direct;
  calls.forget();
  wire.loop.turn(0);
  CHECK(calls.receives() == 1);
  CHECK(wire.stream.drained());
}

TEST_CASE("Stream: a read that ends where the direct space does brings nothing else") {
  Wire wire;
  std::string message(100, '\0');
  wire.stream.direct = {reinterpret_cast<std::uint8_t*>(message.data()), message.size()};
  send_text(wire.peer.get(), pattern(100));
  wire.loop.turn(0);
  CHECK(message == pattern(100));
  CHECK(wire.stream.reads.empty());
}

TEST_CASE("Stream: interrupted and failed reads are the same with direct space") {
  Wire wire;
  std::string message(100, '\0');
  wire.stream.direct = {reinterpret_cast<std::uint8_t*>(message.data()), message.size()};
  SystemCalls calls;
  calls.fail(Call::readv, EINTR, 2);
  send_text(wire.peer.get(), pattern(50));
  wire.loop.turn(0);
  CHECK(calls.count(Call::readv) == 3);
  CHECK(wire.stream.direct.size() == 50);
  calls.fail(Call::readv, ECONNRESET);
  send_text(wire.peer.get(), "x");
  wire.loop.turn(0);
  CHECK(wire.stream.ends == std::vector{ECONNRESET});
}

TEST_CASE("Stream: closed in on_direct(), it hands on nothing of the same read") {
  Wire wire;
  std::string message(10, '\0');
  wire.stream.direct = {reinterpret_cast<std::uint8_t*>(message.data()), message.size()};
  wire.stream.at_direct = [&] { wire.stream.close(); };
  send_text(wire.peer.get(), pattern(20));
  wire.loop.turn(0);
  CHECK(message == pattern(10));
  CHECK(wire.stream.reads.empty());
  CHECK(wire.stream.released == 1);
}

// ── The peer's end ───────────────────────────────────────────────────────────────────────────

TEST_CASE("Stream: a FIN is an end without an error, once") {
  for (const Transport transport : transports) {
    Wire wire(transport);
    ::shutdown(wire.peer.get(), SHUT_WR);
    REQUIRE(turn_until(wire.loop, [&] { return !wire.stream.ends.empty(); }));
    SystemCalls calls;
    for (int i = 0; i < 3; ++i) wire.loop.turn(0);
    CHECK(wire.stream.ends == std::vector{0});
    CHECK(wire.stream.reads.empty());
    CHECK(calls.receives() == 0);
    CHECK(!wire.stream.closed());  // that is the owner's decision
  }
}

TEST_CASE("Stream: bytes and a FIN in one event are both seen in its turn") {
  for (const Transport transport : transports) {
    Wire wire(transport);
    send_text(wire.peer.get(), "last words");
    ::shutdown(wire.peer.get(), SHUT_WR);
    REQUIRE(sockeye::test::wait_for(wire.stream.descriptor(), POLLRDHUP));
    SystemCalls calls;
    wire.loop.turn(0);
    CHECK(wire.stream.received == "last words");
    CHECK(wire.stream.ends == std::vector{0});
    CHECK(calls.count(Call::recv) == 2);
  }
}

TEST_CASE("Stream: many bytes and a FIN: all are read before the end is told") {
  for (const std::size_t size :
       {buffer_bytes - 1, buffer_bytes, buffer_bytes + 1, 2 * buffer_bytes, 2 * buffer_bytes + 5}) {
    CAPTURE(size);
    Wire wire(Transport::tcp);
    const std::string_view text = std::string_view(large).substr(0, size);
    fill_kernel(wire, text);
    ::shutdown(wire.peer.get(), SHUT_WR);
    wire.stream.at_end = [&] { CHECK(wire.stream.received == text); };
    REQUIRE(turn_until(wire.loop, [&] { return !wire.stream.ends.empty(); }));
    CHECK(wire.stream.ends == std::vector{0});
  }
}

TEST_CASE("Stream: a reset is an end with its error, after the bytes before it") {
  Wire wire(Transport::tcp);
  send_text(wire.peer.get(), "before");
  REQUIRE(sockeye::test::wait_for_bytes(wire.stream.descriptor(), 6));
  close_with_reset(std::move(wire.peer));
  REQUIRE(turn_until(wire.loop, [&] { return !wire.stream.ends.empty(); }));
  CHECK(wire.stream.ends == std::vector{ECONNRESET});
  CHECK(wire.stream.received == "before");
}

TEST_CASE("Stream: a local peer that closes with bytes unread resets, too") {
  Wire wire;
  wire.in_events([&] { wire.stream.write("never read"); });
  wire.peer.reset();
  REQUIRE(turn_until(wire.loop, [&] { return !wire.stream.ends.empty(); }));
  CHECK(wire.stream.ends == std::vector{ECONNRESET});
}

TEST_CASE("Stream: every error that recv can bring is told once, and then all is quiet") {
  for (const int error :
       {ECONNRESET, ETIMEDOUT, EHOSTUNREACH, ENETUNREACH, EPIPE, ENOMEM, ENOBUFS, ECONNABORTED}) {
    CAPTURE(error);
    Wire wire;
    SystemCalls calls;
    calls.fail(Call::recv, error);
    send_text(wire.peer.get(), "hello");
    for (int i = 0; i < 3; ++i) wire.loop.turn(0);
    CHECK(wire.stream.ends == std::vector{error});
    CHECK(wire.stream.received.empty());
    CHECK(calls.count(Call::recv) == 1);
    wire.stream.read_now();  // there is nothing more to come
    CHECK(wire.stream.drained());
    wire.loop.turn(0);
    CHECK(calls.count(Call::recv) == 1);
  }
}

// ── Pausing ──────────────────────────────────────────────────────────────────────────────────

TEST_CASE("Stream: paused, it reads nothing; resumed, it reads what came meanwhile") {
  Wire wire;
  wire.stream.pause_reading();
  CHECK(wire.stream.reading_paused());
  SystemCalls calls;
  send_text(wire.peer.get(), "hello");
  for (int i = 0; i < 3; ++i) wire.loop.turn(0);
  CHECK(calls.receives() == 0);
  wire.stream.resume_reading();
  CHECK(!wire.stream.reading_paused());
  wire.loop.turn(5000);  // there won't be another event
  CHECK(wire.stream.received == "hello");
  wire.stream.resume_reading();
  CHECK(wire.loop.wait_ms() == -1);  // nothing to do
}

TEST_CASE("Stream: a FIN that comes in a pause is told after it, and after the bytes before it") {
  for (const Transport transport : transports) {
    Wire wire(transport);
    wire.stream.pause_reading();
    send_text(wire.peer.get(), "hello");
    ::shutdown(wire.peer.get(), SHUT_WR);
    REQUIRE(sockeye::test::wait_for(wire.stream.descriptor(), POLLRDHUP));
    for (int i = 0; i < 3; ++i) wire.loop.turn(0);
    CHECK(wire.stream.ends.empty());
    CHECK(wire.stream.reads.empty());
    wire.stream.resume_reading();
    wire.loop.turn(5000);
    CHECK(wire.stream.received == "hello");
    CHECK(wire.stream.ends == std::vector{0});
    wire.stream.pause_reading();
    wire.stream.resume_reading();
    CHECK(wire.loop.wait_ms() == -1);  // there is nothing left to read
  }
}

TEST_CASE("Stream: a reset that comes in a pause is told at once") {
  Wire wire(Transport::tcp);
  wire.stream.pause_reading();
  send_text(wire.peer.get(), "hello");
  REQUIRE(sockeye::test::wait_for_bytes(wire.stream.descriptor(), 5));
  close_with_reset(std::move(wire.peer));
  REQUIRE(turn_until(wire.loop, [&] { return !wire.stream.ends.empty(); }));
  CHECK(wire.stream.ends == std::vector{ECONNRESET});
  wire.loop.turn(0);
  wire.stream.resume_reading();
  CHECK(wire.loop.wait_ms() == -1);
  for (int i = 0; i < 3; ++i) wire.loop.turn(0);
  CHECK(wire.stream.ends.size() == 1);
  CHECK(wire.stream.reads.empty());
}

TEST_CASE("Stream: a pause in the middle of a flood holds until it is resumed from elsewhere") {
  Wire wire(Transport::tcp);
  SocketPair pair = sockeye::test::local_pair();
  TestStream other(wire.loop);
  REQUIRE(other.start(std::move(pair.ours), Opener::peer));
  const std::string_view text = std::string_view(large).substr(0, 2 * buffer_bytes);
  fill_kernel(wire, text);
  wire.stream.at_receive = [&](std::string_view) { wire.stream.pause_reading(); };
  for (int i = 0; i < 3; ++i) wire.loop.turn(0);
  CHECK(wire.stream.reads.size() == 1);
  CHECK(!wire.stream.drained());
  other.at_receive = [&](std::string_view) { wire.stream.resume_reading(); };
  send_text(pair.theirs.get(), "go");
  wire.loop.turn(5000);
  CHECK(wire.stream.reads.size() == 2);
  CHECK(wire.stream.received == text);
}

TEST_CASE("Stream: a paused one that finds it can't send any more is told the end at once") {
  Wire wire;
  wire.stream.pause_reading();
  send_text(wire.peer.get(), "unread");
  wire.loop.turn(0);
  SystemCalls calls;
  calls.fail(Call::sendmsg, EPIPE);
  wire.stream.write("into the void");
  wire.loop.turn(5000);
  CHECK(wire.stream.ends == std::vector{EPIPE});
  CHECK(calls.receives() == 0);
}

// ── Writing: the cork ────────────────────────────────────────────────────────────────────────

TEST_CASE("Stream: many small writes in its events are one send") {
  Wire wire;
  std::string expected;
  SystemCalls calls;
  wire.in_events([&] {
    for (int i = 0; i < 1000; ++i) {
      const std::string head = "head" + std::to_string(i);
      wire.stream.write(head, "body");
      expected += head + "body";
    }
    wire.stream.append("appended");
    expected += "appended";
    wire.stream.write_newest("newest");
    expected += "newest";
    CHECK(wire.stream.buffered_bytes() == expected.size());
    CHECK(calls.sends() == 0);
  });
  CHECK(calls.sends() == 1);
  CHECK(wire.stream.buffered_bytes() == 0);
  CHECK(!wire.stream.blocked());
  CHECK(receive_available(wire.peer.get()) == expected);
}

TEST_CASE("Stream: what overflows the cork is sent with it") {
  Wire wire;
  SystemCalls calls;
  calls.swallow();
  wire.in_events([&] {
    for (int i = 0; i < 300; ++i) wire.stream.write(std::string_view(large).substr(0, 1000));
  });
  // 262 writes fit; the 263rd goes out with them by reference, and the rest at the end.
  REQUIRE(calls.sent().size() == 2);
  REQUIRE(calls.sent()[0].size() == 2);
  CHECK(calls.sent()[0][0].iov_len == 262'000);
  CHECK(calls.sent()[0][1].iov_len == 1000);
  CHECK(calls.sent()[1][0].iov_len == 37'000);
}

TEST_CASE("Stream: a cork filled to its last byte is one send") {
  Wire wire;
  SystemCalls calls;
  calls.swallow();
  wire.in_events([&] {
    for (std::size_t i = 0; i < buffer_bytes / 1024; ++i) {
      wire.stream.write(std::string_view(large).substr(0, 24),
                        std::string_view(large).substr(0, 1000));
    }
  });
  wire.in_events([&] {
    for (std::size_t i = 0; i < buffer_bytes / 1024; ++i) {
      wire.stream.write(std::string_view(large).substr(0, 1024));
    }
  });
  REQUIRE(calls.sent().size() == 2);
  for (const auto& pieces : calls.sent()) CHECK(pieces[0].iov_len == buffer_bytes);
}

TEST_CASE("Stream: a large payload goes out from where it lies, with the cork and its head") {
  Wire wire;
  const std::string_view body = std::string_view(large).substr(0, 16 * 1024);
  const std::string_view head = "head";
  SystemCalls calls;
  wire.in_events([&] {
    wire.stream.write("small");
    wire.stream.write(head, body);
    wire.stream.write(head, body);
    wire.stream.write({}, body);
  });
  REQUIRE(calls.sent().size() == 3);
  const auto& first = calls.sent()[0];
  REQUIRE(first.size() == 3);
  CHECK(first[0].iov_len == 5);
  CHECK(first[1].iov_base == head.data());
  CHECK(first[2].iov_base == body.data());
  CHECK(first[2].iov_len == body.size());
  const auto& second = calls.sent()[1];
  REQUIRE(second.size() == 2);
  CHECK(second[1].iov_base == body.data());
  REQUIRE(calls.sent()[2].size() == 1);
  CHECK(calls.sent()[2][0].iov_base == body.data());
  CHECK(receive_available(wire.peer.get()) == "small" + (std::string(head) + std::string(body)) +
                                                  std::string(head) + std::string(body) +
                                                  std::string(body));
}

TEST_CASE("Stream: a payload just below that size is copied to the cork") {
  Wire wire;
  SystemCalls calls;
  wire.in_events([&] {
    wire.stream.write("a", std::string_view(large).substr(0, 16 * 1024 - 1));
    wire.stream.write("b");
  });
  REQUIRE(calls.sent().size() == 1);
  CHECK(calls.sent()[0][0].iov_len == 16 * 1024 + 1);
}

TEST_CASE("Stream: writes outside of its events go out together at the end of the turn") {
  Wire wire;
  SystemCalls calls;
  std::string expected;
  for (int i = 0; i < 100; ++i) {
    const std::string text = pattern(100, static_cast<std::uint32_t>(i));
    wire.stream.write(text.substr(0, 10), text.substr(10));
    expected += text;
  }
  CHECK(calls.sends() == 0);
  CHECK(wire.stream.buffered_bytes() == expected.size());
  CHECK(!wire.stream.blocked());
  wire.loop.turn(5000);
  CHECK(calls.sends() == 1);
  CHECK(wire.stream.unblocked == 0);
  CHECK(receive_available(wire.peer.get()) == expected);
}

TEST_CASE("Stream: written to in another's events, it sends in the same turn") {
  Wire wire;
  SocketPair pair = sockeye::test::local_pair();
  TestStream other(wire.loop);
  REQUIRE(other.start(std::move(pair.ours), Opener::peer));
  wire.loop.turn(0);
  SystemCalls calls;
  wire.stream.at_receive = [&](std::string_view) {
    for (int i = 0; i < 10; ++i) other.write("publish ");
    wire.stream.write("done");
  };
  send_text(wire.peer.get(), "!");
  wire.loop.turn(0);
  CHECK(receive_available(pair.theirs.get()).size() == 80);
  CHECK(receive_available(wire.peer.get()) == "done");
  CHECK(calls.sends() == 2);
}

TEST_CASE("Stream: a turn that the owner asked for is corked, too") {
  Wire wire;
  int turns = 0;
  wire.stream.at_turn = [&] {
    ++turns;
    wire.stream.write("a");
    wire.stream.write("b");
  };
  SystemCalls calls;
  wire.loop.schedule(wire.stream);
  wire.loop.turn(5000);
  CHECK(turns == 1);
  CHECK(calls.sends() == 1);
  CHECK(receive_available(wire.peer.get()) == "ab");
}

TEST_CASE("Stream: append() gives room in the cork, in the queue, and beyond the cork's size") {
  for (const bool in_events : {true, false}) {
    CAPTURE(in_events);
    Wire wire(Transport::tcp);
    std::string expected;
    const auto append_all = [&] {
      for (const std::size_t size :
           {std::size_t{0}, std::size_t{1}, std::size_t{1000}, buffer_bytes - 500, buffer_bytes,
            buffer_bytes + 1, std::size_t{7}, std::size_t{0}}) {
        const std::string text = pattern(size, static_cast<std::uint32_t>(size));
        wire.stream.append(text);
        expected += text;
      }
    };
    in_events ? wire.in_events(append_all) : append_all();
    CHECK((wire.receive(expected.size()) == expected));
  }
}

// ── Writing: the queue ───────────────────────────────────────────────────────────────────────

TEST_CASE("Stream: blocked, it asks the kernel nothing until there is room") {
  Wire wire;
  std::string expected = block(wire);
  SystemCalls calls;
  for (int i = 0; i < 100; ++i) {
    const std::string text = pattern(1000, static_cast<std::uint32_t>(i));
    if (i % 2 == 0) {
      wire.stream.write(text);
      wire.loop.turn(0);
    } else {
      wire.in_events([&] { wire.stream.write(text); });
    }
    expected += text;
  }
  CHECK(calls.sends() == 0);
  CHECK(wire.stream.blocked());
  CHECK(wire.stream.unblocked == 0);
  CHECK((wire.receive(expected.size()) == expected));
  CHECK(wire.stream.unblocked == 1);
  CHECK(!wire.stream.blocked());
}

TEST_CASE("Stream: over TCP, too, a backlog goes out as the peer reads") {
  Wire wire(Transport::tcp, /*small=*/true);
  wire.stream.write(large);
  CHECK((wire.receive(large.size()) == large));
  CHECK(wire.stream.unblocked == 1);
}

TEST_CASE("Stream: each passage of blocking ends with one on_unblocked()") {
  Wire wire;
  for (int passage = 1; passage <= 5; ++passage) {
    const std::string written = block(wire);
    CHECK(wire.stream.unblocked == passage - 1);
    CHECK((wire.receive(written.size()) == written));
    for (int i = 0; i < 3; ++i) wire.loop.turn(0);
    CHECK(wire.stream.unblocked == passage);
    wire.stream.write("not blocked");
    CHECK(wire.receive(11) == "not blocked");
    CHECK(wire.stream.unblocked == passage);
  }
}

TEST_CASE("Stream: blocked again in on_unblocked() begins the next passage") {
  Wire wire;
  std::size_t room = 0;
  SystemCalls calls;
  calls.limit_sending([&](std::size_t asked) { return std::min(asked, room); });
  wire.stream.at_unblocked = [&] {
    room = 2;
    wire.stream.write("def");
  };
  wire.in_events([&] { wire.stream.write("abc"); });
  CHECK(wire.stream.blocked());
  room = 100;
  wire.report_room();
  CHECK(wire.stream.unblocked == 1);
  CHECK(wire.stream.blocked());
  CHECK(wire.stream.buffered_bytes() == 1);
  wire.stream.at_unblocked = [] {};
  room = 100;
  wire.report_room();
  CHECK(wire.stream.unblocked == 2);
  CHECK(receive_available(wire.peer.get()) == "abcdef");
}

TEST_CASE("Stream: on_progress() comes whenever some of the queue goes out") {
  Wire wire;
  std::size_t room = 0;
  int progress = 0;
  wire.stream.at_progress = [&] { ++progress; };
  SystemCalls calls;
  calls.limit_sending([&](std::size_t asked) { return std::min(asked, room); });
  wire.in_events([&] { wire.stream.write("abcdef"); });
  wire.report_room();
  CHECK(progress == 0);
  room = 2;
  for (int i = 1; i <= 3; ++i) {
    wire.report_room();
    CHECK(progress == i);
  }
  CHECK(wire.stream.unblocked == 1);
}

TEST_CASE("Stream: on_progress() may write, even when the last of the queue has gone out") {
  Wire wire;
  std::size_t room = 0;
  int progress = 0;
  wire.stream.at_progress = [&] {
    if (++progress <= 2) wire.stream.write("more");
  };
  SystemCalls calls;
  calls.limit_sending([&](std::size_t asked) { return std::min(asked, room); });
  wire.in_events([&] { wire.stream.write("abc"); });
  room = 100;
  wire.report_room();
  wire.loop.turn(0);
  CHECK(receive_available(wire.peer.get()) == "abcmoremore");
  CHECK(wire.stream.buffered_bytes() == 0);
  CHECK(wire.stream.unblocked == 1);
}

TEST_CASE("Stream: a slow reader costs no more for a long queue: nothing is moved or rescanned") {
  Wire wire;
  SystemCalls calls;
  calls.swallow([](std::size_t) { return std::size_t{0}; });
  constexpr std::size_t size = 4'000'000;
  for (std::size_t i = 0; i < size; i += 1000) {
    wire.stream.write(std::string_view(large).substr(i, 1000));
  }
  wire.loop.turn(0);
  CHECK(wire.stream.buffered_bytes() == size);

  constexpr std::size_t step = 500;
  calls.swallow([&](std::size_t asked) { return std::min(asked, step); });
  calls.forget();
  while (wire.stream.buffered_bytes() > 0) wire.report_room();
  CHECK(calls.sent().size() == size / step);
  const char* next = nullptr;
  std::size_t moves = 0;
  for (const auto& pieces : calls.sent()) {
    REQUIRE(pieces.size() <= 64);
    moves += pieces[0].iov_base != next;
    next = static_cast<const char*>(pieces[0].iov_base) + step;
  }
  CHECK(moves < 2 * size / (60 * 1024) + 10);  // once for each chunk, or a chunk's border
}

TEST_CASE("Stream: a fast reader of a long queue gets a megabyte a turn") {
  Wire wire;
  SystemCalls calls;
  wire.stream.write(large);
  calls.swallow();
  std::size_t before = wire.stream.buffered_bytes();
  int turns = 0;
  while (wire.stream.buffered_bytes() > 0) {
    REQUIRE(wire.loop.wait_ms() == 0);
    wire.loop.turn(5000);
    const std::size_t now = wire.stream.buffered_bytes();
    CHECK(before - now <= 1024 * 1024 + 64 * 1024);
    before = now;
    ++turns;
  }
  CHECK(turns == 5);
  CHECK(wire.stream.unblocked == 0);
}

TEST_CASE("Stream: after an event it goes on with a long queue on the agenda") {
  Wire wire;
  SystemCalls calls;
  calls.fail(Call::sendmsg, EAGAIN);
  wire.stream.write(large);
  wire.loop.turn(0);
  CHECK(wire.stream.blocked());
  calls.swallow();
  wire.report_room();
  CHECK(wire.stream.buffered_bytes() > 0);
  for (int i = 0; i < 5; ++i) wire.loop.turn(0);
  CHECK(wire.stream.buffered_bytes() == 0);
  CHECK(wire.stream.unblocked == 1);
}

TEST_CASE("Stream: interrupted sends are made again, on every path") {
  Wire wire;
  const std::string_view body = std::string_view(large).substr(0, 20'000);
  SystemCalls calls;
  calls.fail(Call::send, EINTR, 3);
  wire.in_events([&] { wire.stream.write("cork"); });
  CHECK(calls.count(Call::send) == 4);
  calls.fail(Call::sendmsg, EINTR, 3);
  wire.in_events([&] { wire.stream.write("head", body); });
  CHECK(calls.count(Call::sendmsg) == 4);
  calls.fail(Call::sendmsg, EINTR, 3);
  wire.stream.write("queue");
  wire.loop.turn(0);
  CHECK(calls.count(Call::sendmsg) == 8);
  CHECK(receive_available(wire.peer.get()) == "corkhead" + std::string(body) + "queue");
}

TEST_CASE("Stream: EAGAIN on every path keeps the bytes, in order") {
  Wire wire;
  const std::string body = pattern(20'000);
  SystemCalls calls;
  std::string expected;
  calls.fail(Call::send, EAGAIN);
  wire.in_events([&] { wire.stream.write("cork"); });
  wire.report_room();
  calls.fail(Call::sendmsg, EAGAIN);
  wire.in_events([&] { wire.stream.write("head", body); });
  CHECK(wire.stream.buffered_bytes() == 20'004);
  calls.fail(Call::sendmsg, EAGAIN);
  wire.report_room();
  CHECK(wire.stream.buffered_bytes() == 20'004);
  wire.report_room();
  CHECK(receive_available(wire.peer.get()) == "corkhead" + body);
  CHECK(wire.stream.unblocked == 2);
}

TEST_CASE(
    "Stream: order holds over cork, queue and by-reference writes, whatever the kernel takes") {
  for (const Transport transport : transports) {
    for (std::uint32_t seed = 1; seed <= 40; ++seed) {
      CAPTURE(seed);
      std::mt19937 random(seed);
      const auto below = [&](std::size_t limit) { return random() % limit; };
      Wire wire(transport);
      SystemCalls calls;
      calls.limit_sending([&](std::size_t asked) {
        const std::size_t choice = below(4);
        return choice == 0 ? 0 : choice == 1 ? below(asked) : asked;
      });

      std::string expected, got;
      bool was_blocked = false;
      const auto write_some = [&] {
        for (std::size_t count = below(6); count > 0; --count) {
          const std::size_t limits[] = {10, 2000, 20'000, 40'000, 300'000};
          const std::string head = pattern(below(20), random());
          const std::string body = pattern(below(limits[below(5)]), random());
          if (below(2) == 0) {
            wire.stream.write(head, body);
          } else {
            wire.stream.append(head + body);
          }
          expected += head + body;
        }
      };
      wire.stream.at_receive = [&](std::string_view) { write_some(); };
      wire.stream.at_turn = [&] {
        if (below(3) == 0) write_some();
      };
      wire.stream.at_unblocked = [&] {
        CHECK(was_blocked);
        was_blocked = false;
        if (below(3) == 0) write_some();
      };
      for (int step = 0; step < 60; ++step) {
        switch (below(5)) {
          case 0:
            write_some();
            break;
          case 1:
            send_text(wire.peer.get(), "!");
            break;
          case 2:
            wire.report_room();
            break;
          case 3:
            got += receive_available(wire.peer.get());
            break;
          case 4:
            wire.loop.schedule(wire.stream);
            break;
        }
        was_blocked = was_blocked || wire.stream.blocked();
        wire.loop.turn(0);
        was_blocked = was_blocked || wire.stream.blocked();
        REQUIRE(wire.stream.blocked() <= (wire.stream.buffered_bytes() > 0));
      }
      wire.stream.at_unblocked = [&] { was_blocked = false; };
      wire.stream.at_turn = [] {};
      wire.stream.at_receive = [](std::string_view) {};
      REQUIRE(turn_until(wire.loop, [&] {
        wire.report_room();
        got += receive_available(wire.peer.get());
        return wire.stream.buffered_bytes() == 0 && got.size() >= expected.size();
      }));
      CHECK(!was_blocked);  // every passage was told
      REQUIRE(got.size() == expected.size());
      REQUIRE((got == expected));
    }
  }
}

// ── Writing: the newest of its kind ──────────────────────────────────────────────────────────

TEST_CASE("Stream: of what write_newest() left in the queue only the newest waits, of any size") {
  Wire wire;
  SystemCalls calls;
  bool room = false;
  calls.limit_sending([&](std::size_t asked) { return room ? asked : 0; });
  wire.in_events([&] { wire.stream.write("data "); });
  REQUIRE(wire.stream.blocked());
  std::string newest;
  for (const std::size_t size : {10, 2, 33, 125, 3, 0, 60'000, 60'000, 70'000, 5}) {
    newest = pattern(size, static_cast<std::uint32_t>(size));
    wire.stream.write_newest(newest);
    CHECK(wire.stream.buffered_bytes() == 5 + newest.size());
  }
  room = true;
  wire.report_room();
  CHECK(receive_available(wire.peer.get()) == "data " + newest);
  CHECK(wire.stream.unblocked == 1);
}

TEST_CASE("Stream: write_newest() takes no part of the writes around it") {
  Wire wire;
  SystemCalls calls;
  bool room = false;
  calls.limit_sending([&](std::size_t asked) { return room ? asked : 0; });
  wire.in_events([&] { wire.stream.write("[data 1]"); });
  wire.stream.write_newest("[pong 1]");
  wire.stream.write("[data 2]");
  wire.stream.append("[data 3]");
  wire.stream.write_newest("[pong 2]");
  wire.stream.write("[data 4]");
  room = true;
  wire.report_room();
  CHECK(receive_available(wire.peer.get()) == "[data 1][pong 2][data 2][data 3][data 4]");

  room = false;
  wire.in_events([&] { wire.stream.write("[data 5]"); });
  wire.stream.write_newest("[pong 3]");
  wire.stream.append("[data 6]");  // the newest one's chunk would have room for this
  wire.stream.write_newest("[pong 4]");
  room = true;
  wire.report_room();
  CHECK(receive_available(wire.peer.get()) == "[data 5][pong 4][data 6]");
}

TEST_CASE("Stream: one that is partly sent stays as it is, and the next one follows it") {
  Wire wire;
  SystemCalls calls;
  std::size_t room = 0;
  calls.limit_sending([&](std::size_t asked) { return std::min(room, asked); });
  wire.in_events([&] { wire.stream.write("data "); });
  wire.stream.write_newest("pong-1 ");
  room = 7;
  wire.report_room();  // "data po"
  wire.stream.write_newest("pong-2 ");
  wire.stream.write_newest("pong-3 ");
  CHECK(wire.stream.buffered_bytes() == 5 + 7);
  room = 100;
  wire.report_room();
  CHECK(receive_available(wire.peer.get()) == "data pong-1 pong-3 ");
}

TEST_CASE("Stream: write_newest() with nothing in the queue is a write like any other") {
  Wire wire;
  wire.in_events([&] {
    wire.stream.write_newest("one ");
    wire.stream.write_newest("two ");
  });
  CHECK(receive_available(wire.peer.get()) == "one two ");
}

TEST_CASE(
    "Stream: with writes of both kinds, all data comes in order, and the last of the newest") {
  for (std::uint32_t seed = 1; seed <= 100; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    const auto below = [&](std::size_t limit) { return random() % limit; };
    Wire wire;
    SystemCalls calls;
    calls.limit_sending([&](std::size_t asked) { return below(3) == 0 ? 0 : below(asked + 1); });
    int data = 0, newest = 0;
    for (int step = 0; step < 200; ++step) {
      // "d12....;" and "n7..;": a kind, a number, and filling.
      const std::string filling(below(300), '.');
      switch (below(4)) {
        case 0:
          wire.stream.write("d" + std::to_string(data++), filling + ";");
          break;
        case 1:
          wire.stream.write_newest("n" + std::to_string(newest++) + filling + ";");
          break;
        case 2:
          wire.report_room();
          break;
        case 3:
          wire.loop.turn(0);
          break;
      }
    }
    calls.limit_sending(nullptr);
    wire.stream.write_newest("n" + std::to_string(newest++) + ";");
    wire.report_room();
    wire.loop.turn(0);
    REQUIRE(wire.stream.buffered_bytes() == 0);

    const std::string got = receive_available(wire.peer.get());
    int next_data = 0, last_newest = -1;
    for (std::size_t begin = 0; begin < got.size();) {
      const std::size_t end = got.find(';', begin);
      REQUIRE(end != std::string::npos);
      const int number = std::atoi(got.c_str() + begin + 1);
      if (got[begin] == 'd') {
        REQUIRE(number == next_data++);
      } else {
        REQUIRE(got[begin] == 'n');
        REQUIRE(number > last_newest);
        last_newest = number;
      }
      begin = end + 1;
    }
    CHECK(next_data == data);
    CHECK(last_newest == newest - 1);
  }
}

// ── Finishing ────────────────────────────────────────────────────────────────────────────────

TEST_CASE("Stream: finish_writing() sends all that was written, then a FIN, and reading goes on") {
  for (const Transport transport : transports) {
    for (const int variant : {0, 1, 2, 3}) {
      CAPTURE(variant);
      const bool in_events = variant % 2 == 0;
      Wire wire(transport, /*small=*/true);
      const std::string text = large.substr(0, variant < 2 ? 500'000 : 0);
      const auto act = [&] {
        wire.stream.write("small ");
        wire.stream.write({}, text);
        wire.stream.finish_writing();
      };
      in_events ? wire.in_events(act) : act();
      CHECK((wire.receive_to_end() == "small " + text));
      wire.stream.received.clear();
      send_text(wire.peer.get(), "still here");
      CHECK(turn_until(wire.loop, [&] { return wire.stream.received == "still here"; }));
      CHECK(!wire.stream.closed());
      ::shutdown(wire.peer.get(), SHUT_WR);
      CHECK(turn_until(wire.loop, [&] { return wire.stream.ends == std::vector{0}; }));
    }
  }
}

TEST_CASE("Stream: finish_writing() with nothing to write sends the FIN at once, and one only") {
  Wire wire;
  SystemCalls calls;
  wire.stream.finish_writing();
  CHECK(calls.count(Call::shutdown) == 1);
  for (int i = 0; i < 3; ++i) wire.loop.turn(0);
  wire.in_events([] {});
  CHECK(calls.count(Call::shutdown) == 1);
  bool ended = false;
  receive_available(wire.peer.get(), &ended);
  CHECK(ended);
}

TEST_CASE("Stream: close_when_written() sends all that was written before it closes") {
  for (const Transport transport : transports) {
    for (const int variant : {0, 1, 2, 3}) {
      CAPTURE(variant);
      const bool in_events = variant % 2 == 0;
      Wire wire(transport, /*small=*/true);
      const std::string text = large.substr(0, variant < 2 ? 500'000 : 0);
      const auto act = [&] {
        wire.stream.write("small ");
        wire.stream.write({}, text);
        wire.stream.close_when_written();
        CHECK(!wire.stream.closed());
      };
      in_events ? wire.in_events(act) : act();
      CHECK((wire.receive_to_end() == "small " + text));
      CHECK(turn_until(wire.loop, [&] { return wire.stream.released == 1; }));
      CHECK(wire.stream.ends.empty());
    }
  }
}

TEST_CASE("Stream: close_when_written() with nothing to write closes at once") {
  Wire wire;
  wire.stream.close_when_written();
  CHECK(wire.stream.closed());
  wire.loop.turn(5000);
  CHECK(wire.stream.released == 1);
  CHECK(wire.loop.wait_ms() == -1);
}

TEST_CASE("Stream: close_when_written() closes, too, when nothing can be written any more") {
  for (const bool in_events : {true, false}) {
    CAPTURE(in_events);
    Wire wire;
    SystemCalls calls;
    calls.fail(in_events ? Call::send : Call::sendmsg, EPIPE);
    const auto act = [&] {
      wire.stream.write("lost");
      wire.stream.close_when_written();
    };
    in_events ? wire.in_events(act) : act();
    for (int i = 0; i < 3; ++i) wire.loop.turn(0);
    CHECK(wire.stream.closed());
    CHECK(wire.stream.released == 1);
  }
}

// ── A peer that is gone ──────────────────────────────────────────────────────────────────────

TEST_CASE("Stream: writing to a peer that has reset ends with an error, and without a signal") {
  struct sigaction action {};
  REQUIRE(::sigaction(SIGPIPE, nullptr, &action) == 0);
  REQUIRE((action.sa_handler == SIG_DFL));  // a SIGPIPE would end this program

  for (const Transport transport : transports) {
    for (const bool in_turn : {true, false}) {
      for (const int path : {0, 1, 2, 3}) {
        CAPTURE(in_turn);
        CAPTURE(path);
        Wire wire(transport);
        const auto write = [&] {
          for (int i = 0; i < 4; ++i) {
            if (path == 0) wire.stream.write("small");
            if (path == 1) wire.stream.write("head", std::string_view(large).substr(0, 20'000));
            if (path == 2) wire.stream.append("appended");
            if (path == 3) wire.stream.write_newest("newest");
          }
        };
        if (transport == Transport::tcp) {
          close_with_reset(std::move(wire.peer));
        } else {
          wire.peer.reset();
        }
        REQUIRE(sockeye::test::wait_for(wire.stream.descriptor(), POLLRDHUP));
        SystemCalls calls;
        calls.fail(Call::epoll_wait, EINTR);  // the write is faster than the event
        for (int i = 0; i < 3; ++i) {
          if (in_turn) {
            wire.stream.at_turn = write;
            wire.loop.schedule(wire.stream);
          } else {
            write();
          }
          wire.loop.turn(0);
        }
        CHECK(calls.sends() >= 1);
        REQUIRE(wire.stream.ends.size() == 1);
        CHECK(wire.stream.ends[0] != 0);
        CHECK(wire.stream.buffered_bytes() == 0);
        wire.stream.close();
        wire.loop.turn(0);
        CHECK(wire.stream.released == 1);
      }
    }
  }
}

TEST_CASE("Stream: what the peer sent before it reset is still read after a failed send") {
  Wire wire(Transport::tcp);
  send_text(wire.peer.get(), "last words");
  REQUIRE(sockeye::test::wait_for_bytes(wire.stream.descriptor(), 10));
  close_with_reset(std::move(wire.peer));
  REQUIRE(sockeye::test::wait_for(wire.stream.descriptor(), POLLRDHUP));
  wire.stream.write("too late");
  wire.loop.turn(0);
  wire.loop.turn(0);
  CHECK(wire.stream.received == "last words");
  // The send has taken the socket's error, and a read alone would call this a FIN.
  CHECK(wire.stream.ends == std::vector{EPIPE});
}

TEST_CASE(
    "Stream: every error that a send can bring ends it once, though the peer is still there") {
  for (const int error :
       {EPIPE, ECONNRESET, ETIMEDOUT, EHOSTUNREACH, ENETUNREACH, ENOBUFS, ENOMEM, EPERM}) {
    for (const int path : {0, 1, 2}) {
      CAPTURE(error);
      CAPTURE(path);
      Wire wire;
      SystemCalls calls;
      calls.fail(path == 0 ? Call::send : Call::sendmsg, error);
      const std::string_view body = std::string_view(large).substr(0, 20'000);
      if (path == 0) wire.in_events([&] { wire.stream.write("cork"); });
      if (path == 1) wire.in_events([&] { wire.stream.write("head", body); });
      if (path == 2) wire.stream.write("queue");
      for (int i = 0; i < 3; ++i) wire.loop.turn(0);
      CHECK(wire.stream.ends == std::vector{EPIPE});
      CHECK(wire.stream.buffered_bytes() == 0);
      CHECK(!wire.stream.blocked());
      CHECK(calls.failures_left() == 0);
      calls.forget();
      wire.stream.write("more");  // there is nobody to send it to
      for (int i = 0; i < 3; ++i) wire.loop.turn(0);
      CHECK(wire.stream.ends.size() == 1);
      CHECK(calls.sends() == 0);
    }
  }
}

TEST_CASE("Stream: a blocked one whose peer resets drops its queue and ends") {
  Wire wire(Transport::tcp, /*small=*/true);
  block(wire);
  close_with_reset(std::move(wire.peer));
  REQUIRE(turn_until(wire.loop, [&] { return !wire.stream.ends.empty(); }));
  for (int i = 0; i < 3; ++i) wire.loop.turn(0);
  REQUIRE(wire.stream.ends.size() == 1);
  CHECK(wire.stream.ends[0] != 0);
  CHECK(wire.stream.buffered_bytes() == 0);
}

TEST_CASE("Stream: without memory for what the kernel refuses it ends, and the loop lives on") {
  Wire wire;
  SystemCalls calls;
  calls.limit_sending([](std::size_t) { return std::size_t{0}; });
  // The first allocation is the queue's head, the second one a chunk.
  for (const std::size_t failing : {0, 1}) {
    SocketPair pair = sockeye::test::local_pair();
    TestStream stream(wire.loop);
    REQUIRE(stream.start(std::move(pair.ours), Opener::peer));
    stream.at_receive = [&](std::string_view) { stream.write(pattern(300 << failing)); };
    send_text(pair.theirs.get(), "!");
    {
      const MallocWatch memory(failing);
      wire.loop.turn(0);
      CHECK(memory.failed());
    }
    wire.loop.turn(0);
    CHECK(stream.ends == std::vector{EPIPE});
    CHECK(stream.buffered_bytes() == 0);
  }
  wire.in_events([&] { wire.stream.write("others have memory"); });
  calls.limit_sending(nullptr);
  wire.report_room();
  CHECK(receive_available(wire.peer.get()) == "others have memory");
}

TEST_CASE("Stream: calls that find no memory say so, and the stream can be closed") {
  for (std::size_t failing = 0; failing < 2; ++failing) {
    for (const int path : {0, 1, 2, 3}) {
      CAPTURE(path);
      Wire wire;
      {
        const MallocWatch memory(failing);
        bool kept = true;
        if (path == 0) kept = wire.stream.try_write(pattern(100));
        if (path == 1) kept = wire.stream.try_write(pattern(100'000));
        if (path == 2) kept = wire.stream.room(100) != nullptr;
        if (path == 3) kept = wire.stream.room(100'000) != nullptr;
        CHECK(!kept);
        CHECK(memory.failed());
      }
      wire.stream.close();
      wire.loop.turn(0);
      CHECK(wire.stream.released == 1);
    }
  }
  Wire wire;
  CHECK(wire.stream.room(sockeye::Pool::largest_block) == nullptr);
  CHECK(wire.stream.room(SIZE_MAX) == nullptr);
  wire.stream.close();
}

TEST_CASE("Stream: write_newest() without memory says so") {
  Wire wire;
  wire.stream.write("queued");
  const MallocWatch memory(0);
  CHECK(!wire.stream.try_write_newest(pattern(1000)));
}

// ── Closing ──────────────────────────────────────────────────────────────────────────────────

TEST_CASE("Stream: close() inside any callback: all is dropped, and nothing is called any more") {
  enum class In { receive, direct, end, unblocked, progress, turn };
  for (int scenario = 0; scenario < 12; ++scenario) {
    CAPTURE(scenario);
    const In in = static_cast<In>(scenario / 2);
    const bool goes_on = scenario % 2 == 1;  // the owner doesn't know yet, or doesn't care
    Loop loop;
    REQUIRE(loop.open());
    SocketPair pair = sockeye::test::local_pair();
    auto stream = std::make_unique<TestStream>(loop);
    REQUIRE(stream->start(std::move(pair.ours), Opener::peer));
    loop.turn(0);
    int closes = 0;
    bool called_after_close = false;
    char direct[100];
    SystemCalls calls;
    int sends = 0;

    const auto close = [&] {
      ++closes;
      stream->write("dropped");
      stream->close();
      CHECK(stream->closed());
      CHECK(stream->buffered_bytes() == 0);
      sends = calls.sends();
      if (!goes_on) return;
      // None of these does anything now, and none does harm.
      stream->write("head", std::string_view(large).substr(0, 30'000));
      stream->write("small");
      stream->write_newest("newest");
      CHECK(stream->buffered_bytes() == 0);
      stream->append("appended");
      stream->append(std::string_view(large).substr(0, 2 * buffer_bytes));
      stream->finish_writing();
      stream->close_when_written();
      stream->pause_reading();
      stream->resume_reading();
      stream->read_now();
      stream->close();
    };
    stream->at_released = [&] {
      called_after_close = stream->called_after_close;
      stream.reset();
    };
    if (in == In::receive) stream->at_receive = [&](std::string_view) { close(); };
    if (in == In::direct) stream->at_direct = close;
    if (in == In::end) stream->at_end = close;
    if (in == In::unblocked) stream->at_unblocked = close;
    if (in == In::progress) stream->at_progress = close;
    if (in == In::turn) stream->at_turn = close;

    std::size_t room = 0;
    calls.limit_sending([&](std::size_t asked) { return std::min(room, asked); });
    const std::function<void()> steps[] = {
        [&] {  // a queue that is blocked
          stream->write(large);
          loop.turn(0);
        },
        [&] {  // a part of it goes out
          room = 1000;
          static_cast<Watcher&>(*stream).on_events(EPOLLOUT);
        },
        [&] {  // and the rest
          calls.swallow();
          for (int i = 0; stream && stream->blocked() && i < 10; ++i) loop.turn(0);
          for (int i = 0; stream && stream->blocked() && i < 10; ++i) {
            static_cast<Watcher&>(*stream).on_events(EPOLLOUT);
            loop.turn(0);
          }
        },
        [&] { loop.schedule(*stream); },
        [&] {
          stream->direct = {reinterpret_cast<std::uint8_t*>(direct), sizeof direct};
          send_text(pair.theirs.get(), pattern(150));
        },
        [&] { ::shutdown(pair.theirs.get(), SHUT_WR); },
    };
    for (const auto& step : steps) {
      if (stream) step();
      loop.turn(0);
    }
    CHECK(stream == nullptr);
    CHECK(closes == 1);
    CHECK(!called_after_close);
    CHECK(calls.sends() == sends);
    bool ended = false;
    const std::string got = receive_available(pair.theirs.get(), &ended);
    CHECK(ended);
    CHECK(got == large.substr(0, got.size()));
  }
}

TEST_CASE("Stream: closed between two events of a batch, the second one finds nobody") {
  Loop loop;
  REQUIRE(loop.open());
  SocketPair pairs[] = {sockeye::test::local_pair(), sockeye::test::local_pair(),
                        sockeye::test::local_pair()};
  TestStream first(loop), second(loop), newcomer(loop);
  REQUIRE(first.start(std::move(pairs[0].ours), Opener::peer));
  REQUIRE(second.start(std::move(pairs[1].ours), Opener::peer));
  loop.turn(0);
  // Whichever is first closes the other, whose descriptor's number goes to a new connection.
  const auto act = [&](TestStream& other) {
    if (newcomer.started()) return;
    const int number = other.descriptor();
    other.close();
    Fd fd(::fcntl(pairs[2].ours.get(), F_DUPFD_CLOEXEC, number));
    REQUIRE(fd.get() == number);
    pairs[2].ours.reset();
    REQUIRE(newcomer.start(std::move(fd), Opener::peer));
  };
  first.at_receive = [&](std::string_view) { act(second); };
  second.at_receive = [&](std::string_view) { act(first); };
  send_text(pairs[0].theirs.get(), "to the first");
  send_text(pairs[1].theirs.get(), "to the second");
  loop.turn(0);
  CHECK(first.reads.size() + second.reads.size() == 1);
  CHECK(first.released + second.released == 1);
  CHECK(newcomer.reads.empty());
  CHECK(newcomer.ends.empty());
  send_text(pairs[2].theirs.get(), "to the newcomer");
  loop.turn(0);
  CHECK(newcomer.received == "to the newcomer");
}

TEST_CASE("Stream: closing twice releases once; the descriptor is closed at once") {
  Wire wire;
  const std::size_t before = open_descriptors();
  wire.stream.close();
  CHECK(open_descriptors() == before - 1);
  CHECK(wire.stream.released == 0);
  wire.stream.close();
  wire.loop.turn(5000);
  CHECK(wire.stream.released == 1);
  SystemCalls calls;
  wire.stream.close();
  wire.stream.finish_writing();
  wire.stream.close_when_written();
  wire.loop.turn(0);
  CHECK(wire.stream.released == 1);
  CHECK(calls.count(Call::shutdown) == 0);
}

TEST_CASE("Stream: closed while its queue goes out on the agenda, it has no turn there") {
  Wire wire;
  wire.stream.write("queued");
  wire.stream.at_progress = [&] { wire.stream.close(); };
  wire.loop.turn(0);
  CHECK(!wire.stream.called_after_close);
  CHECK(receive_available(wire.peer.get()) == "queued");
}

TEST_CASE("Stream: one that is destroyed while it is on the agenda isn't called any more") {
  Loop loop;
  REQUIRE(loop.open());
  const std::size_t before = open_descriptors();
  std::vector<Fd> peers;
  std::vector<std::unique_ptr<TestStream>> streams;
  for (int i = 0; i < 4; ++i) {
    SocketPair pair = sockeye::test::local_pair();
    streams.push_back(std::make_unique<TestStream>(loop));
    REQUIRE(streams.back()->start(std::move(pair.ours), Opener::peer));
    peers.push_back(std::move(pair.theirs));
  }
  loop.turn(0);
  for (const auto& stream : streams) stream->write("queued");
  streams[1].reset();                                 // before the turn
  streams[0]->at_turn = [&] { streams[2].reset(); };  // while the agenda runs
  loop.turn(0);
  CHECK(receive_available(peers[0].get()) == "queued");
  CHECK(receive_available(peers[3].get()) == "queued");
  streams.clear();
  peers.clear();
  CHECK(open_descriptors() == before);
}

// ── Every system call may fail ───────────────────────────────────────────────────────────────

TEST_CASE("Stream: whichever call fails, with whatever error: one end at most, and nothing leaks") {
  const std::size_t before = open_descriptors();
  const struct {
    Call call;
    std::vector<int> errors;
  } kinds[] = {
      {Call::recv, {EINTR, ECONNRESET, ETIMEDOUT, ENOMEM}},
      {Call::readv, {EINTR, ECONNRESET, ETIMEDOUT, ENOMEM}},
      {Call::send, {EINTR, ECONNRESET, EPIPE, ENOBUFS, ENOMEM}},
      {Call::sendmsg, {EINTR, ECONNRESET, EPIPE, ENOBUFS, ENOMEM}},
      {Call::shutdown, {ENOTCONN}},
      {Call::epoll_ctl, {ENOMEM, ENOSPC}},
      {Call::epoll_wait, {EINTR}},
  };
  for (const auto& kind : kinds) {
    for (const int error : kind.errors) {
      for (int nth = 0; nth < 100; ++nth) {
        CAPTURE(error);
        CAPTURE(nth);
        Loop loop;
        REQUIRE(loop.open());
        SocketPair pair = sockeye::test::local_pair();
        std::string message(1000, '\0');
        SystemCalls calls;
        calls.fail(kind.call, error, 1, nth);
        {
          TestStream stream(loop);
          const bool started = stream.start(std::move(pair.ours), Opener::peer);
          CHECK(started == (kind.call != Call::epoll_ctl || nth > 0));
          stream.at_receive = [&](std::string_view text) {
            stream.write(text);
            stream.write("head", std::string_view(large).substr(0, 20'000));
          };
          for (int round = 0; started && round < 3 && stream.ends.empty(); ++round) {
            stream.direct = {reinterpret_cast<std::uint8_t*>(message.data()), message.size()};
            send_text(pair.theirs.get(), pattern(1500));
            stream.write("queued");
            loop.turn(0);
            send_text(pair.theirs.get(), pattern(10));
            loop.turn(0);
            receive_available(pair.theirs.get());
          }
          stream.finish_writing();
          pair.theirs.reset();
          for (int i = 0; i < 3; ++i) loop.turn(0);
          CHECK(stream.ends.size() == (started ? 1 : 0));
          stream.close();
          loop.turn(0);
          CHECK(stream.released == 1);
        }
        if (calls.failures_left() > 0) break;  // there is no such call any more
        REQUIRE(nth < 99);
      }
    }
  }
  CHECK(open_descriptors() == before);
}

// ── Files ────────────────────────────────────────────────────────────────────────────────────

namespace {

// A file in memory.
Fd file_of(std::string_view text) {
  Fd file(::memfd_create("file", MFD_CLOEXEC));
  REQUIRE(file);
  REQUIRE(::pwrite(file.get(), text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
  return file;
}

}  // namespace

TEST_CASE("Stream: a file goes out behind what was written before it, whichever way it began") {
  const Fd file = file_of(large);
  for (const Transport transport : transports) {
    for (const bool in_turn : {true, false}) {
      for (const bool queued : {true, false}) {
        CAPTURE(in_turn);
        CAPTURE(queued);
        Wire wire(transport, true);
        std::string expected = queued ? block(wire) : "";
        if (queued) wire.stream.write("head");
        const auto write = [&] {
          wire.stream.write(queued ? "" : "head");
          wire.stream.unblocked = 0;
          wire.stream.write_file(file, 1000, 3'000'000);
          CHECK(wire.stream.blocked());
          CHECK(wire.stream.writing_file());
        };
        SystemCalls calls;
        if (in_turn) {
          wire.in_events(write);
        } else {
          write();
        }
        expected += "head" + large.substr(1000, 3'000'000);
        std::string text;
        CHECK(turn_until(wire.loop, [&] {
          text += receive_available(wire.peer.get());
          return !wire.stream.blocked() && text.size() >= expected.size();
        }));
        CHECK(text == expected);
        CHECK(calls.count(Call::sendfile) > 1);
        CHECK(wire.stream.unblocked == 1);
        wire.stream.write(" and on");
        CHECK(wire.receive(7) == " and on");
      }
    }
  }
}

TEST_CASE("Stream: a file whose peer doesn't read holds no memory and no turn") {
  const Fd file = file_of(large);
  Wire wire(Transport::local, true);
  wire.stream.write_file(file, 0, large.size());
  wire.loop.turn(0);
  SystemCalls calls;
  for (int i = 0; i < 5; ++i) wire.loop.turn(0);
  CHECK(calls.sends() == 0);
  CHECK(wire.stream.buffered_bytes() == 0);
  CHECK(wire.stream.blocked());
}

TEST_CASE("Stream: a fast reader of a file gets a megabyte a turn, and others have theirs") {
  const Fd file = file_of(large);
  Wire wire(Transport::local);
  std::size_t asked = 0;
  wire.stream.at_progress = [&] { receive_available(wire.peer.get()); };
  SystemCalls calls;
  wire.stream.write_file(file, 0, large.size());
  while (wire.stream.blocked()) {
    const int before = calls.count(Call::sendfile);
    wire.report_room();
    CHECK(calls.count(Call::sendfile) > before);
    ++asked;
    REQUIRE(asked < 100);
  }
  CHECK(asked >= large.size() / (1024 * 1024));
  CHECK(asked > 4);
}

TEST_CASE("Stream: nothing can be written behind a file until it is out") {
  const Fd file = file_of(large);
  Wire wire(Transport::local, true);
  wire.stream.write("head");
  wire.stream.write_file(file, 0, large.size());
  CHECK(!wire.stream.try_write("behind"));
  CHECK(!wire.stream.try_write_newest("behind"));
  CHECK(wire.stream.room(10) == nullptr);
  CHECK(!wire.stream.try_write_file(file_of("another"), 7));
  CHECK(wire.receive(4 + large.size()) == "head" + large);
}

TEST_CASE("Stream: an empty part of a file is nothing to send") {
  Wire wire;
  wire.stream.write("head");
  wire.stream.write_file(file_of("text"), 4, 0);
  CHECK(!wire.stream.blocked());
  CHECK(wire.receive(4) == "head");
}

TEST_CASE("Stream: a file that becomes shorter closes it; of one that grows, what was promised") {
  for (const bool shrinks : {true, false}) {
    const Fd file = file_of(large);
    Wire wire(Transport::local, true);
    wire.stream.write_file(file, 0, large.size());
    wire.loop.turn(0);
    if (shrinks) {
      REQUIRE(::ftruncate(file.get(), 1'000'000) == 0);
      const std::string text = wire.receive_to_end();
      CHECK(text == large.substr(0, text.size()));
      CHECK(text.size() < large.size());
      CHECK(wire.stream.released == 1);
      CHECK(wire.stream.unblocked == 0);
    } else {
      REQUIRE(::pwrite(file.get(), "more", 4, static_cast<off_t>(large.size())) == 4);
      CHECK(turn_until(wire.loop, [&, text = std::string()]() mutable {
        text += receive_available(wire.peer.get());
        return text == large && !wire.stream.blocked();
      }));
      wire.stream.write("end");
      CHECK(wire.receive(3) == "end");
    }
  }
}

TEST_CASE("Stream: finish_writing() and close_when_written() wait for a file") {
  for (const bool closes : {true, false}) {
    const Fd file = file_of(large);
    Wire wire(Transport::local, true);
    wire.stream.write_file(file, 0, large.size());
    if (closes) {
      wire.stream.close_when_written();
    } else {
      wire.stream.finish_writing();
    }
    CHECK(wire.receive_to_end() == large);
    CHECK(wire.stream.closed() == closes);
  }
}

TEST_CASE("Stream: a file to a peer that has reset closes it, without a signal") {
  struct sigaction action {};
  REQUIRE(::sigaction(SIGPIPE, nullptr, &action) == 0);
  REQUIRE((action.sa_handler == SIG_DFL));  // a SIGPIPE would end this program

  const Fd file = file_of(large);
  const std::size_t before = open_descriptors();
  for (const Transport transport : transports) {
    for (const bool started : {true, false}) {
      Wire wire(transport, true);
      if (started) {
        wire.stream.write_file(file, 0, large.size());
        wire.loop.turn(0);
      }
      if (transport == Transport::tcp) {
        close_with_reset(std::move(wire.peer));
      } else {
        wire.peer.reset();
      }
      REQUIRE(sockeye::test::wait_for(wire.stream.descriptor(), POLLRDHUP));
      if (!started) wire.stream.write_file(file, 0, large.size());
      SystemCalls calls;
      calls.fail(Call::epoll_wait, EINTR);  // sending is faster than the event
      wire.report_room();
      CHECK(calls.count(Call::sendfile) == 1);
      CHECK(wire.stream.closed());
      wire.loop.turn(0);
      CHECK(wire.stream.released == 1);
    }
  }
  CHECK(open_descriptors() == before);
  // Nor is one left to come.
  sigset_t waiting;
  REQUIRE(::sigpending(&waiting) == 0);
  CHECK(::sigismember(&waiting, SIGPIPE) == 0);
  REQUIRE(::pthread_sigmask(SIG_BLOCK, nullptr, &waiting) == 0);
  CHECK(::sigismember(&waiting, SIGPIPE) == 0);
}

TEST_CASE(
    "Stream: errors of sendfile: some pass, some close, and some files are read in its place") {
  const std::string text = pattern(100'000);
  for (const int error : {EINTR, EAGAIN, EINVAL, EIO, EPIPE, ENOMEM}) {
    CAPTURE(error);
    Wire wire;
    SystemCalls calls;
    calls.fail(Call::sendfile, error, error == EINVAL ? 100 : 1);
    wire.stream.write("head");
    wire.stream.write_file(file_of(text), 0, text.size());
    wire.loop.turn(0);
    if (error == EINTR || error == EINVAL || error == EAGAIN) {
      if (error == EAGAIN) wire.report_room();
      CHECK(wire.receive(4 + text.size()) == "head" + text);
      CHECK(!wire.stream.closed());
    } else {
      CHECK(wire.stream.closed());
      CHECK(wire.receive_to_end() == "head");
    }
  }
}

TEST_CASE("Stream: closed in on_progress(), it sends no more of a file") {
  const Fd file = file_of(large);
  Wire wire(Transport::local, true);
  wire.stream.at_progress = [&] { wire.stream.close(); };
  SystemCalls calls;
  wire.stream.write_file(file, 0, large.size());
  for (int i = 0; i < 2; ++i) wire.loop.turn(0);
  CHECK(calls.count(Call::sendfile) == 1);
  CHECK(wire.stream.released == 1);
  CHECK(!wire.stream.called_after_close);
}

TEST_CASE("Stream: a file for whose place in the queue there is no memory says so, and is closed") {
  const std::size_t before = open_descriptors();
  for (std::size_t failing = 0; failing < 3; ++failing) {
    Wire wire;
    wire.in_events([&] {
      wire.stream.write("head");
      MallocWatch memory(failing);
      const bool kept = wire.stream.try_write_file(file_of("text"), 4);
      CHECK(kept != memory.failed());
      CHECK(kept == (failing == 2));  // the queue, and its first chunk
      if (!kept) wire.stream.close();
    });
  }
  CHECK(open_descriptors() == before);
}

// ── The tap ──────────────────────────────────────────────────────────────────────────────────

namespace {

// What a tap is told: the calls in their order, and all bytes of each direction.
class Tapping final : public sockeye::net::Tap {
 public:
  void on_opened(const Stream&, Opener opener) override {
    calls += opener == Opener::peer ? "accepted " : "connected ";
  }
  void on_received(const Stream&, sockeye::Bytes bytes) override {
    CHECK(!bytes.empty());
    received += as_text(bytes);
  }
  void on_sent(const Stream&, sockeye::Bytes bytes) override {
    CHECK(!bytes.empty());
    sent += as_text(bytes);
  }
  void on_peer_ended(const Stream&, int error) override {
    calls += error == 0 ? "peer_ended " : "broken ";
  }
  void on_settled(const Stream&) override { settled_with = {received.size(), sent.size()}; }
  void on_ended(const Stream&) override { calls += "ended "; }
  void on_closed(const Stream&) override { calls += "closed "; }

  std::string calls;
  std::string received;
  std::string sent;
  std::pair<std::size_t, std::size_t> settled_with;  // so much received and sent
};

}  // namespace

TEST_CASE("Stream: a tap is told what the kernel gave and took, whichever way it went") {
  for (const Transport transport : transports) {
    Tapping tapping;
    std::string written;
    {
      Wire wire(transport);
      wire.loop.set_tap(&tapping);
      SocketPair pair = sockeye::test::socket_pair(transport);
      Fd peer = std::move(pair.theirs);
      std::string message(100'000, '\0');
      TestStream stream(wire.loop);
      REQUIRE(stream.start(std::move(pair.ours), Opener::us));

      // In events: the cork, what goes by reference, and what has to be queued.
      stream.at_receive = [&](std::string_view) {
        for (const std::string_view piece : {std::string_view("corked"), std::string_view(large)}) {
          stream.write(piece);
          written += piece;
        }
        stream.at_receive = [](std::string_view) {};
      };
      // Some of what comes goes to where it belongs, the rest to the shared buffer.
      stream.direct = {reinterpret_cast<std::uint8_t*>(message.data()), message.size()};
      const std::string input = pattern(150'000);
      std::string unsent = input;
      std::string output;
      CHECK(turn_until(wire.loop, [&] {
        const ssize_t out =
            ::send(peer.get(), unsent.data(), unsent.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (out > 0) unsent.erase(0, static_cast<std::size_t>(out));
        output += receive_available(peer.get());
        return unsent.empty() && tapping.received.size() == input.size() && !written.empty() &&
               output.size() == written.size();
      }));
      CHECK(tapping.received == input);
      CHECK(output == written);
      CHECK(tapping.sent == written);
      CHECK(tapping.settled_with == std::pair(input.size(), written.size()));

      stream.finish_writing();
      CHECK(turn_until(wire.loop, [&] { return tapping.calls == "connected ended "; }));
      peer.reset();
      CHECK(turn_until(wire.loop, [&] { return !stream.ends.empty(); }));
      CHECK(tapping.calls == "connected ended peer_ended ");
      stream.close();
      stream.close();
      wire.loop.turn(0);
      CHECK(tapping.calls == "connected ended peer_ended closed ");
      tapping.calls.clear();
    }
    // The wire's own stream was never closed, and was opened before there was a tap.
    CHECK(tapping.calls == "closed ");
  }
}

TEST_CASE("Stream: a tap is told the bytes of a file, and sendfile isn't asked") {
  Tapping tapping;
  {
    Wire wire(Transport::local, true);
    wire.loop.set_tap(&tapping);
    SystemCalls calls;
    wire.stream.write("head");
    wire.stream.write_file(file_of(large), 0, large.size());
    CHECK(wire.receive(4 + large.size()) == "head" + large);
    CHECK(tapping.sent == "head" + large);
    CHECK(calls.count(Call::sendfile) == 0);
  }
}

TEST_CASE("Stream: a tap isn't told of bytes that a broken connection swallowed") {
  Tapping tapping;
  Wire wire;
  wire.loop.set_tap(&tapping);
  wire.in_events([&] {
    wire.peer.reset();
    wire.stream.write(large);
  });
  wire.loop.turn(0);
  CHECK(tapping.sent == "");
  CHECK(tapping.received == "!");
}
