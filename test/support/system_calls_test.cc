// SPDX-License-Identifier: MIT
#include "test/support/system_calls.h"

#include <doctest/doctest.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstddef>
#include <string_view>

#include "net/fd.h"

using sockeye::net::Fd;
using sockeye::test::Call;
using sockeye::test::SystemCalls;

namespace {

struct Pair {
  Fd one;
  Fd other;
};

Pair pair() {
  int fds[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
  return {Fd(fds[0]), Fd(fds[1])};
}

}  // namespace

TEST_CASE("SystemCalls: calls are counted by kind, and only while somebody looks") {
  const Pair sockets = pair();
  char bytes[8];
  CHECK(::send(sockets.one.get(), "abc", 3, 0) == 3);
  SystemCalls calls;
  CHECK(::send(sockets.one.get(), "de", 2, 0) == 2);
  CHECK(::recv(sockets.other.get(), bytes, sizeof bytes, 0) == 5);
  CHECK(std::string_view(bytes, 5) == "abcde");
  CHECK(::recv(sockets.other.get(), bytes, sizeof bytes, 0) == -1);
  CHECK(errno == EAGAIN);
  CHECK(calls.count(Call::send) == 1);
  CHECK(calls.count(Call::recv) == 2);
  CHECK(calls.sends() == 1);
  CHECK(calls.receives() == 2);
  calls.forget();
  CHECK(calls.receives() == 0);
}

TEST_CASE("SystemCalls: the calls that are to fail do, and no others") {
  const Pair sockets = pair();
  char byte;
  SystemCalls calls;
  calls.fail(Call::recv, ECONNRESET, /*times=*/2, /*after=*/1);
  for (const int error : {EAGAIN, ECONNRESET, ECONNRESET, EAGAIN}) {
    CHECK(::recv(sockets.one.get(), &byte, 1, 0) == -1);
    CHECK(errno == error);
  }
  CHECK(calls.failures_left() == 0);
}

TEST_CASE("SystemCalls: a limit cuts what is sent") {
  const Pair sockets = pair();
  std::size_t limit = 4;
  SystemCalls calls;
  calls.limit_sending([&](std::size_t asked) {
    CHECK(asked == 6);
    return limit;
  });
  char text[] = "abcdef";
  iovec pieces[] = {{text, 3}, {text + 3, 3}};
  msghdr message{};
  message.msg_iov = pieces;
  message.msg_iovlen = 2;
  CHECK(::sendmsg(sockets.one.get(), &message, 0) == 4);
  limit = 0;
  CHECK(::send(sockets.one.get(), text, 6, 0) == -1);
  CHECK(errno == EAGAIN);

  char bytes[8];
  CHECK(::recv(sockets.other.get(), bytes, sizeof bytes, 0) == 4);
  CHECK(std::string_view(bytes, 4) == "abcd");
  REQUIRE(calls.sent().size() == 2);
  CHECK(calls.sent()[0].size() == 2);
  CHECK(calls.sent()[1][0].iov_len == 6);

  calls.swallow();
  CHECK(::send(sockets.one.get(), text, 6, 0) == 6);
  CHECK(::recv(sockets.other.get(), bytes, sizeof bytes, 0) == -1);
}
