// Plays the dumps of test/wire, twice: to the pure protocol, and to a real connection.
//
// The format is described in test/support/wire_dump.h; here are the two drivers, and the runner's
// own test.
//
// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "net/fd.h"
#include "test/support/fake_clock.h"
#include "test/support/wire_dump.h"
#include "ws/client.h"
#include "ws/connection.h"
#include "ws/kernels.h"
#include "ws/protocol.h"
#include "ws/server.h"

namespace sockeye::ws {
namespace {

using test::DumpRandom;
using test::EventLog;
using test::Observed;
using test::Piece;
using test::WireCase;
using test::WireCommand;
using test::WireDriver;
using test::WireDriverFactory;
using test::WireSegment;
using test::WireSetup;

// ── The pure protocol, with the few answers that a connection has to give ────────────────────

class ProtocolDriver final : public WireDriver {
 public:
  explicit ProtocolDriver(const WireSetup& setup)
      : random_(setup),
        settings_{.role = setup.role,
                  .pool = pool_,
                  .limits = setup.limits,
                  .kernels = *system_kernels(),
                  .in_chunks = setup.in_chunks,
                  .codec = &codec_} {
    if (setup.compression) REQUIRE(protocol_.agree_on(*setup.compression));
  }

  void command(const WireCommand& command) override {
    if (protocol_.close_sent()) return;
    switch (command.kind) {
      case WireCommand::Kind::send_text:
        return send(Opcode::text, command.payload);
      case WireCommand::Kind::send_binary:
        return send(Opcode::binary, command.payload);
      case WireCommand::Kind::ping:
        return put(protocol_.control(Opcode::ping, command.payload, key()));
      case WireCommand::Kind::close:
        return put(protocol_.close(command.code, as_text(command.payload), key()));
    }
  }

  // As a stream does: to where a large payload wants to be, and the rest to a buffer of its own.
  void feed(Bytes piece) override {
    if (ended_) return;
    const MutableBytes direct = protocol_.direct_space();
    const std::size_t size = std::min(direct.size(), piece.size());
    if (size > 0) {
      copy_bytes(direct.data(), piece.first(size));
      handle(protocol_.commit_direct(size));
      protocol_.release();
    }
    Piece copy = test::piece_of(piece.subspan(size));
    MutableBytes input(copy);
    while (!input.empty() && !ended_) handle(protocol_.read(input));
  }

  Observed take(const WireSegment&) override {
    return {events_.take(), std::exchange(output_, {}), std::exchange(fin_, false)};
  }

 private:
  std::uint32_t key() { return settings_.role == Role::client ? random_.next_u32() : 0; }

  void put(Bytes bytes) { output_.insert(output_.end(), bytes.begin(), bytes.end()); }

  void send(Opcode opcode, Bytes message) {
    const std::uint32_t masking_key = key();
    const Payload payload =
        protocol_.may_compress() ? protocol_.compress(message) : Payload{message};
    put(protocol_.begin_message(opcode, payload, masking_key));
    Piece masked = test::piece_of(payload.bytes);
    if (settings_.role == Role::client) {
      settings_.kernels.mask(masked.data(), masked.data(), masked.size(), masking_key);
    }
    put(masked);
  }

  void close(std::uint16_t code, std::string_view reason) {
    if (!protocol_.close_sent()) put(protocol_.close(code, reason, key()));
  }

  void handle(const Event& event) {
    switch (event.kind) {
      case Event::Kind::none:
        return;
      case Event::Kind::message:
        return events_.message(event.opcode, event.payload);
      case Event::Kind::chunk:
        return events_.chunk(event.opcode, event.payload, event.first, event.last);
      case Event::Kind::ping:
        if (!protocol_.close_sent()) put(protocol_.control(Opcode::pong, event.payload, key()));
        return events_.add("ping", event.payload);
      case Event::Kind::pong:
        return events_.add("pong", event.payload);
      case Event::Kind::close:
        close(event.code, {});
        events_.close(event.code, event.reason);
        ended_ = true;
        // RFC 6455 §7.1.1: the server ends TCP, the client waits for it to.
        fin_ = settings_.role == Role::server;
        return;
      case Event::Kind::failed:
        close(info(event.error).close_code, info(event.error).text);
        events_.fail(event.error);
        ended_ = fin_ = true;
        return;
    }
  }

  DumpRandom random_;
  Pool pool_;
  deflate::MessageCodec codec_{pool_, deflate::Level::small};
  Settings settings_;
  Protocol protocol_{settings_};
  EventLog events_;
  Piece output_;
  bool fin_ = false;
  bool ended_ = false;
};

// ── A real connection: a server or a client on a loop, and the peer's end of its socket ──────

// The handshake of RFC 6455 §1.2, for dumps that begin after it.
constexpr std::string_view standard_request =
    "GET / HTTP/1.1\r\n"
    "Host: server.example.com\r\n"
    "Upgrade: websocket\r\n"
    "Connection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Version: 13\r\n"
    "\r\n";
constexpr std::string_view standard_response =
    "HTTP/1.1 101 Switching Protocols\r\n"
    "Upgrade: websocket\r\n"
    "Connection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
    "\r\n";

// Either of them, with what the case agrees on about compression: an offer and a response say it in
// the same words.
std::string with_compression(std::string_view head, const WireSetup& setup) {
  std::string text(head);
  if (!setup.compression) return text;
  std::string line = "Sec-WebSocket-Extensions: permessage-deflate";
  const auto add = [&line](const std::string& side, const deflate::Parameters::Side& wanted) {
    if (!wanted.context_takeover) line += "; " + side + "_no_context_takeover";
    if (wanted.window_bits < deflate::max_window_bits) {
      line += "; " + side + "_max_window_bits=" + std::to_string(wanted.window_bits);
    }
  };
  add("server", setup.compression->server);
  add("client", setup.compression->client);
  return text.insert(text.size() - 2, line + "\r\n");
}

// Fails of which on_close() has only the text.
Error error_with(const Handler::Closed& closed) {
  for (std::size_t i = 1; i < static_cast<std::size_t>(Error::count_); ++i) {
    const ErrorInfo& row = info(static_cast<Error>(i));
    if (row.close_code == closed.code && row.text == closed.reason) return row.error;
  }
  return Error::connection_lost;
}

class Program final : public Handler {
 public:
  explicit Program(const WireSetup& setup) : setup_(setup) {}

  void on_upgrade(Upgrade& upgrade) override {
    if (setup_.refused_status != 0) upgrade.refuse(setup_.refused_status, setup_.refusal_text);
  }
  void on_request(const Request& request, Reply& reply) override {
    events.add("request " + std::string(request.method()) + " " + std::string(request.target()),
               request.body());
    reply.send(200, "text/plain", as_bytes(request.target()));
  }
  void on_open(Connection& opened) override {
    connection = &opened;
    if (setup_.from_handshake) events.add("open", as_bytes(opened.subprotocol()));
  }
  void on_message(Connection&, Message message) override {
    events.message(message.opcode(), message.bytes());
  }
  void on_chunk(Connection&, Chunk chunk) override {
    events.chunk(chunk.opcode, chunk.bytes, chunk.first, chunk.last);
  }
  void on_ping(Connection&, Bytes payload) override { events.add("ping", payload); }
  void on_pong(Connection&, Bytes payload) override { events.add("pong", payload); }
  void on_close(Connection&, Closed closed) override {
    connection = nullptr;
    closed.clean ? events.close(closed.code, closed.reason) : events.fail(error_with(closed));
  }
  void on_connect_failure(const ConnectFailure& failure) override { events.fail(failure.error); }

  EventLog events;
  Connection* connection = nullptr;

 private:
  const WireSetup& setup_;
};

Options options_of(const WireSetup& setup, crypto::Random& random) {
  Options options;
  options.limits = setup.limits;
  options.in_chunks = setup.in_chunks;
  options.subprotocols = setup.subprotocols;
  if (setup.compression) {
    options.compression = ws::Compression{
        .windows = *setup.compression, .level = deflate::Level::small, .threshold_bytes = 0};
  }
  options.stop_on_signals = false;
  options.random = &random;
  if (setup.role == Role::server && !setup.origin.empty()) {
    options.origin = *http::OriginPolicy::parse(setup.origin);
  }
  if (!setup.hosts.empty()) options.hosts = *http::AllowedHosts::parse(setup.hosts);
  return options;
}

// What serves all the ways of cutting one case.
struct World {
  explicit World(const WireSetup& wire_setup) : setup(wire_setup) {}
  virtual ~World() = default;

  // The peer's end of a new connection, non-blocking.
  virtual net::Fd connect() = 0;
  virtual std::size_t connection_count() const = 0;

  const WireSetup& setup;
  DumpRandom random{setup};
  test::FakeClock clock;
  net::Loop loop{clock};
  Program program{setup};
};

// A socket pair is as synchronous as a function call: once the loop is quiet, all has happened.
struct ServerWorld final : World {
  explicit ServerWorld(const WireSetup& wire_setup)
      : World(wire_setup), server(program, options_of(setup, random), &loop) {
    static int number = 0;
    const auto bound = server.listen("unix:@sockeye-wire-test-" + std::to_string(::getpid()) + "-" +
                                     std::to_string(++number));
    REQUIRE(bound);
  }

  net::Fd connect() override {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    server.on_accept(net::Fd(ends[0]), {});
    return net::Fd(ends[1]);
  }
  std::size_t connection_count() const override { return server.connection_count(); }

  Server server;
};

struct ClientWorld final : World {
  explicit ClientWorld(const WireSetup& wire_setup)
      : World(wire_setup), client(program, options_of(setup, random), &loop) {
    listener.reset(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    REQUIRE(::bind(listener.get(), generic, size) == 0);
    REQUIRE(::listen(listener.get(), 16) == 0);
    REQUIRE(::getsockname(listener.get(), generic, &size) == 0);
  }

  // The dump's URL, at the place where the test listens.
  std::string authority() const { return "127.0.0.1:" + std::to_string(ntohs(address.sin_port)); }
  std::string_view written_authority() const {
    const std::string_view rest = std::string_view(setup.url).substr(5);
    return rest.substr(0, rest.find('/'));
  }

  net::Fd connect() override {
    const std::string path = setup.url.substr(5 + written_authority().size());
    ConnectOptions options;
    options.origin = setup.origin;
    REQUIRE(client.connect("ws://" + authority() + path, options));
    net::Fd fd;
    while (!fd) {
      loop.turn(1);
      fd.reset(::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    }
    // What is left when the test is done with it is dropped at once.
    const linger drop{.l_onoff = 1, .l_linger = 0};
    REQUIRE(::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &drop, sizeof drop) == 0);
    return fd;
  }
  std::size_t connection_count() const override { return client.connection_count(); }

  Client client;
  net::Fd listener;
  sockaddr_in address{};
};

class ConnectionDriver final : public WireDriver {
 public:
  explicit ConnectionDriver(World& world)
      : world_(world),
        preamble_(
            with_compression(is_client() ? standard_response : standard_request, world.setup)),
        peer_(world.connect()) {
    settle();
    if (is_client()) take_request();
  }

  ~ConnectionDriver() override {
    peer_.reset();
    while (world_.connection_count() > 0) world_.loop.turn(1);
    world_.program.events = {};
  }

  Bytes preamble() const override {
    return world_.setup.from_handshake ? Bytes() : as_bytes(preamble_);
  }

  void command(const WireCommand& command) override {
    while (is_client() && world_.program.connection == nullptr) world_.loop.turn(1);
    REQUIRE(world_.program.connection != nullptr);
    Connection& connection = *world_.program.connection;
    switch (command.kind) {
      case WireCommand::Kind::send_text:
        connection.send_text(as_text(command.payload));
        break;
      case WireCommand::Kind::send_binary:
        connection.send_binary(command.payload);
        break;
      case WireCommand::Kind::ping:
        connection.ping(command.payload);
        break;
      case WireCommand::Kind::close:
        connection.close(command.code, as_text(command.payload));
        break;
    }
    settle();
  }

  void feed(Bytes piece) override {
    while (!piece.empty()) {
      const ssize_t sent = ::send(peer_.get(), piece.data(), piece.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno != EAGAIN) return settle();  // the connection has ended
      if (sent > 0) piece = piece.subspan(static_cast<std::size_t>(sent));
      settle();
    }
  }

  Observed take(const WireSegment& expected) override {
    take_preamble();
    if (is_client()) {
      wait_until([&] {
        return world_.program.events.size() >= expected.events.size() &&
               output_.size() >= expected.output.size() && fin_ >= expected.fin;
      });
    }
    return {world_.program.events.take(), std::exchange(output_, {}), std::exchange(fin_, false)};
  }

 private:
  bool is_client() const { return world_.setup.role == Role::client; }

  // Runs the loop until it has nothing more to do, and collects what came out of it.
  void settle() {
    do {
      world_.loop.turn(0);
    } while (receive() || world_.loop.wait_ms() == 0);
  }

  bool receive() {
    if (ended_) return false;
    std::uint8_t bytes[16 * 1024];
    const ssize_t received = ::recv(peer_.get(), bytes, sizeof bytes, 0);
    if (received < 0 && errno == EAGAIN) return false;
    if (received < 0 && !is_client()) world_.program.events.add("connection reset");
    if (received <= 0) {
      ended_ = fin_ = true;
      return true;
    }
    output_.insert(output_.end(), bytes, bytes + received);
    return true;
  }

  // TCP takes its time, though mostly it doesn't.
  template <typename Condition>
  void wait_until(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(2);
    while (!condition() && std::chrono::steady_clock::now() < deadline) {
      world_.loop.turn(1);
      settle();
    }
  }

  // The client speaks first. Where it connects to is the test's, not the dump's.
  void take_request() {
    const auto text = [this] { return as_text(output_); };
    wait_until([&] { return text().ends_with("\r\n\r\n"); });
    if (!world_.setup.from_handshake) return output_.clear();
    const auto& world = static_cast<ClientWorld&>(world_);
    const std::string host = world.authority();
    const std::size_t at = text().find(host);
    REQUIRE(at != std::string_view::npos);
    std::string request(text());
    request.replace(at, host.size(), world.written_authority());
    output_ = test::piece_of(as_bytes(request));
  }

  // Takes the response to the standard handshake off the output.
  void take_preamble() {
    if (is_client() || world_.setup.from_handshake || preamble_taken_) return;
    preamble_taken_ = true;
    const std::string_view text = as_text(output_);
    const std::size_t end = text.find("\r\n\r\n");
    if (!text.starts_with("HTTP/1.1 101 ") || end == std::string_view::npos) {
      return world_.program.events.add("no handshake");
    }
    output_.erase(output_.begin(), output_.begin() + static_cast<std::ptrdiff_t>(end + 4));
  }

  World& world_;
  const std::string preamble_;
  net::Fd peer_;
  Piece output_;
  bool fin_ = false;
  bool ended_ = false;
  bool preamble_taken_ = false;
};

// ── Playing ──────────────────────────────────────────────────────────────────────────────────

std::string play_to_protocol(const WireCase& wire_case) {
  if (wire_case.setup.from_handshake) return {};  // it begins after that
  return test::play(wire_case,
                    [&wire_case] { return std::make_unique<ProtocolDriver>(wire_case.setup); });
}

std::string play_to_connection(const WireCase& wire_case) {
  std::unique_ptr<World> world;
  if (wire_case.setup.role == Role::server) {
    world = std::make_unique<ServerWorld>(wire_case.setup);
  } else {
    world = std::make_unique<ClientWorld>(wire_case.setup);
  }
  return test::play(wire_case, [&world] { return std::make_unique<ConnectionDriver>(*world); });
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST_CASE("RFC 6455: the wire dumps, whole, byte by byte, and at every two-way split") {
  // SOCKEYE_WIRE: another folder, such as one with traces.
  const char* folder = std::getenv("SOCKEYE_WIRE");
  std::vector<std::filesystem::path> files;
  for (const auto& entry :
       std::filesystem::directory_iterator(folder != nullptr ? folder : "test/wire")) {
    if (entry.path().extension() == ".txt") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  CHECK(!files.empty());
  for (const std::filesystem::path& path : files) {
    const auto cases = test::parse_wire_dump(path.string(), read_file(path));
    if (!cases) {
      FAIL_CHECK(cases.error());
      continue;
    }
    for (const WireCase& wire_case : *cases) {
      if (const std::string problem = play_to_protocol(wire_case); !problem.empty()) {
        FAIL_CHECK("the protocol; " << problem);
      }
      if (const std::string problem = play_to_connection(wire_case); !problem.empty()) {
        FAIL_CHECK("a connection; " << problem);
      }
    }
  }
}

// ── The runner's own test ────────────────────────────────────────────────────────────────────

constexpr std::string_view right_dump =
    "# A comment\n"
    "case A masked message, and one of ours\n"
    "> 81 85 37 fa 21 3d 7f 9f 4d 51 58   # Hello\n"
    "> 89 80 ( 00 ) * 4\n"
    "= text \"Hello\"\n"
    "= ping\n"
    "< 8a 00\n"
    "! send text \"a\" * 3\n"
    "< 81 03 \"aaa\"\n"
    "! close 1000 \"bye\"\n"
    "< 88 05 03 e8 \"bye\"\n"
    "> 88 82 00 00 00 00 03 e8\n"
    "= close 1000\n"
    "< fin\n";

std::string with(std::string_view old_text, std::string_view new_text) {
  std::string dump(right_dump);
  const std::size_t at = dump.find(old_text);
  REQUIRE(at != std::string::npos);
  return dump.replace(at, old_text.size(), new_text);
}

// The problem that each driver finds.
std::vector<std::string> problems(std::string_view dump) {
  const auto cases = test::parse_wire_dump("inline", dump);
  if (!cases) return {cases.error()};
  REQUIRE(cases->size() == 1);
  return {play_to_protocol(cases->front()), play_to_connection(cases->front())};
}

TEST_CASE("wire dumps: a dump that is right passes") {
  for (const std::string& problem : problems(right_dump)) CHECK(problem == "");
}

TEST_CASE("wire dumps: a wrong expectation goes red, and says where") {
  const std::pair<std::string_view, std::string_view> mistakes[] = {
      {"= text \"Hello\"", "= text \"Hallo\""},    // a wrong event
      {"= text \"Hello\"", "= binary \"Hello\""},  //
      {"= text \"Hello\"\n", ""},                  // an event too many
      {"= ping\n", "= ping\n= ping\n"},            // a missing event
      {"= text \"Hello\"\n= ping\n", "= ping\n= text \"Hello\"\n"},
      {"< 8a 00", "< 8a 01"},  // wrong output
      {"< 8a 00\n", ""},
      {"< 8a 00", "< 8a 00 00"},
      {"81 03", "82 03"},
      {"= close 1000", "= close 1001"},
      {"= close 1000", "= close 1000 \"bye\""},
      {"= close 1000", "= fail close_code_invalid"},
      {"\"bye\"\n>", "\"by\"\n>"},
      {"< fin\n", ""},
      {"< 81 03 \"aaa\"\n", "< 81 03 \"aaa\"\n< fin\n"},
  };
  for (const auto& mistake : mistakes) {
    const auto [right, wrong] = mistake;
    CAPTURE(mistake.first);
    CAPTURE(mistake.second);
    for (const std::string& problem : problems(with(right, wrong))) {
      CHECK(problem.starts_with("inline:2: A masked message, and one of ours\n"));
    }
  }
}

TEST_CASE("wire dumps: what the input's cut changes goes red") {
  // A driver that hands on what it is fed, piece by piece.
  struct PieceDriver final : WireDriver {
    void command(const WireCommand&) override {}
    void feed(Bytes piece) override { events.add("text", piece); }
    Observed take(const WireSegment&) override { return {events.take(), {}, false}; }
    EventLog events;
  };
  const auto cases = test::parse_wire_dump("inline", "case x\n> \"ab\"\n= text \"ab\"\n");
  REQUIRE(cases);
  const std::string problem =
      test::play(cases->front(), [] { return std::make_unique<PieceDriver>(); });
  CHECK(problem.find("byte by byte") != std::string::npos);
}

TEST_CASE("wire dumps: a line that can't be read is an error with its place") {
  const std::pair<std::string_view, std::string_view> mistakes[] = {
      {"> 81 85", "> 8 85"},
      {"> 81 85", "> 0x81 85"},
      {"\"bye\"\n<", "\"bye\n<"},
      {"\"a\" * 3", "\"a\" *"},
      {"\"a\" * 3", "\"a\" * x"},
      {"( 00 ) * 4", "( 00 * 4"},
      {"( 00 ) * 4", "00 ) * 4"},
      {"\"Hello\"", "\"\\q\""},
      {"= ping", "= pung"},
      {"= ping", "= fail no_such_error"},
      {"= close 1000", "= close normal"},
      {"! send text", "! send"},
      {"! send text", "! shout"},
      {"# A comment", "limit nonsense 1"},
      {"# A comment", "limit message_bytes many"},
      {"# A comment", "role proxy"},
      {"# A comment", "nonce 00"},
      {"# A comment", "compression nonsense"},
      {"# A comment", "compression server_max_window_bits many"},
      {"# A comment", "> 00"},
      {"< 8a 00", "role client"},
      {"case A masked message, and one of ours", "case"},
      {"< fin\n", "< fin\n< 00\n"},
  };
  for (const auto& mistake : mistakes) {
    const auto [right, wrong] = mistake;
    CAPTURE(mistake.second);
    const auto cases = test::parse_wire_dump("inline", with(right, wrong));
    REQUIRE(!cases);
    const std::size_t at = std::min(right_dump.find(right), right_dump.size());
    const auto line =
        1 + std::count(right_dump.begin(), right_dump.begin() + std::ptrdiff_t(at), '\n');
    CAPTURE(cases.error());
    CHECK((cases.error().starts_with("inline:" + std::to_string(line) + ": ") ||
           cases.error().starts_with("inline:" + std::to_string(line + 1) + ": ")));
  }
  CHECK(!test::parse_wire_dump("inline", "# nothing\n"));
}

}  // namespace
}  // namespace sockeye::ws
