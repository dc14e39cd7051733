// A whole server, or a whole client, from the system calls up: connections whose other ends, and
// whose kernel, do what the input says (memory_sockets.h), and a program that does what it says in
// every callback. The input's first byte chooses the role and a few options; the rest is a script,
// step by step: see World::step().
//
// However it goes, these must hold:
//
//   - after on_open() comes exactly one on_close(), and after that nothing;
//   - what is received is what a second, naive reader finds in the same bytes;
//   - what is sent can be parsed; messages come in order, and all of them where the connection
//     lives or has been closed properly; after a Close frame comes nothing;
//   - what waits for a peer stays within its limit;
//   - the loop comes to rest, a connection never sleeps with something to do, and in the end there
//     is none, no memory is held (the leak checker sees it), and no descriptor is open.
//
// SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/log.h"
#include "net/loop.h"
#include "test/fuzz/fuzz_input.h"
#include "test/fuzz/memory_sockets.h"
#include "test/fuzz/naive_protocol.h"
#include "test/support/failing_malloc.h"
#include "test/support/fake_clock.h"
#include "test/support/scripted_random.h"
#include "ws/client.h"
#include "ws/http/handshake.h"
#include "ws/server.h"

namespace sockeye {
namespace {

using test::expect;
using test::MemorySocket;
using test::NaiveEvent;
using test::SocketCall;
using ws::Connection;
using ws::Opcode;
using ws::SendResult;

// Sizes at which something changes: the forms of a length, what is copied, the loop's buffers.
constexpr std::size_t sizes[] = {0,       1,       5,       125,    126,    1000,
                                 16'383,  16'384,  20'000,  65'535, 65'536, 99'999,
                                 100'000, 100'001, 262'144, 300'000};
constexpr std::uint64_t times_ms[] = {1, 8, 50, 100, 500, 1'000, 5'000, 10'000, 30'000, 120'000};
constexpr std::size_t most_peers = 6;
// So that an input of a few kilobytes can't ask for gigabytes.
constexpr std::size_t most_bulk_bytes = 1'000'000;

constexpr std::string_view requests[] = {
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET / HTTP/1.0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nHello",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
};
constexpr std::string_view upgrade_request =
    "GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Protocol: chat, superchat\r\n\r\n";

// Takes the input apart from its front. At its end, everything is 0.
class Script {
 public:
  Script(const std::uint8_t* data, std::size_t size) : rest_(data, size) {}

  bool at_end() const { return rest_.empty(); }
  std::uint8_t byte() {
    const Bytes one = take(1);
    return one.empty() ? 0 : one[0];
  }
  Bytes take(std::size_t size) {
    const Bytes front = rest_.first(std::min(size, rest_.size()));
    rest_ = rest_.subspan(front.size());
    return front;
  }
  template <typename T, std::size_t n>
  const T& one_of(const T (&table)[n]) {
    return table[byte() % n];
  }

 private:
  Bytes rest_;
};

// What the program does, in a callback or by itself.
enum class Action : std::uint8_t {
  nothing,
  echo,  // of a message; pauses where the peer reads too slowly
  send_text,
  send_binary,
  ping,
  close,
  close_with_any_code,
  abort,
  pause,
  resume,
  send_to_all,
  close_all,
  abort_all,
  stop,
  post,
  set_timer,
  refuse,  // an upgrade or a request
  choose,  // a subprotocol
  reply,   // to a request
  count_,
};
struct Deed {
  Action action = Action::nothing;
  std::uint8_t argument = 0;
};

enum class Callback : std::uint8_t {
  upgrade,
  request,
  open,
  message,
  ping,
  pong,
  drain,
  close,
  failure,
  count_,
};

// What a connection is known to have done.
struct Life {
  MemorySocket* socket = nullptr;
  ws::Handle handle;
  bool opened = false;
  bool closed = false;
  bool failed = false;   // a client's: on_connect_failure()
  bool aborted = false;  // by the program
  bool paused = false;
  bool waits_for_drain = false;
  std::size_t own_pings = 0;
  std::vector<std::pair<Opcode, std::string>> sent;
  std::vector<NaiveEvent> received;
  std::vector<std::string> pings;
  std::string chunks;
};

// The other end of a connection.
struct Peer {
  MemorySocket* socket = nullptr;
  bool silent = true;      // has sent nothing yet
  bool in_frames = false;  // has sent a handshake that is known to be good
  std::string frames;      // what it sent after that
};

// RFC 6455 §5.2 once more, in the peer's words.
std::string wire_frame(std::uint8_t first, std::string_view payload, bool masked) {
  std::string frame(1, static_cast<char>(first));
  const auto mask_bit = static_cast<unsigned char>(masked ? 0x80 : 0);
  const std::size_t size = payload.size();
  if (size < 126) {
    frame += static_cast<char>(mask_bit | size);
  } else {
    const int length_bytes = size < 65'536 ? 2 : 8;
    frame += static_cast<char>(mask_bit | (length_bytes == 2 ? 126 : 127));
    for (int i = length_bytes - 1; i >= 0; --i) frame += static_cast<char>(size >> (8 * i) & 0xff);
  }
  if (!masked) return frame.append(payload);
  constexpr char key[] = {0x37, 0x5a, 0x21, 0x3d};
  frame.append(key, sizeof key).append(payload);
  char* octet = frame.data() + frame.size() - size;
  for (std::size_t i = 0; i < size; ++i) octet[i] = static_cast<char>(octet[i] ^ key[i % 4]);
  return frame;
}

class World final : public ws::Handler, private net::Timer {
 public:
  World(const std::uint8_t* data, std::size_t size) : script_(data, size), mode_(script_.byte()) {
    plan(Callback::message) = {Action::echo};
    plan(Callback::drain) = {Action::resume};
    loop_.emplace(clock_);
    expect(static_cast<bool>(loop_->open()), "the loop opens");
    is_client() ? void(client_.emplace(*this, options(), &*loop_))
                : void(server_.emplace(*this, options(), &*loop_));
    if (server_) expect(static_cast<bool>(server_->listen("127.0.0.1:9")), "the server listens");
  }

  void run() {
    while (!script_.at_end()) {
      step();
      check_limits();
    }
    heal();
    for (const auto& life : lives_) check_rest(*life);
    finish();
    for (const auto& life : lives_) {
      check_received(*life);
      check_sent(*life);
    }
    for (const Peer& peer : peers_) check_refused(peer);
    loop_.reset();
    expect(kernel_.open_descriptors() == 0, "every descriptor is closed");
  }

 private:
  // ── The script ─────────────────────────────────────────────────────────────────────────────

  bool is_client() const { return (mode_ & 1) != 0; }
  bool is_small() const { return (mode_ & 8) != 0; }
  bool behind_proxy() const { return (mode_ & 64) != 0 && !is_client(); }
  ws::Endpoint& endpoint() { return client_ ? static_cast<ws::Endpoint&>(*client_) : *server_; }

  // Small enough for the fuzzer to come to them.
  ws::Options options() {
    ws::Options options;
    options.limits.message_bytes = 100'000;
    options.limits.message_fragments = 50;
    options.limits.buffered_bytes = is_small() ? 20'000 : 400'000;
    if (is_small()) {
      options.limits.connections = 3;
      options.limits.connections_per_address = 2;
      options.limits.memory_bytes = 200'000;
      options.limits.lifetime_ms = 60'000;
    }
    if (behind_proxy()) options.proxies.tell = ws::Proxies::Tell::proxy_protocol;
    options.in_chunks = (mode_ & 2) != 0;
    options.subprotocols = {"superchat", "chat"};
    options.random = &random_;
    return options;
  }

  void step() {
    const std::uint8_t code = script_.byte();
    Peer* peer = peers_.empty() ? nullptr : &peers_[(code >> 5) % peers_.size()];
    switch (code & 31) {
      case 0:
        return loop_->turn(0);
      case 1:
        return connect();
      case 11:
        clock_.advance(script_.one_of(times_ms));
        return loop_->turn(0);
      case 12:
        return fail_call();
      case 13:
        memory_failed_ = memory_failed();
        watch_.reset();
        watch_.emplace(script_.byte() % 16);
        return;
      case 14: {
        Deed& deed = plans_[script_.byte() % plans_.size()];
        deed = read_deed();
        return;
      }
      case 15:
        return kernel_.limit_events(1 + script_.byte() % 4u);
      case 16:
        return arm(read_deed(), script_.one_of(times_ms));
      case 17: {
        const Deed deed = read_deed();
        return loop_->post([this, deed] { act_on_first(deed); });
      }
      default:
        if (peer != nullptr) step(*peer, code & 31);
    }
  }

  void step(Peer& peer, int code) {
    switch (code) {
      case 2:
        return shake_hands(peer);
      case 3: {
        const std::uint8_t first = script_.byte();
        const Bytes payload = script_.take(script_.byte() % 126);
        return deliver(peer, wire_frame(first, as_text(payload), !is_client()));
      }
      case 4: {
        const std::uint8_t first = script_.byte();
        return deliver(peer, wire_frame(first, bulk(script_.one_of(sizes)), !is_client()));
      }
      case 5:
        return deliver(peer, as_text(script_.take(script_.byte())));
      case 6:
        late_ = true;  // the next delivery comes in the middle of a recv
        return;
      case 7:
        cut_ = script_.byte();  // the next delivery comes in two, with a turn between them
        return;
      case 8:
        return kernel_.finish(*peer.socket);
      case 9: {
        constexpr int errors[] = {ECONNRESET, ETIMEDOUT, EPIPE};
        return kernel_.reset(*peer.socket, script_.one_of(errors));
      }
      case 10:
        return kernel_.set_room(*peer.socket, script_.one_of(sizes));
      case 18:
        if (Connection* connection = connection_of(peer)) act(*connection, read_deed());
        return;
      case 19:
        return kernel_.wake(*peer.socket);
      case 20: {
        constexpr int errors[] = {0, ECONNREFUSED, 0, ETIMEDOUT};
        return kernel_.connected(*peer.socket, script_.one_of(errors));
      }
      case 21:
        return deliver(peer, script_.one_of(requests));
      case 22: {
        const std::uint8_t first = script_.byte();
        const std::string_view payload = (script_.byte() & 1) != 0 ? "f" : "";
        const std::string frame = wire_frame(first, payload, !is_client());
        std::string flood;
        for (int count = script_.byte(); count > 0; --count) flood += frame;
        return deliver(peer, flood);
      }
      case 23:
        return kernel_.set_room(*peer.socket, MemorySocket::unlimited);
      default:
        return;
    }
  }

  Deed read_deed() {
    const auto action = static_cast<Action>(script_.byte() % static_cast<int>(Action::count_));
    return {action, script_.byte()};
  }

  Deed& plan(Callback callback) { return plans_[static_cast<std::size_t>(callback)]; }

  void connect() {
    if (peers_.size() == most_peers) return;
    if (server_) {
      if (MemorySocket* socket = kernel_.arrive()) peers_.push_back({.socket = socket});
      return;
    }
    const std::size_t before = kernel_.all().size();
    lives_.push_back(std::make_unique<Life>());
    Life& life = *lives_.back();
    const auto started = client_->connect("ws://127.0.0.1:9/", {.data = &life});
    expect(static_cast<bool>(started), "connecting starts");
    // The socket is made within the next turn.
    loop_->turn(0);
    if (kernel_.all().size() == before) return;
    life.socket = kernel_.all().back().get();
    peers_.push_back({.socket = life.socket});
  }

  void fail_call() {
    struct Way {
      SocketCall call;
      int error;
    };
    static constexpr Way ways[] = {
        {SocketCall::accept4, EMFILE},      {SocketCall::accept4, ENOMEM},
        {SocketCall::accept4, EINTR},       {SocketCall::accept4, ECONNABORTED},
        {SocketCall::accept4, EINVAL},      {SocketCall::recv, EINTR},
        {SocketCall::recv, EAGAIN},         {SocketCall::recv, ECONNRESET},
        {SocketCall::send, EINTR},          {SocketCall::send, EAGAIN},
        {SocketCall::send, EPIPE},          {SocketCall::send, ENOBUFS},
        {SocketCall::shutdown, ENOTCONN},   {SocketCall::close, EINTR},
        {SocketCall::epoll_ctl, ENOMEM},    {SocketCall::epoll_wait, EINTR},
        {SocketCall::eventfd, EMFILE},      {SocketCall::socket, EMFILE},
        {SocketCall::connect, ENETUNREACH},
    };
    const Way& way = script_.one_of(ways);
    kernel_.fail(way.call, way.error, script_.byte() % 8);
  }

  std::string bulk(std::size_t size) {
    size = std::min(size, bulk_left_);
    bulk_left_ -= size;
    return std::string(size, 'b');
  }

  void deliver(Peer& peer, std::string_view bytes) {
    std::string first;
    if (peer.silent && behind_proxy()) {
      const std::string number = std::to_string(peer.socket->number);
      first = "PROXY TCP4 192.0.2." + number + " 192.0.2.1 " + number + " 9\r\n";
      bytes = first.append(bytes);
    }
    peer.silent = false;
    if (peer.in_frames) peer.frames.append(bytes);
    if (const std::size_t size = std::min<std::size_t>(std::exchange(cut_, 0), bytes.size())) {
      kernel_.deliver(*peer.socket, bytes.substr(0, size));
      loop_->turn(0);
      bytes.remove_prefix(size);
    }
    std::exchange(late_, false) ? kernel_.deliver_late(*peer.socket, bytes)
                                : kernel_.deliver(*peer.socket, bytes);
  }

  // The peer's part of the opening handshake, as it should be.
  void shake_hands(Peer& peer) {
    const bool first = peer.silent;
    if (!is_client()) {
      deliver(peer, upgrade_request);
    } else {
      kernel_.connected(*peer.socket, 0);
      loop_->turn(0);
      constexpr std::string_view name = "Sec-WebSocket-Key: ";
      const std::string& request = peer.socket->sent;
      const std::size_t begin = request.find(name);
      if (begin == std::string::npos) return;
      const std::string_view key = std::string_view(request).substr(begin + name.size(), 24);
      const auto accept = ws::http::accept_value(key, crypto::sha1_scalar);
      deliver(peer,
              "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
              "Connection: Upgrade\r\nSec-WebSocket-Accept: " +
                  std::string(accept.data(), accept.size()) + "\r\n\r\n");
    }
    peer.in_frames = peer.in_frames || first;
  }

  // ── The program ────────────────────────────────────────────────────────────────────────────

  void act(Connection& connection, Deed deed) {
    const std::uint8_t argument = deed.argument;
    Life* life = connection.data<Life>();
    switch (deed.action) {
      case Action::nothing:
      case Action::echo:
      case Action::refuse:
      case Action::choose:
      case Action::reply:
      case Action::count_:
        return;
      case Action::send_text:
        (void)send(connection, Opcode::text, std::string(argument, 't'));
        return;
      case Action::send_binary:
        (void)send(connection, Opcode::binary, bulk(sizes[argument % std::size(sizes)]));
        return;
      case Action::ping: {
        const SendResult result = connection.ping(as_bytes(std::string(argument, 'p')));
        if (life != nullptr && result != SendResult::closing) ++life->own_pings;
        return;
      }
      case Action::close:
        return close(connection, 1000, std::string(argument, 'r'));
      case Action::close_with_any_code: {
        constexpr std::uint16_t codes[] = {0, 999, 1001, 1005, 1006, 1015, 3000, 5000};
        return close(connection, codes[argument % std::size(codes)], "any");
      }
      case Action::abort:
        if (life != nullptr) life->aborted = true;
        return connection.abort();
      case Action::pause:
        if (life != nullptr && !life->closed) life->paused = true;
        return connection.pause();
      case Action::resume:
        if (life != nullptr) life->paused = false;
        return connection.resume();
      case Action::send_to_all: {
        const std::string payload = bulk(sizes[argument % std::size(sizes)]);
        return endpoint().for_each(
            [&](Connection& one) { (void)send(one, Opcode::binary, payload); });
      }
      case Action::close_all:
        return endpoint().for_each([&](Connection& one) { close(one, 1001, "all"); });
      case Action::abort_all:
        return endpoint().for_each([&](Connection& one) { act(one, {Action::abort}); });
      case Action::stop:
        return stop();
      case Action::post:
        return loop_->post([this, deed] { act_on_first(next(deed)); });
      case Action::set_timer:
        return arm(next(deed), times_ms[argument % std::size(times_ms)]);
    }
  }

  // What a deed that is put off will be.
  static Deed next(Deed deed) {
    return {static_cast<Action>(deed.argument % static_cast<int>(Action::post)), deed.argument};
  }

  void arm(Deed deed, std::uint64_t after_ms) {
    timer_deed_ = deed;
    loop_->timers().arm(*this, loop_->now_ms() + after_ms);
  }
  void on_timer(std::uint64_t) override { act_on_first(timer_deed_); }

  // Of all connections, gone ones included, the first whose handle still finds it.
  void act_on_first(Deed deed) {
    for (const auto& life : lives_) {
      if (Connection* connection = life->handle.get()) return act(*connection, deed);
    }
  }

  SendResult send(Connection& connection, Opcode opcode, const std::string& payload) {
    const bool was_open = connection.is_open();
    const std::size_t limit = endpoint().options().limits.buffered_bytes;
    const std::size_t waits = connection.buffered_bytes();
    const SendResult result = connection.send(opcode, as_bytes(payload));
    if (!was_open) {
      expect(result == SendResult::closing, "only an open connection sends");
      return result;
    }
    Life& life = *connection.data<Life>();
    if (waits >= limit || payload.size() > limit - waits) {
      expect(result == SendResult::dropped, "no more waits than the limit allows");
    } else if (result == SendResult::closing) {
      expect(memory_failed(), "an open connection takes what its limit allows");
      life.aborted = true;
    } else {
      expect(result != SendResult::dropped, "nothing is dropped within the limit");
      if (result == SendResult::queued) life.waits_for_drain = true;
      life.sent.emplace_back(opcode, payload);
    }
    return result;
  }

  void close(Connection& connection, std::uint16_t code, std::string_view reason) {
    if (connection.is_open()) connection.data<Life>()->paused = false;
    connection.close(code, reason);
  }

  void stop() {
    if (!server_) return;
    for (const auto& life : lives_) {
      life->paused = false;
      if (server_->stopping()) life->aborted = true;
    }
    server_->stop();
  }

  // A callback that only a connection which is open, or closing, may bring.
  Life& life_of(Connection& connection, Callback callback) {
    Life* life = connection.data<Life>();
    expect(life != nullptr && life->opened, "nothing comes before on_open()");
    expect(!life->closed, "nothing comes after on_close()");
    expect(callback == Callback::close || !life->aborted, "only on_close() comes after abort()");
    expect((life->handle.get() == &connection) == (callback != Callback::close),
           "a handle finds its connection until on_close()");
    return *life;
  }

  Life& life_of_input(Connection& connection, Callback callback) {
    Life& life = life_of(connection, callback);
    // The end of its lifetime, which only a small server's connections have, ends its pause, too.
    const bool over = is_small() && !connection.is_open();
    expect(!life.paused || over, "a pause lets nothing through");
    return life;
  }

  void on_upgrade(Upgrade& upgrade) override {
    const Deed deed = plan(Callback::upgrade);
    expect(!upgrade.connection().is_open(), "nothing is open before on_open()");
    if (deed.action == Action::refuse) upgrade.refuse(403, "no");
    if (deed.action == Action::choose) upgrade.choose_subprotocol("chat");
    act(upgrade.connection(), deed);
  }

  void on_request(const Request& request, Reply& reply) override {
    const Deed deed = plan(Callback::request);
    if (deed.action == Action::refuse) return reply.refuse(ws::Error(deed.argument % 90));
    if (deed.action == Action::reply) {
      const std::string body = bulk(sizes[deed.argument % std::size(sizes)]);
      return reply.send(200, "text/plain", as_bytes(body), {{"X-Field", "value"}});
    }
    if (deed.action == Action::stop) stop();
    if (deed.action == Action::abort_all) act_on_first(deed);
    if (deed.action != Action::nothing) Handler::on_request(request, reply);
  }

  void on_open(Connection& connection) override {
    if (server_) {
      expect(connection.data<Life>() == nullptr, "a new connection knows nothing of older ones");
      lives_.push_back(std::make_unique<Life>());
      connection.set_data(lives_.back().get());
      lives_.back()->socket = kernel_.all()[connection.peer().port() - 1].get();
    }
    Life& life = *connection.data<Life>();
    expect(!life.opened && !life.failed, "a connection opens once");
    life.opened = true;
    life.handle = connection.handle();
    expect(life.handle.get() == &connection, "a handle finds its connection");
    act(connection, plan(Callback::open));
  }

  void on_message(Connection& connection, Message message) override {
    Life& life = life_of_input(connection, Callback::message);
    received(life, message.is_text(), std::string(message.text()));
    const Deed deed = plan(Callback::message);
    if (deed.action == Action::echo)
      echo(connection, message.opcode(), std::string(message.text()));
    act(connection, deed);
  }

  void on_chunk(Connection& connection, Chunk chunk) override {
    Life& life = life_of_input(connection, Callback::message);
    if (chunk.first) life.chunks.clear();
    life.chunks += as_text(chunk.bytes);
    if (chunk.last) received(life, chunk.opcode == Opcode::text, life.chunks);
    const Deed deed = plan(Callback::message);
    if (deed.action == Action::echo)
      echo(connection, chunk.opcode, std::string(as_text(chunk.bytes)));
    act(connection, deed);
  }

  void echo(Connection& connection, Opcode opcode, const std::string& payload) {
    if (send(connection, opcode, payload) == SendResult::queued) act(connection, {Action::pause});
  }

  static void received(Life& life, bool text, const std::string& payload) {
    life.received.push_back({text ? NaiveEvent::Kind::text : NaiveEvent::Kind::binary, payload});
  }

  void on_ping(Connection& connection, Bytes payload) override {
    Life& life = life_of_input(connection, Callback::ping);
    life.pings.emplace_back(as_text(payload));
    life.received.push_back({NaiveEvent::Kind::ping, life.pings.back()});
    act(connection, plan(Callback::ping));
  }

  void on_pong(Connection& connection, Bytes payload) override {
    Life& life = life_of_input(connection, Callback::pong);
    life.received.push_back({NaiveEvent::Kind::pong, std::string(as_text(payload))});
    act(connection, plan(Callback::pong));
  }

  void on_drain(Connection& connection) override {
    Life& life = life_of(connection, Callback::drain);
    expect(connection.buffered_bytes() == 0, "on_drain() tells that all has gone out");
    life.waits_for_drain = false;
    act(connection, plan(Callback::drain));
  }

  void on_close(Connection& connection, Closed how) override {
    Life& life = life_of(connection, Callback::close);
    life.closed = true;
    expect(!connection.is_open(), "a closed connection isn't open");
    if (how.clean) {
      life.received.push_back({NaiveEvent::Kind::close, std::string(how.reason), how.code});
    } else if (how.code != ws::close_code::abnormal && !is_ours(how.reason)) {
      life.received.push_back({NaiveEvent::Kind::failed, "", how.code});
    }
    act(connection, plan(Callback::close));
  }

  // Whether a connection failed for a reason that its peer's bytes don't show.
  bool is_ours(std::string_view reason) const {
    return reason == ws::info(ws::Error::idle_timeout).text ||
           reason == ws::info(ws::Error::message_timeout).text ||
           (reason == ws::info(ws::Error::out_of_memory).text && memory_failed());
  }

  void on_connect_failure(const ConnectFailure& what) override {
    Life& life = *static_cast<Life*>(what.data);
    expect(!life.opened && !life.failed, "a connection fails once, and not after on_open()");
    life.failed = true;
    act_on_first(plan(Callback::failure));
  }

  // ── What must hold ─────────────────────────────────────────────────────────────────────────

  // Whether there may have been no memory: the budget of a small server is spent soon.
  bool memory_failed() const {
    return memory_failed_ || is_small() || (watch_ && watch_->failed());
  }

  Peer* peer_of(const Life& life) {
    const auto found = std::find_if(peers_.begin(), peers_.end(),
                                    [&](const Peer& peer) { return peer.socket == life.socket; });
    return found != peers_.end() ? &*found : nullptr;
  }

  Connection* connection_of(const Peer& peer) {
    for (const auto& life : lives_) {
      if (life->socket == peer.socket) return life->handle.get();
    }
    return nullptr;
  }

  // Beyond the limit: a header, what the program sends as Pings, one Ping, one Pong and a Close
  // frame of the connection's own.
  void check_limits() {
    const std::size_t limit = endpoint().options().limits.buffered_bytes;
    for (const auto& life : lives_) {
      const Connection* connection = life->handle.get();
      if (connection == nullptr) continue;
      expect(
          connection->buffered_bytes() <= limit + ws::frame::max_header_size +
                                              (life->own_pings + 3) * ws::frame::max_control_frame,
          "what waits for a peer has a limit");
    }
  }

  void settle() {
    for (int turns = 0; turns < 2000; ++turns) {
      loop_->turn(0);
      if (!kernel_.has_events() && loop_->wait_ms() != 0) return;
    }
    expect(false, "the loop comes to rest");
  }

  // Whatever was in the way is so no more; then all that can happen, happens.
  void heal() {
    memory_failed_ = memory_failed();
    watch_.reset();
    kernel_.heal();
    kernel_.limit_events(MemorySocket::unlimited);
    plans_ = {};
    loop_->timers().disarm(*this);
    settle();
    for (const Peer& peer : peers_) {
      kernel_.deliver(*peer.socket, std::exchange(peer.socket->late, {}));
      kernel_.set_room(*peer.socket, MemorySocket::unlimited);
    }
    for (const auto& life : lives_) {
      if (Connection* connection = life->handle.get()) act(*connection, {Action::resume});
    }
    clock_.advance(200);  // a listener's pause
    settle();
  }

  // Nothing is in the way, and the loop rests: then nothing is left to do.
  void check_rest(const Life& life) {
    if (!life.opened) return;
    const MemorySocket& socket = *life.socket;
    // RFC 6455 §7.1.1: the server ends TCP first.
    const bool ended = socket.finished || socket.closed || socket.reset;
    if (life.closed && !is_client()) expect(ended, "a FIN follows the end of a connection");
    if (life.closed) return;
    expect(!socket.peer_finished && !socket.reset, "a connection that is over is closed");
    const Connection* connection = life.handle.get();
    expect(connection != nullptr, "a handle finds its connection until on_close()");
    expect(connection->buffered_bytes() == 0, "what can be sent is sent");
    expect(socket.incoming.empty(), "what has come is received");
    if (connection->is_open()) expect(!life.waits_for_drain, "on_drain() follows `queued`");
  }

  // The end of all connections, in one of three ways.
  void finish() {
    const int way = mode_ >> 4 & 3;
    if (way == 1) {
      // Silence: every timer in turn, and nobody answers.
      for (int i = 0; i < 60; ++i) pass(5'000);
      expect(endpoint().connection_count() == 0, "nobody stays who is silent");
    }
    if (way != 2) {
      server_ ? stop() : act_on_all({Action::close});
      for (int i = 0; i < 12; ++i) pass(1'000);
      expect(endpoint().connection_count() == 0, "all connections are closed");
      for (const auto& life : lives_) {
        expect(life->opened == life->closed, "after on_open() comes on_close()");
        if (client_) expect(life->opened != life->failed, "an attempt ends in one of two ways");
      }
    }
    loop_->timers().disarm(*this);
    server_.reset();
    client_.reset();
  }

  void act_on_all(Deed deed) {
    endpoint().for_each([&](Connection& one) { act(one, deed); });
  }

  void pass(std::uint64_t ms) {
    clock_.advance(ms);
    settle();
  }

  // What came of a peer's frames is what a naive reader finds in them.
  void check_received(const Life& life) {
    const Peer* peer = life.opened ? peer_of(life) : nullptr;
    if (peer == nullptr || !peer->in_frames) return;
    const test::NaiveReader naive(is_client() ? ws::frame::Role::client : ws::frame::Role::server,
                                  limits_, peer->frames);
    const auto& found = naive.events();
    expect(life.received.size() <= found.size() &&
               std::equal(life.received.begin(), life.received.end(), found.begin()),
           "what is received is what was sent");
    const bool cut_short = life.closed || life.socket->closed || memory_failed_;
    if (!cut_short) expect(life.received.size() == found.size(), "all that came is received");
  }

  void check_sent(const Life& life) {
    if (!life.opened) return;
    const MemorySocket& socket = *life.socket;
    std::string_view rest = socket.sent;
    const std::size_t head = rest.find(is_client() ? "GET " : "HTTP/1.1 101 ");
    const std::size_t head_end = rest.find("\r\n\r\n", head);
    if (head_end == std::string_view::npos) return;
    rest.remove_prefix(head_end + 4);

    std::size_t messages = 0;
    std::size_t pongs = 0;
    bool closed = false;
    while (const auto frame = read_sent(rest)) {
      expect(!closed, "nothing follows a Close frame");
      switch (frame->opcode) {
        case 1:
        case 2:
          expect(messages < life.sent.size(), "no message but those of the program");
          expect(static_cast<int>(life.sent[messages].first) == frame->opcode &&
                     life.sent[messages].second == frame->payload,
                 "messages go out whole and in order");
          ++messages;
          break;
        case 8: {
          closed = true;
          const NaiveEvent close = read_close(frame->payload);
          expect(close.kind == NaiveEvent::Kind::close, "a Close frame is well-formed");
          break;
        }
        case 9:
          expect(frame->payload.find_first_not_of('p') == std::string::npos, "our own Ping");
          break;
        case 10: {
          const auto begin = life.pings.begin() + static_cast<std::ptrdiff_t>(pongs);
          const auto found = std::find(begin, life.pings.end(), frame->payload);
          expect(found != life.pings.end(), "a Pong answers a Ping");
          pongs = static_cast<std::size_t>(found - life.pings.begin()) + 1;
          break;
        }
        default:
          expect(false, "only known opcodes are sent");
      }
    }
    const bool lives = !life.closed && !socket.reset && !socket.closed;
    const bool ended_well = socket.finished && !socket.reset && !memory_failed_;
    if (ended_well) expect(closed, "a FIN follows a Close frame");
    if (lives || closed) expect(messages == life.sent.size(), "every message goes out");
    if (closed || lives) expect(rest.empty(), "nothing but whole frames");
  }

  struct SentFrame {
    int opcode;
    std::string payload;
  };

  // Cuts off a whole frame, of the one form that we send: §5.2, never fragmented.
  std::optional<SentFrame> read_sent(std::string_view& rest) {
    const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(rest[at]); };
    if (rest.size() < 2) return std::nullopt;
    expect((byte(0) & 0xf0) == 0x80, "FIN, and no reserved bit");
    expect((byte(1) >> 7 != 0) == is_client(), "a client masks, a server doesn't");
    const std::size_t short_size = byte(1) & 0x7f;
    const std::size_t extended = short_size == 126 ? 2 : short_size == 127 ? 8 : 0;
    const std::size_t header = 2 + extended + (is_client() ? 4 : 0);
    if (rest.size() < header) return std::nullopt;
    std::uint64_t size = extended == 0 ? short_size : 0;
    for (std::size_t i = 0; i < extended; ++i) size = size * 256 + byte(2 + i);
    expect(extended == 0 || size > (extended == 2 ? 125 : 65'535), "the shortest form");
    expect((byte(0) & 8) == 0 || extended == 0, "a control frame has at most 125 bytes");
    if (rest.size() - header < size) return std::nullopt;
    SentFrame frame{byte(0) & 15, std::string(rest.substr(header, size))};
    const char* key = rest.data() + header - 4;
    std::size_t i = 0;
    for (char& octet : frame.payload) {
      if (is_client()) octet = static_cast<char>(octet ^ key[i++ % 4]);
    }
    rest.remove_prefix(header + size);
    return frame;
  }

  // The naive reader's opinion of a Close frame's payload.
  NaiveEvent read_close(const std::string& payload) {
    const std::string frame = wire_frame(0x88, payload, false);
    return test::NaiveReader(ws::frame::Role::client, limits_, frame).events().at(0);
  }

  // One that never opened has got HTTP, and no 101.
  void check_refused(const Peer& peer) {
    const std::string_view sent = peer.socket->sent;
    constexpr std::string_view beginning = "HTTP/1.1 ";
    if (is_client()) return;
    const std::size_t size = std::min(sent.size(), beginning.size());
    expect(sent.substr(0, size) == beginning.substr(0, size), "a response begins so");
    for (const auto& life : lives_) {
      if (life->socket == peer.socket) return;
    }
    expect(sent.find("HTTP/1.1 101 ") == std::string_view::npos, "on_open() follows 101");
  }

  Script script_;
  const std::uint8_t mode_;
  test::MemorySockets kernel_{(mode_ & 4) != 0};
  test::FakeClock clock_{1'000'000};
  test::ScriptedRandom random_{0x37, 0xfa, 0x21, 0x3d, 0x05};
  const ws::Limits limits_ = options().limits;
  std::vector<std::unique_ptr<Life>> lives_;
  std::vector<Peer> peers_;
  std::array<Deed, static_cast<std::size_t>(Callback::count_)> plans_;
  Deed timer_deed_;
  std::size_t bulk_left_ = most_bulk_bytes;
  std::size_t cut_ = 0;
  bool late_ = false;
  bool memory_failed_ = false;
  std::optional<test::MallocWatch> watch_;
  std::optional<net::Loop> loop_;
  std::optional<ws::Server> server_;
  std::optional<ws::Client> client_;
};

}  // namespace
}  // namespace sockeye

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  sockeye::net::configure_log(sockeye::net::LogLevel::off, sockeye::net::LogFormat::text);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sockeye::World(data, size).run();
  return 0;
}
