// Sees the system calls that net/ makes, counts them, and has them fail.
//
// system_calls.cc defines functions with the names of libc's, which the linker takes in their
// place. They ask the kernel, as libc's do, except where a SystemCalls object of the same thread
// says otherwise. At most one such object lives in a thread.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>
#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

namespace sockeye::test {

enum class Call : std::size_t {
  socket,
  bind,
  listen,
  accept4,
  connect,
  getsockopt,
  setsockopt,
  shutdown,
  recv,
  readv,
  send,
  sendmsg,
  sendfile,
  epoll_create1,
  epoll_ctl,
  epoll_wait,
  eventfd,
  fcntl,
};
inline constexpr std::size_t call_kinds = static_cast<std::size_t>(Call::fcntl) + 1;

class SystemCalls {
 public:
  SystemCalls();
  ~SystemCalls();
  SystemCalls(const SystemCalls&) = delete;
  SystemCalls& operator=(const SystemCalls&) = delete;

  // How often `call` was made since the object was, or since forget().
  int count(Call call) const { return counts_[static_cast<std::size_t>(call)]; }
  int sends() const { return count(Call::send) + count(Call::sendmsg) + count(Call::sendfile); }
  int receives() const { return count(Call::recv) + count(Call::readv); }
  void forget();

  // The next `times` calls of this kind, after `after` that are let through, fail with `error`.
  void fail(Call call, int error, int times = 1, int after = 0);
  // How many of those are still to come.
  int failures_left() const { return times_; }

  // Asked at each send and sendmsg how many of so many bytes the kernel takes: 0 gives EAGAIN.
  using Limit = std::function<std::size_t(std::size_t)>;
  void limit_sending(Limit limit) { limit_ = std::move(limit); }
  // The same, but the bytes go nowhere: a kernel with any amount of room.
  void swallow(Limit limit = [](std::size_t asked) { return asked; });

  // Called once, when the next poll(2) has its answer and before its caller has it.
  void after_poll(std::function<void()> action) { after_poll_ = std::move(action); }

  // What each send and sendmsg was given.
  const std::vector<std::vector<iovec>>& sent() const { return sent_; }

  // For those functions. Counts one call; false: it fails, with errno set.
  bool begin(Call call);
  // The same for one that sends: cuts `pieces` to what is taken, or has an answer itself.
  std::optional<ssize_t> begin_sending(Call call, std::vector<iovec>& pieces);
  void end_poll() {
    if (after_poll_) std::exchange(after_poll_, nullptr)();
  }

 private:
  std::array<int, call_kinds> counts_{};
  Call failing_{};
  int error_ = 0;
  int times_ = 0;
  int after_ = 0;
  Limit limit_;
  std::function<void()> after_poll_;
  bool swallow_ = false;
  std::vector<std::vector<iovec>> sent_;
};

}  // namespace sockeye::test
