// Each call is tried in a process of its own, which a filter may end.
//
// SPDX-License-Identifier: MIT
#include "app/sandbox.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <string>
#include <string_view>

#include "app/call_filter.h"
#include "app/file_access.h"
#include "net/send_file.h"

using namespace sockeye::app;

extern "C" void __stack_chk_fail();

namespace {

// The tests' own answers: an emulator has neither.
bool has_seccomp() {
  return can_be_sandboxed && prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 0;
}

long landlock_version() {
  return syscall(SYS_landlock_create_ruleset, nullptr, 0, 1);
}

// What waitpid says of a child that calls `function` and exits with its result.
template <typename Function>
int status_of_child(Function function) {
  const pid_t child = fork();
  if (child == 0) {
    const rlimit none{};
    setrlimit(RLIMIT_CORE, &none);
    signal(SIGABRT, SIG_DFL);  // it was doctest's
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    _exit(function());
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return status;
}

// The same, filtered; 99 where there is no filter.
template <typename Function>
int filtered(const ServerCalls& calls, Function function) {
  return status_of_child([&] { return filter_calls(calls) ? function() : 99; });
}

template <typename Function>
bool is_killed(const ServerCalls& calls, Function function) {
  const int status = filtered(calls, [&] {
    function();
    return 0;
  });
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
}

template <typename Function>
int exit_status(const ServerCalls& calls, Function function) {
  const int status = filtered(calls, function);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

struct Call {
  const char* name;
  void (*make)();
};

constexpr ServerCalls few;
constexpr ServerCalls all{.start_threads = true, .remove_files = true, .read_files = true};

constexpr std::uint64_t thread_flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |
                                       CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS |
                                       CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;

constexpr auto page_bytes = 4096;

constexpr Call forbidden[] = {
    {"execve", [] { syscall(SYS_execve, "/bin/true", nullptr, nullptr); }},
    {"execveat", [] { syscall(SYS_execveat, AT_FDCWD, "/bin/true", nullptr, nullptr, 0); }},
    {"fork", [] { syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0); }},
    {"a namespace", [] { syscall(SYS_unshare, CLONE_NEWNS); }},
    {"a thread in a namespace", [] { syscall(SYS_clone, thread_flags | CLONE_NEWNS, 0, 0, 0, 0); }},
    {"socket", [] { syscall(SYS_socket, AF_INET, SOCK_STREAM, 0); }},
    {"connect", [] { syscall(SYS_connect, 0, nullptr, 0); }},
    {"bind", [] { syscall(SYS_bind, 0, nullptr, 0); }},
    {"listen", [] { syscall(SYS_listen, 0, 1); }},
    // What would make a listener a socket to connect with.
    {"shutdown for reading", [] { syscall(SYS_shutdown, 0, SHUT_RD); }},
    {"shutdown for both", [] { syscall(SYS_shutdown, 0, SHUT_RDWR); }},
    {"sendto that connects", [] { syscall(SYS_sendto, 0, nullptr, 0, MSG_FASTOPEN, nullptr, 0); }},
    {"sendmsg that connects", [] { syscall(SYS_sendmsg, 0, nullptr, MSG_FASTOPEN); }},
    {"setsockopt", [] { syscall(SYS_setsockopt, 0, 0, 0, nullptr, 0); }},
    {"recvmsg, which brings descriptors", [] { syscall(SYS_recvmsg, 0, nullptr, 0); }},
#ifdef SYS_socketcall
    {"socketcall for a socket", [] { syscall(SYS_socketcall, 1, nullptr); }},
#endif
    {"ptrace", [] { syscall(SYS_ptrace, 0, 0, 0, 0); }},
    {"process_vm_writev", [] { syscall(SYS_process_vm_writev, 1, nullptr, 0, nullptr, 0, 0); }},
    {"kill", [] { syscall(SYS_kill, 1, 0); }},
    {"tgkill, not to abort", [] { syscall(SYS_tgkill, getpid(), getpid(), SIGUSR1); }},
    {"tkill, not to abort", [] { syscall(SYS_tkill, getpid(), SIGUSR1); }},
    {"setresuid", [] { syscall(SYS_setresuid, 0, 0, 0); }},
    {"prctl", [] { syscall(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0); }},
    {"mprotect to code",
     [] {
       alignas(page_bytes) static std::array<char, page_bytes> page;
       syscall(SYS_mprotect, page.data(), page_bytes, PROT_READ | PROT_EXEC);
     }},
    {"pkey_mprotect", [] { syscall(SYS_pkey_mprotect, nullptr, page_bytes, PROT_EXEC, 0); }},
#ifndef __s390x__
    {"mmap of code",
     [] { mmap(nullptr, 1, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }},
#endif
    {"memfd_create", [] { syscall(SYS_memfd_create, "code", 0); }},
    {"symlinkat", [] { syscall(SYS_symlinkat, "/etc", AT_FDCWD, "/tmp/etc"); }},
    {"getdents64", [] { syscall(SYS_getdents64, 0, nullptr, 0); }},
    {"ioctl", [] { syscall(SYS_ioctl, 0, 0, 0); }},
    {"fcntl", [] { syscall(SYS_fcntl, 0, F_GETFD, 0); }},
    {"dup", [] { syscall(SYS_dup, 0); }},
    {"mount", [] { syscall(SYS_mount, nullptr, nullptr, nullptr, 0, nullptr); }},
    {"bpf", [] { syscall(SYS_bpf, 0, nullptr, 0); }},
    {"seccomp", [] { syscall(SYS_seccomp, 1, 0, nullptr); }},
    {"io_uring_setup, with calls that no filter sees",
     [] { syscall(SYS_io_uring_setup, 1, nullptr); }},
    {"a number that no kernel has", [] { syscall(0xfff); }},
#ifdef __x86_64__
    {"a number of the x32 table", [] { syscall(0x4000'0000 | SYS_getpid); }},
#endif
};

pthread_barrier_t all_run;

// Grows a heap and shrinks it again: its own, as all threads run at the same time.
void* allocate_and_free(void*) {
  std::array<void*, 100> blocks;
  for (void*& block : blocks) block = malloc(100'000);
  pthread_barrier_wait(&all_run);
  for (void* block : blocks) free(block);
  return nullptr;
}

}  // namespace

TEST_CASE("Sandbox: calls that the server doesn't make end the process") {
  if (!has_seccomp()) return;
  for (const Call& call : forbidden) {
    CAPTURE(call.name);
    CHECK(is_killed(all, call.make));
  }
}

TEST_CASE("Sandbox: they end it in any of its threads") {
  if (!has_seccomp()) return;
  CHECK(is_killed(all, [] {
    pthread_t thread;
    const auto open_socket = [](void*) -> void* {
      syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
      return nullptr;
    };
    if (pthread_create(&thread, nullptr, open_socket, nullptr) == 0) pthread_join(thread, nullptr);
  }));
}

#ifdef __x86_64__
TEST_CASE("Sandbox: a call of another table ends the process, though its number is good") {
  if (!has_seccomp()) return;
  constexpr int i386_close = 6;
  const int status = filtered(all, [] {
    int result = i386_close;
    asm volatile("int $0x80" : "+a"(result) : "b"(-1) : "memory");
    return 0;
  });
  // By SIGSEGV, where the kernel is made without those calls.
  CHECK(WIFSIGNALED(status));
}
#endif

TEST_CASE("Sandbox: threads and the removal of files are for servers that have them") {
  if (!has_seccomp()) return;
  CHECK(is_killed(few, [] { syscall(SYS_unlinkat, AT_FDCWD, "", 0); }));
  CHECK(is_killed(few, [] { syscall(SYS_statx, AT_FDCWD, "", 0, 0, nullptr); }));
  CHECK(is_killed(few, [] { syscall(SYS_clone, thread_flags, 0, 0, 0, 0); }));
  CHECK(is_killed(few, [] { syscall(SYS_clone3, nullptr, 0); }));
  CHECK(is_killed(few, [] { syscall(SYS_openat2, AT_FDCWD, "", nullptr, 0); }));
  CHECK(is_killed(few, [] { sendfile(0, 0, nullptr, 0); }));
  CHECK(exit_status(all, [] {
          struct stat status;
          return lstat("/", &status) == 0 && unlink("") != 0 ? errno : 0;
        }) == ENOENT);
}

TEST_CASE("Sandbox: threads start, allocate and end, many of them") {
  if (!has_seccomp()) return;
  CHECK(exit_status(all, [] {
          // More than glibc has heaps for without asking how many processors there are.
          std::array<pthread_t, 10> threads;
          pthread_barrier_init(&all_run, nullptr, threads.size());
          for (pthread_t& thread : threads) {
            if (pthread_create(&thread, nullptr, allocate_and_free, nullptr) != 0) return 1;
          }
          for (const pthread_t thread : threads) pthread_join(thread, nullptr);
          return 0;
        }) == 0);
}

TEST_CASE("Sandbox: glibc is told that it can't open files, and that there is no clone3") {
  if (!has_seccomp()) return;
  CHECK(exit_status(all, [] { return open("/etc/passwd", O_RDONLY) < 0 ? errno : 0; }) == EACCES);
  CHECK(exit_status(all, [] { return syscall(SYS_clone3, nullptr, 0) < 0 ? errno : 0; }) == ENOSYS);
}

TEST_CASE("Sandbox: what serves a connection is allowed") {
  if (!has_seccomp()) return;
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  const int client = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  REQUIRE(bind(listener, any, size) == 0);
  REQUIRE(listen(listener, 1) == 0);
  REQUIRE(getsockname(listener, any, &size) == 0);
  REQUIRE(connect(client, any, size) == 0);
  const int epoll = epoll_create1(0);

  CHECK(exit_status(few, [&] {
          char byte = 'x';
          iovec piece{&byte, 1};
          msghdr message{};
          message.msg_iov = &piece;
          message.msg_iovlen = 1;
          epoll_event event{};
          timespec now;
          sigset_t signals;
          sigemptyset(&signals);
          const int peer = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
          if (peer < 0 || getpeername(peer, any, &size) != 0) return 1;
          if (epoll_ctl(epoll, EPOLL_CTL_ADD, peer, &event) != 0) return 2;
          if (epoll_wait(epoll, &event, 1, 0) < 0 || epoll_ctl(epoll, EPOLL_CTL_DEL, peer, &event))
            return 3;
          if (send(peer, &byte, 1, MSG_NOSIGNAL) != 1 || sendmsg(peer, &message, 0) != 1) return 4;
          if (recv(client, &byte, 1, 0) != 1 || readv(client, &piece, 1) != 1) return 5;
          if (shutdown(peer, SHUT_WR) != 0 || close(peer) != 0) return 6;
          if (syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now) != 0) return 7;
          if (getrandom(&byte, 1, 0) != 1 || eventfd(0, 0) < 0) return 8;
          if (sigprocmask(SIG_BLOCK, &signals, nullptr) != 0 || signalfd(-1, &signals, 0) < 0)
            return 9;
          char* const block = static_cast<char*>(malloc(1'000'000));
          free(realloc(block, 100'000'000));
          return 0;
        }) == 0);
  for (const int descriptor : {listener, client, epoll}) close(descriptor);
}

TEST_CASE("Sandbox: a server of files opens, looks at and sends them, without a signal") {
  if (!has_seccomp()) return;
  int ends[2];
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  CHECK(exit_status(all, [&] {
          open_how how{};
          how.flags = O_RDONLY;
          const auto file =
              static_cast<int>(syscall(SYS_openat2, AT_FDCWD, "/etc/passwd", &how, sizeof how));
          struct stat status;
          char byte;
          if (file < 0 || fstat(file, &status) != 0) return 1;
          if (pread(file, &byte, 1, 0) != 1) return 2;
          if (sockeye::net::send_file(ends[0], file, 0, 1) != 1) return 3;
          if (shutdown(ends[0], SHUT_WR) != 0) return 4;
          if (sockeye::net::send_file(ends[0], file, 0, 1) != -1 || errno != EPIPE) return 5;
          return 0;
        }) == 0);
  for (const int end : ends) close(end);
}

TEST_CASE("Sandbox: abort() and libc's own last words are what they were") {
  if (!has_seccomp()) return;
  CHECK(exit_status(few, [] {
          abort();
          return 0;
        }) == -SIGABRT);
#ifdef __GLIBC__
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const int status = status_of_child([&] {
    dup2(ends[1], STDERR_FILENO);
    if (filter_calls(few)) __stack_chk_fail();
    return 99;
  });
  CHECK(WTERMSIG(status) == SIGABRT);
  std::array<char, 100> words{};
  CHECK(read(ends[0], words.data(), words.size() - 1) > 0);
  CHECK(std::string_view(words.data()) == "*** stack smashing detected ***: terminated\n");
  for (const int end : ends) close(end);
#endif
}

TEST_CASE("Landlock: no file can be opened or made, and what is open can be read") {
  if (landlock_version() < 1) return;
  const int status = status_of_child([] {
    const int passwd = open("/etc/passwd", O_RDONLY);
    if (!deny_files({})) return 99;
    char byte;
    if (read(passwd, &byte, 1) != 1) return 1;
    if (open("/etc/passwd", O_RDONLY) >= 0 || errno != EACCES) return 2;
    if (open("/tmp/sockeye-landlock", O_CREAT | O_WRONLY, 0600) >= 0 || errno != EACCES) return 3;
    if (open("/", O_RDONLY | O_DIRECTORY) >= 0 || errno != EACCES) return 4;
    execl("/bin/true", "true", nullptr);
    return errno == EACCES ? 0 : 5;
  });
  CHECK(status == 0);
}

TEST_CASE("Landlock: of a folder that is named by a file, files may be removed, and nothing else") {
  if (landlock_version() < 1) return;
  char folder[] = "/tmp/sockeye-sandbox-XXXXXX";
  REQUIRE(mkdtemp(folder) != nullptr);
  const std::string file = std::string(folder) + "/socket";
  const auto make_file = [&] { return close(open(file.c_str(), O_CREAT | O_WRONLY, 0600)); };
  REQUIRE(make_file() == 0);
  const auto try_removal = [&](const std::string& named) {
    return status_of_child([&] {
      if (!deny_files(std::array{named})) return 99;
      if (open(file.c_str(), O_RDONLY) >= 0) return 2;
      if (make_file() == 0 && errno != EACCES) return 3;
      return unlink(file.c_str()) == 0 ? 0 : 1;
    });
  };
  CHECK(WEXITSTATUS(try_removal("/nowhere/socket")) == 1);
  CHECK(WEXITSTATUS(try_removal("/etc/socket")) == 1);
  CHECK(WEXITSTATUS(try_removal(file)) == 0);
  REQUIRE(make_file() == 0);
  CHECK(WEXITSTATUS(try_removal("/socket")) == 0);
  CHECK(rmdir(folder) == 0);
}

TEST_CASE("Landlock: a folder that is served can be read, at any depth, and nothing else") {
  if (landlock_version() < 1) return;
  const int folder = open("/etc", O_PATH | O_DIRECTORY);
  REQUIRE(folder >= 0);
  const int status = status_of_child([&] {
    if (!deny_files({}, folder)) return 99;
    if (open("/etc/passwd", O_RDONLY) < 0) return 1;
    if (open("/etc/security/limits.conf", O_RDONLY) < 0 && errno != ENOENT) return 2;
    if (open("/etc/passwd", O_WRONLY) >= 0 || errno != EACCES) return 3;
    if (open("/etc", O_RDONLY | O_DIRECTORY) >= 0 || errno != EACCES) return 4;
    if (open("/proc/self/status", O_RDONLY) >= 0 || errno != EACCES) return 5;
    if (openat(folder, "../proc/self/status", O_RDONLY) >= 0 || errno != EACCES) return 6;
    return 0;
  });
  CHECK(status == 0);
  close(folder);
}

TEST_CASE("Landlock: no TCP connection, and no signal to others, where the kernel knows how") {
  if (landlock_version() < 6) return;
  const int status = status_of_child([] {
    if (!deny_files({})) return 99;
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(9);
    const auto* const any = reinterpret_cast<const sockaddr*>(&address);
    const int tcp = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(tcp, any, sizeof address) == 0 || errno != EACCES) return 1;
    if (bind(tcp, any, sizeof address) == 0 || errno != EACCES) return 2;
    return kill(getppid(), 0) != 0 && errno == EPERM ? 0 : 3;
  });
  CHECK(status == 0);
}
