// One connected socket: reading in turns, writing through the cork and a queue.
//
// Reading. Edge-triggered epoll tells once that bytes came, so a stream remembers that it is
// readable until the kernel has no more: at EAGAIN, or at a read shorter than asked for, unless the
// peer's end was reported too (epoll(7): for streams a short read means drained. It holds because
// servers take signals from a signalfd; a signal could cut a read short with bytes left). A stream
// makes one read for an event (of a large payload, up to 1 MiB in pieces); one that isn't drained
// has its next on the agenda, with the others.
//
// Writing. Three places on the way to the kernel:
//
//              own events, no queue          when these events are done
//   write() ─┬───────────────────────▶ cork ───────────┬─────────────────▶ the kernel
//            │                                         │ what it doesn't take     ▲
//            └───────────────────────▶ queue ◀─────────┘                          │
//              otherwise                 └─────────────────────────────────────────┘
//                                          at an EPOLLOUT edge, or from the agenda
//
//   queue   chunks of the stream's own: what the kernel did not take, and what is written outside
//           the stream's own events. Sent at the next EPOLLOUT edge, or from the agenda.
//   cork    the loop's shared buffer, while the stream's own events are handled: many small writes
//           become one send at the end of its turn.
//   write   what is too large to be worth copying goes out by reference, together with the cork.
//   file    the end of the queue may be a part of a file, which goes to the kernel by sendfile(2).
//
// A stream is blocked from when the kernel refuses bytes until the queue is empty again; that
// passage ends with exactly one on_unblocked().
//
// Abstract: the connection derives from it and lives in its own memory. It is destroyed from the
// agenda, in on_released(), some time after close().
// Next on the reading tour: ws/handler.h.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "net/bytes.h"
#include "net/counter.h"
#include "net/fd.h"
#include "net/loop.h"
#include "net/shared.h"
#include "net/tap.h"

namespace sockeye::net {

class Stream : public Watcher {
 public:
  // Bytes written and not yet taken by the kernel.
  std::size_t buffered_bytes() const {
    return corked() ? queued_bytes() + loop_.cork().size : queued_bytes();
  }

  // Of those, what isn't about to be handed to it.
  std::size_t queued_bytes() const { return output_ != nullptr ? std::size_t{output_->bytes} : 0; }

  // Whether the kernel has refused bytes, and some still wait.
  bool blocked() const { return output_ != nullptr && output_->blocked; }

  Loop& loop() const { return loop_; }
  int descriptor() const { return fd_.get(); }

 protected:
  explicit Stream(Loop& loop) : loop_(loop) {}
  ~Stream();

  // Takes over a connected, non-blocking socket and starts watching it. False when epoll refuses
  // (errno says why); the stream then has no descriptor, and `fd` is closed.
  [[nodiscard]] bool start(Fd fd, Opener opener);

  bool started() const { return static_cast<bool>(fd_); }

  // Writes `head` and then `body`; both may be empty and need only live for the call. What the
  // kernel doesn't take is kept: of a large body, where it lies, if its `owner` is given. False
  // when there is no memory to keep it: part of it may be gone out by then, so all that is left is
  // to close().
  [[nodiscard]] bool write(Bytes head, Bytes body = {}, Shared* owner = nullptr);

  // What is written until end_batch() goes out in one send, outside the stream's own events. False
  // while the events of a stream are handled: then it waits in the queue for the agenda.
  [[nodiscard]] bool begin_batch();
  void end_batch() { uncork(); }

  // As a batch of this alone, from where the bytes lie; only where may_write_alone().
  [[nodiscard]] bool write_alone(Bytes bytes, Shared* owner);
  bool may_write_alone() const { return output_ == nullptr && loop_.cork().owner == nullptr; }

  // The quick way to write a little: where write() would copy `size` bytes into the cork, this is
  // where to put them, and otherwise null. What was put there is then written with commit().
  std::uint8_t* cork_room(std::size_t size) const {
    const Loop::Cork& cork = loop_.cork();
    const bool fits = size < copy_limit_bytes && size <= Loop::buffer_bytes - cork.size;
    const bool next = corked() && output_ == nullptr && !closed_ && !broken_;
    return fits && next ? cork.data + cork.size : nullptr;
  }
  void commit(std::size_t size) { loop_.cork().size += size; }

  // As write(), but on a blocked stream it overwrites what the last write_newest() left in the
  // queue, if none of it has been sent: of such writes at most one waits, the newest.
  [[nodiscard]] bool write_newest(Bytes bytes);

  // Writes `size` bytes of `file`, from `offset` on, without holding them in memory: the stream is
  // blocked until they are out, and until then can write nothing else. A file that turns out to be
  // shorter closes the stream. False when there is no memory; as write().
  [[nodiscard]] bool write_file(Fd file, std::uint64_t offset, std::uint64_t size);
  bool writing_file() const { return output_ != nullptr && output_->file; }

  // Room for `size` bytes at the end of the output, to be filled at once, before any other call on
  // this stream. Null when there is no memory. (A client masks its payload on the way there.)
  [[nodiscard]] std::uint8_t* append(std::size_t size);

  // Once everything written so far is out: sends a FIN, and reading goes on.
  void finish_writing() { finish(Finish::shutdown); }

  // Once everything written so far is out: close().
  void close_when_written() { finish(Finish::close); }

  // Closes the socket now; what is still buffered is dropped. on_released() follows.
  void close();
  bool closed() const { return closed_; }

  // Stops calling on_receive until resume_reading().
  void pause_reading() { reading_paused_ = true; }
  bool reading_paused() const { return reading_paused_; }
  void resume_reading();

  // Reads what has arrived by now, even where no event said so: a late loop asks before it
  // believes that a peer is silent.
  void read_now();

  // Whether all that the kernel was known to have has been read.
  bool drained() const { return !readable_; }

  // Called with the bytes of one read, in the loop's receive buffer: the callee's for the call.
  virtual void on_receive(MutableBytes bytes) = 0;

  // Where the next bytes should go directly, ahead of the receive buffer: the space of a large
  // message that is being put together, or nothing. Then how much was put there.
  virtual MutableBytes direct_space() { return {}; }
  virtual void on_direct(std::size_t) {}

  // The peer has sent its FIN (`error` is 0), or the connection broke (`error` is an errno).
  virtual void on_end(int error) = 0;

  // The queue is empty again after a time of blocking.
  virtual void on_unblocked() = 0;

  // Some of the queue went out.
  virtual void on_progress() {}

  // A turn on the agenda, which the owner may ask for with Loop::schedule: after flushing, before
  // reading.
  virtual void on_turn() {}

  // closed, and nothing refers to the stream any more: the owner destroys it, here.
  virtual void on_released() = 0;

 private:
  // From this size on, a payload is sent from where it lies: copying 16 KiB costs about as much as
  // the kernel's handling of one more iovec entry, and above it ever more.
  static constexpr std::size_t copy_limit_bytes = 16 * 1024;

  struct Chunk;
  enum class Finish : std::uint8_t { no, shutdown, close };

  // The queue. Present only while something waits in it.
  //
  //   first ─▶ [sent|waiting...] ─▶ [waiting...........] ─▶ [waiting...|room] ◀─ last
  //                 ▲ begin                                             ▲ end
  //
  // and behind all of them the rest of a file, if there is one.
  struct Output {
    explicit Output(Counter& all_bytes) : bytes(all_bytes) {}

    Chunk* first = nullptr;
    Chunk* last = nullptr;
    Chunk* newest = nullptr;     // what write_newest() may still overwrite
    Part bytes;                  // of all that the loop's streams have waiting
    bool blocked = false;        // the kernel has refused bytes since the queue began
    bool awaiting_edge = false;  // it did so just now: only EPOLLOUT makes another try worthwhile
    Fd file;
    std::uint64_t file_offset = 0;
    std::uint64_t file_bytes = 0;
  };

  void on_events(std::uint32_t events) final;
  void on_agenda() final;

  void cork();
  void uncork();
  bool corked() const { return loop_.cork().owner == this; }

  void read();
  void receive_once();
  void receive_direct(MutableBytes direct);
  void received_nothing(ssize_t result);
  void report_end(int error);

  std::size_t send_now(std::span<const Bytes, 3> pieces);
  [[nodiscard]] bool send_cork();
  [[nodiscard]] bool send(Bytes bytes, Shared* owner);
  [[nodiscard]] bool send_or_queue(Bytes head, Bytes body, Shared* owner);
  [[nodiscard]] bool queue(Bytes bytes, Shared* owner = nullptr);
  [[nodiscard]] bool queue_held(Bytes bytes, Shared& owner);
  void release(Chunk* chunk);
  Chunk* add_chunk(std::size_t capacity);
  bool open_output();
  void flush_queue();
  bool flush_file(std::size_t budget);
  ssize_t send_from_file(std::size_t size);
  void drop_sent(std::size_t size);
  void drop_output();
  void finish(Finish how);
  void output_empty();
  void break_off();

  void tell_sent(Bytes bytes) const;
  void tell_closed() const;

  // Small members first: they fill up the last word of Watcher.
  Finish finish_ = Finish::no;  // what happens when the output is empty
  bool readable_ : 1 = false;   // the kernel may have bytes, or the peer's end, for us
  bool hung_up_ : 1 = false;    // epoll reported the peer's end or an error
  bool ended_ : 1 = false;      // on_end was called: no more reading
  bool reading_paused_ : 1 = false;
  bool broken_ : 1 = false;  // a send failed for good: output is dropped
  bool closed_ : 1 = false;
  Fd fd_;
  Loop& loop_;
  Output* output_ = nullptr;
};

}  // namespace sockeye::net
