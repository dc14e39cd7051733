// SPDX-License-Identifier: MIT
#include "ws/endpoint.h"

#include <algorithm>
#include <cerrno>
#include <new>
#include <utility>

#include "ws/deflate/is_built.h"

namespace sockeye::ws {

namespace {

// What one message takes at most, so that a 32-bit machine never counts beyond its memory.
Limits within_memory(Limits limits) {
  limits.message_bytes = std::min<std::uint64_t>(limits.message_bytes, Pool::largest_block);
  return limits;
}

}  // namespace

Endpoint::Endpoint(Handler& handler, Options options, frame::Role role, net::Loop* loop)
    : handler_(handler),
      options_(std::move(options)),
      own_admission_(options_.limits),
      admission_(options_.admission != nullptr ? *options_.admission : own_admission_),
      subprotocols_(options_.subprotocols.begin(), options_.subprotocols.end()),
      own_loop_(loop == nullptr ? new net::Loop : nullptr),
      loop_(loop == nullptr ? *own_loop_ : *loop),
      settings_{.role = role,
                .pool = loop_.pool(),
                .limits = within_memory(options_.limits),
                .kernels = {},
                .in_chunks = options_.in_chunks,
                .own_frames_return = options_.own_frames_return},
      random_(options_.random != nullptr ? *options_.random : system_random_) {
  // A loop that endpoints share has the memory of the first of them.
  if (loop_.pool().budget() == nullptr) loop_.pool().draw_on(&admission_.memory);
  if (loop_.tap() == nullptr) loop_.set_tap(options_.tap);
}

Endpoint::~Endpoint() {
  for (std::uint32_t i = 0; Connection* connection = connections_.next(i);) {
    connections_.destroy(connection);
  }
  if (loop_.pool().budget() == &admission_.memory) loop_.pool().draw_on(nullptr);
  if (loop_.tap() == options_.tap) loop_.set_tap(nullptr);
}

Result<void, net::Error> Endpoint::prepare() {
  if (prepared_) return {};
  if (subprotocols_.size() > max_subprotocols) {
    return net::Error{"more subprotocols than ws::max_subprotocols", EINVAL};
  }
  TRY(prepare_compression());
  TRY(loop_.open());
  settings_.kernels = TRY(system_kernels());
  if (options_.busy_poll_us > 0) loop_.busy_poll(options_.busy_poll_us);
  prepared_ = true;
  return {};
}

Result<void, net::Error> Endpoint::prepare_compression() {
  if (!options_.compression) return {};
  if (!deflate::is_built) return net::Error{"this build has no compression", ENOSYS};
  if (options_.in_chunks)
    return net::Error{"compression doesn't go with Options::in_chunks", EINVAL};
  if (!deflate::are_valid(options_.compression->windows)) {
    return net::Error{"a window for compression has 8 to 15 bits", EINVAL};
  }
  codec_.reset(new (std::nothrow) deflate::MessageCodec(loop_.pool(), options_.compression->level));
  if (!codec_) return net::Error{"no memory for compression", ENOMEM};
  settings_.codec = codec_.get();
  return {};
}

void Endpoint::run_loop() {
  running_ = true;
  topics_.open();
  loop_.run();
  topics_.leave();
  running_ = false;
}

void Endpoint::remove(Connection& connection) {
  const bool admitted = connection.admitted_;
  topics_.forget(connection);
  connections_.destroy(&connection);
  on_connection_gone(admitted);
}

}  // namespace sockeye::ws
