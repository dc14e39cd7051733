// SPDX-License-Identifier: MIT
#include "net/listener.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/log.h"
#include "test/support/fake_clock.h"
#include "test/support/sockets.h"
#include "test/support/system_calls.h"

using sockeye::net::Address;
using sockeye::net::Fd;
using sockeye::net::Listener;
using sockeye::net::Loop;
using sockeye::test::Call;
using sockeye::test::FakeClock;
using sockeye::test::open_descriptors;
using sockeye::test::SystemCalls;
using sockeye::test::turn_until;
using Sharing = sockeye::net::Listener::Sharing;

namespace {

Address address(std::string_view text) {
  auto parsed = Address::parse(text);
  REQUIRE(parsed);
  return *parsed;
}

// A folder that is gone with the test.
class Folder {
 public:
  Folder() { REQUIRE(::mkdtemp(path_) != nullptr); }
  ~Folder() {
    ::unlink(file().c_str());
    ::rmdir(path_);
  }
  std::string file() const { return std::string(path_) + "/socket"; }
  std::string unix_address() const { return "unix:" + file(); }

 private:
  char path_[32] = "/tmp/sockeye-test-XXXXXX";
};

bool exists(const std::string& path) {
  struct stat status;
  return ::lstat(path.c_str(), &status) == 0;
}

// Keeps what it is given.
struct Host final : Listener::Owner {
  std::vector<Fd> accepted;
  std::vector<std::string> peers;
  int turned_away = 0;
  std::function<void()> at_accept = [] {};
  std::function<void()> at_turn_away = [] {};

  void on_accept(Fd fd, const Address& peer) override {
    accepted.push_back(std::move(fd));
    peers.push_back(peer.text());
    at_accept();
  }
  void on_turn_away(int fd) override {
    ++turned_away;
    CHECK(::send(fd, "full", 4, MSG_NOSIGNAL) == 4);
    at_turn_away();
  }
};

struct Site {
  Loop loop;
  Host host;
  Listener listener{loop, host};

  Site() { REQUIRE(loop.open()); }
  explicit Site(FakeClock& clock) : loop(clock) { REQUIRE(loop.open()); }

  void listen(std::string_view text, Sharing sharing = Sharing::alone, int shared = -1) {
    const auto opened = listener.open(address(text), sharing, shared);
    REQUIRE_MESSAGE(opened, (opened ? "" : opened.error().message));
  }
  std::string refusal(std::string_view text, Sharing sharing = Sharing::alone, int shared = -1) {
    const auto opened = listener.open(address(text), sharing, shared);
    REQUIRE(!opened);
    CHECK(!listener.is_open());
    return opened.error().message;
  }
  bool accepts(std::size_t count) {
    return turn_until(loop, [&] { return host.accepted.size() >= count; });
  }
};

// A blocking connection; with `error`, one that fails with it.
Fd connect_to(const Address& to, int error = 0) {
  Fd fd(::socket(to.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(fd);
  const int result = ::connect(fd.get(), to.data(), to.size());
  CHECK((result == 0 ? 0 : errno) == error);
  return fd;
}

int option(int fd, int level, int name) {
  int value = 0;
  socklen_t size = sizeof value;
  REQUIRE(::getsockopt(fd, level, name, &value, &size) == 0);
  return value;
}

// Hides the log's warnings while it lives.
struct QuietLog {
  QuietLog() {
    sockeye::net::configure_log(sockeye::net::LogLevel::error, sockeye::net::LogFormat::text);
  }
  ~QuietLog() {
    sockeye::net::configure_log(sockeye::net::LogLevel::warn, sockeye::net::LogFormat::text);
  }
};

// Runs `act`, which returns an exit status, in a process of its own.
int in_child(const std::function<int()>& act) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(act());
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

// ── Addresses ────────────────────────────────────────────────────────────────────────────────

TEST_CASE("Listener: IPv4 and IPv6; port 0 becomes the one that the system chose") {
  for (const char* text : {"127.0.0.1:0", "[::1]:0"}) {
    CAPTURE(text);
    Site site;
    site.listen(text);
    CHECK(site.listener.is_open());
    CHECK(site.listener.address().port() != 0);
    const Fd client = connect_to(site.listener.address());
    REQUIRE(site.accepts(1));
    const int fd = site.host.accepted[0].get();
    CHECK((::fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    CHECK((::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    CHECK(option(fd, IPPROTO_TCP, TCP_NODELAY) == 1);
  }
}

TEST_CASE("Listener: \":0\" takes IPv4 and IPv6; \"[::]:0\" takes IPv6 alone") {
  Site any;
  any.listen(":0");
  const std::string port = std::to_string(any.listener.address().port());
  const Fd v4 = connect_to(address("127.0.0.1:" + port));
  const Fd v6 = connect_to(address("[::1]:" + port));
  CHECK(any.accepts(2));
  CHECK(any.listener.address().text() == ":" + port);

  Site v6_only;
  v6_only.listen("[::]:0");
  const std::string its_port = std::to_string(v6_only.listener.address().port());
  const Fd refused = connect_to(address("127.0.0.1:" + its_port), ECONNREFUSED);
  const Fd accepted = connect_to(address("[::1]:" + its_port));
  CHECK(v6_only.accepts(1));
}

TEST_CASE("Listener: \":0\" is IPv4 where the system has no IPv6, or has it switched off") {
  for (const auto& [call, error] :
       {std::pair(Call::socket, EAFNOSUPPORT), std::pair(Call::bind, EADDRNOTAVAIL)}) {
    Site site;
    {
      SystemCalls calls;
      calls.fail(call, error);
      site.listen(":0");
    }
    CHECK(site.listener.address().family() == AF_INET);
    const Fd client =
        connect_to(address("127.0.0.1:" + std::to_string(site.listener.address().port())));
    CHECK(site.accepts(1));
  }
}

TEST_CASE("Listener: a taken port is an error that names the address") {
  Site first, second;
  first.listen("127.0.0.1:0");
  const std::string text = first.listener.address().text();
  CHECK(second.refusal(text) == "cannot listen on " + text + ": Address already in use");
}

TEST_CASE("Listener: takes its port back while old connections linger") {
  Site site;
  site.listen("127.0.0.1:0");
  const Address where = site.listener.address();
  Fd client = connect_to(where);
  REQUIRE(site.accepts(1));
  site.host.accepted.clear();  // our side closes first, and goes to TIME_WAIT
  client.reset();
  site.listener.close();
  CHECK(!site.listener.is_open());
  site.listen(where.text());
}

TEST_CASE("Listener: close() stops accepting, and the port is free") {
  Site site;
  const std::size_t before = open_descriptors();
  site.listen("127.0.0.1:0");
  const Address where = site.listener.address();
  site.listener.close();
  site.listener.close();  // once more does nothing
  CHECK(open_descriptors() == before);
  const Fd refused = connect_to(where, ECONNREFUSED);
}

// ── Unix sockets ─────────────────────────────────────────────────────────────────────────────

TEST_CASE("Listener: a Unix socket's file is there while it listens") {
  const Folder folder;
  Site site;
  site.listen(folder.unix_address());
  CHECK(exists(folder.file()));
  CHECK(site.listener.address().text() == folder.unix_address());
  const Fd client = connect_to(address(folder.unix_address()));
  CHECK(site.accepts(1));
  site.listener.close();
  CHECK(!exists(folder.file()));
}

TEST_CASE("Listener: leaves a file that another server has put there since") {
  const Folder folder;
  Site old_server, new_server;
  old_server.listen(folder.unix_address());
  REQUIRE(::unlink(folder.file().c_str()) == 0);
  new_server.listen(folder.unix_address());
  old_server.listener.close();
  CHECK(exists(folder.file()));
  const Fd client = connect_to(address(folder.unix_address()));
  CHECK(new_server.accepts(1));
}

TEST_CASE("Listener: replaces the file of a server that is gone") {
  const Folder folder;
  const Address where = address(folder.unix_address());
  {
    const Fd gone(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::bind(gone.get(), where.data(), where.size()) == 0);
    REQUIRE(::listen(gone.get(), 1) == 0);
  }
  REQUIRE(exists(folder.file()));
  Site site;
  site.listen(folder.unix_address());
  const Fd client = connect_to(where);
  CHECK(site.accepts(1));
}

TEST_CASE("Listener: leaves the file of a server that lives, even of one that is swamped") {
  const Folder folder;
  const Address where = address(folder.unix_address());
  const Fd other(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(::bind(other.get(), where.data(), where.size()) == 0);
  REQUIRE(::listen(other.get(), 0) == 0);
  const Fd waiting = connect_to(where);  // its backlog is full
  Site site;
  CHECK(site.refusal(folder.unix_address()).ends_with(": Address already in use"));
  site.listener.close();
  CHECK(exists(folder.file()));
}

TEST_CASE("Listener: leaves a file that isn't a socket") {
  const Folder folder;
  const Fd file(::open(folder.file().c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  Site site;
  CHECK(site.refusal(folder.unix_address()).ends_with(": Address already in use"));
  CHECK(exists(folder.file()));
}

TEST_CASE("Listener: leaves a link, wherever it leads") {
  const Folder folder;
  REQUIRE(::symlink("/tmp/sockeye-nowhere", folder.file().c_str()) == 0);
  Site site;
  CHECK(site.refusal(folder.unix_address()).ends_with(": Address already in use"));
  CHECK(exists(folder.file()));
}

TEST_CASE("Listener: a folder that doesn't exist is an error") {
  Site site;
  CHECK(site.refusal("unix:/nonexistent/socket") ==
        "cannot listen on unix:/nonexistent/socket: No such file or directory");
}

TEST_CASE("Listener: an abstract name has no file") {
  const std::string text = "unix:@sockeye-test-" + std::to_string(::getpid());
  Site site, second;
  site.listen(text);
  CHECK(site.listener.address().text() == text);
  CHECK(second.refusal(text).ends_with(": Address already in use"));
  const Fd client = connect_to(address(text));
  CHECK(site.accepts(1));
}

// ── Inherited and shared sockets ─────────────────────────────────────────────────────────────

TEST_CASE("Listener: takes a duplicate of an inherited socket, and knows its address") {
  const Fd inherited(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(::listen(inherited.get(), 4) == 0);  // the system chooses the port
  Site site;
  site.listen("fd:" + std::to_string(inherited.get()));
  CHECK(site.listener.descriptor() != inherited.get());
  const std::string port = std::to_string(site.listener.address().port());
  CHECK(site.listener.address().text() == "0.0.0.0:" + port);
  const Fd client = connect_to(address("127.0.0.1:" + port));
  REQUIRE(site.accepts(1));
  CHECK(option(site.host.accepted[0].get(), IPPROTO_TCP, TCP_NODELAY) == 1);

  // It isn't ours to close. But what comes there now isn't for us any more.
  site.listener.close();
  const Fd next = connect_to(address("127.0.0.1:" + port));
  pollfd entry{*site.loop.descriptor(), POLLIN, 0};
  CHECK(::poll(&entry, 1, 0) == 0);
  entry.fd = inherited.get();
  CHECK(::poll(&entry, 1, 1000) == 1);
}

TEST_CASE("Listener: an inherited Unix socket's file isn't ours to remove") {
  const Folder folder;
  const Address where = address(folder.unix_address());
  const Fd inherited(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(::bind(inherited.get(), where.data(), where.size()) == 0);
  REQUIRE(::listen(inherited.get(), 4) == 0);
  {
    Site site;
    site.listen("fd:" + std::to_string(inherited.get()));
    CHECK(site.listener.address().text() == folder.unix_address());
    const Fd client = connect_to(where);
    CHECK(site.accepts(1));
  }
  CHECK(exists(folder.file()));
}

TEST_CASE("Listener: a descriptor that doesn't listen is an error") {
  Site site;
  const Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const std::string text = "fd:" + std::to_string(socket.get());
  CHECK(site.refusal(text) == "cannot listen on " + text + ": it is not a listening socket");
  const Fd folder(::open("/", O_RDONLY | O_CLOEXEC));
  CHECK(site.refusal("fd:" + std::to_string(folder.get()))
            .ends_with("Socket operation on non-socket"));
  CHECK(site.refusal("fd:987654").ends_with(": Bad file descriptor"));
}

TEST_CASE("Listener: by_port, several sockets have one port; all of them get connections") {
  Site sites[2];
  sites[0].listen("127.0.0.1:0", Sharing::by_port);
  const Address where = sites[0].listener.address();
  sites[1].listen(where.text(), Sharing::by_port, sites[0].listener.descriptor());
  Site stranger;
  for (const Sharing sharing : {Sharing::alone, Sharing::by_port}) {
    CHECK(stranger.refusal(where.text(), sharing).ends_with(": Address already in use"));
  }
  std::vector<Fd> clients;
  const sockeye::test::Deadline deadline;
  while (sites[0].host.accepted.empty() || sites[1].host.accepted.empty()) {
    REQUIRE(!deadline.passed());
    clients.push_back(connect_to(where));
    for (Site& site : sites) site.loop.turn(0);
  }
}

TEST_CASE("Listener: by_socket, several loops accept from one socket, each connection once") {
  const Folder folder;
  {
    Site sites[3];
    sites[0].listen(folder.unix_address(), Sharing::by_socket);
    for (int i : {1, 2}) {
      sites[i].listen(folder.unix_address(), Sharing::by_socket, sites[0].listener.descriptor());
      CHECK(sites[i].listener.address().text() == folder.unix_address());
    }
    // Of the threads that wait, one wakes: EPOLLEXCLUSIVE, which epoll_ctl(2) says can't be
    // modified.
    for (Site& site : sites) {
      epoll_event event{};
      CHECK(::epoll_ctl(*site.loop.descriptor(), EPOLL_CTL_MOD, site.listener.descriptor(),
                        &event) == -1);
      CHECK(errno == EINVAL);
    }

    std::vector<Fd> clients;
    for (int i = 0; i < 30; ++i) {
      clients.push_back(connect_to(address(folder.unix_address())));
      for (Site& site : sites) site.loop.turn(0);
    }
    std::size_t accepted = 0;
    for (const Site& site : sites) accepted += site.host.accepted.size();
    CHECK(accepted == 30);

    // One of them stops: the others go on, and no event comes for the one that did.
    sites[1].listener.close();
    const std::size_t before = sites[1].host.accepted.size();
    clients.push_back(connect_to(address(folder.unix_address())));
    for (int i = 0; i < 3; ++i) {
      for (Site& site : sites) site.loop.turn(0);
    }
    CHECK(sites[1].host.accepted.size() == before);
    CHECK(sites[0].host.accepted.size() + sites[2].host.accepted.size() == 31 - before);
    CHECK(exists(folder.file()));
  }
  CHECK(!exists(folder.file()));
}

// ── Accepting ────────────────────────────────────────────────────────────────────────────────

TEST_CASE("Listener: accepts what waits until there is no more, 64 connections at a time") {
  const Folder folder;
  Site site;
  site.listen(folder.unix_address());
  std::vector<Fd> clients;
  for (int i = 0; i < 150; ++i) clients.push_back(connect_to(address(folder.unix_address())));
  SystemCalls calls;
  site.loop.turn(0);
  CHECK(site.host.accepted.size() == 128);  // 64 for the event, 64 on the agenda
  CHECK(site.loop.wait_ms() == 0);
  site.loop.turn(0);
  CHECK(site.host.accepted.size() == 150);
  CHECK(calls.count(Call::accept4) == 151);
  site.loop.turn(0);
  CHECK(calls.count(Call::accept4) == 151);
}

TEST_CASE("Listener: the owner may close it in on_accept()") {
  const Folder folder;
  Site site;
  site.listen(folder.unix_address());
  std::vector<Fd> clients;
  for (int i = 0; i < 3; ++i) clients.push_back(connect_to(address(folder.unix_address())));
  site.host.at_accept = [&] { site.listener.close(); };
  SystemCalls calls;
  for (int i = 0; i < 3; ++i) site.loop.turn(0);
  CHECK(site.host.accepted.size() == 1);
  CHECK(calls.count(Call::accept4) == 1);
  CHECK(site.loop.wait_ms() == -1);
}

TEST_CASE("Listener: closed with more to accept on the agenda, it accepts no more") {
  const Folder folder;
  Site site;
  site.listen(folder.unix_address());
  std::vector<Fd> clients;
  for (int i = 0; i < 150; ++i) clients.push_back(connect_to(address(folder.unix_address())));
  site.loop.turn(0);
  REQUIRE(site.loop.wait_ms() == 0);
  site.listener.close();
  SystemCalls calls;
  site.loop.turn(0);
  CHECK(calls.count(Call::accept4) == 0);
  CHECK(site.loop.wait_ms() == -1);
}

TEST_CASE("Listener: a connection that broke before it was accepted is skipped") {
  for (const int error : {EINTR, ECONNABORTED, EPROTO, ENETDOWN, ENOPROTOOPT, EHOSTDOWN, ENONET,
                          EHOSTUNREACH, EOPNOTSUPP, ENETUNREACH, EPERM}) {
    CAPTURE(error);
    const Folder folder;
    Site site;
    site.listen(folder.unix_address());
    const Fd client = connect_to(address(folder.unix_address()));
    SystemCalls calls;
    calls.fail(Call::accept4, error, 3);
    site.loop.turn(0);
    CHECK(site.host.accepted.size() == 1);
    CHECK(calls.count(Call::accept4) == 5);
  }
}

TEST_CASE("Listener: a socket that another process has shut down doesn't make it spin") {
  const QuietLog quiet;
  FakeClock clock;
  Site site(clock);
  site.listen("127.0.0.1:0");
  site.loop.turn(0);
  SystemCalls calls;
  REQUIRE(::shutdown(site.listener.descriptor(), SHUT_RD) == 0);
  for (int i = 0; i < 100; ++i) site.loop.turn(0);
  CHECK(calls.count(Call::accept4) == 64);  // EINVAL
  CHECK(site.loop.wait_ms() > 0);
  clock.advance(200);
  site.loop.turn(0);
  CHECK(calls.count(Call::accept4) == 128);
}

// ── Out of descriptors ───────────────────────────────────────────────────────────────────────

namespace {

int highest_descriptor() {
  int highest = 0;
  for (int fd = 0; fd < 10'000; ++fd) {
    if (::fcntl(fd, F_GETFD) >= 0) highest = fd;
  }
  return highest;
}

bool limit_descriptors(int count) {
  rlimit limit;
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return false;
  limit.rlim_cur = static_cast<rlim_t>(count);
  return ::setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

// Leaves no number free below the highest one, and sets the limit there.
bool use_up_descriptors() {
  const int highest = highest_descriptor();
  while (::dup(0) < highest) continue;
  return limit_descriptors(highest + 1);
}

// In a process that has no descriptors left. Returns 0, or which step went wrong.
int run_out_of_descriptors() {
  FakeClock clock;
  Site site(clock);
  site.listen("127.0.0.1:0");
  std::vector<Fd> clients;
  for (int i = 0; i < 6; ++i) clients.push_back(connect_to(site.listener.address()));
  if (!use_up_descriptors()) return 1;

  SystemCalls calls;
  site.loop.turn(0);
  if (!site.host.accepted.empty() || site.host.turned_away != 1) return 2;
  for (int i = 0; i < 100; ++i) site.loop.turn(0);
  if (calls.count(Call::accept4) != 2) return 3;  // it doesn't spin
  if (site.loop.wait_ms() <= 0 || site.loop.wait_ms() > 108) return 4;

  // The first in the queue was told so, and is rid of us.
  char text[8];
  if (::recv(clients[0].get(), text, sizeof text, 0) != 4) return 5;
  if (::recv(clients[0].get(), text, sizeof text, 0) != 0) return 6;

  clock.advance(104);
  site.loop.turn(0);
  if (site.host.turned_away != 2 || calls.count(Call::accept4) != 4) return 7;

  // There are descriptors again: whoever still waits is served, and those who come.
  if (!limit_descriptors(highest_descriptor() + 20)) return 8;
  clock.advance(104);
  site.loop.turn(0);
  if (site.host.turned_away != 2 || site.host.accepted.size() != 4) return 9;
  clients.push_back(connect_to(site.listener.address()));
  if (!site.accepts(5)) return 10;

  // And once more, for the reserve was taken back.
  clients.push_back(connect_to(site.listener.address()));
  if (!use_up_descriptors()) return 11;
  if (!turn_until(site.loop, [&] { return site.host.turned_away == 3; })) return 12;
  return 0;
}

}  // namespace

TEST_CASE("Listener: out of descriptors it turns one away, pauses, and recovers") {
  const QuietLog quiet;
  CHECK(in_child(run_out_of_descriptors) == 0);
}

TEST_CASE("Listener: every shortage is met in the same way") {
  const QuietLog quiet;
  for (const int error : {EMFILE, ENFILE, ENOBUFS, ENOMEM}) {
    for (const bool reserve_helps : {true, false}) {
      CAPTURE(error);
      CAPTURE(reserve_helps);
      const Folder folder;
      FakeClock clock;
      Site site(clock);
      site.listen(folder.unix_address());
      const Fd client = connect_to(address(folder.unix_address()));
      const std::size_t before = open_descriptors();
      SystemCalls calls;
      calls.fail(Call::accept4, error, reserve_helps ? 1 : 2);
      for (int i = 0; i < 10; ++i) site.loop.turn(0);
      CHECK(site.host.accepted.empty());
      CHECK(site.host.turned_away == (reserve_helps ? 1 : 0));
      CHECK(calls.count(Call::accept4) == 2);
      CHECK(open_descriptors() == before);  // the reserve is back

      // What comes in the pause is taken after it, though its event has passed.
      const Fd next = connect_to(address(folder.unix_address()));
      site.loop.turn(0);
      CHECK(site.host.accepted.empty());
      clock.advance(104);
      site.loop.turn(0);
      CHECK(site.host.accepted.size() == (reserve_helps ? 1 : 2));
    }
  }
}

TEST_CASE("Listener: a reserve that could not be taken back is taken later") {
  const QuietLog quiet;
  const Folder folder;
  FakeClock clock;
  Site site(clock);
  site.listen(folder.unix_address());
  const Fd client = connect_to(address(folder.unix_address()));
  const std::size_t before = open_descriptors();
  SystemCalls calls;
  calls.fail(Call::accept4, EMFILE);
  site.host.at_turn_away = [&] { calls.fail(Call::eventfd, EMFILE); };  // another thread was faster
  site.loop.turn(0);
  CHECK(site.host.turned_away == 1);
  CHECK(calls.failures_left() == 0);
  CHECK(open_descriptors() == before - 1);
  clock.advance(104);
  site.loop.turn(0);
  CHECK(open_descriptors() == before);
}

TEST_CASE("Listener: the owner may close it in on_turn_away()") {
  const QuietLog quiet;
  const Folder folder;
  FakeClock clock;
  Site site(clock);
  const std::size_t before = open_descriptors();
  site.listen(folder.unix_address());
  const Fd client = connect_to(address(folder.unix_address()));
  site.host.at_turn_away = [&] { site.listener.close(); };
  SystemCalls calls;
  calls.fail(Call::accept4, EMFILE);
  for (int i = 0; i < 10; ++i) {
    site.loop.turn(0);
    clock.advance(104);
  }
  CHECK(site.host.turned_away == 1);
  CHECK(calls.count(Call::accept4) == 2);
  CHECK(site.loop.wait_ms() == -1);
  CHECK(open_descriptors() == before + 1);  // the client's
}

TEST_CASE("Listener: closed in its pause it stays closed") {
  const QuietLog quiet;
  const Folder folder;
  FakeClock clock;
  Site site(clock);
  site.listen(folder.unix_address());
  const Fd client = connect_to(address(folder.unix_address()));
  SystemCalls calls;
  calls.fail(Call::accept4, EMFILE, 2);
  site.loop.turn(0);
  CHECK(site.loop.wait_ms() > 0);
  site.listener.close();
  CHECK(site.loop.wait_ms() == -1);
  clock.advance(1000);
  site.loop.turn(0);
  CHECK(calls.count(Call::accept4) == 2);
}

// ── Every system call may fail ───────────────────────────────────────────────────────────────

TEST_CASE("Listener: whichever call fails in open(), with whatever error: nothing is left behind") {
  const Folder folder;
  const struct {
    Call call;
    std::vector<int> errors;
  } kinds[] = {
      {Call::socket, {EACCES, EMFILE, ENFILE, ENOBUFS, ENOMEM, EPERM, EPROTONOSUPPORT}},
      {Call::setsockopt, {ENOPROTOOPT, ENOMEM}},
      {Call::bind, {EACCES, EADDRINUSE, ENOMEM, EROFS}},
      {Call::listen, {EADDRINUSE, ENOBUFS}},
      {Call::getsockopt, {EBADF, ENOTSOCK}},
      {Call::fcntl, {EBADF, EMFILE, EINVAL}},
      {Call::epoll_ctl, {ENOMEM, ENOSPC}},
  };
  Site other;
  other.listen("127.0.0.1:0");
  const std::string inherited = "fd:" + std::to_string(other.listener.descriptor());
  for (const std::string& where :
       {std::string("127.0.0.1:0"), std::string(":0"), folder.unix_address(), inherited}) {
    for (const auto& kind : kinds) {
      for (const int error : kind.errors) {
        for (int nth = 0; nth < 10; ++nth) {
          CAPTURE(where);
          CAPTURE(error);
          CAPTURE(nth);
          Site site;
          const std::size_t before = open_descriptors();
          int left = 0;
          {
            SystemCalls calls;
            calls.fail(kind.call, error, 1, nth);
            const auto opened = site.listener.open(address(where), Sharing::by_port);
            left = calls.failures_left();
            CHECK(bool(opened) == (left > 0));
            CHECK(site.listener.is_open() == bool(opened));
            if (!opened) CHECK(opened.error().code == error);
          }
          if (left > 0) break;  // there is no such call any more
          CHECK(open_descriptors() == before);
          CHECK(!exists(folder.file()));
          site.listen(where, Sharing::by_port);
        }
      }
    }
  }
}

TEST_CASE("Listener: without a descriptor for its reserve it works all the same") {
  Site site;
  SystemCalls calls;
  calls.fail(Call::eventfd, EMFILE);
  site.listen("127.0.0.1:0");
  CHECK(calls.failures_left() == 0);
  const Fd client = connect_to(site.listener.address());
  CHECK(site.accepts(1));
}
