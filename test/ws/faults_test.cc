// What a server does when the system refuses it something: memory, a descriptor, a call. One
// connection may end of it; the others go on, nothing leaks, and the next one is served.
//
// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/log.h"
#include "test/support/failing_malloc.h"
#include "test/support/server_rig.h"
#include "test/support/short_of_memory.h"
#include "test/support/sockets.h"
#include "test/support/system_calls.h"
#include "test/support/transcript.h"
#include "ws/client.h"

namespace sockeye::ws {
namespace {

using test::binary_frame;
using test::Call;
using test::close_frame;
using test::close_with;
using test::continuation_frame;
using test::frame_of;
using test::MallocWatch;
using test::open_descriptors;
using test::Peer;
using test::ping_frame;
using test::pong_frame;
using test::Received;
using test::Recorder;
using test::ServerRig;
using test::SystemCalls;
using test::text;
using test::text_frame;
using test::Transcript;
using test::upgrade_request;

Limits without_timers() {
  return {.head_timeout_ms = 0,
          .keep_alive_timeout_ms = 0,
          .ping_interval_ms = 0,
          .idle_timeout_ms = 0};
}

// A name that no other server has.
std::string unix_address() {
  return "unix:@sockeye-faults-test-" + std::to_string(::getpid());
}

const std::string& large() {
  static const std::string bytes(200'000, 'x');
  return bytes;
}

// A server over a Unix socket, where what is sent arrives at once, with a program that does as it
// is told.
struct Rig : ServerRig {
  explicit Rig(Options options = {}) : ServerRig(within(std::move(options)), unix_address()) {
    handler.upgrade = [](Upgrade& upgrade) {
      const std::string_view path = upgrade.request().path();
      if (path == "/refused") upgrade.refuse(403, std::string(3000, 'n'));
    };
    handler.request = [](const Handler::Request& request, Reply& reply) {
      const std::string_view body = request.path() == "/large" ? std::string_view(large()) : "ok";
      reply.send(200, "text/plain", as_bytes(body));
    };
    handler.message = [](Connection& connection, Message message) {
      const std::string_view said = message.size() < 10 ? message.text() : "";
      if (said == "pause") return connection.pause();
      if (said == "close") return connection.close(4000, "as you wish");
      if (said == "three") {
        for (int i = 0; i < 3; ++i) connection.send_binary(as_bytes(large()));
        return;
      }
      connection.send(message);
    };
    handler.chunk = [](Connection& connection, Handler::Chunk chunk) {
      connection.send(chunk.opcode, chunk.bytes);
    };
    handler.drain = nullptr;
  }

  static Options within(Options options) {
    options.limits = without_timers();
    return options;
  }

  void settle() { test::settle(loop, /*quiet_ms=*/0); }

  // The peer says `bytes`, if anybody still listens, and the server does what it does then.
  void say(Peer& peer, std::string_view bytes) {
    peer.try_send(bytes);
    settle();
    peer.receive();
  }

  // How many connections are open: on_open() was called, and on_close() was not.
  std::size_t open_count() const { return handler.count("open") - handler.count("close"); }

  // Whether `peer`, whose handshake is done, gets an echo.
  void check_echo(Peer& peer, Transcript& transcript, std::string_view message) {
    say(peer, text(message));
    transcript.take_from(peer);
    REQUIRE(!transcript.frames.empty());
    CHECK(transcript.frames.back() == Received{text_frame, std::string(message)});
  }
  void check_new_connection() {
    Peer peer = connect();
    Transcript transcript;
    say(peer, upgrade_request());
    check_echo(peer, transcript, "who is new");
    CHECK(transcript.statuses == std::vector{101});
    peer.close();
    settle();
  }
};

// Pongs that nobody has asked for are allowed (RFC 6455 §5.5.3): the server has an event, and its
// program none that matters.
const std::string nudge = frame_of(pong_frame, "");

// ── No memory ────────────────────────────────────────────────────────────────────────────────

// Holds all that a pool keeps for later, so that whoever asks the pool asks the system.
class PoolDrain {
 public:
  PoolDrain(Pool& pool, const MallocWatch& watch) : pool_(pool) {
    for (std::size_t size = Pool::smallest_block; size <= 1024 * 1024; size *= 2) {
      const std::size_t calls = watch.calls();
      while (watch.calls() == calls) blocks_.push_back({pool.allocate(size), size});
    }
  }
  ~PoolDrain() {
    for (const auto& [block, size] : blocks_) pool_.release(block, size);
  }
  PoolDrain(const PoolDrain&) = delete;
  PoolDrain& operator=(const PoolDrain&) = delete;

 private:
  Pool& pool_;
  std::vector<std::pair<void*, std::size_t>> blocks_;
};

// Something that a peer does and that takes memory.
struct Story {
  std::string_view name;
  std::size_t allocations;   // at least so many
  std::string_view outcome;  // what the peer gets, where none of them fails
  std::function<void(Rig&, Peer&)> tell;
  Options options = {};
};

// What the kernel takes of what the server sends, for as long as this lives.
struct Kernel {
  Kernel() {
    calls.limit_sending([this](std::size_t asked) {
      const std::size_t taken = std::min(asked, room);
      room -= taken;
      return taken;
    });
  }
  std::size_t room = 0;
  SystemCalls calls;
};
constexpr std::size_t unlimited = ~std::size_t{0};

// Reads all that waits for `peer`, from a kernel that takes 20 KB at a time.
void read_slowly(Rig& rig, Peer& peer, Kernel& kernel, std::string_view nudged = nudge) {
  for (int i = 0; i < 60; ++i) {
    kernel.room = 20'000;
    rig.say(peer, nudged);
  }
  kernel.room = unlimited;
  rig.say(peer, nudged);
}

const std::vector<Story>& stories() {
  static const std::string get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  static const std::string get_large = "GET /large HTTP/1.1\r\nHost: a\r\n\r\n";
  static const std::vector<Story> all = {
      {"a handshake that comes whole", 1, "101, text 5",
       [](Rig& rig, Peer& peer) { rig.say(peer, upgrade_request() + text("first")); }},
      {"a handshake that comes byte by byte", 2, "101, text 5",
       [](Rig& rig, Peer& peer) {
         for (const char c : upgrade_request()) rig.say(peer, {&c, 1});
         rig.say(peer, text("first"));
       }},
      {"a handshake whose answer the kernel doesn't take", 3, "101, text 5",
       [](Rig& rig, Peer& peer) {
         Kernel kernel;
         rig.say(peer, upgrade_request() + text("first"));
         read_slowly(rig, peer, kernel);
       }},
      {"a large message in fragments, with pings between them", 3, "101, pong 7, text 120000",
       [](Rig& rig, Peer& peer) {
         rig.say(peer, upgrade_request());
         const std::string part(40'000, 'p');
         rig.say(peer, frame_of(text_frame, part, false).substr(0, 10'000));
         rig.say(peer, frame_of(text_frame, part, false).substr(10'000));
         rig.say(peer, frame_of(ping_frame, "between").substr(0, 5));
         rig.say(peer, frame_of(ping_frame, "between").substr(5));
         rig.say(peer, frame_of(continuation_frame, part, false));
         rig.say(peer, frame_of(continuation_frame, part));
       }},
      {"a message in many small fragments", 3, "101, binary 1000",
       [](Rig& rig, Peer& peer) {
         rig.say(peer, upgrade_request());
         std::string bytes = frame_of(binary_frame, "", false);
         for (int i = 0; i < 1000; ++i) bytes += frame_of(continuation_frame, "x", false);
         rig.say(peer, bytes + frame_of(continuation_frame, ""));
       }},
      {"a large message, received in place", 3, "101, binary 100000",
       [](Rig& rig, Peer& peer) {
         rig.say(peer, upgrade_request());
         const std::string bytes = frame_of(binary_frame, std::string(100'000, 'b'));
         for (std::size_t i = 0; i < bytes.size(); i += 30'000) {
           rig.say(peer, std::string_view(bytes).substr(i, 30'000));
         }
       }},
      {"a large message in chunks",
       2,
       "101, binary 29986, 2 x binary 30000, binary 10014",
       [](Rig& rig, Peer& peer) {
         rig.say(peer, upgrade_request());
         const std::string bytes = frame_of(binary_frame, std::string(100'000, 'b'));
         for (std::size_t i = 0; i < bytes.size(); i += 30'000) {
           rig.say(peer, std::string_view(bytes).substr(i, 30'000));
         }
       },
       {.in_chunks = true}},
      {"pings from a peer that doesn't read", 4, "101, pong 0, pong 125",
       [](Rig& rig, Peer& peer) {
         rig.say(peer, upgrade_request());
         Kernel kernel;
         for (std::size_t size = 0; size <= 125; ++size) {
           rig.say(peer, frame_of(ping_frame, std::string(size, 'p')));
         }
         read_slowly(rig, peer, kernel);
       }},
      {"a slow reader of much", 12, "101, 3 x binary 200000",
       [](Rig& rig, Peer& peer) {
         rig.say(peer, upgrade_request());
         Kernel kernel;
         rig.say(peer, text("three"));
         read_slowly(rig, peer, kernel);
       }},
      {"messages sent from outside the connection's events", 4,
       "101, binary 10, binary 2000, binary 50000",
       [](Rig& rig, Peer& peer) {
         rig.say(peer, upgrade_request());
         for (const std::size_t size : {10u, 2000u, 50'000u}) {
           Connection* connection = rig.handler.last.get();
           if (connection == nullptr) return;
           connection->send_binary(as_bytes(large()).first(size));
         }
         rig.say(peer, {});
       }},
      {"input that a pause keeps", 2, "101, text 4, text 5000, text 8",
       [](Rig& rig, Peer& peer) {
         rig.say(peer, upgrade_request());
         rig.say(peer, text("pause") + text("kept") + text(std::string(5000, 'k')));
         if (Connection* connection = rig.handler.last.get()) connection->resume();
         rig.say(peer, text("after it"));
       }},
      {"a request with a body", 3, "100, 2 x 200",
       [](Rig& rig, Peer& peer) {
         rig.say(peer, "POST /page HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Le");
         rig.say(peer, "ngth: 5000\r\n\r\n");
         rig.say(peer, std::string(1000, 'x'));
         rig.say(peer, std::string(4000, 'x'));
         rig.say(peer, get);
       }},
      {"a request with a body in chunks", 4, "2 x 200",
       [](Rig& rig, Peer& peer) {
         rig.say(peer, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n10");
         rig.say(peer, "00\r\n" + std::string(4096, 'x') + "\r\n2;na");
         rig.say(peer, "me=value\r\nyy\r\n0\r\nTrailer: t");
         rig.say(peer, "\r\n\r\n" + get);
       }},
      {"requests in a row from a peer that doesn't read", 4, "73 x 200",
       [](Rig& rig, Peer& peer) {
         Kernel kernel;
         std::string requests = get_large;
         for (int i = 0; i < 10; ++i) requests += get;
         rig.say(peer, requests);
         rig.say(peer, get);
         read_slowly(rig, peer, kernel, get);
       }},
      {"a refused request whose answer the kernel doesn't take", 3, "400",
       [](Rig& rig, Peer& peer) {
         Kernel kernel;
         rig.say(peer, "what is this\r\n\r\n");
         read_slowly(rig, peer, kernel, "x");
       }},
      {"a handshake that the program refuses with a text", 3, "403",
       [](Rig& rig, Peer& peer) {
         Kernel kernel;
         std::string request = upgrade_request();
         request.replace(request.find("/chat"), 5, "/refused");
         rig.say(peer, request);
         read_slowly(rig, peer, kernel, "x");
       }},
      {"a Close frame that the kernel doesn't take, on its own and behind others", 3,
       "101, text 5, close 4000",
       [](Rig& rig, Peer& peer) {
         rig.say(peer, upgrade_request());
         Kernel kernel;
         rig.say(peer, text("small") + text("close"));
         read_slowly(rig, peer, kernel);
         rig.say(peer, close_with(4000));
       }},
      {"the answer to a Close frame, which the kernel doesn't take", 3, "101, close 1000",
       [](Rig& rig, Peer& peer) {
         rig.say(peer, upgrade_request());
         Kernel kernel;
         rig.say(peer, close_with(1000, "bye"));
         read_slowly(rig, peer, kernel, "x");
       }},
      {"a broken rule, told to a peer that doesn't read", 3, "101, 3 x binary 200000, close 1007",
       [](Rig& rig, Peer& peer) {
         rig.say(peer, upgrade_request());
         Kernel kernel;
         rig.say(peer, text("three") + text("\xff"));
         read_slowly(rig, peer, kernel, "x");
       }},
  };
  return all;
}

// Tells `story` with the `nth` allocation failing, and those that follow, `times` in all. Returns
// whether there was such an allocation.
bool tell(const Story& story, std::size_t nth, std::size_t times) {
  MallocWatch watch;
  bool failed = false;
  {
    Rig rig(story.options);
    Peer other = rig.connect();
    Transcript others;
    rig.say(other, upgrade_request());
    rig.check_echo(other, others, "before");
    rig.handler.last = {};

    Transcript transcript;
    bool survived = false;
    {
      const PoolDrain drain(rig.loop.pool(), watch);
      Peer peer = rig.connect();
      watch.fail(nth, times);
      story.tell(rig, peer);
      failed = watch.failed();
      watch.stop_failing();
      rig.settle();
      transcript.take_from(peer);
      survived = !peer.ended() && !transcript.closed();
      peer.close();
      rig.settle();
    }
    if (Connection* connection = rig.handler.last.get()) connection->resume();
    rig.leap(Limits().close_timeout_ms + 100);

    // Whatever fails, what the peer gets is what it gets otherwise, or says what has failed.
    const auto expected = [&story](int code) {
      return story.outcome.find(std::to_string(code)) != std::string_view::npos;
    };
    const ErrorInfo& failure = info(Error::out_of_memory);
    for (const int status : transcript.statuses) {
      CHECK((expected(status) || (failed && status == failure.http_status)));
    }
    if (transcript.closed()) {
      const int code = transcript.close_code();
      CHECK((expected(code) || (failed && code == failure.close_code)));
    }
    // And nothing gets lost on a connection that goes on.
    if (!failed || survived) CHECK(transcript.summary() == story.outcome);
    CHECK(rig.server.connection_count() == 1);
    CHECK(rig.open_count() == 1);
    rig.check_echo(other, others, "after");
    rig.check_new_connection();
  }
  CHECK(watch.live_blocks() == 0);
  return failed;
}

}  // namespace

TEST_CASE("allocation can fail: at each that a peer causes, its connection may end, no other") {
  const std::size_t descriptors = open_descriptors();
  for (const Story& story : stories()) {
    for (const std::size_t times : {std::size_t{1}, MallocWatch::never}) {
      std::size_t nth = 0;
      for (bool failed = true; failed; ++nth) {
        CAPTURE(story.name);
        CAPTURE(times);
        CAPTURE(nth);
        failed = tell(story, nth, times);
      }
      CAPTURE(story.name);
      CHECK(nth > story.allocations);
    }
  }
  CHECK(open_descriptors() == descriptors);
}

namespace {

// A server whose connections keep their places, and the allocations that each of them causes.
struct Crowd {
  std::size_t accept_one() {
    const std::size_t calls = watch.calls();
    peers.push_back(rig.connect());
    rig.settle();
    return watch.calls() - calls;
  }

  MallocWatch watch;
  Rig rig;
  const PoolDrain drain{rig.loop.pool(), watch};
  std::vector<Peer> peers;
};

}  // namespace

TEST_CASE("allocation can fail: no place for one more connection is a 503") {
  // Places come in blocks. The first in a block costs the block, and a longer table of blocks,
  // beside what its handshake needs.
  constexpr std::size_t first_in_block = 3;
  std::size_t places = 0;
  {
    Crowd crowd;
    CHECK(crowd.accept_one() == first_in_block);
    do {
      ++places;
    } while (crowd.accept_one() == 1);
  }
  for (const std::size_t nth : {0, 1}) {
    CAPTURE(nth);
    Crowd crowd;
    while (crowd.peers.size() < places) crowd.accept_one();
    crowd.watch.fail(nth);
    CHECK(crowd.accept_one() == nth + 1);
    Transcript transcript;
    transcript.take_from(crowd.peers.back());
    CHECK(transcript.statuses == std::vector{503});
    CHECK(crowd.peers.back().ended());
    CHECK(crowd.accept_one() == first_in_block);
    crowd.rig.check_new_connection();
  }
}

TEST_CASE("allocation can fail: the same on a client, and its other connections go on") {
  const std::size_t descriptors = open_descriptors();
  for (const std::size_t times : {std::size_t{1}, MallocWatch::never}) {
    std::size_t nth = 0;
    for (bool failed = true; failed; ++nth) {
      CAPTURE(times);
      CAPTURE(nth);
      MallocWatch watch;
      {
        ServerRig rig({.limits = without_timers()});
        Recorder told;
        Client client(told, {.limits = without_timers()}, &rig.loop);
        const std::string url = "ws://" + rig.address.text() + "/";
        REQUIRE(client.connect(url));
        REQUIRE(rig.until([&] { return told.has("open"); }));
        const Handle first = told.last;

        told.events.clear();
        told.open = [](Connection& connection) {
          connection.send_text("from on_open");
          connection.send_binary(as_bytes(large()));
          connection.send_binary(Bytes(as_bytes(large())).first(20'000));
        };
        {
          const PoolDrain drain(rig.loop.pool(), watch);
          Kernel kernel;
          kernel.room = 1000;  // a part of the handshake, too
          watch.fail(nth, times);
          REQUIRE(client.connect(url));
          rig.settle();
          kernel.room = unlimited;
          rig.settle();
          failed = watch.failed();
          watch.stop_failing();
        }
        rig.settle();
        const Handle second = told.last;
        if (Connection* connection = second.get(); connection != nullptr && second != first) {
          connection->close();
        }
        rig.leap(Limits().close_timeout_ms + 100);
        CHECK(told.count("open") + told.count("connect_failure") <= 1);
        CHECK(told.count("open") == told.count("close"));
        CHECK(client.connection_count() == 1);

        told.open = nullptr;
        told.events.clear();
        REQUIRE(first.get() != nullptr);
        first.get()->send_text("still here");
        REQUIRE(rig.until([&] { return told.has("text still here"); }));
        REQUIRE(client.connect(url));
        REQUIRE(rig.until([&] { return told.has("open"); }));
      }
      CHECK(watch.live_blocks() == 0);
    }
    CHECK(nth > 5);
  }
  CHECK(open_descriptors() == descriptors);
}

TEST_CASE("allocation can fail: a refusal for whose text there is no memory ends one connection") {
  if (!test::memory_can_be_short) return;
  // More than earlier tests can have left to the heap, of pages that take no memory.
  constexpr std::size_t size = std::size_t{1} << 30;
  void* const pages = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(pages != MAP_FAILED);
  static const std::string_view text_of_refusal(static_cast<const char*>(pages), size);
  // A child process that fails ends with 1 or by a signal.
  const int others = test::short_of_memory(32 * 1024 * 1024, [] {
    Rig rig;
    Peer first = rig.connect();
    Peer second = rig.connect();
    for (Peer* other : {&first, &second}) rig.say(*other, upgrade_request());
    rig.handler.upgrade = [](Upgrade& upgrade) { upgrade.refuse(403, text_of_refusal); };
    Peer peer = rig.connect();
    rig.say(peer, upgrade_request());
    return rig.server.connection_count();
  });
  CHECK(others == 2);
  ::munmap(pages, size);
}

// ── System calls that fail ───────────────────────────────────────────────────────────────────

namespace {

// Two peers talk to the server at once, and a third one breaks a rule.
class Talk {
 public:
  explicit Talk(Rig& rig) : rig_(rig) {
    for (Speaker& one : speakers_) one.peer = std::make_unique<Peer>(rig.address);
  }

  // Takes every way to receive and to send that a connection has.
  void run() {
    say(upgrade_request(), "101");
    say(text("small"), "text 5");
    const std::string in_place = frame_of(binary_frame, std::string(100'000, 'i'));
    say(in_place.substr(0, 50'000), "");
    say(in_place.substr(50'000), "binary 100000");
    say(frame_of(ping_frame, "ping"), "pong 4");
    say(text("three"), "3 x binary 200000");  // more than a Unix socket takes at once
    if (all_is_answered()) {
      rig_.server.for_each([](Connection& connection) { connection.send_text("from outside"); });
      for (Speaker& one : speakers_) one.expected += ", text 12";
    }
    settle();
    rig_.say(*speakers_[2].peer, text("\xff"));
  }

  // What the failure has cost: the rule breaker is gone, and of the others one at most.
  void check(int error) {
    rig_.leap(200);  // a pause in accepting is over
    for (Speaker& one : speakers_) {
      one.transcript.take_from(*one.peer);
      // An EAGAIN that isn't true is for the next event; all else leaves nobody waiting.
      const bool served = !one.transcript.statuses.empty() || one.peer->ended();
      CHECK((served || error == EAGAIN));
    }
    rig_.check_new_connection();
    settle(nudge);
    rig_.leap(Limits().close_timeout_ms + 100);
    std::size_t alive = 0;
    for (Speaker* one : {&speakers_[0], &speakers_[1]}) {
      one->transcript.take_from(*one->peer);
      if (one->peer->ended()) continue;
      ++alive;
      CHECK(one->transcript.summary() == one->expected);
      rig_.check_echo(*one->peer, one->transcript, "after it all");
    }
    const bool harmless = error == EINTR || error == EAGAIN;
    CHECK(alive >= (harmless ? 2 : 1));
    rig_.say(*speakers_[2].peer, {});
    CHECK(speakers_[2].peer->ended());
    CHECK(rig_.server.connection_count() == alive);
    CHECK(rig_.open_count() == alive);
  }

 private:
  struct Speaker {
    std::unique_ptr<Peer> peer;
    Transcript transcript;
    std::string expected = {};
  };

  void say(std::string_view bytes, std::string_view answer) {
    for (Speaker& one : speakers_) {
      rig_.say(*one.peer, bytes);
      if (!answer.empty()) one.expected += (one.expected.empty() ? "" : ", ") + std::string(answer);
    }
    settle();
  }
  bool all_is_answered() {
    return std::all_of(std::begin(speakers_), std::end(speakers_), [](Speaker& one) {
      one.transcript.take_from(*one.peer);
      return one.transcript.summary() == one.expected;
    });
  }
  // Has everybody read, and say `bytes`, until nothing more comes.
  void settle(std::string_view bytes = {}) {
    for (int i = 0; i < 10; ++i) {
      for (Speaker& one : speakers_) rig_.say(*one.peer, bytes);
    }
  }
  Rig& rig_;
  Speaker speakers_[3];
};

// Shortages are logged, and here there are many.
struct Quiet {
  Quiet() { net::configure_log(net::LogLevel::error, net::LogFormat::text); }
  ~Quiet() { net::configure_log(net::LogLevel::warn, net::LogFormat::text); }
};

struct Fault {
  Call call;
  std::vector<int> errors;
  int calls;  // at least so many are made
};

const Fault faults[] = {
    {Call::accept4,
     {EINTR, EAGAIN, EMFILE, ENFILE, ENOBUFS, ENOMEM, ECONNABORTED, EPROTO, EPERM, ENETDOWN,
      EHOSTUNREACH, ENETUNREACH, ENOPROTOOPT, EHOSTDOWN, ENONET, EOPNOTSUPP, EINVAL},
     4},
    {Call::epoll_ctl, {ENOMEM, ENOSPC}, 3},
    {Call::epoll_wait, {EINTR}, 50},
    {Call::recv, {EINTR, EAGAIN, ECONNRESET, ETIMEDOUT, ENOMEM, ENOBUFS, EHOSTUNREACH, EPIPE}, 15},
    {Call::readv, {EINTR, EAGAIN, ECONNRESET, ETIMEDOUT, ENOMEM, ENOBUFS, EHOSTUNREACH}, 3},
    {Call::send, {EINTR, EAGAIN, ENOBUFS, ENOMEM, EPIPE, ECONNRESET, ETIMEDOUT, EHOSTUNREACH}, 9},
    {Call::sendmsg,
     {EINTR, EAGAIN, ENOBUFS, ENOMEM, EPIPE, ECONNRESET, ETIMEDOUT, EHOSTUNREACH},
     9},
    {Call::shutdown, {ENOTCONN}, 1},
};

}  // namespace

TEST_CASE("whichever system call fails, with whatever error: one connection ends at most") {
  const Quiet quiet;
  const std::size_t descriptors = open_descriptors();
  for (const Fault& fault : faults) {
    for (const int error : fault.errors) {
      int nth = 0;
      for (bool failed = true; failed; ++nth) {
        CAPTURE(fault.call);
        CAPTURE(error);
        CAPTURE(nth);
        MallocWatch watch;
        {
          Rig rig;
          Talk talk(rig);
          {
            SystemCalls calls;
            calls.fail(fault.call, error, 1, nth);
            talk.run();
            failed = calls.failures_left() == 0;
          }
          talk.check(failed ? error : EINTR);
        }
        CHECK(watch.live_blocks() == 0);
      }
      CHECK(nth > fault.calls);
    }
  }
  CHECK(open_descriptors() == descriptors);
}

TEST_CASE("a server that can't listen says so, leaks nothing, and can try again") {
  const std::size_t descriptors = open_descriptors();
  for (const std::string_view where : {"127.0.0.1:0", "unix:@"}) {
    const std::string address = where == "unix:@" ? unix_address() : std::string(where);
    for (const Call call : {Call::socket, Call::bind, Call::listen, Call::setsockopt,
                            Call::epoll_create1, Call::epoll_ctl, Call::eventfd}) {
      int nth = 0;
      for (bool failed = true; failed; ++nth) {
        CAPTURE(address);
        CAPTURE(call);
        CAPTURE(nth);
        Recorder handler;
        net::Loop loop;
        Server server(handler, {}, &loop);
        SystemCalls calls;
        calls.fail(call, call == Call::eventfd ? EMFILE : ENOMEM, 1, nth);
        const auto bound = server.listen(address);
        failed = calls.failures_left() == 0;
        // The second event descriptor is the listener's reserve, which it can do without.
        const bool can_do_without = call == Call::eventfd && nth == 1;
        CHECK(static_cast<bool>(bound) == (!failed || can_do_without));
        if (bound) continue;
        CHECK(!bound.error().message.empty());
        CHECK(server.listeners().empty());
        CHECK(server.listen(address));
      }
    }
  }
  CHECK(open_descriptors() == descriptors);
}

// ── A peer that is gone ──────────────────────────────────────────────────────────────────────

TEST_CASE("a peer that closes early doesn't kill the server: every send path, SIGPIPE at default") {
  struct sigaction action {};
  REQUIRE(::sigaction(SIGPIPE, nullptr, &action) == 0);
  REQUIRE((action.sa_handler == SIG_DFL));  // a SIGPIPE would end this program

  // What a peer says before it closes, all in one event: the server finds out when it answers. A
  // Unix socket whose other end is closed answers each send with EPIPE, and with SIGPIPE.
  const std::string bad_request = "what is this\r\n\r\n";
  const std::string get_large = "GET /large HTTP/1.1\r\nHost: a\r\n\r\n";
  const std::string expecting =
      "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";
  const std::string accepted = upgrade_request();
  const std::string opening[] = {bad_request, get_large, expecting, accepted, accepted + text("hi"),
                                 // Four of 20 kB: the case that has killed others.
                                 accepted + text("three") + text("three"),
                                 accepted + frame_of(ping_frame, "p"), accepted + close_with(1000),
                                 accepted + text("close"), accepted + text("\xff")};
  for (const std::string& bytes : opening) {
    CAPTURE(bytes);
    Rig rig;
    Peer peer = rig.connect();
    peer.send(bytes);
    peer.close();
    SystemCalls calls;
    rig.settle();
    CHECK(calls.sends() > 0);
    rig.leap(Limits().close_timeout_ms + 100);
    CHECK(rig.server.connection_count() == 0);
    CHECK(rig.open_count() == 0);
  }

  // What the program sends on its own, before it can know.
  const std::function<void(Connection&)> sending[] = {
      [](Connection& connection) { connection.send_text("small"); },
      [](Connection& connection) { connection.send_binary(as_bytes(large())); },
      [](Connection& connection) { connection.ping(); },
      [](Connection& connection) { connection.close(); },
  };
  for (const auto& send : sending) {
    for (const bool blocked : {false, true}) {
      CAPTURE(&send - sending);
      CAPTURE(blocked);
      Rig rig;
      Peer peer = rig.connect();
      rig.say(peer, upgrade_request());
      for (int i = 0; blocked && i < 3; ++i) rig.connection().send_binary(as_bytes(large()));
      rig.settle();
      CHECK((rig.connection().buffered_bytes() > 0) == blocked);
      peer.close();
      SystemCalls calls;
      send(rig.connection());
      rig.settle();
      CHECK(calls.sends() > 0);
      rig.leap(Limits().close_timeout_ms + 100);
      CHECK(rig.server.connection_count() == 0);
      CHECK(rig.open_count() == 0);
    }
  }
}

TEST_CASE("a peer that closes early doesn't kill the server: who is turned away, and pinged") {
  {
    Rig rig;
    Options options;
    options.limits.connections = 0;
    Server full(rig.handler, options, &rig.loop);
    const auto address = full.listen(unix_address() + "-full");
    REQUIRE(address);
    std::vector<Peer> peers;
    for (int i = 0; i < 100; ++i) {
      peers.emplace_back(*address);
      peers.back().close();
    }
    SystemCalls calls;
    rig.settle();
    CHECK(calls.sends() == 100);
  }
  {
    Options options;
    options.limits.ping_interval_ms = 1000;
    ServerRig rig(options, unix_address());
    Peer peer = rig.open();
    SystemCalls calls;
    calls.fail(Call::epoll_wait, EINTR, 1);  // the timer is faster than the event
    peer.close();
    rig.clock.advance(1100);
    rig.loop.turn(0);
    CHECK(calls.sends() == 1);
    rig.settle();
    rig.leap(Limits().close_timeout_ms + 100);
    CHECK(rig.server.connection_count() == 0);
  }
}

}  // namespace sockeye::ws
