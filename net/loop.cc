// SPDX-License-Identifier: MIT
#include "net/loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cassert>
#include <cerrno>
#include <new>

namespace sockeye::net {

namespace {

// How many events one epoll_wait brings at most. More would only make the batch's tail wait for
// its timers; fewer would cost calls when many connections are busy.
constexpr int events_per_wait = 256;

// A loop that comes so late to its timers, as its process was stopped or a handler took long, first
// reads what came in time, for so long at most: else deadlines would end those who kept them.
constexpr std::uint64_t late_ms = 100;
constexpr std::uint64_t catch_up_ms = 1000;

constinit MonotonicClock monotonic_clock;

}  // namespace

Loop::Loop() : Loop(monotonic_clock) {}

Loop::Loop(Clock& clock) : clock_(clock), now_ms_(clock.now_ms()), timers_(now_ms_) {}

Loop::~Loop() {
  assert(cork_.owner == nullptr);
}

Result<void, Error> Loop::open() {
  if (cork_.data != nullptr) return {};
  epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_) return system_error("cannot create an epoll descriptor");
  wakeup_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wakeup_) return system_error("cannot create an event descriptor");
  if (!add(wakeup_.get(), mailbox_, EPOLLIN | EPOLLET)) return system_error("epoll_ctl");

  receive_buffer_.reset(new (std::nothrow) std::uint8_t[buffer_bytes]);
  cork_buffer_.reset(new (std::nothrow) std::uint8_t[buffer_bytes]);
  if (!receive_buffer_ || !cork_buffer_) return Error{"no memory for the loop's buffers", ENOMEM};
  cork_.data = cork_buffer_.get();
  return {};
}

bool Loop::watch(int fd, Watcher& watcher) {
  return add(fd, watcher, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
}

bool Loop::watch_shared(int fd, Watcher& watcher) {
  return add(fd, watcher, EPOLLIN | EPOLLET | EPOLLEXCLUSIVE);
}

bool Loop::watch_input(int fd, Watcher& watcher) {
  return add(fd, watcher, EPOLLIN);
}

bool Loop::add(int fd, Watcher& watcher, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &watcher;
  return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

void Loop::unwatch(int fd) {
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

void Loop::run() {
  stopping_ = false;
  while (!stopping_) turn(-1);
}

int Loop::wait_ms() const {
  return agenda_ != nullptr ? 0 : timers_.until_next_ms(now_ms());
}

Result<int, Error> Loop::descriptor() {
  TRY(open());
  if (alarm_) return epoll_.get();
  Fd alarm(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!alarm) return system_error("cannot create a timer descriptor");
  // The mailbox finds nothing then, and what was due has its place later in the turn.
  if (!add(alarm.get(), mailbox_, EPOLLIN | EPOLLET)) return system_error("epoll_ctl");
  alarm_ = std::move(alarm);
  set_alarm();
  return epoll_.get();
}

// Has descriptor() become readable when the next turn is due.
void Loop::set_alarm() {
  const int until_ms = wait_ms();
  if (until_ms == 0) return wake();
  if (until_ms < 0) return;
  const std::uint64_t now_ms = clock_.now_ms();
  const std::uint64_t due_ms = now_ms + static_cast<std::uint64_t>(until_ms);
  if (alarm_ms_ > now_ms && alarm_ms_ <= due_ms) return;  // it goes off early, and is set anew then
  alarm_ms_ = due_ms;
  itimerspec at{};
  at.it_value = {until_ms / 1000, until_ms % 1000 * 1'000'000};
  ::timerfd_settime(alarm_.get(), 0, &at, nullptr);
}

// A timer may have been armed, or a watcher scheduled: a turn is due that nobody knew of.
void Loop::begin_outside() {
  if (!alarm_ || awake_) return;
  awake_ = true;
  wake();
}

void Loop::turn(int timeout_ms) {
  thread_ = pthread_self();
  thread_known_ = true;
  awake_ = false;

  const int until_work_ms = wait_ms();
  if (timeout_ms < 0 || (until_work_ms >= 0 && until_work_ms < timeout_ms)) {
    timeout_ms = until_work_ms;
  }

  const int until_timer_ms = timers_.until_next_ms(now_ms_);
  const std::uint64_t timer_due_ms = now_ms_ + static_cast<std::uint64_t>(until_timer_ms);

  epoll_event events[events_per_wait];
  const int count = wait(events, timeout_ms);
  now_ms_ = clock_.now_ms();
  in_turn_ = true;
  if (until_timer_ms >= 0 && now_ms_ > timer_due_ms + late_ms && catch_up_until_ms_ == 0) {
    catch_up_until_ms_ = now_ms_ + catch_up_ms;
  }
  // A failed wait (EINTR, where the embedding program takes signals) is a turn without events.
  for (int i = 0; i < count; ++i) {
    static_cast<Watcher*>(events[i].data.ptr)->on_events(events[i].events);
  }
  const bool more_came = count == events_per_wait || agenda_ != nullptr;
  if (!more_came || now_ms_ >= catch_up_until_ms_) {
    catch_up_until_ms_ = 0;
    timers_.advance(now_ms_);
  }
  run_agenda();
  in_turn_ = false;
  if (alarm_) set_alarm();
}

int Loop::wait(epoll_event* events, int timeout_ms) {
  if (busy_poll_us_ > 0 && timeout_ms != 0) {
    const std::uint64_t began_us = clock_.now_us();
    std::uint64_t passed_us;
    do {
      const int count = ::epoll_wait(epoll_.get(), events, events_per_wait, 0);
      if (count != 0) return count;
      passed_us = clock_.now_us() - began_us;
      if (timeout_ms > 0 && passed_us / 1000 >= static_cast<unsigned>(timeout_ms)) return 0;
    } while (passed_us < busy_poll_us_);
    if (timeout_ms > 0) timeout_ms -= static_cast<int>(passed_us / 1000);
  }
  return ::epoll_wait(epoll_.get(), events, events_per_wait, timeout_ms);
}

void Loop::schedule(Watcher& watcher) {
  if (watcher.on_agenda_) return;
  if (!in_turn_) begin_outside();
  watcher.on_agenda_ = true;
  watcher.next_on_agenda_ = nullptr;
  *agenda_end_ = &watcher;
  agenda_end_ = &watcher.next_on_agenda_;
}

void Loop::forget(Watcher& watcher) {
  if (!watcher.on_agenda_) return;
  watcher.on_agenda_ = false;
  for (Watcher** link : {&running_agenda_, &agenda_}) {
    while (*link != nullptr && *link != &watcher) link = &(*link)->next_on_agenda_;
    if (*link == nullptr) continue;
    *link = watcher.next_on_agenda_;
    if (agenda_end_ == &watcher.next_on_agenda_) agenda_end_ = link;
    return;
  }
}

void Loop::run_agenda() {
  // The list is taken off first: what is scheduled from here on waits for the next turn, so that a
  // stream with much to read can't keep the loop from the others' events.
  running_agenda_ = agenda_;
  agenda_ = nullptr;
  agenda_end_ = &agenda_;
  while (running_agenda_ != nullptr) {
    Watcher* watcher = running_agenda_;
    running_agenda_ = watcher->next_on_agenda_;
    watcher->on_agenda_ = false;
    watcher->on_agenda();  // may destroy the watcher
  }
}

void Loop::post(std::function<void()> task) {
  bool first;
  {
    const std::lock_guard lock(posted_mutex_);
    first = posted_.empty();
    posted_.push_back(std::move(task));
  }
  if (first) wake();  // else whoever posted the first has done it
}

void Loop::wake() {
  const std::uint64_t one = 1;
  // It can't fail: EAGAIN only at 2^64 - 1 wake-ups outstanding.
  [[maybe_unused]] const auto written = ::write(wakeup_.get(), &one, sizeof one);
}

void Loop::run_posted() {
  // The counter isn't read: each write is a new edge, and the counter never comes near its end.
  std::vector<std::function<void()>> tasks;
  {
    const std::lock_guard lock(posted_mutex_);
    tasks.swap(posted_);
  }
  for (auto& task : tasks) task();
}

}  // namespace sockeye::net
