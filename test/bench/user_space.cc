// What a server costs in user space. Loaded into it with LD_PRELOAD, this library lets real clients
// connect and upgrade, and then answers the server's epoll_wait, recv and send from memory. The CPU
// time that the process takes from then on is its own work on messages and this library's, which is
// little, and the same for everyone: the raw echo's figure tells how little.
//
//   connecting ──▶ verifying ───▶ measuring ──▶ the figures, and the end of the process
//   all calls go   every echo     windows of
//   to the kernel  is compared    CPU time
//
// It takes the part of clients in a closed loop: each has one batch of messages on its way, and
// gets the next one into it when all of the last is echoed. Or, where what one client sends goes to
// all, only the first one sends, again when all have got everything; what is counted are the
// messages that clients get. It works for servers with one thread that are linked dynamically and
// wait with epoll, edge-triggered or not.
//
// From the environment: USER_SPACE_CONNECTIONS, how many will upgrade; USER_SPACE_BATCH, a file
// with the frames that each sends at once; USER_SPACE_FAN_OUT=1, where only the first one does;
// USER_SPACE_RESULT, the file that gets the figures, as JSON.
//
// SPDX-License-Identifier: MIT
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

// Of glibc: what malloc and its kin are without those of this file.
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* old, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);
}

namespace {

constexpr std::size_t verified_rounds = 5;
constexpr std::size_t windows = 15;
constexpr std::uint64_t window_ns = 40'000'000;
constexpr int waits_per_look = 64;            // between two looks at the clock
constexpr int waits_in_vain_max = 1'000'000;  // a server that has nothing to do, and owes an echo

enum class Phase { connecting, verifying, measuring };

constexpr int descriptors_max = 65536;

struct Connection {
  bool from_memory;  // its calls are answered here
  bool edge_triggered;
  epoll_data_t data;      // as given to epoll_ctl
  std::size_t available;  // of its batch: what wasn't received yet
  std::size_t owed;       // of the echo, or of what the first one sent: what wasn't sent yet
};

Phase phase = Phase::connecting;
Connection connections[descriptors_max];  // by descriptor
std::size_t connections_wanted = 0;
bool fan_out = false;             // what the first connection sends goes to all
std::vector<int> upgraded;        // the connections' descriptors
std::vector<std::string> echoes;  // while verifying, by descriptor: what was sent of an echo

std::string batch;                  // the frames that a client sends at once
std::vector<std::string> payloads;  // what is in them
std::size_t echo_bytes = 0;         // how much a server sends for them

// Descriptors: those whose echo is complete, so that the next batch is there, and those that are
// watched level-triggered and had something left when they were last received from.
int ready[descriptors_max];
int ready_count = 0;
std::vector<int> unfinished;
std::size_t incomplete = 0;  // with fan_out: how many connections are owed something

struct Counts {
  std::uint64_t messages, allocations, waits, receives, sends;
};
Counts counts{};

[[noreturn]] void give_up(const std::string& reason) {
  std::fprintf(stderr, "user_space: %s\n", reason.c_str());
  ::_exit(3);
}

const char* setting(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr) give_up(std::string(name) + " isn't set");
  return value;
}

// ── Frames (RFC 6455 §5.2) ───────────────────────────────────────────────────────────────────

struct Frame {
  bool fin = false;
  bool control = false;
  std::string payload;
};

// Takes a frame off the front of `bytes`; false when it isn't whole.
bool take_frame(std::string_view& bytes, Frame& frame) {
  const auto octet = [&bytes](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  if (bytes.size() < 2) return false;
  frame.fin = (octet(0) & 0x80) != 0;
  frame.control = (octet(0) & 0x08) != 0;
  const bool masked = (octet(1) & 0x80) != 0;
  std::uint64_t size = octet(1) & 0x7f;
  const std::size_t extended = size == 126 ? 2 : size == 127 ? 8 : 0;
  const std::size_t header = 2 + extended + (masked ? 4 : 0);
  if (bytes.size() < header) return false;
  if (extended > 0) size = 0;
  for (std::size_t i = 2; i < 2 + extended; ++i) size = size << 8 | octet(i);
  if (bytes.size() - header < size) return false;
  frame.payload = bytes.substr(header, size);
  const std::string_view key = bytes.substr(2 + extended, masked ? 4 : 0);
  for (std::size_t i = 0; masked && i < size; ++i) {
    frame.payload[i] = static_cast<char>(frame.payload[i] ^ key[i % 4]);
  }
  bytes.remove_prefix(header + size);
  return true;
}

// Appends the messages that are in `bytes`, fragments put together; false when one isn't whole.
bool take_messages(std::string_view bytes, std::vector<std::string>& messages) {
  bool within = false;
  while (!bytes.empty()) {
    Frame frame;
    if (!take_frame(bytes, frame)) return false;
    if (frame.control) continue;
    if (!within) messages.emplace_back();
    messages.back() += frame.payload;
    within = !frame.fin;
  }
  return !within;
}

// ── Phases ───────────────────────────────────────────────────────────────────────────────────

void read_settings() {
  connections_wanted = std::strtoul(setting("USER_SPACE_CONNECTIONS"), nullptr, 10);
  fan_out = std::getenv("USER_SPACE_FAN_OUT") != nullptr;
  std::ifstream file(setting("USER_SPACE_BATCH"), std::ios::binary);
  batch.assign(std::istreambuf_iterator<char>(file), {});
  if (!take_messages(batch, payloads) || payloads.empty()) give_up("the batch isn't whole frames");
}

void begin_verifying() {
  phase = Phase::verifying;
  echoes.resize(descriptors_max);
  for (const int fd : upgraded) {
    connections[fd].from_memory = true;
    if (!fan_out) ready[ready_count++] = fd;
  }
  if (fan_out) ready[ready_count++] = upgraded.front();
}

// A connection has been sent all that it was owed.
void complete(int fd) {
  if (!fan_out) {
    ready[ready_count++] = fd;
  } else if (--incomplete == 0) {
    ready[ready_count++] = upgraded.front();
  }
}

// Whether the connection has echoed its batch: each payload, or (the raw echo) the bytes as such.
bool echoed(const std::string& echo) {
  if (echo == batch) return true;
  if (batch.starts_with(echo)) return false;
  std::vector<std::string> messages;
  if (!take_messages(echo, messages) || messages.size() < payloads.size()) return false;
  if (messages != payloads) give_up("an echo differs from what was sent");
  return true;
}

// While verifying: takes what a connection sends.
void verify(int fd, const iovec* pieces, std::size_t count) {
  std::string& echo = echoes[static_cast<std::size_t>(fd)];
  for (std::size_t i = 0; i < count; ++i) {
    echo.append(static_cast<const char*>(pieces[i].iov_base), pieces[i].iov_len);
  }
  if (!echoed(echo)) return;
  if (echo_bytes == 0) echo_bytes = echo.size();
  if (echo_bytes != echo.size()) give_up("echoes of one batch differ in size");
  echo.clear();
  complete(fd);
  static std::size_t verified = 0;
  if (++verified == verified_rounds * connections_wanted) phase = Phase::measuring;
}

std::uint64_t cpu_ns() {
  timespec time;
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(time.tv_nsec);
}

[[noreturn]] void report(std::vector<double>& ns_per_message) {
  std::sort(ns_per_message.begin(), ns_per_message.end());
  const auto per_message = [](std::uint64_t count) {
    return static_cast<double>(count) / static_cast<double>(counts.messages);
  };
  std::FILE* file = std::fopen(setting("USER_SPACE_RESULT"), "w");
  if (file == nullptr) give_up("the file for the result can't be written");
  std::fprintf(file,
               "{\"ns\": %.3f, \"ns_lowest\": %.3f, \"ns_highest\": %.3f, \"messages\": %llu, "
               "\"allocations\": %.6f, \"waits\": %.4f, \"receives\": %.4f, \"sends\": %.4f}\n",
               ns_per_message[ns_per_message.size() / 2], ns_per_message.front(),
               ns_per_message.back(), static_cast<unsigned long long>(counts.messages),
               per_message(counts.allocations), per_message(counts.waits),
               per_message(counts.receives), per_message(counts.sends));
  std::fclose(file);
  ::_exit(0);
}

// Looks at the clock now and then, and notes at the end of each window what a message cost in it.
// The first one, in which caches and allocators warm up, isn't counted.
void look_at_clock() {
  static int waits_until_look = 0;
  static std::vector<double> ns_per_message;
  static std::uint64_t window_began_ns = cpu_ns();
  static std::uint64_t messages_before = 0;
  static bool warm = false;
  if (waits_until_look-- > 0) return;
  waits_until_look = waits_per_look;
  const std::uint64_t passed_ns = cpu_ns() - window_began_ns;
  if (passed_ns < window_ns || counts.messages == messages_before) return;
  if (warm) {
    ns_per_message.push_back(static_cast<double>(passed_ns) /
                             static_cast<double>(counts.messages - messages_before));
    if (ns_per_message.size() == windows) report(ns_per_message);
  } else {
    ns_per_message.reserve(windows);
    counts = {};
    warm = true;
  }
  messages_before = counts.messages;
  window_began_ns = cpu_ns();
}

// ── Calls answered from memory ───────────────────────────────────────────────────────────────

bool from_memory(int fd) {
  return fd >= 0 && fd < descriptors_max && connections[fd].from_memory;
}

void add_event(int fd, epoll_event* events, int& count) {
  events[count].events = EPOLLIN;
  events[count].data = connections[fd].data;
  ++count;
}

int wait(epoll_event* events, int room) {
  static int waits_in_vain = 0;
  ++counts.waits;
  if (phase == Phase::measuring) look_at_clock();
  int count = 0;
  for (; !unfinished.empty() && count < room; unfinished.pop_back()) {
    const int fd = unfinished.back();
    if (connections[fd].available > 0) add_event(fd, events, count);
  }
  while (ready_count > 0 && count < room) {
    const int fd = ready[--ready_count];
    connections[fd].available = batch.size();
    if (fan_out) {
      incomplete = upgraded.size();
      for (const int subscriber : upgraded) connections[subscriber].owed = echo_bytes;
    } else {
      connections[fd].owed = echo_bytes;
    }
    add_event(fd, events, count);
  }
  if (count > 0) {
    waits_in_vain = 0;
  } else if (++waits_in_vain == waits_in_vain_max) {
    give_up("the server doesn't echo what it received");
  }
  return count;
}

// What epoll_wait does: passes on, or answers. The connections begin when all are upgraded.
int wait_or_pass(int epoll, epoll_event* events, int room, int timeout, const sigset_t* signals) {
  if (phase == Phase::connecting && connections_wanted > 0 &&
      upgraded.size() == connections_wanted) {
    begin_verifying();
  }
  if (phase != Phase::connecting) return wait(events, room);
  return static_cast<int>(::syscall(SYS_epoll_pwait, epoll, events, room, timeout, signals, 8));
}

// Copies what is next of the batch to `to`, at most `room` bytes.
std::size_t take(Connection& connection, void* to, std::size_t room) {
  const std::size_t size = std::min(room, connection.available);
  std::memcpy(to, batch.data() + batch.size() - connection.available, size);
  connection.available -= size;
  return size;
}

ssize_t received(int fd, const iovec* pieces, std::size_t count) {
  Connection& connection = connections[fd];
  ++counts.receives;
  if (connection.available == 0) {
    errno = EAGAIN;
    return -1;
  }
  std::size_t total = 0;
  for (std::size_t i = 0; i < count; ++i) {
    total += take(connection, pieces[i].iov_base, pieces[i].iov_len);
  }
  if (!connection.edge_triggered && connection.available > 0) unfinished.push_back(fd);
  return static_cast<ssize_t>(total);
}

ssize_t sent(int fd, const iovec* pieces, std::size_t count) {
  Connection& connection = connections[fd];
  ++counts.sends;
  std::size_t total = 0;
  for (std::size_t i = 0; i < count; ++i) total += pieces[i].iov_len;
  if (phase == Phase::verifying) {
    connection.owed -= std::min(connection.owed, total);
    verify(fd, pieces, count);
    return static_cast<ssize_t>(total);
  }
  if (total > connection.owed) give_up("more was sent than an echo");
  connection.owed -= total;
  if (connection.owed == 0) {
    counts.messages += payloads.size();
    complete(fd);
  }
  return static_cast<ssize_t>(total);
}

// While connecting: a response with status 101 tells that this is one of the connections.
void look_at_response(int fd, const void* bytes, std::size_t size) {
  constexpr std::string_view switching = "HTTP/1.1 101";
  if (phase != Phase::connecting || fd < 0 || fd >= descriptors_max) return;
  if (!std::string_view(static_cast<const char*>(bytes), size).starts_with(switching)) return;
  if (upgraded.empty()) read_settings();
  upgraded.push_back(fd);
}

}  // namespace

// ── What takes the place of libc's functions ─────────────────────────────────────────────────

extern "C" {

int epoll_ctl(int epoll, int operation, int fd, epoll_event* event) {
  if (operation != EPOLL_CTL_DEL && fd >= 0 && fd < descriptors_max && event != nullptr) {
    connections[fd].edge_triggered = (event->events & EPOLLET) != 0;
    connections[fd].data = event->data;
  }
  if (from_memory(fd)) return 0;
  return static_cast<int>(::syscall(SYS_epoll_ctl, epoll, operation, fd, event));
}

int epoll_wait(int epoll, epoll_event* events, int room, int timeout) {
  return wait_or_pass(epoll, events, room, timeout, nullptr);
}

int epoll_pwait(int epoll, epoll_event* events, int room, int timeout, const sigset_t* signals) {
  return wait_or_pass(epoll, events, room, timeout, signals);
}

int epoll_pwait2(int epoll, epoll_event* events, int room, const timespec* timeout,
                 const sigset_t* signals) {
  const auto milliseconds = [timeout] {
    return static_cast<int>(timeout->tv_sec * 1000 + (timeout->tv_nsec + 999'999) / 1'000'000);
  };
  return wait_or_pass(epoll, events, room, timeout == nullptr ? -1 : milliseconds(), signals);
}

ssize_t recv(int fd, void* buffer, std::size_t size, int flags) {
  const iovec piece{buffer, size};
  if (from_memory(fd)) return received(fd, &piece, 1);
  return ::syscall(SYS_recvfrom, fd, buffer, size, flags, nullptr, nullptr);
}

ssize_t read(int fd, void* buffer, std::size_t size) {
  const iovec piece{buffer, size};
  if (from_memory(fd)) return received(fd, &piece, 1);
  return ::syscall(SYS_read, fd, buffer, size);
}

ssize_t readv(int fd, const iovec* pieces, int count) {
  if (from_memory(fd)) return received(fd, pieces, static_cast<std::size_t>(count));
  return ::syscall(SYS_readv, fd, pieces, count);
}

ssize_t recvmsg(int fd, msghdr* message, int flags) {
  if (!from_memory(fd)) return ::syscall(SYS_recvmsg, fd, message, flags);
  message->msg_flags = 0;
  message->msg_controllen = 0;
  return received(fd, message->msg_iov, message->msg_iovlen);
}

ssize_t send(int fd, const void* bytes, std::size_t size, int flags) {
  const iovec piece{const_cast<void*>(bytes), size};
  if (from_memory(fd)) return sent(fd, &piece, 1);
  look_at_response(fd, bytes, size);
  return ::syscall(SYS_sendto, fd, bytes, size, flags, nullptr, 0);
}

ssize_t write(int fd, const void* bytes, std::size_t size) {
  const iovec piece{const_cast<void*>(bytes), size};
  if (from_memory(fd)) return sent(fd, &piece, 1);
  look_at_response(fd, bytes, size);
  return ::syscall(SYS_write, fd, bytes, size);
}

ssize_t writev(int fd, const iovec* pieces, int count) {
  if (from_memory(fd)) return sent(fd, pieces, static_cast<std::size_t>(count));
  if (count > 0) look_at_response(fd, pieces[0].iov_base, pieces[0].iov_len);
  return ::syscall(SYS_writev, fd, pieces, count);
}

ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  if (from_memory(fd)) return sent(fd, message->msg_iov, message->msg_iovlen);
  if (message->msg_iovlen > 0) {
    look_at_response(fd, message->msg_iov[0].iov_base, message->msg_iov[0].iov_len);
  }
  return ::syscall(SYS_sendmsg, fd, message, flags);
}

void* malloc(std::size_t size) {
  ++counts.allocations;
  return __libc_malloc(size);
}

void* calloc(std::size_t count, std::size_t size) {
  ++counts.allocations;
  return __libc_calloc(count, size);
}

void* realloc(void* old, std::size_t size) {
  ++counts.allocations;
  return __libc_realloc(old, size);
}

void* aligned_alloc(std::size_t alignment, std::size_t size) {
  ++counts.allocations;
  return __libc_memalign(alignment, size);
}

int posix_memalign(void** result, std::size_t alignment, std::size_t size) {
  ++counts.allocations;
  *result = __libc_memalign(alignment, size);
  return *result == nullptr ? ENOMEM : 0;
}

}  // extern "C"
