// SPDX-License-Identifier: MIT
#include "app/trace/tracer.h"

#include <sys/socket.h>

#include <algorithm>
#include <cassert>
#include <utility>

#include "app/flags.h"
#include "app/trace/text.h"
#include "net/address.h"
#include "net/error.h"
#include "net/log.h"
#include "net/stream.h"

namespace sockeye::app::trace {

struct Tracer::Traced {
  Traced(const net::Stream& traced, std::uint64_t its_number, Side our_side, std::string& out,
         const Settings& settings)
      : stream(traced),
        number(its_number),
        us(our_side),
        dump(out, our_side, settings.style),
        decoder(dump, settings.decoder) {}

  const net::Stream& stream;
  const std::uint64_t number;
  const Side us;
  Dump dump;
  Decoder decoder;
  bool peer_ended = false;
  bool ended = false;  // we did
};

std::string peer_of(const net::Stream& stream) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (::getpeername(stream.descriptor(), reinterpret_cast<sockaddr*>(&storage), &size) != 0) {
    return "nobody";
  }
  const auto address = net::Address::from(reinterpret_cast<sockaddr*>(&storage), size);
  const bool has_name = address.kind() != net::Address::Kind::none;
  return std::string(has_name ? net::AddressText(address).view() : "a Unix socket");
}

Tracer::Tracer(int descriptor, Settings settings)
    : descriptor_(descriptor),
      settings_(std::move(settings)),
      out_(
          "# > came, < went; = the program was told, ! the program did. § without an RFC: RFC "
          "6455\n") {}

Tracer::~Tracer() = default;

Tracer::Traced& Tracer::find(const net::Stream& stream) {
  const auto found = std::ranges::find_if(
      connections_, [&stream](const auto& one) { return &one->stream == &stream; });
  assert(found != connections_.end());
  return **found;
}

// Prints what has gathered.
void Tracer::print(const Traced& traced) {
  if (out_.empty()) return;
  if (last_shown_ != traced.number) {
    std::string line("connection ");
    put_decimal(line, traced.number);
    out_.insert(0, line += '\n');
    last_shown_ = traced.number;
  }
  if (!failed_ && !app::print(out_, descriptor_)) {
    failed_ = true;
    net::log(net::LogLevel::error, net::system_error("the trace ends: cannot write to it").message);
  }
  out_.clear();
}

void Tracer::on_opened(const net::Stream& stream, net::Opener opener) {
  const std::lock_guard lock(mutex_);
  const Side us = opener == net::Opener::peer ? Side::server : Side::client;
  connections_.push_back(std::make_unique<Traced>(stream, ++opened_, us, out_, settings_));
  Traced& traced = *connections_.back();
  std::string title("Connection ");
  put_decimal(title, traced.number);
  title += us == Side::server ? ", accepted from " : ", to ";
  traced.dump.begin(title.append(peer_of(stream)), settings_.directives);
  std::string line("connection ");
  put_decimal(line, traced.number);
  out_.append(line) += '\n';
  last_shown_ = traced.number;
  print(traced);
}

void Tracer::on_received(const net::Stream& stream, Bytes bytes) {
  const std::lock_guard lock(mutex_);
  if (failed_) return;
  Traced& traced = find(stream);
  traced.dump.arrival();
  traced.decoder.feed(other(traced.us), bytes);
}

void Tracer::on_sent(const net::Stream& stream, Bytes bytes) {
  const std::lock_guard lock(mutex_);
  if (failed_) return;
  Traced& traced = find(stream);
  traced.decoder.feed(traced.us, bytes);
}

void Tracer::on_settled(const net::Stream& stream) {
  const std::lock_guard lock(mutex_);
  Traced& traced = find(stream);
  traced.dump.settle();
  print(traced);
}

void Tracer::on_peer_ended(const net::Stream& stream, int error) {
  const std::lock_guard lock(mutex_);
  Traced& traced = find(stream);
  traced.decoder.end(other(traced.us));
  traced.peer_ended = true;
  errno = error;
  traced.dump.note_of_peer(error == 0 ? "the peer has ended TCP: its FIN"
                                      : net::system_error("the connection is broken").message);
}

void Tracer::on_ended(const net::Stream& stream) {
  const std::lock_guard lock(mutex_);
  Traced& traced = find(stream);
  traced.ended = true;
  // A test has no line for the peer's FIN, so it can't expect what answers it.
  traced.peer_ended ? traced.dump.note("we have ended TCP, too: our FIN") : traced.dump.finish();
  print(traced);
}

void Tracer::on_closed(const net::Stream& stream) {
  const std::lock_guard lock(mutex_);
  Traced& traced = find(stream);
  for (const Side side : {Side::client, Side::server}) traced.decoder.end(side);
  if (!traced.ended && !traced.peer_ended) traced.dump.finish();
  traced.dump.note("the socket is closed");
  print(traced);
  std::erase_if(connections_, [&stream](const auto& one) { return &one->stream == &stream; });
}

}  // namespace sockeye::app::trace
