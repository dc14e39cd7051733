// SPDX-License-Identifier: MIT
#include "net/connector.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/listener.h"
#include "test/support/sockets.h"
#include "test/support/system_calls.h"

using sockeye::net::Address;
using sockeye::net::Connector;
using sockeye::net::Error;
using sockeye::net::Fd;
using sockeye::net::Listener;
using sockeye::net::Loop;
using sockeye::net::Watcher;
using sockeye::test::Call;
using sockeye::test::open_descriptors;
using sockeye::test::SystemCalls;
using sockeye::test::turn_until;

namespace {

Address address(std::string_view text) {
  auto parsed = Address::parse(text);
  REQUIRE(parsed);
  return *parsed;
}

// A connector, and a server to connect to, on one loop.
struct Site final : Connector::Owner, Listener::Owner {
  Loop loop;
  Listener listener{loop, *this};
  std::unique_ptr<Connector> connector = std::make_unique<Connector>(loop, *this);
  Fd connected;
  std::vector<Error> failures;
  std::vector<Fd> accepted;
  std::function<void()> at_outcome = [] {};

  explicit Site(std::string_view where = "127.0.0.1:0") {
    REQUIRE(loop.open());
    REQUIRE(listener.open(address(where), Listener::Sharing::alone));
  }

  void on_connected(Fd fd) override {
    connected = std::move(fd);
    at_outcome();
  }
  void on_connect_failed(const Error& error) override {
    at_outcome();  // may destroy the connector
    failures.push_back(error);
  }
  void on_accept(Fd fd, const Address&) override { accepted.push_back(std::move(fd)); }
  void on_turn_away(int) override {}

  bool outcome() {
    return turn_until(loop, [&] { return connected || !failures.empty(); });
  }
};

// Addresses at which nobody listens.
std::vector<Address> closed_addresses(std::size_t count) {
  std::vector<Address> addresses;
  std::vector<Fd> bound;  // as long as a port is bound to one, it isn't given to the next
  for (std::size_t i = 0; i < count; ++i) {
    Site site;
    addresses.push_back(site.listener.address());
    bound.emplace_back(::dup(site.listener.descriptor()));
  }
  return addresses;
}

std::string local_name() {
  return "unix:@sockeye-test-connector-" + std::to_string(::getpid());
}

}  // namespace

TEST_CASE("Connector: hands over a connected socket: non-blocking, without delay, not watched") {
  for (const std::string& where :
       {std::string("127.0.0.1:0"), std::string("[::1]:0"), local_name()}) {
    CAPTURE(where);
    Site site(where);
    site.connector->connect({site.listener.address()});
    CHECK(!site.connected);  // not before this call has returned
    REQUIRE(site.outcome());
    REQUIRE(site.connected);
    const int fd = site.connected.get();
    CHECK((::fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    CHECK((::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    if (site.listener.address().family() != AF_UNIX) {
      int no_delay = 0;
      socklen_t size = sizeof no_delay;
      CHECK(::getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &no_delay, &size) == 0);
      CHECK(no_delay == 1);
    }
    struct Nobody final : Watcher {
      void on_events(std::uint32_t) override {}
    } nobody;
    CHECK(site.loop.watch(fd, nobody));  // EEXIST, if the connector still did
    REQUIRE(turn_until(site.loop, [&] { return !site.accepted.empty(); }));
    sockeye::test::send_text(fd, "hello");
    CHECK(sockeye::test::wait_for_bytes(site.accepted[0].get(), 5));
  }
}

TEST_CASE("Connector: comes from the source address that it is given") {
  Site site;
  site.connector->connect({site.listener.address()}, address("127.0.0.9:0"));
  REQUIRE(site.outcome());
  REQUIRE(site.connected);
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  REQUIRE(::getsockname(site.connected.get(), reinterpret_cast<sockaddr*>(&storage), &size) == 0);
  const Address from = Address::from(reinterpret_cast<sockaddr*>(&storage), size);
  CHECK(from.with_port(0).text() == "127.0.0.9:0");
  CHECK(from.port() != 0);
}

TEST_CASE("Connector: a source address that isn't this machine's is a failure") {
  Site site;
  site.connector->connect({site.listener.address()}, address("192.0.2.1:0"));
  REQUIRE(site.outcome());
  REQUIRE(site.failures.size() == 1);
  CHECK(site.failures[0].code == EADDRNOTAVAIL);
}

TEST_CASE("Connector: a refusal names the address and the system's reason") {
  Site site;
  const Address closed = closed_addresses(1)[0];
  site.connector->connect({closed});
  REQUIRE(site.outcome());
  REQUIRE(site.failures.size() == 1);
  CHECK(site.failures[0].message == "cannot connect to " + closed.text() + ": Connection refused");
  CHECK(site.failures[0].code == ECONNREFUSED);
  for (int i = 0; i < 3; ++i) site.loop.turn(0);
  CHECK(site.failures.size() == 1);
}

TEST_CASE("Connector: a Unix socket that isn't there fails") {
  Site site;
  site.connector->connect({address("unix:/nonexistent/socket")});
  CHECK(site.failures.empty());  // not before this call has returned
  REQUIRE(site.outcome());
  CHECK(site.failures[0].code == ENOENT);
}

TEST_CASE("Connector: a Unix socket whose server is swamped fails, in place of waiting for ever") {
  const Address where = address(local_name());
  const Fd server(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(::bind(server.get(), where.data(), where.size()) == 0);
  REQUIRE(::listen(server.get(), 0) == 0);
  Site site;
  site.connector->connect({where});
  REQUIRE(site.outcome());
  REQUIRE(site.connected);  // that one fills the backlog
  const Fd first = std::move(site.connected);
  site.connector->connect({where});
  REQUIRE(site.outcome());
  REQUIRE(site.failures.size() == 1);
  CHECK(site.failures[0].code == EAGAIN);
}

TEST_CASE("Connector: tries one address after the other, in order, up to the first that answers") {
  Site site, never_asked;
  std::vector<Address> addresses = closed_addresses(2);
  addresses.insert(addresses.begin() + 1, address("unix:/nonexistent/socket"));
  addresses.push_back(site.listener.address());
  addresses.push_back(never_asked.listener.address());
  SystemCalls calls;
  site.connector->connect(addresses);
  REQUIRE(site.outcome());
  CHECK(site.connected);
  CHECK(site.failures.empty());
  CHECK(calls.count(Call::connect) == 4);
  never_asked.loop.turn(0);
  CHECK(never_asked.accepted.empty());
}

TEST_CASE("Connector: where nobody answers, the last address is the one that is named") {
  Site site;
  const std::vector<Address> addresses = closed_addresses(3);
  site.connector->connect(addresses);
  REQUIRE(site.outcome());
  REQUIRE(site.failures.size() == 1);
  CHECK(site.failures[0].message.starts_with("cannot connect to " + addresses[2].text() + ": "));
}

TEST_CASE("Connector: may be used again after either outcome") {
  Site site;
  site.connector->connect(closed_addresses(1));
  REQUIRE(site.outcome());
  site.connector->connect({site.listener.address()});
  REQUIRE(turn_until(site.loop, [&] { return bool(site.connected); }));
  site.connected.reset();
  site.connector->connect({site.listener.address()});
  REQUIRE(turn_until(site.loop, [&] { return bool(site.connected); }));
}

TEST_CASE("Connector: the owner may destroy it when it hears of the outcome") {
  for (const bool refused : {false, true}) {
    for (const bool at_once : {false, true}) {
      CAPTURE(refused);
      CAPTURE(at_once);
      Site site;
      site.at_outcome = [&] { site.connector.reset(); };
      const Address where = !refused  ? site.listener.address()
                            : at_once ? address("unix:/nonexistent/socket")
                                      : closed_addresses(1)[0];
      site.connector->connect({where});
      REQUIRE(site.outcome());
      CHECK(site.connector == nullptr);
      CHECK(bool(site.connected) == !refused);
      if (refused) CHECK(site.failures[0].message.starts_with("cannot connect to " + where.text()));
    }
  }
}

TEST_CASE("Connector: cancelled, it calls nobody and holds nothing") {
  Site site;
  const std::size_t before = open_descriptors();
  SUBCASE("before it begins") {
    site.connector->connect({site.listener.address()});
  }
  SUBCASE("while it connects") {
    site.connector->connect({site.listener.address()});
    SystemCalls calls;
    calls.fail(Call::epoll_wait, EINTR);
    site.loop.turn(0);  // the agenda connects, and the event is for the next turn
    CHECK(calls.count(Call::connect) == 1);
    CHECK(open_descriptors() == before + 1);
  }
  SUBCASE("by its end") {
    site.connector->connect({site.listener.address()});
    site.connector.reset();
  }
  if (site.connector) site.connector->cancel();
  CHECK(open_descriptors() == before);
  for (int i = 0; i < 3; ++i) site.loop.turn(0);
  CHECK(!site.connected);
  CHECK(site.failures.empty());
  if (site.connector) site.connector->cancel();  // once more does nothing
}

TEST_CASE("Connector: whichever call fails, with whatever error, the next address has its chance") {
  const struct {
    Call call;
    std::vector<int> errors;
  } kinds[] = {
      {Call::socket, {EAFNOSUPPORT, EMFILE, ENFILE, ENOBUFS, ENOMEM, EACCES}},
      {Call::connect,
       {EACCES, EADDRNOTAVAIL, EAGAIN, ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, ETIMEDOUT, EPERM}},
      {Call::epoll_ctl, {ENOMEM, ENOSPC}},
  };
  for (const auto& kind : kinds) {
    for (const int error : kind.errors) {
      for (const int addresses : {1, 2}) {
        CAPTURE(error);
        CAPTURE(addresses);
        Site site;
        const Address where = site.listener.address();
        const std::size_t before = open_descriptors();
        SystemCalls calls;
        calls.fail(kind.call, error);
        site.connector->connect(std::vector(static_cast<std::size_t>(addresses), where));
        REQUIRE(site.outcome());
        if (addresses == 1) {
          REQUIRE(site.failures.size() == 1);
          CHECK(site.failures[0].code == error);
          site.loop.turn(0);
          site.accepted.clear();
          CHECK(open_descriptors() == before);
        } else {
          CHECK(site.connected);
        }
      }
    }
  }
}
