// SPDX-License-Identifier: MIT
#include "app/bench/process.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <thread>

using namespace sockeye::app::bench;

namespace {

std::uint64_t own_cpu_ns() {
  timespec time;
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(time.tv_nsec);
}

void compute(std::uint64_t ns) {
  for (const std::uint64_t start = own_cpu_ns(); own_cpu_ns() - start < ns;) {
  }
}

std::uint64_t ticks_of(const timeval& time) {
  return static_cast<std::uint64_t>(time.tv_sec) * 100 +
         static_cast<std::uint64_t>(time.tv_usec) / 10'000;
}

// A child that waits until it is killed.
class Child {
 public:
  Child() : pid_(::fork()) {
    if (pid_ == 0) {
      for (;;) ::pause();
    }
  }
  ~Child() { end(); }

  pid_t pid() const { return pid_; }

  void kill() { ::kill(pid_, SIGKILL); }

  // Killed and waited for: nothing is left of it.
  void end() {
    if (pid_ <= 0) return;
    kill();
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  pid_t pid_;
};

}  // namespace

TEST_CASE("Process: its time is that of its own clock, with threads that have ended") {
  const auto before = read_cpu_usage(::getpid());
  const std::uint64_t own_before = own_cpu_ns();
  std::thread([] { compute(20'000'000); }).join();
  compute(20'000'000);
  const std::uint64_t own_after = own_cpu_ns();
  const auto after = read_cpu_usage(::getpid());

  REQUIRE(before);
  REQUIRE(after);
  CHECK(before->total_ns <= own_before);
  CHECK(after->total_ns >= own_after);
  const CpuTime spent = cpu_time_between(*before, *after);
  CHECK(spent.user_ns + spent.system_ns == after->total_ns - before->total_ns);
  CHECK(spent.user_ns + spent.system_ns >= 40'000'000);
}

TEST_CASE("Process: user and system time are divided as the ticks between are") {
  const CpuUsage before{.total_ns = 1'000'000'000, .user_ticks = 90, .system_ticks = 10};
  const CpuUsage after{.total_ns = 3'004'000'000, .user_ticks = 140, .system_ticks = 160};
  const CpuTime spent = cpu_time_between(before, after);
  CHECK(spent.user_ns == 501'000'000);
  CHECK(spent.system_ns == 1'503'000'000);
}

TEST_CASE("Process: with too few ticks between, they are divided as since its beginning") {
  const CpuUsage before{.total_ns = 1'000'000'000, .user_ticks = 75, .system_ticks = 25};
  CpuUsage after = before;
  after.total_ns += 4'000'000;
  CHECK(cpu_time_between(before, after).user_ns == 3'000'000);
  after.user_ticks += 1;
  after.system_ticks += 4;
  CHECK(cpu_time_between(before, after).user_ns == 2'895'238);  // 76 of 105
  CHECK(cpu_time_between(before, after).system_ns == 1'104'762);
  CHECK(cpu_time_between({}, {.total_ns = 5'000}).user_ns == 5'000);
  CHECK(cpu_time_between(before, before).user_ns == 0);
}

TEST_CASE("Process: its ticks are read behind whatever its name is") {
  char name[16];
  REQUIRE(::prctl(PR_GET_NAME, name) == 0);
  compute(50'000'000);
  REQUIRE(::prctl(PR_SET_NAME, "a) 1 2 (b) c") == 0);
  rusage before;
  rusage after;
  ::getrusage(RUSAGE_SELF, &before);
  const auto usage = read_cpu_usage(::getpid());
  ::getrusage(RUSAGE_SELF, &after);
  REQUIRE(::prctl(PR_SET_NAME, name) == 0);

  REQUIRE(usage);
  CHECK(usage->user_ticks >= ticks_of(before.ru_utime));
  CHECK(usage->user_ticks <= ticks_of(after.ru_utime));
  CHECK(usage->system_ticks >= ticks_of(before.ru_stime));
  CHECK(usage->system_ticks <= ticks_of(after.ru_stime));
}

TEST_CASE("Process: the busiest of its threads, which is not the sum of them") {
  const auto before = read_thread_usage(::getpid());
  REQUIRE(before);
  CHECK(before->size() >= 1);
  const std::uint64_t own_before = own_cpu_ns();
  compute(60'000'000);
  const auto after = read_thread_usage(::getpid());
  const std::uint64_t spent = own_cpu_ns() - own_before;
  REQUIRE(after);
  const std::uint64_t busiest = ns_of_busiest(*before, *after);
  CHECK(busiest >= 20'000'000);  // in whole ticks
  CHECK(busiest <= spent + 20'000'000);

  CHECK(ns_of_busiest({{1, 10}, {2, 20}, {3, 0}}, {{2, 25}, {1, 12}, {4, 90}}) == 50'000'000);
  CHECK(ns_of_busiest({}, {{1, 5}}) == 0);
}

TEST_CASE("Process: memory that is touched shows, and is private until it is shared") {
  constexpr std::size_t size = 8 << 20;
  const auto before = read_memory_usage(::getpid());
  void* const memory =
      ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(memory != MAP_FAILED);
  std::memset(memory, 1, size);
  const auto after = read_memory_usage(::getpid());
  Child child;  // a fork: what was this process's own is now both's
  REQUIRE(child.pid() > 0);
  const auto shared = read_memory_usage(::getpid());
  ::munmap(memory, size);

  REQUIRE(before);
  REQUIRE(after);
  REQUIRE(shared);
  CHECK(after->private_bytes >= before->private_bytes + size);
  CHECK(after->resident_bytes >= before->resident_bytes + size);
  CHECK(shared->private_bytes + size <= after->private_bytes);
  CHECK(shared->resident_bytes >= before->resident_bytes + size);
}

TEST_CASE("Process: another one, which then ends") {
  Child child;
  REQUIRE(child.pid() > 0);
  CHECK(read_cpu_usage(child.pid()));
  CHECK(read_memory_usage(child.pid()));

  const pid_t pid = child.pid();
  const std::string message = "process " + std::to_string(pid) + ": No such process";
  // Ended, and not waited for yet: its memory is gone, and reads as such.
  child.kill();
  siginfo_t info;
  REQUIRE(::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT) == 0);
  CHECK(!read_memory_usage(pid));

  child.end();
  const auto cpu = read_cpu_usage(pid);
  REQUIRE(!cpu);
  CHECK(cpu.error().message == message);
  const auto memory = read_memory_usage(pid);
  REQUIRE(!memory);
  CHECK(memory.error().message == message);
}
