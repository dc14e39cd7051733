// SPDX-License-Identifier: MIT
#include "net/fd.h"

#include <doctest/doctest.h>
#include <fcntl.h>

#include <utility>

using sockeye::net::Fd;

namespace {

int open_descriptor() {
  const int descriptor = ::open("/", O_RDONLY | O_CLOEXEC);
  REQUIRE(descriptor >= 0);
  return descriptor;
}

bool is_open(int descriptor) {
  return ::fcntl(descriptor, F_GETFD) >= 0;
}

}  // namespace

TEST_CASE("Fd: owns nothing at first") {
  const Fd fd;
  CHECK(!fd);
  CHECK(fd.get() == -1);
}

TEST_CASE("Fd: descriptor 0 is one like any other") {
  Fd fd(0);
  CHECK(bool(fd));
  CHECK(fd.release() == 0);
}

TEST_CASE("Fd: closes what it owns when it goes") {
  const int descriptor = open_descriptor();
  {
    const Fd fd(descriptor);
    CHECK(fd.get() == descriptor);
    CHECK(is_open(descriptor));
  }
  CHECK(!is_open(descriptor));
}

TEST_CASE("Fd: release leaves the descriptor open") {
  const int descriptor = open_descriptor();
  {
    Fd fd(descriptor);
    CHECK(fd.release() == descriptor);
    CHECK(!fd);
  }
  CHECK(is_open(descriptor));
  ::close(descriptor);
}

TEST_CASE("Fd: reset closes the one before") {
  const int first = open_descriptor();
  const int second = open_descriptor();
  Fd fd(first);
  fd.reset(second);
  CHECK(!is_open(first));
  CHECK(fd.get() == second);
  fd.reset();
  CHECK(!is_open(second));
  CHECK(!fd);
}

TEST_CASE("Fd: moving hands the descriptor on, and closes the target's own") {
  const int first = open_descriptor();
  const int second = open_descriptor();
  Fd source(first);
  Fd target(second);
  target = std::move(source);
  CHECK(!is_open(second));
  CHECK(target.get() == first);
  CHECK(!source);

  const Fd made(std::move(target));
  CHECK(made.get() == first);
  CHECK(is_open(first));
}

TEST_CASE("Fd: moved onto itself, it stays open") {
  const int descriptor = open_descriptor();
  Fd fd(descriptor);
  Fd& same = fd;
  fd = std::move(same);
  CHECK(fd.get() == descriptor);
  CHECK(is_open(descriptor));
}
