// SPDX-License-Identifier: MIT
#include "ws/client.h"

#include <doctest/doctest.h>
#include <sys/mman.h>

#include <optional>
#include <regex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "test/support/failing_malloc.h"
#include "test/support/server_rig.h"
#include "test/support/system_calls.h"
#include "ws/http/handshake.h"

namespace sockeye::ws {
namespace {

using test::Peer;
using test::Recorder;
using test::ServerRig;

// A client beside the server, on the same loop.
struct ClientRig : ServerRig {
  explicit ClientRig(Options server_options = {}, Options client_options = {})
      : ServerRig(std::move(server_options)), client(told, std::move(client_options), &loop) {}

  std::string url(std::string_view path = "/") {
    return "ws://" + address.text() + std::string(path);
  }
  void connect(const ConnectOptions& options = {}) { REQUIRE(client.connect(url(), options)); }

  // Turns the loop until the attempts to connect and the connections are over.
  void until_over() {
    REQUIRE(until([&] { return !told.events.empty() && client.connection_count() == 0; }));
  }

  Recorder told;  // the client's
  Client client;
};

// A server that says what no server should.
class RawServer {
 public:
  RawServer() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    const net::Address any = *net::Address::numeric("127.0.0.1", 0);
    REQUIRE(::bind(fd_.get(), any.data(), any.size()) == 0);
    REQUIRE(::listen(fd_.get(), 10) == 0);
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    REQUIRE(::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&storage), &size) == 0);
    address_ = net::Address::from(reinterpret_cast<sockaddr*>(&storage), size);
  }
  std::string url() const { return "ws://" + address_.text() + "/"; }
  Peer accept(ServerRig& rig) {
    net::Fd fd;
    REQUIRE(rig.until([&] { return fd.reset(::accept(fd_.get(), nullptr, nullptr)), bool(fd); }));
    return Peer(std::move(fd));
  }
  void close() { fd_.reset(); }

 private:
  net::Fd fd_;
  net::Address address_;
};

// What is logged while it lives, down to what only debugging asks for.
class DebugLog {
 public:
  DebugLog() : file_(::memfd_create("log", MFD_CLOEXEC)) {
    REQUIRE(file_);
    net::configure_log(net::LogLevel::debug, net::LogFormat::text, file_.get());
  }
  ~DebugLog() { net::configure_log(net::LogLevel::warn, net::LogFormat::text); }

  // The values of each line about compression: takeover and window of the server, and the client.
  std::vector<std::string> agreements() const {
    std::string text(64 * 1024, '\0');
    const ssize_t size = ::pread(file_.get(), text.data(), text.size(), 0);
    REQUIRE(size >= 0);
    text.resize(static_cast<std::size_t>(size));
    const std::regex line(
        "compression agreed server_context_takeover=(\\w+) server_window_bits=(\\w+) "
        "client_context_takeover=(\\w+) client_window_bits=(\\w+)");
    std::vector<std::string> found;
    for (std::sregex_iterator at(text.begin(), text.end(), line), end; at != end; ++at) {
      found.push_back(at->format("$1 $2 $3 $4"));
    }
    return found;
  }

 private:
  net::Fd file_;
};

// The answer that a client expects to the request in `head`.
std::string accepting(const std::string& head, std::string_view more_fields = {}) {
  const std::string name = "Sec-WebSocket-Key: ";
  const std::size_t at = head.find(name);
  REQUIRE(at != std::string::npos);
  const auto accept = http::accept_value(head.substr(at + name.size(), 24), system_kernels()->sha1);
  return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Accept: " +
         std::string(accept.begin(), accept.end()) + "\r\n" + std::string(more_fields) + "\r\n";
}

}  // namespace

TEST_CASE("client and server on one loop: open, echo, close") {
  ClientRig rig;
  rig.told.open = [](Connection& connection) { connection.send_text("Hello"); };
  rig.told.message = [](Connection& connection, Message) { connection.close(1000, "done"); };
  rig.connect();
  REQUIRE(rig.until([&] { return rig.client.connection_count() == 0 && rig.told.has("close"); }));
  CHECK(rig.told.all() == "open, text Hello, close 1000  clean");
  REQUIRE(rig.until([&] { return rig.server.connection_count() == 0; }));
  CHECK(rig.handler.all() == "upgrade, open, text Hello, close 1000 done clean");
}

TEST_CASE("messages of every size, both ways, masked one way only") {
  ClientRig rig;
  std::string got;
  rig.told.message = [&got](Connection&, Message message) { got = message.text(); };
  rig.connect();
  REQUIRE(rig.until([&] { return rig.told.has("open"); }));
  for (const std::size_t size : {0u, 1u, 125u, 126u, 65'535u, 65'536u, 300'000u, 1u << 21}) {
    CAPTURE(size);
    std::string payload(size, 'x');
    for (std::size_t i = 0; i < size; ++i) payload[i] = static_cast<char>(i * 31 >> 3);
    const std::string before = payload;
    const std::size_t messages = rig.told.count("binary");
    CHECK(rig.told.last.get()->send_binary(as_bytes(payload)) != SendResult::dropped);
    CHECK((payload == before));  // masked elsewhere
    REQUIRE(rig.until([&] { return rig.told.count("binary") > messages; }));
    CHECK((got == payload));
  }
}

TEST_CASE("the server closes: the client answers, and waits for the end of TCP") {
  ClientRig rig;
  rig.handler.open = [](Connection& connection) { connection.close(4001, "go"); };
  rig.connect();
  REQUIRE(rig.until([&] { return rig.told.has("close"); }));
  CHECK(rig.told.all() == "open, close 4001 go clean");
  REQUIRE(rig.until([&] { return rig.handler.has("close"); }));
  CHECK(rig.handler.events.back() == "close 4001  clean");
}

TEST_CASE("several connections at once, each with data of its own") {
  ClientRig rig;
  int marks[20];
  std::vector<int> seen(20);
  rig.told.open = [&](Connection& connection) {
    ++seen[static_cast<std::size_t>(connection.data<int>() - marks)];
  };
  for (int& mark : marks) rig.connect({.data = &mark});
  REQUIRE(rig.until([&] { return rig.told.count("open") == 20; }));
  CHECK(seen == std::vector<int>(20, 1));
  CHECK(rig.client.connection_count() == 20);
  CHECK(rig.server.connection_count() == 20);
}

TEST_CASE("where to connect, and from where, may be said apart from the URL") {
  ClientRig rig;
  std::string host;
  std::string peer;
  rig.handler.upgrade = [&](Upgrade& upgrade) {
    host = upgrade.request().field("host").value_or("");
    peer = upgrade.connection().peer().with_port(0).text();
  };
  REQUIRE(rig.client.connect("ws://example.test/", {.source = *net::Address::parse("127.0.0.9:0"),
                                                    .addresses = {rig.address}}));
  REQUIRE(rig.until([&] { return rig.told.has("open"); }));
  CHECK(host == "example.test");
  CHECK(peer == "127.0.0.9:0");
}

TEST_CASE("what the handshake says: origin, further fields, subprotocols") {
  ClientRig rig({.subprotocols = {"b", "a"}}, {.subprotocols = {"a", "b"}});
  std::string origin;
  std::string cookie;
  rig.handler.upgrade = [&](Upgrade& upgrade) {
    origin = upgrade.request().field("origin").value_or("");
    cookie = upgrade.request().field("cookie").value_or("");
  };
  std::string chosen;
  rig.told.open = [&](Connection& connection) { chosen = connection.subprotocol(); };
  rig.connect({.origin = "http://" + rig.address.text(), .extra_fields = {{"Cookie", "a=b"}}});
  REQUIRE(rig.until([&] { return rig.told.has("open"); }));
  CHECK(origin == "http://" + rig.address.text());
  CHECK(cookie == "a=b");
  CHECK(chosen == "b");
}

TEST_CASE("RFC 7692 §5: what was agreed about compression is the same at both ends") {
  struct Row {
    deflate::Parameters server;
    deflate::Parameters client;
    std::string_view agreed;
  };
  const Row rows[] = {
      {{}, {}, "true 15 true 15"},
      {{.server = {.window_bits = 12}, .client = {.context_takeover = false}},
       {.server = {.context_takeover = false}, .client = {.window_bits = 9}},
       "false 12 false 9"},
      {{.server = {.context_takeover = false}, .client = {.window_bits = 10}},
       {.server = {.window_bits = 8}, .client = {}},
       "false 8 true 10"},
  };
  for (const Row& row : rows) {
    ClientRig rig({.compression = Compression{.windows = row.server}},
                  {.compression = Compression{.windows = row.client}});
    DebugLog log;
    rig.connect();
    REQUIRE(rig.until([&] { return rig.told.has("open") && rig.handler.has("open"); }));
    CHECK(log.agreements() == std::vector<std::string>(2, std::string(row.agreed)));
    rig.told.last.get()->send_text(std::string(100, 'a'));
    REQUIRE(rig.until([&] { return rig.told.has("text of 100 bytes"); }));
  }
}

TEST_CASE("nothing is started with compression and in_chunks together") {
  const Options options{.in_chunks = true, .compression = Compression()};
  ClientRig rig({}, options);
  CHECK(!rig.client.connect(rig.url()));
  Server server(rig.handler, options, &rig.loop);
  CHECK(!server.listen("127.0.0.1:0"));
}

TEST_CASE("contexts_bytes: those that come when it is spent begin each message anew") {
  const std::size_t pair = [] {
    Pool pool;
    return deflate::MessageCodec(pool, deflate::Level::fast).context_bytes({}, {});
  }();
  Options options{.compression = Compression()};
  options.limits.contexts_bytes = 2 * pair;
  ClientRig rig(options, {.compression = Compression()});
  const auto agreed = [&rig] {
    DebugLog log;
    const std::size_t before = rig.told.count("open");
    rig.connect();
    REQUIRE(rig.until(
        [&] { return rig.told.count("open") > before && rig.handler.count("open") > before; }));
    return log.agreements().back();
  };
  CHECK(agreed() == "true 15 true 15");
  CHECK(agreed() == "true 15 true 15");
  const Handle second = rig.told.last;
  CHECK(agreed() == "false 15 false 15");
  CHECK(agreed() == "false 15 false 15");
  second.get()->close();
  REQUIRE(rig.until([&] { return rig.server.connection_count() == 3; }));
  CHECK(agreed() == "true 15 true 15");
  CHECK(agreed() == "false 15 false 15");
}

TEST_CASE("compressed messages that are large when inflated come a few in a turn") {
  ClientRig rig({.compression = Compression()}, {.compression = Compression()});
  rig.handler.message = nullptr;
  rig.connect();
  REQUIRE(rig.until([&] { return rig.told.has("open") && rig.handler.has("open"); }));
  const std::string large(1'500'000, 'a');
  for (int i = 0; i < 10; ++i) rig.told.last.get()->send_text(large);
  std::size_t seen = 0;
  REQUIRE(rig.until([&] {
    const std::size_t now = rig.handler.count("text of 1500000 bytes");
    CHECK(now <= seen + 2);  // as input comes, and on the agenda
    seen = now;
    return seen == 10;
  }));
  rig.told.last.get()->close();
  REQUIRE(rig.until([&] { return rig.handler.has("close 1000"); }));
}

TEST_CASE("RFC 7692 §5: compression that only one side wants isn't agreed on") {
  const std::optional<Compression> wanted = Compression();
  for (const bool server_wants : {false, true}) {
    ClientRig rig({.compression = server_wants ? wanted : std::nullopt},
                  {.compression = server_wants ? std::nullopt : wanted});
    DebugLog log;
    rig.connect();
    REQUIRE(rig.until([&] { return rig.told.has("open") && rig.handler.has("open"); }));
    CHECK(log.agreements().empty());
  }
}

TEST_CASE("§4.1: each handshake has a nonce of its own") {
  ClientRig rig;
  std::set<std::string> keys;
  rig.handler.upgrade = [&](Upgrade& upgrade) {
    keys.emplace(upgrade.request().field("sec-websocket-key").value_or(""));
  };
  for (int i = 0; i < 10; ++i) rig.connect();
  REQUIRE(rig.until([&] { return rig.told.count("open") == 10; }));
  CHECK(keys.size() == 10);
}

TEST_CASE("§10.3: what a program changes after send() is not sent") {
  ClientRig rig;
  for (const std::size_t size : {5u, 100'000u, 8'000'000u}) {
    CAPTURE(size);
    std::string payload(size, 'a');
    rig.told.open = [&payload](Connection& connection) {
      connection.send_text(payload);
      payload.assign(payload.size(), 'b');
    };
    std::string got;
    rig.handler.message = [&got](Connection&, Message message) { got = message.text(); };
    rig.connect();
    REQUIRE(rig.until([&] { return !got.empty(); }));
    CHECK((got == std::string(size, 'a')));
  }
}

TEST_CASE("what can't be asked for isn't: an error at once, and nothing started") {
  ClientRig rig;
  CHECK(!rig.client.connect("http://127.0.0.1/"));
  CHECK(!rig.client.connect("wss://127.0.0.1/"));
  CHECK(!rig.client.connect("ws://127.0.0.1/#fragment"));
  CHECK(!rig.client.connect("nonsense"));
  CHECK(!rig.client.connect(rig.url(), {.extra_fields = {{"Host", "other"}}}));
  CHECK(!rig.client.connect(rig.url(), {.extra_fields = {{"X", "a\r\nY: b"}}}));
  rig.client.run();  // returns: there is nothing to wait for
  CHECK(rig.told.events.empty());
}

TEST_CASE("RFC 7692 §7.1.2: nothing is started with a window of a size that can't be asked for") {
  for (const std::uint8_t bits : {0, 7, 16, 255}) {
    Options options{.compression =
                        Compression{.windows = {.server = {.window_bits = bits}, .client = {}}}};
    ClientRig rig({}, options);
    CHECK(!rig.client.connect(rig.url()));
    Server server(rig.handler, options, &rig.loop);
    CHECK(!server.listen("127.0.0.1:0"));
  }
}

TEST_CASE("nobody listens: connection_lost") {
  ClientRig rig;
  RawServer nobody;
  const std::string url = nobody.url();
  nobody.close();
  int data = 0;
  rig.told.connect_failure = [&](const ConnectFailure& failure) {
    CHECK(failure.data == &data);
    CHECK(!failure.text.empty());
  };
  REQUIRE(rig.client.connect(url, {.data = &data}));
  rig.until_over();
  CHECK(rig.told.all() == "connect_failure connection_lost 0");
}

TEST_CASE("§4.1: answers that open no connection") {
  struct Row {
    std::string_view name;
    std::string response;
    std::string_view outcome;
  };
  const std::string upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\n";
  const Row rows[] = {
      {"forbidden", "HTTP/1.1 403 Forbidden\r\n\r\n", "response_status_not_101 403"},
      {"moved", "HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", "response_status_not_101 302"},
      {"no accept", "HTTP/1.1 101 OK\r\n" + upgrade + "\r\n", "response_accept_missing 101"},
      {"wrong accept",
       "HTTP/1.1 101 OK\r\n" + upgrade +
           "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
       "response_accept_wrong 101"},
      {"no HTTP", "SSH-2.0-OpenSSH_9.2\r\n\r\n", "response_malformed 0"},
      {"nothing", "", "connection_lost 0"},
      {"half", "HTTP/1.1 101 Switching Prot", "connection_lost 0"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    ClientRig rig;
    RawServer server;
    REQUIRE(rig.client.connect(server.url()));
    Peer peer = server.accept(rig);
    rig.head(peer);
    peer.send(row.response);
    peer.close();
    rig.until_over();
    CHECK(rig.told.all() == "connect_failure " + std::string(row.outcome));
    CHECK(rig.client.connection_count() == 0);
  }
}

TEST_CASE("§4.1: a subprotocol or an extension that wasn't offered") {
  ClientRig rig;
  RawServer server;
  REQUIRE(rig.client.connect(server.url()));
  Peer peer = server.accept(rig);
  const std::string head = rig.head(peer);
  std::string_view outcome;
  SUBCASE("subprotocol") {
    peer.send(accepting(head, "Sec-WebSocket-Protocol: chat\r\n"));
    outcome = "response_protocol_not_offered 101";
  }
  SUBCASE("extension") {
    peer.send(accepting(head, "Sec-WebSocket-Extensions: permessage-deflate\r\n"));
    outcome = "response_extension_not_offered 101";
  }
  rig.until_over();
  CHECK(rig.told.all() == "connect_failure " + std::string(outcome));
}

TEST_CASE("the server's first frames may come with its answer, and with FIN") {
  ClientRig rig;
  RawServer server;
  REQUIRE(rig.client.connect(server.url()));
  Peer peer = server.accept(rig);
  const std::string head = rig.head(peer);
  SUBCASE("frames") {
    peer.send(accepting(head) + "\x81\x05Hello");
    REQUIRE(rig.until([&] { return rig.told.has("text"); }));
    CHECK(rig.told.all() == "open, text Hello");
  }
  SUBCASE("a Close frame and FIN: our answer still goes out (§5.5.1)") {
    peer.send(accepting(head) + "\x88\x02\x03\xe8");
    peer.finish();
    rig.until_over();
    CHECK(rig.told.all() == "open, close 1000  clean");
    peer.receive();
    const std::string& answer = peer.input();
    REQUIRE(answer.size() == 8);  // masked
    CHECK(answer.substr(0, 2) == "\x88\x82");
    CHECK((answer[6] ^ answer[2]) == 0x03);
    CHECK(static_cast<std::uint8_t>(answer[7] ^ answer[3]) == 0xe8);
  }
  SUBCASE("§5.1: a masked frame closes with 1002") {
    peer.send(accepting(head) + test::text("masked"));
    REQUIRE(rig.until([&] { return rig.told.has("close"); }));
    CHECK(rig.told.all() ==
          "open, close 1002 " + std::string(info(Error::frame_masked).text) + " unclean");
  }
  SUBCASE("§7.1.1: a server that doesn't end TCP is left after close_timeout_ms") {
    peer.send(accepting(head) + "\x88\x02\x03\xe8");
    REQUIRE(rig.until([&] { return rig.told.has("close"); }));
    rig.pass(4'900);
    CHECK(rig.client.connection_count() == 1);
    rig.pass(200);
    CHECK(rig.client.connection_count() == 0);
  }
}

TEST_CASE("own_frames_return: our frames, sent back as they are, are messages") {
  Options options;
  options.own_frames_return = true;
  ClientRig rig({}, options);
  rig.told.open = [](Connection& connection) { connection.send_text("Hello"); };
  RawServer server;
  REQUIRE(rig.client.connect(server.url()));
  Peer peer = server.accept(rig);
  peer.send(accepting(rig.head(peer)));
  std::string bytes;
  REQUIRE(rig.until([&] { return peer.receive(), !(bytes += peer.take_input()).empty(); }));
  SUBCASE("all at once") {
    peer.send(bytes);
  }
  SUBCASE("cut") {
    peer.send(bytes.substr(0, 7));
    rig.settle();
    peer.send(bytes.substr(7));
  }
  REQUIRE(rig.until([&] { return rig.told.has("text"); }));
  CHECK(rig.told.all() == "open, text Hello");

  peer.send("\x81\x01x");
  REQUIRE(rig.until([&] { return rig.told.has("close"); }));
  CHECK(rig.told.has("close 1002 " + std::string(info(Error::frame_not_masked).text)));
}

TEST_CASE("a server that doesn't answer: connect_timeout_ms is for TCP and the handshake in all") {
  ClientRig rig({}, {.limits = {.connect_timeout_ms = 10'000}});
  RawServer server;
  REQUIRE(rig.client.connect(server.url()));
  Peer peer = server.accept(rig);
  SUBCASE("not at all") {}
  SUBCASE("byte by byte") {
    rig.head(peer);
    for (const char byte : std::string_view("HTTP/1.1 ")) {
      peer.send(std::string_view(&byte, 1));
      rig.pass(1'000);
    }
  }
  rig.pass(9'900);
  rig.pass(200);
  CHECK(rig.told.all() == "connect_failure connect_timeout 0");
  CHECK(rig.client.connection_count() == 0);
}

// What comes while the request isn't out yet is kept, and for that there may be no memory.
TEST_CASE("an answer that comes too early and can't be kept: on_connect_failure") {
  RawServer server;
  ClientRig rig;
  bool peer_sends = false;  // by the same functions
  std::size_t room = 5;
  test::SystemCalls calls;
  calls.limit_sending(
      [&](std::size_t asked) { return peer_sends ? asked : std::exchange(room, 0); });
  REQUIRE(rig.client.connect(server.url()));
  Peer peer = server.accept(rig);
  REQUIRE(rig.until([&] { return peer.receive(), peer.take_input() == "GET /"; }));

  peer_sends = true;
  peer.send("HTTP/1.1 101 " + std::string(300, 'x'));
  peer_sends = false;
  test::MallocWatch watch(0);
  rig.until_over();
  CHECK(watch.failed());
  CHECK(rig.told.all() == "connect_failure out_of_memory 0");
}

TEST_CASE("on_connect_failure may connect anew") {
  ClientRig rig;
  RawServer nobody;
  const std::string url = nobody.url();
  nobody.close();
  SUBCASE("where nobody listened") {
    rig.told.connect_failure = [&](const ConnectFailure&) { rig.connect(); };
    REQUIRE(rig.client.connect(url));
  }
  SUBCASE("where the server refused") {
    rig.handler.upgrade = [&rig](Upgrade& upgrade) {
      if (rig.handler.count("upgrade") == 1) upgrade.refuse(503, "not yet");
    };
    rig.told.connect_failure = [&](const ConnectFailure&) { rig.connect(); };
    rig.connect();
  }
  REQUIRE(rig.until([&] { return rig.told.has("open"); }));
  CHECK(rig.told.count("connect_failure") == 1);
}

TEST_CASE("a client that goes in the middle of everything leaves nothing behind") {
  ServerRig rig;
  RawServer silent;
  Recorder told;
  {
    Client client(told, {}, &rig.loop);
    REQUIRE(client.connect("ws://" + rig.address.text() + "/"));
    REQUIRE(rig.until([&] { return told.has("open"); }));
    REQUIRE(client.connect(silent.url()));
    rig.settle();
    REQUIRE(client.connect("ws://" + rig.address.text() + "/"));
  }
  rig.settle();
  CHECK(rig.server.connection_count() == 0);
  CHECK(rig.handler.events.back() == "close 1006  unclean");
}

TEST_CASE("run returns when the last connection is gone, and may be called again") {
  ClientRig rig;
  rig.told.open = [](Connection& connection) { connection.close(); };
  for (int i = 0; i < 3; ++i) {
    rig.connect();
    rig.client.run();
    CHECK(rig.client.connection_count() == 0);
  }
  CHECK(rig.told.count("close 1000") == 3);
}

TEST_CASE("a client that is done doesn't end the run of a server on the same loop") {
  ClientRig rig({.stop_on_signals = false});
  rig.told.open = [](Connection& connection) { connection.close(); };
  rig.connect();
  bool stopped = false;
  std::function<void()> look = [&] {
    stopped = rig.client.connection_count() == 0 && rig.told.has("close");
    stopped ? rig.server.stop() : rig.loop.post(look);
  };
  rig.loop.post(look);
  rig.server.run();
  CHECK(stopped);
}

}  // namespace sockeye::ws
