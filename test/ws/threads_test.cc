// Threads: post() is the one call that another thread may make. All others belong to their loop's
// thread, and where asserts are on (the sanitized builds), the first call from elsewhere ends the
// program on the spot, in place of some day later.
//
// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <functional>
#include <string_view>
#include <thread>
#include <utility>

#include "test/support/server_rig.h"
#include "ws/client.h"

namespace sockeye::ws {
namespace {

using test::Peer;
using test::Received;
using test::ServerRig;
using test::text_frame;

#ifdef NDEBUG
constexpr bool without_asserts = true;
#else
constexpr bool without_asserts = false;
#endif

// Whether `call` ends a process that makes it in another thread than its loop's. The process is a
// copy of this one.
bool ends_another_thread(const std::function<void()>& call) {
  std::fflush(nullptr);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::signal(SIGABRT, SIG_DFL);  // not doctest's, which would report a failed test
    ::close(STDERR_FILENO);      // where assert says what it found
    std::thread(call).join();
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

TEST_CASE("Threads: any call but post() from another thread ends a program with asserts" *
          doctest::skip(without_asserts)) {
  ServerRig rig;
  test::Recorder told;
  Client client(told, {}, &rig.loop);
  Peer peer = rig.open();
  Connection& connection = rig.connection();
  ServerRig idle;  // without connections, whose closing would assert for itself
  idle.settle();
  const std::pair<std::string_view, std::function<void()>> calls[] = {
      {"send", [&] { connection.send_text("from elsewhere"); }},
      {"ping", [&] { connection.ping(); }},
      {"close", [&] { connection.close(); }},
      {"abort", [&] { connection.abort(); }},
      {"pause", [&] { connection.pause(); }},
      {"resume", [&] { connection.resume(); }},
      {"stop", [&] { idle.server.stop(); }},
      {"connect", [&] { (void)client.connect("ws://127.0.0.1:9/"); }},
  };
  for (const auto& [name, call] : calls) {
    const auto tried = name;
    CAPTURE(tried);
    CHECK(ends_another_thread(call));
  }
  CHECK(!ends_another_thread([&] { rig.loop.post([] {}); }));
}

TEST_CASE("Threads: what another thread posts is done in the loop's own") {
  ServerRig rig;
  Peer peer = rig.open();
  const Handle handle = rig.connection().handle();
  std::thread([&] {
    rig.loop.post([&handle] {
      if (Connection* connection = handle.get()) connection->send_text("from elsewhere");
    });
  }).join();
  CHECK(rig.frame(peer) == Received{text_frame, "from elsewhere"});

  // And a connection that is gone by then is found to be gone.
  rig.connection().abort();
  rig.settle();
  bool gone = false;
  std::thread([&] { rig.loop.post([&] { gone = handle.get() == nullptr; }); }).join();
  rig.settle();
  CHECK(gone);
}

}  // namespace
}  // namespace sockeye::ws
