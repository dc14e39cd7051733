// SPDX-License-Identifier: MIT
#include "app/trace/pcapng.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>

#include "net/log.h"
#include "net/stream.h"

namespace sockeye::app::trace {

namespace {

// Half of what an IP packet may hold: large messages take few packets, and a segment fits into the
// window together with what may be unacknowledged before it.
constexpr std::size_t largest_segment_bytes = 32 * 1024;
constexpr std::uint32_t most_unacknowledged_bytes = 16 * 1024;
static_assert(most_unacknowledged_bytes + largest_segment_bytes < tcp_window_bytes);

constexpr in6_addr made_up_host = {{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1}}};
constexpr std::uint16_t http_port = 80;
constexpr std::uint16_t lowest_made_up_port = 1024;
constexpr std::string_view made_up_comment =
    "An address of this connection is made up: a Unix socket has none.";

std::uint64_t unix_time_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec);
}

// What getsockname(2) or getpeername(2) says.
net::Address name_of(int descriptor, int (*ask)(int, sockaddr*, socklen_t*)) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (ask(descriptor, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return {};
  return net::Address::from(reinterpret_cast<sockaddr*>(&storage), size);
}

}  // namespace

struct PcapFile::Conversation {
  const net::Stream* stream;
  TcpEnd ours;
  TcpEnd theirs;
  Conversation* next = nullptr;
  bool ended = false;  // nothing more goes out: there was our FIN, or the connection broke
};

Result<std::unique_ptr<PcapFile>, net::Error> PcapFile::open(const std::string& path) {
  const auto failure = [&path] { return net::system_error("cannot capture to " + path); };
  // O_NONBLOCK: a pipe isn't waited for, it is refused.
  constexpr int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
  net::Fd file(::open(path.c_str(), flags, S_IRUSR | S_IWUSR));
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0) return failure();
  if (!S_ISREG(status.st_mode)) return net::Error{"cannot capture to " + path + ": Not a file"};
  // Past a limit on the file's size (setrlimit(2)), writing is to fail, and not to end the process.
  ::signal(SIGXFSZ, SIG_IGN);
  if (!write_head(file.get())) return failure();
  return std::unique_ptr<PcapFile>(new PcapFile(std::move(file), path));
}

PcapFile::~PcapFile() {
  for (Conversation* conversation : conversations_) {
    while (conversation != nullptr) std::free(std::exchange(conversation, conversation->next));
  }
}

// ── Events ───────────────────────────────────────────────────────────────────────────────────

void PcapFile::on_opened(const net::Stream& stream, net::Opener opener) {
  const net::Address our_name = name_of(stream.descriptor(), ::getsockname);
  const net::Address their_name = name_of(stream.descriptor(), ::getpeername);
  const bool by_peer = opener == net::Opener::peer;

  const std::lock_guard lock(mutex_);
  Conversation** place = find(stream);
  assert(*place == nullptr);
  const TcpEnd ours = end_of(our_name, by_peer);
  const TcpEnd theirs = end_of(their_name, !by_peer);
  void* memory = std::malloc(sizeof(Conversation));
  if (memory == nullptr) {
    return net::log(net::LogLevel::error, "no memory to capture a connection");
  }
  *place = new (memory) Conversation{&stream, ours, theirs};
  TcpEnd& first = by_peer ? (*place)->theirs : (*place)->ours;
  TcpEnd& second = by_peer ? (*place)->ours : (*place)->theirs;
  const bool known = our_name.host() && their_name.host();
  write(first, second, tcp::syn, {}, known ? std::string_view() : made_up_comment);
  write(second, first, tcp::syn | tcp::ack);
  write(first, second, tcp::ack);
}

void PcapFile::on_received(const net::Stream& stream, Bytes bytes) {
  const std::lock_guard lock(mutex_);
  if (Conversation* found = *find(stream)) write_data(found->theirs, found->ours, bytes);
}

void PcapFile::on_sent(const net::Stream& stream, Bytes bytes) {
  const std::lock_guard lock(mutex_);
  if (Conversation* found = *find(stream)) write_data(found->ours, found->theirs, bytes);
}

void PcapFile::on_peer_ended(const net::Stream& stream, int error) {
  const std::lock_guard lock(mutex_);
  Conversation* found = *find(stream);
  if (found == nullptr) return;
  if (error == 0) return write_end(found->theirs, found->ours);
  found->ended = true;
  // Other errors, such as ETIMEDOUT, are not told by a packet.
  const bool was_reset = error == ECONNRESET || error == EPIPE;
  if (was_reset) write(found->theirs, found->ours, tcp::rst | tcp::ack);
}

void PcapFile::on_ended(const net::Stream& stream) {
  const std::lock_guard lock(mutex_);
  if (Conversation* found = *find(stream)) end_ours(*found);
}

void PcapFile::on_closed(const net::Stream& stream) {
  const std::lock_guard lock(mutex_);
  Conversation** place = find(stream);
  Conversation* found = *place;
  if (found == nullptr) return;
  end_ours(*found);
  *place = found->next;
  std::free(found);
}

void PcapFile::end_ours(Conversation& conversation) {
  if (conversation.ended) return;
  conversation.ended = true;
  write_end(conversation.ours, conversation.theirs);
}

// Where the pointer to a stream's conversation is, or null where a new one belongs.
PcapFile::Conversation** PcapFile::find(const net::Stream& stream) {
  // Knuth, The Art of Computer Programming, volume 3, §6.4: of the product, the upper bits.
  const std::uint64_t hash = reinterpret_cast<std::uintptr_t>(&stream) * 0x9e3779b97f4a7c15u;
  Conversation** place = &conversations_[static_cast<std::size_t>(hash >> 54)];
  while (*place != nullptr && (*place)->stream != &stream) place = &(*place)->next;
  return place;
}

TcpEnd PcapFile::end_of(const net::Address& name, bool listens) {
  // RFC 9293 §3.4.1: as a clock of 4 µs says, so that a connection with an earlier one's ports has
  // numbers of its own.
  const auto initial = static_cast<std::uint32_t>(unix_time_ns() / 4000);
  if (const auto host = name.host()) return {*host, name.port(), initial, initial};
  if (listens) return {made_up_host, http_port, initial, initial};
  ++last_made_up_port_;
  last_made_up_port_ = std::max(last_made_up_port_, lowest_made_up_port);
  return {made_up_host, last_made_up_port_, initial, initial};
}

// ── Segments ─────────────────────────────────────────────────────────────────────────────────

void PcapFile::write(TcpEnd& from, TcpEnd& to, std::uint8_t control, Bytes payload,
                     std::string_view comment) {
  if (!file_) return;
  if (!write_segment(file_.get(), unix_time_ns(), {from, to, control, payload, comment})) {
    const std::string_view reason = std::strerror(errno);
    net::log(net::LogLevel::error, "the capture has ended", {{"file", path_}, {"reason", reason}});
    return file_.reset();
  }
  // RFC 9293 §3.4: SYN and FIN have numbers, too.
  const bool is_numbered = (control & (tcp::syn | tcp::fin)) != 0;
  from.sequence += static_cast<std::uint32_t>(payload.size()) + (is_numbered ? 1 : 0);
  if ((control & tcp::ack) != 0) to.acknowledged = to.sequence;
}

void PcapFile::write_data(TcpEnd& from, TcpEnd& to, Bytes bytes) {
  while (!bytes.empty()) {
    const Bytes payload = bytes.first(std::min(bytes.size(), largest_segment_bytes));
    bytes = bytes.subspan(payload.size());
    write(from, to, tcp::psh | tcp::ack, payload);
    const std::uint32_t unacknowledged_bytes = from.sequence - from.acknowledged;
    if (unacknowledged_bytes > most_unacknowledged_bytes) write(to, from, tcp::ack);
  }
}

void PcapFile::write_end(TcpEnd& from, TcpEnd& to) {
  write(from, to, tcp::fin | tcp::ack);
  write(to, from, tcp::ack);
}

}  // namespace sockeye::app::trace
