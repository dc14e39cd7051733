// SPDX-License-Identifier: MIT
#include "net/stream.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <new>

#include "net/log.h"
#include "net/send_file.h"

namespace sockeye::net {

namespace {

// Chunks of the queue grow from the first to the second size, so that a small backlog is cheap and
// a large one takes few chunks.
constexpr std::size_t smallest_chunk_bytes = 1024;
constexpr std::size_t largest_chunk_bytes = 64 * 1024;

// What others hold as well is copied to the queue if it is smaller: that costs less than a chunk.
constexpr std::size_t hold_limit_bytes = 512;

// How many chunks one sendmsg takes, and how many bytes of backlog one turn sends at most: a fast
// reader of a long queue must not keep the loop to itself.
constexpr std::size_t chunks_per_send = 64;
constexpr std::size_t flush_bytes_per_turn = 1024 * 1024;

// The same for what is received of one large payload.
constexpr std::size_t direct_bytes_per_turn = 1024 * 1024;

}  // namespace

// A piece of the queue: this head, and `capacity` bytes behind it in the same block; or bytes that
// lie elsewhere, and are held as long as they wait.
struct Stream::Chunk {
  Chunk* next;
  Shared* owner;  // null: the bytes are the chunk's own
  const std::uint8_t* shared;
  std::size_t capacity;
  std::size_t begin;  // the first byte not sent
  std::size_t end;    // after the last byte written

  std::uint8_t* room() { return reinterpret_cast<std::uint8_t*>(this + 1); }
  Bytes unsent() { return {(owner != nullptr ? shared : room()) + begin, end - begin}; }
  std::size_t block_size() const { return sizeof(Chunk) + (owner != nullptr ? 0 : capacity); }
};

Stream::~Stream() {
  drop_output();
  if (fd_) tell_closed();
  loop_.forget(*this);
}

bool Stream::start(Fd fd, Opener opener) {
  if (!loop_.watch(fd.get(), *this)) return false;
  fd_ = std::move(fd);
  if (Tap* tap = loop_.tap()) tap->on_opened(*this, opener);
  return true;
}

void Stream::tell_sent(Bytes bytes) const {
  if (bytes.empty() || broken_) return;
  loop_.counts().sent_bytes.add(bytes.size());
  if (Tap* tap = loop_.tap()) tap->on_sent(*this, bytes);
}

void Stream::tell_closed() const {
  if (Tap* tap = loop_.tap()) tap->on_closed(*this);
}

// ── Turns ────────────────────────────────────────────────────────────────────────────────────

void Stream::on_events(std::uint32_t events) {
  if (closed_) return;
  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) hung_up_ = readable_ = true;
  if ((events & EPOLLIN) != 0) readable_ = true;

  cork();
  if ((events & EPOLLOUT) != 0 && output_ != nullptr) {
    output_->awaiting_edge = false;
    flush_queue();
  }
  read();
  // A reset doesn't wait for a reader that is paused: what it would still find can't be answered.
  if ((events & EPOLLERR) != 0 && reading_paused_) report_end(ECONNRESET);
  uncork();
}

bool Stream::begin_batch() {
  if (closed_ || loop_.cork().owner != nullptr) return false;
  cork();
  return true;
}

void Stream::on_agenda() {
  if (closed_) return on_released();
  cork();
  if (output_ != nullptr && !output_->awaiting_edge) flush_queue();
  if (!closed_) on_turn();
  read();
  uncork();
}

void Stream::cork() {
  Loop::Cork& cork = loop_.cork();
  assert(cork.owner == nullptr && cork.size == 0);
  cork.owner = this;
}

void Stream::uncork() {
  Loop::Cork& cork = loop_.cork();
  if (cork.size > 0 && !send_cork()) break_off();
  cork.owner = nullptr;
  if (Tap* tap = loop_.tap(); tap != nullptr && fd_) tap->on_settled(*this);
  if (finish_ != Finish::no && !closed_ && output_ == nullptr) output_empty();
}

// ── Reading ──────────────────────────────────────────────────────────────────────────────────

void Stream::read() {
  const auto may_read = [this] { return readable_ && !reading_paused_ && !ended_ && !closed_; };
  // A read that fills the buffer spends the turn's budget. A short one leaves the stream readable
  // only when the peer's end is known to follow, which the next read then brings.
  if (may_read()) receive_once();
  if (may_read() && hung_up_) receive_once();
  if (may_read()) loop_.schedule(*this);
  // A stream that can't send ends when all that came is read, or at once where its reader is
  // paused: no event would ever say so.
  if (broken_ && (reading_paused_ || !readable_)) report_end(EPIPE);
}

void Stream::receive_once() {
  const MutableBytes direct = direct_space();
  if (!direct.empty()) return receive_direct(direct);
  const MutableBytes shared = loop_.receive_buffer();
  ssize_t received;
  do {
    received = ::recv(fd_.get(), shared.data(), shared.size(), 0);
  } while (received < 0 && errno == EINTR);
  if (received <= 0) return received_nothing(received);
  const auto size = static_cast<std::size_t>(received);
  readable_ = size == shared.size() || hung_up_;
  loop_.counts().received_bytes.add(size);
  if (Tap* tap = loop_.tap()) tap->on_received(*this, shared.first(size));
  on_receive(shared.first(size));
}

// The rest of a large payload to where it belongs, and only what follows it into the shared buffer.
// In pieces no larger than that buffer, so that each is dealt with while it is in the processor's
// cache; and as many in a turn as budgeted, for the fewer payloads are under way at a time, the
// more of them the cache holds.
void Stream::receive_direct(MutableBytes direct) {
  const MutableBytes shared = loop_.receive_buffer();
  for (std::size_t budget = direct_bytes_per_turn; !direct.empty() && budget > 0;) {
    const MutableBytes first = direct.first(std::min(direct.size(), shared.size()));
    const MutableBytes second = shared.first(shared.size() - first.size());
    const iovec pieces[] = {{first.data(), first.size()}, {second.data(), second.size()}};
    ssize_t received;
    do {
      received = ::readv(fd_.get(), pieces, second.empty() ? 1 : 2);
    } while (received < 0 && errno == EINTR);
    if (received <= 0) return received_nothing(received);
    const auto size = static_cast<std::size_t>(received);
    readable_ = size == shared.size() || hung_up_;
    loop_.counts().received_bytes.add(size);
    if (Tap* tap = loop_.tap()) {
      tap->on_received(*this, first.first(std::min(size, first.size())));
      if (size > first.size()) tap->on_received(*this, second.first(size - first.size()));
    }
    on_direct(std::min(size, first.size()));
    if (size > first.size() && !closed_) on_receive(second.first(size - first.size()));
    if (!readable_ || closed_ || reading_paused_) return;
    budget -= std::min(budget, size);
    direct = direct_space();
  }
}

// A receive brought no bytes: there are none for now, or the peer or the connection has ended.
void Stream::received_nothing(ssize_t result) {
  readable_ = false;
  // A send that failed has taken the socket's error with it, and left what looks like a FIN.
  if (result == 0) return report_end(broken_ ? EPIPE : 0);
  if (errno != EAGAIN) report_end(errno);
}

void Stream::report_end(int error) {
  if (ended_ || closed_) return;
  ended_ = true;
  if (Tap* tap = loop_.tap()) tap->on_peer_ended(*this, error);
  on_end(error);
}

void Stream::read_now() {
  if (closed_ || ended_) return;
  readable_ = true;
  loop_.schedule(*this);
}

void Stream::resume_reading() {
  reading_paused_ = false;
  if (readable_ && !ended_ && !closed_) loop_.schedule(*this);
}

// ── Writing ──────────────────────────────────────────────────────────────────────────────────

bool Stream::write(Bytes head, Bytes body, Shared* owner) {
  if (closed_ || broken_) return true;  // there is nobody to send it to
  if (output_ == nullptr && corked()) {
    Loop::Cork& cork = loop_.cork();
    const std::size_t room = Loop::buffer_bytes - cork.size;
    if (body.size() >= copy_limit_bytes || head.size() > room || body.size() > room - head.size()) {
      return send_or_queue(head, body, owner);
    }
    copy_bytes(copy_bytes(cork.data + cork.size, head), body);
    cork.size += head.size() + body.size();
    return true;
  }
  if (!queue(head) || !queue(body, owner)) return false;
  if (output_ != nullptr && !output_->awaiting_edge) loop_.schedule(*this);
  return true;
}

bool Stream::write_newest(Bytes bytes) {
  if (output_ == nullptr || closed_ || broken_) return write(bytes);
  if (!open_output()) return false;
  Chunk* chunk = output_->newest;
  if (chunk != nullptr) {
    output_->bytes -= chunk->end;
    chunk->end = 0;
  }
  if (chunk == nullptr || chunk->capacity < bytes.size()) {
    chunk = add_chunk(bytes.size());
    if (chunk == nullptr) return false;
    output_->newest = chunk;
  }
  copy_bytes(chunk->room(), bytes);
  chunk->end = bytes.size();
  output_->bytes += bytes.size();
  return true;
}

bool Stream::write_file(Fd file, std::uint64_t offset, std::uint64_t size) {
  if (closed_ || broken_ || size == 0) return true;
  if (corked()) {
    Loop::Cork& cork = loop_.cork();
    const Bytes ahead{cork.data, cork.size};
    cork.size = 0;
    if (!queue(ahead)) return false;
  }
  if (!open_output()) return false;
  output_->file = std::move(file);
  output_->file_offset = offset;
  output_->file_bytes = size;
  output_->blocked = true;
  if (!output_->awaiting_edge) loop_.schedule(*this);
  return true;
}

std::uint8_t* Stream::append(std::size_t size) {
  if (output_ == nullptr && corked()) {
    Loop::Cork& cork = loop_.cork();
    const bool full = size > Loop::buffer_bytes - cork.size;
    if (full && cork.size > 0 && !send_cork()) return nullptr;
    if (output_ == nullptr && size <= Loop::buffer_bytes) {
      cork.size += size;
      return cork.data + cork.size - size;
    }
  }
  if (!open_output()) return nullptr;
  Chunk* chunk = output_->last;
  if (chunk == nullptr || chunk == output_->newest || chunk->capacity - chunk->end < size) {
    chunk = add_chunk(std::max(size, smallest_chunk_bytes));
    if (chunk == nullptr) return nullptr;
  }
  chunk->end += size;
  output_->bytes += size;
  if (!output_->awaiting_edge) loop_.schedule(*this);
  return chunk->room() + chunk->end - size;
}

// Sends the cork, mostly all that a turn has written, and queues what the kernel doesn't take. As
// send_or_queue(), only on a corked stream without a queue; false where there is no memory.
bool Stream::send_cork() {
  Loop::Cork& cork = loop_.cork();
  const Bytes bytes{cork.data, cork.size};
  cork.size = 0;
  return closed_ || broken_ || send(bytes, nullptr);
}

bool Stream::write_alone(Bytes bytes, Shared* owner) {
  if (closed_ || broken_) return true;
  const bool kept = send(bytes, owner);
  if (Tap* tap = loop_.tap()) tap->on_settled(*this);
  return kept;
}

bool Stream::send(Bytes bytes, Shared* owner) {
  ssize_t sent;
  do {
    // MSG_NOSIGNAL: a peer that closed early must not end the process by SIGPIPE.
    sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0 && errno != EAGAIN) {
    break_off();
    return true;
  }
  const std::size_t taken = sent > 0 ? static_cast<std::size_t>(sent) : 0;
  tell_sent(bytes.first(taken));
  if (taken == bytes.size()) return true;
  if (!queue(bytes.subspan(taken), owner)) return false;
  output_->blocked = output_->awaiting_edge = true;
  return true;
}

// Sends the cork, `head` and `body` in one call, and queues what the kernel doesn't take.
bool Stream::send_or_queue(Bytes head, Bytes body, Shared* owner) {
  Loop::Cork& cork = loop_.cork();
  const Bytes pieces[] = {{cork.data, cork.size}, head, body};
  cork.size = 0;
  if (closed_ || broken_) return true;
  std::size_t sent = send_now(pieces);
  for (const Bytes& piece : pieces) {
    const std::size_t out = std::min(sent, piece.size());
    sent -= out;
    tell_sent(piece.first(out));
    if (!queue(piece.subspan(out), &piece == &pieces[2] ? owner : nullptr)) return false;
  }
  if (output_ != nullptr) output_->blocked = output_->awaiting_edge = true;
  return true;
}

// Hands bytes to the kernel and returns how many it took. A connection that turns out to be broken
// takes everything: there is nothing left to keep them for.
std::size_t Stream::send_now(std::span<const Bytes, 3> pieces) {
  iovec vector[3];
  std::size_t count = 0;
  std::size_t total = 0;
  for (const Bytes piece : pieces) {
    if (piece.empty()) continue;
    vector[count++] = {const_cast<std::uint8_t*>(piece.data()), piece.size()};
    total += piece.size();
  }
  msghdr message{};
  message.msg_iov = vector;
  message.msg_iovlen = static_cast<decltype(message.msg_iovlen)>(count);
  ssize_t sent;
  do {
    sent = ::sendmsg(fd_.get(), &message, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent >= 0) return static_cast<std::size_t>(sent);
  if (errno == EAGAIN) return 0;
  break_off();
  return total;
}

// ── The queue ────────────────────────────────────────────────────────────────────────────────

// Sees to it that there is a queue, and that something can be added to it: not behind a file.
bool Stream::open_output() {
  if (output_ != nullptr) return !output_->file;
  void* memory = loop_.pool().allocate(sizeof(Output));
  if (memory == nullptr) return false;
  output_ = new (memory) Output(loop_.counts().buffered_bytes);
  return true;
}

Stream::Chunk* Stream::add_chunk(std::size_t capacity) {
  if (capacity > Pool::largest_block - sizeof(Chunk)) return nullptr;
  const std::size_t size = Pool::block_size(sizeof(Chunk) + capacity);
  void* memory = loop_.pool().allocate(size);
  if (memory == nullptr) return nullptr;
  auto* chunk = new (memory) Chunk{nullptr, nullptr, nullptr, size - sizeof(Chunk), 0, 0};
  (output_->last != nullptr ? output_->last->next : output_->first) = chunk;
  output_->last = chunk;
  return chunk;
}

bool Stream::queue(Bytes bytes, Shared* owner) {
  if (bytes.empty()) return true;
  if (!open_output()) return false;
  if (owner != nullptr && bytes.size() >= hold_limit_bytes) return queue_held(bytes, *owner);
  while (!bytes.empty()) {
    Chunk* chunk = output_->last;
    if (chunk == nullptr || chunk == output_->newest || chunk->end == chunk->capacity) {
      const std::size_t twice = chunk != nullptr ? 2 * chunk->capacity : 0;
      const std::size_t wanted = std::max({bytes.size(), twice, smallest_chunk_bytes});
      chunk = add_chunk(std::min(wanted, largest_chunk_bytes - sizeof(Chunk)));
      if (chunk == nullptr) return false;
    }
    const Bytes piece = bytes.first(std::min(bytes.size(), chunk->capacity - chunk->end));
    copy_bytes(chunk->room() + chunk->end, piece);
    chunk->end += piece.size();
    output_->bytes += piece.size();
    bytes = bytes.subspan(piece.size());
  }
  return true;
}

// Queues bytes where they lie.
bool Stream::queue_held(Bytes bytes, Shared& owner) {
  Chunk* chunk = add_chunk(0);
  if (chunk == nullptr) return false;
  owner.hold();
  chunk->owner = &owner;
  chunk->shared = bytes.data();
  chunk->capacity = chunk->end = bytes.size();  // full
  output_->bytes += bytes.size();
  return true;
}

void Stream::release(Chunk* chunk) {
  const std::size_t size = chunk->block_size();
  if (chunk->owner != nullptr) chunk->owner->let_go();
  loop_.pool().release(chunk, size);
}

void Stream::flush_queue() {
  std::size_t budget = flush_bytes_per_turn;
  while (output_ != nullptr && output_->bytes > 0) {
    iovec pieces[chunks_per_send];
    std::size_t count = 0;
    std::size_t total = 0;
    for (Chunk* chunk = output_->first;
         chunk != nullptr && count < chunks_per_send && total < budget; chunk = chunk->next) {
      const Bytes unsent = chunk->unsent();
      pieces[count++] = {const_cast<std::uint8_t*>(unsent.data()), unsent.size()};
      total += unsent.size();
    }
    msghdr message{};
    message.msg_iov = pieces;
    message.msg_iovlen = static_cast<decltype(message.msg_iovlen)>(count);
    const int flags = MSG_NOSIGNAL | (output_->file ? MSG_MORE : 0);
    ssize_t sent;
    do {
      sent = ::sendmsg(fd_.get(), &message, flags);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0 && errno != EAGAIN) return break_off();

    const std::size_t taken = sent > 0 ? static_cast<std::size_t>(sent) : 0;
    drop_sent(taken);
    if (taken > 0) on_progress();
    if (closed_) return;
    if (taken < total) {
      output_->blocked = output_->awaiting_edge = true;
      return;
    }
    budget -= std::min(budget, taken);
    if (budget == 0 && output_->bytes > 0) return loop_.schedule(*this);
  }
  if (output_ == nullptr || (output_->file && !flush_file(budget))) return;
  const bool was_blocked = output_->blocked;
  drop_output();
  if (was_blocked) on_unblocked();
}

// Sends of the file what the kernel takes of `budget` bytes; whether that is the rest of it.
bool Stream::flush_file(std::size_t budget) {
  while (output_->file_bytes > 0) {
    if (budget == 0) {
      loop_.schedule(*this);
      return false;
    }
    const auto most =
        static_cast<std::size_t>(std::min<std::uint64_t>(output_->file_bytes, budget));
    const ssize_t sent = send_from_file(most);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) {
      output_->awaiting_edge = true;
      return false;
    }
    // A file that was cut off, or can't be read: what was promised won't come, and the peer has to
    // know. Or the connection is broken, and its peer has asked for nothing that could be answered.
    if (sent <= 0) {
      const std::string_view reason = sent == 0 ? "it has become shorter" : std::strerror(errno);
      log(LogLevel::info, "a file was not sent to its end", {{"reason", reason}});
      close();
      return false;
    }
    const auto taken = static_cast<std::size_t>(sent);
    output_->file_offset += taken;
    output_->file_bytes -= taken;
    budget -= taken;
    on_progress();
    if (closed_) return false;
  }
  return true;
}

// As sendfile(2). A tap wants to see the bytes, and not every file system can send files: those go
// by way of the cork, which is empty where there is a queue.
ssize_t Stream::send_from_file(std::size_t size) {
  const int file = output_->file.get();
  if (loop_.tap() == nullptr) {
    const ssize_t sent = send_file(fd_.get(), file, output_->file_offset, size);
    if (sent >= 0 || errno != EINVAL) return sent;
  }
  std::uint8_t* buffer = loop_.cork().data;
  const ssize_t got = ::pread(file, buffer, std::min(size, Loop::buffer_bytes),
                              static_cast<off_t>(output_->file_offset));
  if (got <= 0) return got;
  const ssize_t sent = ::send(fd_.get(), buffer, static_cast<std::size_t>(got), MSG_NOSIGNAL);
  if (sent > 0) tell_sent({buffer, static_cast<std::size_t>(sent)});
  return sent;
}

void Stream::drop_sent(std::size_t size) {
  output_->bytes -= size;
  while (size > 0) {
    Chunk* chunk = output_->first;
    if (chunk == output_->newest) output_->newest = nullptr;
    const std::size_t part = std::min(size, chunk->end - chunk->begin);
    tell_sent(chunk->unsent().first(part));
    chunk->begin += part;
    size -= part;
    if (chunk->begin < chunk->end) return;
    output_->first = chunk->next;
    if (output_->first == nullptr) output_->last = nullptr;
    release(chunk);
  }
}

void Stream::drop_output() {
  if (output_ == nullptr) return;
  for (Chunk* chunk = output_->first; chunk != nullptr;) {
    Chunk* next = chunk->next;
    release(chunk);
    chunk = next;
  }
  output_->~Output();
  loop_.pool().release(output_, sizeof(Output));
  output_ = nullptr;
}

// ── The end ──────────────────────────────────────────────────────────────────────────────────

void Stream::finish(Finish how) {
  if (closed_) return;
  finish_ = how;
  if (!corked() && output_ == nullptr) output_empty();
}

void Stream::output_empty() {
  switch (finish_) {
    case Finish::no:
      return;
    case Finish::shutdown:
      finish_ = Finish::no;
      ::shutdown(fd_.get(), SHUT_WR);
      if (Tap* tap = loop_.tap()) tap->on_ended(*this);
      return;
    case Finish::close:
      return close();
  }
}

// A send failed for good. What was to be sent is dropped; reading goes on to the end of what the
// peer sent, and that end is reported as any other.
void Stream::break_off() {
  broken_ = true;
  drop_output();
  read_now();
}

void Stream::close() {
  if (closed_) return;
  closed_ = true;
  if (corked()) loop_.cork().size = 0;
  drop_output();
  if (fd_) tell_closed();
  fd_.reset();
  loop_.schedule(*this);
}

}  // namespace sockeye::net
