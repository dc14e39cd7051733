// SPDX-License-Identifier: MIT
#include "app/bench/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/auxv.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/fd.h"
#include "net/text.h"

namespace sockeye::app::bench {

namespace {

constexpr std::uint64_t fewest_ticks = 20;  // that a proportion is taken from

net::Error process_error(pid_t pid, int code) {
  errno = code;
  return net::system_error(net::Text<32>().put("process ").put_decimal(pid).view());
}

// The whole of /proc/PID/`name`.
Result<std::string, net::Error> read_file(pid_t pid, std::string_view name) {
  net::Text<64> path;
  path.put("/proc/").put_decimal(pid).put("/").put(name).put({"", 1});
  const net::Fd file(::open(path.view().data(), O_RDONLY | O_CLOEXEC));
  if (!file) return process_error(pid, errno == ENOENT ? ESRCH : errno);
  std::string text;
  char piece[4096];
  for (;;) {
    const ssize_t size = ::read(file.get(), piece, sizeof piece);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return process_error(pid, errno);
    if (size == 0) return text;
    text.append(piece, static_cast<std::size_t>(size));
  }
}

std::optional<std::uint64_t> number_at_start(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  std::uint64_t number;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc()) return std::nullopt;
  return number;
}

// Field `wanted` of /proc/PID/stat, counted from 1 as proc(5) does.
std::optional<std::uint64_t> stat_field(std::string_view stat, int wanted) {
  // Field 2 is the program's name in parentheses, which may itself have spaces and parentheses.
  const std::size_t end_of_name = stat.rfind(") ");
  if (end_of_name == std::string_view::npos) return std::nullopt;
  stat.remove_prefix(end_of_name + 2);
  for (int field = 3; field < wanted; ++field) {
    stat.remove_prefix(std::min(stat.find(' '), stat.size() - 1) + 1);
  }
  return number_at_start(stat);
}

// A line of smaps_rollup: "Private_Dirty:       152 kB".
std::optional<std::uint64_t> bytes_named(std::string_view rollup, std::string_view name) {
  const std::size_t at = rollup.find(name);
  if (at == std::string_view::npos) return std::nullopt;
  const auto kib = number_at_start(rollup.substr(at + name.size()));
  if (!kib) return std::nullopt;
  return *kib * 1024;
}

}  // namespace

Result<CpuUsage, net::Error> read_cpu_usage(pid_t pid) {
  clockid_t clock;
  timespec time;
  const int failure = ::clock_getcpuclockid(pid, &clock);
  if (failure == EINVAL) return process_error(pid, ESRCH);  // in musl's words
  if (failure != 0) return process_error(pid, failure);
  if (::clock_gettime(clock, &time) != 0) return process_error(pid, ESRCH);

  const std::string stat = TRY(read_file(pid, "stat"));
  const auto user = stat_field(stat, 14);
  const auto system = stat_field(stat, 15);
  if (!user || !system) return process_error(pid, EBADMSG);
  return CpuUsage{static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
                      static_cast<std::uint64_t>(time.tv_nsec),
                  *user, *system};
}

CpuTime cpu_time_between(const CpuUsage& before, const CpuUsage& after) {
  const std::uint64_t total_ns = after.total_ns - before.total_ns;
  std::uint64_t user = after.user_ticks - before.user_ticks;
  std::uint64_t system = after.system_ticks - before.system_ticks;
  if (user + system < fewest_ticks) {
    user = after.user_ticks;
    system = after.system_ticks;
  }
  const double ticks = static_cast<double>(user + system);
  if (ticks == 0) return {total_ns, 0};
  const auto user_ns =
      static_cast<std::uint64_t>(static_cast<double>(total_ns) * static_cast<double>(user) / ticks);
  return {user_ns, total_ns - user_ns};
}

Result<std::vector<ThreadUsage>, net::Error> read_thread_usage(pid_t pid) {
  net::Text<64> path;
  path.put("/proc/").put_decimal(pid).put("/task").put({"", 1});
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(path.view().data()), ::closedir);
  if (!folder) return process_error(pid, errno == ENOENT ? ESRCH : errno);
  std::vector<ThreadUsage> threads;
  while (const dirent* const entry = ::readdir(folder.get())) {
    const auto thread = number_at_start(entry->d_name);
    if (!thread) continue;  // "." and ".."
    const auto stat = read_file(pid, "task/" + std::string(entry->d_name) + "/stat");
    if (!stat) continue;  // ended meanwhile
    const auto user = stat_field(*stat, 14);
    const auto system = stat_field(*stat, 15);
    if (!user || !system) return process_error(pid, EBADMSG);
    threads.push_back({static_cast<pid_t>(*thread), *user + *system});
  }
  return threads;
}

std::uint64_t ns_of_busiest(const std::vector<ThreadUsage>& before,
                            const std::vector<ThreadUsage>& after) {
  std::uint64_t most_ticks = 0;
  for (const ThreadUsage& then : before) {
    for (const ThreadUsage& now : after) {
      if (now.thread == then.thread) most_ticks = std::max(most_ticks, now.ticks - then.ticks);
    }
  }
  return most_ticks * (1'000'000'000 / ::getauxval(AT_CLKTCK));
}

Result<MemoryUsage, net::Error> read_memory_usage(pid_t pid) {
  const std::string rollup = TRY(read_file(pid, "smaps_rollup"));
  const auto resident = bytes_named(rollup, "\nRss:");
  const auto clean = bytes_named(rollup, "\nPrivate_Clean:");
  const auto dirty = bytes_named(rollup, "\nPrivate_Dirty:");
  if (!resident || !clean || !dirty) return process_error(pid, EBADMSG);
  return MemoryUsage{*resident, *clean + *dirty};
}

}  // namespace sockeye::app::bench
