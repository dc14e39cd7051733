// Backpressure as a property: whatever a program sends and a peer leaves unread, in whatever order.
//
// A kernel of the test's own takes the bytes, as many as it likes, and a model beside the
// connection knows from that alone what must be buffered, what send() must answer, and when
// on_drain() is due. What the kernel took is read back as frames.
//
// A schedule is a number: SOCKEYE_TEST_SEED=N runs that one alone, and tells what happens in it.
//
// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <iterator>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "test/support/failing_malloc.h"
#include "test/support/server_rig.h"
#include "test/support/system_calls.h"

namespace sockeye::ws {
namespace {

using test::binary_frame;
using test::Call;
using test::close_frame;
using test::close_with;
using test::frame_of;
using test::MallocWatch;
using test::Peer;
using test::ping_frame;
using test::pong_frame;
using test::ServerRig;
using test::SystemCalls;
using test::text;
using test::text_frame;
using test::upgrade_request;

constexpr std::size_t unlimited = ~std::size_t{0};

Limits limits_with(std::size_t buffered_bytes) {
  return {.buffered_bytes = buffered_bytes,
          .head_timeout_ms = 0,
          .keep_alive_timeout_ms = 0,
          .ping_interval_ms = 0,
          .idle_timeout_ms = 0};
}

// A name that no other server has.
std::string unix_address() {
  return "unix:@sockeye-backpressure-test-" + std::to_string(::getpid());
}

char start_of(int opcode) {
  return static_cast<char>(0x80 | opcode);
}

// The bytes of a frame from a server.
std::string server_frame(int opcode, std::string_view payload) {
  std::string bytes(1, start_of(opcode));
  const std::size_t size = payload.size();
  const int length_bytes = size < 126 ? 0 : size < 65536 ? 2 : 8;
  bytes += static_cast<char>(length_bytes == 0 ? size : length_bytes == 2 ? 126 : 127);
  for (int i = length_bytes; i-- > 0;) bytes += static_cast<char>(std::uint64_t{size} >> (8 * i));
  return bytes.append(payload);
}

// What a connection has accepted and the kernel has not taken, by what the two have said so far.
class Model {
 public:
  // ---- What the connection did ----

  // It keeps these bytes, a whole frame. In its own events they may go out before its turn ends;
  // from elsewhere they form a queue until then.
  void accept(std::string bytes, bool in_own_event) {
    waiting_bytes_ += bytes.size();
    waiting_.push_back(std::move(bytes));
    queued_ = queued_ || !in_own_event;
  }

  // It answered a Ping, in an event of its own. In a queue the Pong takes the place of one of which
  // nothing has been sent (RFC 6455 §5.5.3 allows it): one waits at most, the newest.
  void accept_pong(std::string_view payload) {
    if (!queued_) return accept(server_frame(pong_frame, payload), true);
    pong_ = server_frame(pong_frame, payload);
  }

  // It closed or broke: nothing more goes out.
  void drop() { *this = Model(); }

  // ---- What the kernel did ----

  // Of `asked` bytes it took these. Says what is wrong with them, if anything is.
  std::string_view take(std::string_view bytes, std::size_t asked) {
    if (asked > buffered_bytes()) return "more was sent than the connection has accepted";
    const bool all = bytes.size() == asked;
    while (!bytes.empty()) {
      if (const std::string_view wrong = take_of_frame(bytes); !wrong.empty()) return wrong;
    }
    if (!all) {
      queued_ = blocked_ = true;
    } else if (buffered_bytes() == 0) {
      drain_due_ = drain_due_ || blocked_;
      queued_ = blocked_ = false;
    }
    return {};
  }

  // ---- What must hold ----

  std::size_t buffered_bytes() const { return waiting_bytes_ + (pong_ ? pong_->size() : 0); }
  bool queued() const { return queued_; }
  bool pong_waits() const { return pong_.has_value(); }
  // Whether the kernel has refused bytes since nothing waited.
  bool blocked() const { return blocked_; }
  // Whether the kernel has taken the last byte that waited, after it had refused some.
  bool drain_due() const { return drain_due_; }
  void drained() { drain_due_ = false; }
  std::size_t messages_out() const { return messages_out_; }

 private:
  std::string_view take_of_frame(std::string_view& bytes) {
    const bool starts = first_taken_ == 0;
    const char pong = start_of(pong_frame);
    if (starts && bytes[0] == pong && pong_ && (waiting_.empty() || waiting_[0][0] != pong)) {
      waiting_bytes_ += pong_->size();
      waiting_.push_front(*std::exchange(pong_, std::nullopt));
    }
    if (waiting_.empty()) return "something was sent that was never accepted";
    const std::string& frame = waiting_[0];
    const std::string_view left = std::string_view(frame).substr(first_taken_);
    const std::string_view taken = bytes.substr(0, left.size());
    if (!left.starts_with(taken)) return "what is sent differs, or comes in another order";
    bytes.remove_prefix(taken.size());
    waiting_bytes_ -= taken.size();
    first_taken_ += taken.size();
    if (first_taken_ < frame.size()) return {};
    const char start = frame[0];
    messages_out_ += start == start_of(text_frame) || start == start_of(binary_frame);
    first_taken_ = 0;
    waiting_.pop_front();
    if (start == start_of(close_frame) && buffered_bytes() > 0)
      return "something follows the Close frame";
    return {};
  }

  std::deque<std::string> waiting_;
  std::size_t waiting_bytes_ = 0;    // without what was taken of the first one
  std::size_t first_taken_ = 0;      // of the first one's bytes
  std::optional<std::string> pong_;  // what a newer one replaces
  bool queued_ = false;
  bool blocked_ = false;
  bool drain_due_ = false;
  std::size_t messages_out_ = 0;
};

// A server with two connections over Unix sockets, where what is sent arrives at once. One is the
// schedules', each a new one; the other one, `b`, stays, and lends its events to do things to the
// first from.
struct Stage : ServerRig {
  explicit Stage(std::size_t limit_bytes)
      : ServerRig({.limits = limits_with(limit_bytes)}, unix_address()),
        limit(limit_bytes),
        b(open()),
        handle_b(handler.last) {
    // The request is always the same, and so is the response.
    Peer peer = connect();
    peer.send(upgrade_request());
    settle();
    peer.receive();
    response = peer.take_input();
    peer.close();
    settle();
  }

  void settle() { test::settle(loop, /*quiet_ms=*/0); }

  const std::size_t limit;
  Peer b;
  const Handle handle_b;
  std::string response;
};

// How often what matters has happened, in all schedules.
struct Totals {
  std::size_t drains = 0;
  std::size_t queued = 0;
  std::size_t dropped = 0;
  std::size_t replaced_pongs = 0;
  std::size_t control_beyond_limit = 0;
  std::size_t closed_while_blocked = 0;
  std::size_t broken = 0;
};

// One schedule: what the program, the peer and the kernel do, all by chance.
class Schedule {
 public:
  Schedule(Stage& stage, unsigned seed, Totals& totals)
      : stage_(stage), random_(seed), totals_(totals), peer_(stage.connect()) {
    stage.handler = {};
    calls_.swallow([this](std::size_t asked) { return kernel_takes(asked); });
    listen_in();
  }
  ~Schedule() { stage_.handler = {}; }
  Schedule(const Schedule&) = delete;
  Schedule& operator=(const Schedule&) = delete;

  // Says what is wrong; nothing where all is well.
  std::string run() {
    peer_says(upgrade_request());
    const int steps = 20 + below(100);
    for (int i = 0; i < steps && wrong_.empty(); ++i) {
      step();
      stage_.loop.turn(0);
      check_between_turns();
    }
    if (wrong_.empty()) finish();
    return wrong_;
  }

  // What happened, a line for each thing.
  const std::string& story() const { return story_; }

 private:
  enum class State { handshaking, open, closing, over };

  // ---- Chance ----

  int below(int limit) { return static_cast<int>(random_() % static_cast<unsigned>(limit)); }
  bool one_in(int count) { return below(count) == 0; }

  std::size_t any_size() {
    // The edges of the header's forms, of what is copied, and of the buffers of a loop.
    static constexpr int edges[] = {0, 125, 126, 16 * 1024, 65'535, 65'536, 256 * 1024};
    switch (below(6)) {
      case 0:
        return static_cast<std::size_t>(edges[below(std::size(edges))] + below(3));
      case 1:
        return static_cast<std::size_t>(below(60'000));
      case 2:
        return static_cast<std::size_t>(below(3000));
      default:
        return static_cast<std::size_t>(below(100));
    }
  }

  // ---- What happens ----

  void step() {
    switch (below(8)) {
      case 0:
      case 1:
        return peer_says(any_frame());
      case 2: {
        std::string frames;
        for (int i = 1 + below(20); i > 0; --i) frames += any_frame();
        return peer_says(frames);
      }
      case 3:
      case 4:
        return change_kernel();
      case 5:
        tell("outside:");
        return act();
      case 6:
        stage_.b.send(text("do something"));
        return;
      case 7:
        if (one_in(8)) end_somehow();
        return;
    }
  }

  // What a peer may say, and what tells the server that there may be room: with any event of a
  // socket epoll reports that it is writable.
  std::string any_frame() {
    // So few that their Pongs never fill the cork: it goes out before on_ping() then, and the model
    // learns of a Pong there.
    if (++frames_said_ > 200) return {};
    const std::string payload(static_cast<std::size_t>(below(126)),
                              static_cast<char>('a' + below(26)));
    switch (below(4)) {
      case 0:
        return frame_of(ping_frame, payload);
      case 1:
        return frame_of(pong_frame, payload);
      case 2:
        return frame_of(binary_frame, std::string(one_in(10) ? 40'000 : 10, 'm'));
      default:
        return text(payload);
    }
  }

  void peer_says(std::string_view bytes) {
    if (!peer_open_) return;
    if (!bytes.empty()) tell("peer says " + std::to_string(bytes.size()) + " bytes");
    unsent_ += bytes;
    unsent_.erase(0, peer_.try_send(unsent_));
  }

  void change_kernel() {
    switch (below(4)) {
      case 0:
        room_ = 0;
        break;
      case 1:
        room_ = static_cast<std::size_t>(below(300));
        break;
      case 2:
        room_ = static_cast<std::size_t>(below(100'000));
        break;
      case 3:
        room_ = unlimited;
        break;
    }
    tell("the kernel has room for " + std::to_string(room_));
    if (!one_in(4)) peer_says(frame_of(pong_frame, ""));
  }

  void end_somehow() {
    switch (below(5)) {
      case 0:
        return peer_says(close_with(1000 + below(2), "bye"));
      case 1:
        return peer_says(text("\xff"));
      case 2:
        tell("peer closes");
        peer_.close();
        peer_open_ = false;
        return;
      case 3:
        if (!peer_open_) return;
        tell("peer sends FIN");
        peer_.finish();
        peer_open_ = false;
        return;
      case 4:
        tell("the next send fails");
        calls_.fail(one_in(2) ? Call::send : Call::sendmsg, EPIPE);
        break_armed_ = true;
        return;
    }
  }

  // Something that a program does, wherever it is.
  void act() {
    Connection* const connection = a_.get();
    if (connection == nullptr || leaving_) return;
    switch (below(12)) {
      case 0:
        return ping(*connection);
      case 1:
        tell("  pause");
        connection->pause();
        paused_ = state_ == State::open || state_ == State::closing;
        break;
      case 2:
      case 3:
        tell("  resume");
        connection->resume();
        paused_ = false;
        break;
      case 4:
        if (one_in(10)) close(*connection);
        break;
      case 5:
        if (one_in(20)) abort(*connection);
        break;
      case 6:
        for (int i = below(30); i > 0; --i) send(*connection, any_size() % 5000);
        break;
      default:
        send(*connection, any_size());
        break;
    }
  }

  void send(Connection& connection, std::size_t size) {
    // The cork goes out with a large message before the Pongs to come could fill it.
    if (in_own_event_ && !model_.queued() && model_.buffered_bytes() > 200'000) size = 20'000;
    const std::string payload(size, static_cast<char>('A' + attempts_ % 26));
    const bool as_text = one_in(2);
    SendResult expected = SendResult::closing;
    if (state_ == State::open) {
      ++attempts_;
      const std::size_t held = model_.buffered_bytes();
      const bool fits = held < stage_.limit && size <= stage_.limit - held;
      expected = fits ? SendResult::sent : SendResult::dropped;
      if (!fits) ++dropped_, ++totals_.dropped;
      if (fits && !broken_) {
        model_.accept(server_frame(as_text ? text_frame : binary_frame, payload), in_own_event_);
      }
    }
    const SendResult result =
        connection.send(as_text ? frame::Opcode::text : frame::Opcode::binary, as_bytes(payload));
    notice_break();
    if (expected == SendResult::sent && model_.blocked()) expected = SendResult::queued;
    tell("  send " + std::to_string(size) + ": " + std::to_string(static_cast<int>(result)));
    check_answer(result, expected);
    totals_.queued += result == SendResult::queued;
    check_buffered(connection);
  }

  void ping(Connection& connection) {
    const std::string payload(static_cast<std::size_t>(below(126)), 'P');
    SendResult expected = SendResult::closing;
    if (state_ == State::open) {
      expected = SendResult::sent;
      totals_.control_beyond_limit += model_.buffered_bytes() >= stage_.limit;
      if (!broken_) model_.accept(server_frame(ping_frame, payload), in_own_event_);
    }
    const SendResult result = connection.ping(as_bytes(payload));
    notice_break();
    if (expected == SendResult::sent && model_.blocked()) expected = SendResult::queued;
    tell("  ping");
    check_answer(result, expected);
    check_buffered(connection);
  }

  void close(Connection& connection) {
    tell("  close");
    if (state_ == State::open) {
      totals_.closed_while_blocked += model_.blocked();
      if (!broken_) {
        model_.accept(server_frame(close_frame, test::close_payload(1000, "enough")),
                      in_own_event_);
      }
      state_ = State::closing;
      paused_ = false;
    }
    connection.close(1000, "enough");
    notice_break();
    check_buffered(connection);
  }

  void abort(Connection& connection) {
    tell("  abort");
    connection.abort();
    model_.drop();
    state_ = State::over;
    aborted_ = true;
    paused_ = false;
    must(connection.buffered_bytes() == 0, "an aborted connection holds bytes");
  }

  // ---- What is seen ----

  std::size_t kernel_takes(std::size_t asked) {
    const std::size_t size = std::min(asked, room_);
    room_ -= room_ == unlimited ? 0 : size;
    std::string bytes;
    for (const iovec& piece : calls_.sent().back()) {
      const std::size_t part = std::min(piece.iov_len, size - bytes.size());
      bytes.append(static_cast<const char*>(piece.iov_base), part);
    }
    tell("  the kernel takes " + std::to_string(size) + " of " + std::to_string(asked));
    must(!aborted_ && !broken_, "something is sent after the end");
    const std::string_view wrong = model_.take(bytes, asked);
    must(wrong.empty(), wrong);
    if (state_ != State::open) model_.drained();  // a passage that a close has ended
    return size;
  }

  // A send that fails can't be seen but by the fact that it did.
  void notice_break() {
    if (!break_armed_ || calls_.failures_left() > 0) return;
    tell("  the connection breaks");
    break_armed_ = false;
    broken_ = true;
    ++totals_.broken;
    model_.drop();
  }

  void listen_in() {
    test::Recorder& handler = stage_.handler;
    handler.open = [this](Connection& connection) {
      a_ = connection.handle();
      state_ = State::open;
      model_.accept(stage_.response, true);
      event("on_open", connection);
    };
    handler.message = [this](Connection& connection, Message) { input("on_message", connection); };
    handler.pong = [this](Connection& connection, Bytes) { input("on_pong", connection); };
    handler.ping = [this](Connection& connection, Bytes payload) {
      notice_break();
      if (state_ == State::open && !broken_) {
        totals_.replaced_pongs += model_.pong_waits();
        model_.accept_pong(as_text(payload));
      }
      input("on_ping", connection);
    };
    handler.drain = [this](Connection& connection) {
      tell("on_drain");
      must(state_ == State::open, "on_drain() on a connection that isn't open");
      must(model_.drain_due(), "on_drain() without a passage from full to empty, or a second one");
      model_.drained();
      ++totals_.drains;
      event("on_drain", connection);
    };
    handler.close = [this](Connection& connection, Closed closed) { on_close(connection, closed); };
  }

  void input(std::string_view name, Connection& connection) {
    if (connection.handle() == stage_.handle_b) {
      tell("in another connection's event:");
      return act();
    }
    must(!paused_, "input comes during a pause");
    must(state_ != State::over, "input comes after the end");
    event(name, connection);
  }

  void event(std::string_view name, Connection& connection) {
    tell(std::string(name) + ":");
    notice_break();
    must(!model_.drain_due(), "on_drain() is missing");
    in_own_event_ = true;
    check_buffered(connection);
    if (one_in(2)) act();
    in_own_event_ = false;
  }

  void on_close(Connection& connection, Closed closed) {
    notice_break();
    tell("on_close " + std::to_string(closed.code));
    must(++closes_ == 1, "on_close() comes a second time");
    // The answer to the peer's Close frame, or ours over a broken rule, is on its way already.
    const bool says_why = closed.clean || closed.code == 1007;
    if (state_ == State::open && says_why && !broken_) {
      const std::string_view reason = closed.clean ? "" : closed.reason;
      model_.accept(server_frame(close_frame, test::close_payload(closed.code, reason)), true);
    }
    state_ = State::over;
    paused_ = false;
    check_buffered(connection);
    in_own_event_ = true;
    send(connection, 10);
    in_own_event_ = false;
  }

  // ---- What must hold ----

  void must(bool holds, std::string_view what) {
    if (!holds && wrong_.empty()) wrong_ = what;
  }
  void tell(const std::string& what) {
    if (story_.size() < 100'000) story_ += what + "\n";
  }

  void check_answer(SendResult result, SendResult expected) {
    // Between the break and on_close() the connection finds out.
    const bool finding_out = broken_ && result == SendResult::closing;
    must(result == expected || finding_out, "send() or ping() doesn't answer what is so");
  }

  void check_buffered(const Connection& connection) {
    must(connection.buffered_bytes() == model_.buffered_bytes(),
         "buffered_bytes() isn't what was accepted and not taken");
    must(model_.buffered_bytes() <= stage_.limit + control_reserve,
         "more is buffered than the limit allows");
  }

  void check_between_turns() {
    notice_break();
    Connection* const connection = a_.get();
    if (connection != nullptr) check_buffered(*connection);
    if (state_ != State::open) return;
    must(!model_.drain_due(), "on_drain() is missing");
    must(model_.blocked() || model_.buffered_bytes() == 0,
         "at the turn's end something waits that the kernel has not refused");
  }

  // The kernel takes all there is, and then the peer leaves.
  void finish() {
    tell("the end:");
    notice_break();
    calls_.fail(Call::send, 0, /*times=*/0);
    break_armed_ = false;
    leaving_ = true;
    room_ = unlimited;
    paused_ = false;
    if (Connection* connection = a_.get()) connection->resume();
    for (int i = 0; i < 10 || (i < 1000 && !unsent_.empty() && a_.get() != nullptr); ++i) {
      peer_says(frame_of(pong_frame, ""));
      stage_.settle();
    }
    if (state_ != State::over && peer_open_ && !broken_) {
      must(model_.buffered_bytes() == 0, "something is left though the kernel takes all");
      must(model_.messages_out() + dropped_ == attempts_, "messages are missing");
    }
    peer_.close();
    stage_.settle();
    stage_.clock.advance(Limits().close_timeout_ms + 100);
    stage_.settle();
    must(closes_ == stage_.handler.count("open"), "on_close() is missing");
    must(stage_.server.connection_count() == 1, "a connection stays");
  }

  // What control frames may take beyond the limit.
  static constexpr std::size_t control_reserve = 64 * 1024;

  Stage& stage_;
  std::mt19937 random_;
  Totals& totals_;
  Peer peer_;
  bool peer_open_ = true;
  std::string unsent_;
  int frames_said_ = 0;

  SystemCalls calls_;
  std::size_t room_ = unlimited;
  bool break_armed_ = false;
  bool broken_ = false;

  Handle a_;
  State state_ = State::handshaking;
  Model model_;
  bool in_own_event_ = false;
  bool paused_ = false;
  bool aborted_ = false;
  bool leaving_ = false;
  std::size_t attempts_ = 0;
  std::size_t dropped_ = 0;
  std::size_t closes_ = 0;

  std::string story_;
  std::string wrong_;
};

std::optional<unsigned> chosen_seed() {
  const char* text = std::getenv("SOCKEYE_TEST_SEED");
  if (text == nullptr) return std::nullopt;
  return static_cast<unsigned>(std::strtoul(text, nullptr, 10));
}

}  // namespace

TEST_CASE("backpressure: whatever is sent and left unread, in whatever order, the model holds") {
  constexpr std::size_t limits[] = {0, 1000, 70'000, 600'000};
  constexpr unsigned schedules = 4000;
  const std::optional<unsigned> chosen = chosen_seed();
  Totals totals;
  for (unsigned i = 0; i < std::size(limits); ++i) {
    Stage stage(limits[i]);
    for (unsigned seed = i; seed < schedules; seed += std::size(limits)) {
      if (chosen && *chosen % std::size(limits) != i) break;
      if (chosen) seed = *chosen;
      Schedule schedule(stage, seed, totals);
      const std::string wrong = schedule.run();
      if (chosen) MESSAGE(schedule.story());
      if (wrong.empty() && !chosen) continue;
      CAPTURE(limits[i]);
      REQUIRE_MESSAGE(wrong.empty(), wrong, ": SOCKEYE_TEST_SEED=", seed, " tells the story");
      return;
    }
  }
  // Chance has led everywhere.
  CHECK(totals.drains > schedules);
  CHECK(totals.queued > schedules);
  CHECK(totals.dropped > schedules);
  CHECK(totals.replaced_pongs > schedules);
  CHECK(totals.control_beyond_limit > schedules / 10);
  CHECK(totals.closed_while_blocked > schedules / 100);
  CHECK(totals.broken > schedules / 100);
}

namespace {

// What it costs to send messages of 100 bytes, `size` bytes in all, to a peer that reads 10 kB at a
// time.
struct Cost {
  explicit Cost(std::size_t size) {
    ServerRig rig({.limits = limits_with(2 * size)}, unix_address());
    Peer peer = rig.open();
    Connection& connection = rig.connection();
    MallocWatch watch;
    SystemCalls calls;
    calls.swallow([](std::size_t) { return std::size_t{0}; });
    const std::string payload(98, 'x');
    while (connection.buffered_bytes() < size) {
      REQUIRE(connection.send_text(payload) != SendResult::dropped);
      // Most of it is added to a queue that exists, and some of it in turns of their own.
      if (connection.buffered_bytes() % 10'000 == 0) rig.loop.turn(0);
    }
    calls.swallow([](std::size_t asked) { return std::min<std::size_t>(asked, 10'000); });
    while (connection.buffered_bytes() > 0) {
      peer.send(frame_of(pong_frame, ""));
      rig.loop.turn(0);
    }
    system_calls = static_cast<std::size_t>(calls.sends());
    registrations = static_cast<std::size_t>(calls.count(Call::epoll_ctl));
    allocations = watch.calls();
    const char* next = nullptr;
    for (const auto& pieces : calls.sent()) {
      looked_at += pieces.size();
      const char* const first = static_cast<const char*>(pieces[0].iov_base);
      jumps += first != next;
      next = first + 10'000;
    }
  }

  std::size_t system_calls = 0;
  std::size_t registrations = 0;
  std::size_t allocations = 0;
  std::size_t looked_at = 0;  // pieces of the queue, by all calls together
  std::size_t jumps = 0;  // of where what is sent next lies: with each chunk, or when it is moved
};

}  // namespace

TEST_CASE("O(n^2) shifting of the output buffer: four times the backlog costs four times as much") {
  constexpr std::size_t size = 1024 * 1024;
  const Cost one(size);
  const Cost four(4 * size);
  CHECK(one.system_calls <= size / 10'000 + 10);
  CHECK(four.system_calls <= 4 * one.system_calls + 10);
  CHECK(four.allocations <= 4 * one.allocations + 10);
  CHECK(one.jumps <= 2 * size / (60 * 1024) + 10);
  CHECK(four.jumps <= 4 * one.jumps + 10);
  // A call is given 1 MiB at most, in chunks of 64 KiB.
  CHECK(one.looked_at <= 17 * one.system_calls);
  CHECK(four.looked_at <= 17 * four.system_calls);
  CHECK(four.registrations == 0);
}

}  // namespace sockeye::ws
