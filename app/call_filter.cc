// SPDX-License-Identifier: MIT
#include "app/call_filter.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <iterator>

#ifdef __NR_socketcall
#include <linux/net.h>
#endif

namespace sockeye::app {

namespace {

// Which of the kernel's tables __NR_... are numbers of. A process may make calls of others, too
// (int 0x80 on x86-64); those of x32 have this word and numbers that are in no rule.
#if defined(__x86_64__)
constexpr std::uint32_t own_table = AUDIT_ARCH_X86_64;
#elif defined(__i386__)
constexpr std::uint32_t own_table = AUDIT_ARCH_I386;
#elif defined(__aarch64__)
constexpr std::uint32_t own_table = AUDIT_ARCH_AARCH64;
#elif defined(__arm__)
constexpr std::uint32_t own_table = AUDIT_ARCH_ARM;
#elif defined(__riscv) && __riscv_xlen == 64
constexpr std::uint32_t own_table = AUDIT_ARCH_RISCV64;
#elif defined(__s390x__)
constexpr std::uint32_t own_table = AUDIT_ARCH_S390X;
#else
constexpr std::uint32_t own_table = 0;  // not known here: no filter
#endif

// Which servers need a call.
enum class Need : std::uint8_t { all, threads, removal, reading };

// A call that is allowed, or fails with `error` in place of ending the process. Where it has a
// `mask`, only with (arguments[argument] & mask) == value.
struct Rule {
  std::uint16_t call;
  Need need = Need::all;
  std::uint8_t argument = 0;
  std::uint32_t mask = 0;
  std::uint32_t value = 0;
  std::uint16_t error = 0;
};

constexpr std::uint32_t whole = 0xffff'ffff;  // a mask

// What pthread_create asks for, and nothing else: a process or a namespace is none of it. musl adds
// CLONE_DETACHED, which means nothing any more.
constexpr std::uint32_t thread_flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |
                                       CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS |
                                       CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;
#ifdef __s390x__
constexpr std::uint8_t clone_flags = 1;  // the stack comes first, clone(2)
#else
constexpr std::uint8_t clone_flags = 0;
#endif

// No rule lets a socket connect. Sending with MSG_FASTOPEN does, and a listener that is shut down
// for reading would be a socket to do it with.
//
// In the order in which the kernel looks. It knows by itself which calls are allowed whatever their
// arguments are, and doesn't run the filter for those (Linux 5.11).
constexpr Rule rules[] = {
    // Each message.
    {__NR_recvfrom},
    {.call = __NR_sendto, .argument = 3, .mask = MSG_FASTOPEN},
    {__NR_epoll_pwait},
#ifdef __NR_epoll_wait  // an old call: new architectures lack it
    {__NR_epoll_wait},
#endif
#ifdef __NR_recv  // ARM
    {__NR_recv},
    {__NR_send},  // has no address, and so connects to none
#endif
#ifdef __NR_socketcall  // i386 and s390x: the first argument says which one. The others are in
                        // memory, where a filter can't see them: there, a listener could be made to
                        // connect.
    {.call = __NR_socketcall, .mask = whole, .value = SYS_RECV},
    {.call = __NR_socketcall, .mask = whole, .value = SYS_SEND},
    {.call = __NR_socketcall, .mask = whole, .value = SYS_RECVFROM},
    {.call = __NR_socketcall, .mask = whole, .value = SYS_SENDTO},
    {.call = __NR_socketcall, .mask = whole, .value = SYS_SENDMSG},
    {.call = __NR_socketcall, .mask = whole, .value = SYS_ACCEPT4},
    {.call = __NR_socketcall, .mask = whole, .value = SYS_GETPEERNAME},
    {.call = __NR_socketcall, .mask = whole, .value = SYS_GETSOCKNAME},
    {.call = __NR_socketcall, .mask = whole, .value = SYS_SHUTDOWN},
    {.call = __NR_socketcall, .mask = whole, .value = SYS_SOCKETPAIR},
#endif
    {.call = __NR_sendmsg, .argument = 2, .mask = MSG_FASTOPEN},  // queues
    {__NR_readv},                                                 // large messages
#ifdef __NR_clock_gettime
    {__NR_clock_gettime},  // where the vDSO has no clock for us
#endif
#ifdef __NR_clock_gettime32  // musl's name for it with 32 bits
    {__NR_clock_gettime32},
#endif
#ifdef __NR_clock_gettime64
    {__NR_clock_gettime64},
#endif

    // Each connection.
    {__NR_accept4},
    {__NR_epoll_ctl},
    {__NR_getpeername},
    {__NR_getsockname},
    {.call = __NR_shutdown, .argument = 1, .mask = whole, .value = SHUT_WR},
    {__NR_close},
    {__NR_eventfd2},   // the listener's reserve
    {__NR_getrandom},  // how connections are counted by address is a secret
    // A client of our own, for a page to see (app/raw_client.h): connected, and so to nobody else.
    {.call = __NR_socketpair,
     .argument = 1,
     .mask = whole,
     .value = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC},

    // Files that are served: opened, looked at in whatever way libc does that, and sent, without a
    // SIGPIPE; or read, where a tap wants to see them.
    {.call = __NR_openat2, .need = Need::reading},
    {.call = __NR_fstat, .need = Need::reading},
    {.call = __NR_statx, .need = Need::reading},
#ifdef __NR_fstat64
    {.call = __NR_fstat64, .need = Need::reading},
#endif
#ifdef __NR_newfstatat
    {.call = __NR_newfstatat, .need = Need::reading},
#endif
#ifdef __NR_fstatat64
    {.call = __NR_fstatat64, .need = Need::reading},
#endif
    {.call = __NR_sendfile, .need = Need::reading},
#ifdef __NR_sendfile64
    {.call = __NR_sendfile64, .need = Need::reading},
#endif
    {.call = __NR_pread64, .need = Need::reading},
    {.call = __NR_rt_sigtimedwait, .need = Need::reading},
#ifdef __NR_rt_sigtimedwait_time64
    {.call = __NR_rt_sigtimedwait_time64, .need = Need::reading},
#endif

    // The log, what is printed, wake-ups of other loops; a last word (writev).
    {__NR_write},
    {__NR_writev},
    {__NR_ppoll},
#ifdef __NR_ppoll_time64
    {__NR_ppoll_time64},
#endif
#ifdef __NR_poll
    {__NR_poll},
#endif

    // Signals, taken from a descriptor.
    {__NR_rt_sigprocmask},
    {__NR_rt_sigaction},
    {__NR_signalfd4},
    {__NR_read},
    {__NR_restart_syscall},  // SIGCONT, after a wait with a deadline was stopped

    // Memory that isn't code.
    {.call = __NR_mprotect, .argument = 2, .mask = PROT_EXEC},
#ifdef __NR_mmap2  // with 32 bits
    {.call = __NR_mmap2, .argument = 2, .mask = PROT_EXEC},
#elif defined(__s390x__)  // its arguments are in memory, where a filter can't see them
    {__NR_mmap},
#else
    {.call = __NR_mmap, .argument = 2, .mask = PROT_EXEC},
#endif
    {__NR_munmap},
    {__NR_mremap},
    {__NR_madvise},
    {__NR_brk},

    // Threads, and the locks between them.
    {__NR_futex},
#ifdef __NR_futex_time64
    {__NR_futex_time64},
#endif
    {.call = __NR_clone,
     .need = Need::threads,
     .argument = clone_flags,
     .mask = ~std::uint32_t{CLONE_DETACHED},
     .value = thread_flags},
    // Its flags are in memory as well. Told that the kernel has no such call, glibc takes clone.
    {.call = __NR_clone3, .need = Need::threads, .error = ENOSYS},
    {.call = __NR_set_robust_list, .need = Need::threads},
    {.call = __NR_rseq, .need = Need::threads},
    {.call = __NR_membarrier, .need = Need::threads},         // musl as a shared library
    {.call = __NR_sched_getaffinity, .need = Need::threads},  // how many heaps glibc makes
    {.call = __NR_exit, .need = Need::threads},

    // The end: of Unix sockets' files, by lstat and unlink in whatever way libc makes them...
    {.call = __NR_statx, .need = Need::removal},
    {.call = __NR_unlinkat, .need = Need::removal},
#ifdef __NR_lstat
    {.call = __NR_lstat, .need = Need::removal},
#endif
#ifdef __NR_lstat64
    {.call = __NR_lstat64, .need = Need::removal},
#endif
#ifdef __NR_newfstatat
    {.call = __NR_newfstatat, .need = Need::removal},
#endif
#ifdef __NR_fstatat64
    {.call = __NR_fstatat64, .need = Need::removal},
#endif
#ifdef __NR_unlink
    {.call = __NR_unlink, .need = Need::removal},
#endif

    // ... and of the process. abort() says SIGABRT to its own thread.
    {__NR_exit_group},
    {__NR_getpid},
    {__NR_gettid},
    {.call = __NR_tgkill, .argument = 2, .mask = whole, .value = SIGABRT},
    {.call = __NR_tkill, .argument = 1, .mask = whole, .value = SIGABRT},

#ifdef __GLIBC__
    // glibc's malloc asks /proc/sys/vm/overcommit_memory before it shrinks a thread's heap, and
    // older ones /sys for the number of processors; its last words go to /dev/tty, else to standard
    // error. All are content without.
    {.call = __NR_openat, .error = EACCES},
#endif
};

// A rule takes up to 6 instructions; 4 stand before them and one behind.
class Program {
 public:
  explicit Program(const ServerCalls& calls);
  // As the kernel takes it. Valid while this object is.
  sock_fprog text() { return {size_, code_}; }

 private:
  void load(std::size_t offset) { add(BPF_LD | BPF_W | BPF_ABS, offset); }
  // Goes on with the next instruction where what was loaded is `value`, else skips some.
  void require(std::uint32_t value, std::uint8_t skipped) {
    add(BPF_JMP | BPF_JEQ | BPF_K, value, skipped);
  }
  void answer(std::uint32_t action) { add(BPF_RET | BPF_K, action); }
  void add(const Rule& rule);
  void add(unsigned code, std::size_t value, std::uint8_t else_skipped = 0) {
    code_[size_++] = {static_cast<std::uint16_t>(code), 0, else_skipped,
                      static_cast<std::uint32_t>(value)};
  }

  unsigned short size_ = 0;
  sock_filter code_[4 + 6 * std::size(rules) + 1];
};

Program::Program(const ServerCalls& calls) {
  load(offsetof(seccomp_data, arch));
  // Of another table, the word for it stays loaded, which is no call's number.
  require(own_table, 1);
  load(offsetof(seccomp_data, nr));
  for (const Rule& rule : rules) {
    if (rule.need == Need::threads && !calls.start_threads) continue;
    if (rule.need == Need::removal && !calls.remove_files) continue;
    if (rule.need == Need::reading && !calls.read_files) continue;
    add(rule);
  }
  answer(SECCOMP_RET_KILL_PROCESS);
}

void Program::add(const Rule& rule) {
  // Of an argument's 64 bits, the lower 32: flags have no others.
  const std::size_t argument = offsetof(seccomp_data, args) + 8 * std::size_t{rule.argument} +
                               (std::endian::native == std::endian::big ? 4 : 0);
  require(rule.call, rule.mask != 0 ? 5 : 1);
  if (rule.mask != 0) {
    load(argument);
    add(BPF_ALU | BPF_AND | BPF_K, rule.mask);
    require(rule.value, 1);
  }
  answer(rule.error != 0 ? SECCOMP_RET_ERRNO | rule.error : SECCOMP_RET_ALLOW);
  if (rule.mask != 0) load(offsetof(seccomp_data, nr));
}

}  // namespace

bool filter_calls(const ServerCalls& calls) {
  if (own_table == 0) {
    errno = ENOSYS;
    return false;
  }
  Program program(calls);
  const sock_fprog text = program.text();
  // Up to Linux 5.15, filtered processes ran with all speculation held back, for those whose code
  // comes from others. Before 4.17 there is no such flag.
  for (const unsigned long flags : {SECCOMP_FILTER_FLAG_SPEC_ALLOW, 0ul}) {
    if (::syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, flags, &text) == 0) return true;
  }
  return false;
}

}  // namespace sockeye::app
