// SPDX-License-Identifier: MIT
#include "ws/server.h"

#include <sys/socket.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "net/log.h"
#include "net/text.h"
#include "ws/http/writer.h"

namespace sockeye::ws {

using net::log;
using net::LogLevel;

namespace {

// stop() closes connections in batches this far apart, none smaller than this many.
constexpr std::uint64_t batch_interval_ms = 50;
constexpr std::uint64_t smallest_batch = 64;

// Of those that aren't admitted, so many at once are told so in peace; further ones in haste.
constexpr std::uint32_t refusals_at_once = 64;

}  // namespace

Server::Server(Handler& handler, Options options, net::Loop* loop)
    : Endpoint(handler, std::move(options), frame::Role::server, loop) {}

Server::~Server() {
  loop_.timers().disarm(*this);
  loop_.forget(signals_);
  admission_.connections -= static_cast<std::uint32_t>(connections_.count()) - refusals_;
}

Result<net::Address, net::Error> Server::listen(std::string_view address) {
  return listen(TRY(net::Address::parse(address)));
}

Result<net::Address, net::Error> Server::listen(const net::Address& address,
                                                net::Listener::Sharing sharing,
                                                int shared_descriptor) {
  TRY(prepare());
  auto listener = std::make_unique<net::Listener>(loop_, *this);
  TRY(listener->open(address, sharing, shared_descriptor));
  listeners_.push_back(std::move(listener));
  return listeners_.back()->address();
}

int Server::run() {
  if (options_.stop_on_signals) {
    if (auto opened = signals_.open(); !opened) return report(opened.error());
  }
  if (!stopped()) run_loop();
  return 0;
}

void Server::on_accept(net::Fd fd, const net::Address& peer) {
  Connection* connection = connections_.create(*this);
  if (connection == nullptr) return turn_away(fd.get(), Error::overloaded);
  const Error refusal = admit(*connection, peer);
  connection->admitted_ = refusal == Error::none;
  if (!connection->admitted_) ++refusals_;
  const bool in_haste = refusals_ > refusals_at_once || refusal == Error::out_of_memory;
  if (!connection->admitted_ && in_haste) {
    turn_away(fd.get(), refusal);
    return remove(*connection);
  }
  if (!connection->accept(std::move(fd))) return remove(*connection);
  if (!connection->admitted_) connection->refuse(refusal);
}

// What keeps a connection out, if anything does. One that is admitted is counted.
Error Server::admit(Connection& connection, const net::Address& peer) {
  const Proxies& proxies = options_.proxies;
  const bool through_proxy = proxies.include(peer);
  if (!connection.begin_handshake(through_proxy)) return Error::out_of_memory;
  if (!through_proxy) {  // of a proxy, the clients count
    if (proxies.tell == Proxies::Tell::proxy_protocol) return Error::proxy_not_trusted;
    const bool is_limited = settings_.limits.connections_per_address != 0;
    const Error error = is_limited ? connection.comes_from(peer) : Error::none;
    if (error != Error::none) return error;
  }
  // Counted first: other threads count, too.
  if (admission_.connections++ < settings_.limits.connections) return Error::none;
  --admission_.connections;
  return Error::overloaded;
}

void Server::on_turn_away(int fd) {
  turn_away(fd, Error::overloaded);
}

// There is neither room nor time for a connection: a response into the socket's empty buffer, and
// the socket is closed.
void Server::turn_away(int fd, Error error) {
  counts_.refuse(error);
  net::Text<http::refusal_bytes> text;
  const std::string_view response = http::refusal(text, error);
  (void)::send(fd, response.data(), response.size(), MSG_NOSIGNAL);
}

void Server::on_connection_gone(bool admitted) {
  admitted ? --admission_.connections : --refusals_;
  if (stopped()) end_run();
}

void Server::release() {
  --holds_;
  if (stopped()) end_run();
}

// ── Stopping ─────────────────────────────────────────────────────────────────────────────────

void Server::stop() {
  loop_.assert_in_thread();
  if (options_.on_stop) options_.on_stop();
  if (stopping_) return drop_all();
  stopping_ = true;
  topics().flush();
  // Closed, but not destroyed: an event for one may be next in this turn.
  for (const auto& listener : listeners_) listener->close();
  log(LogLevel::info, "stopping", {{"connections", connections_.count()}});
  if (stopped()) return end_run();
  const std::uint32_t timeout_ms = settings_.limits.stop_timeout_ms;
  stop_deadline_ms_ = timeout_ms != 0 ? loop_.now_ms() + timeout_ms : ~std::uint64_t{0};
  close_batch(loop_.now_ms());
}

void Server::on_timer(std::uint64_t now_ms) {
  if (now_ms >= stop_deadline_ms_) return drop_all();
  close_batch(now_ms);
}

// Starts the closing handshake on the next batch: as many as have to go now for all to have gone
// when half of the time is over.
void Server::close_batch(std::uint64_t now_ms) {
  const std::uint64_t half_ms = settings_.limits.stop_timeout_ms / 2;
  const std::uint64_t left_ms = stop_deadline_ms_ - now_ms;
  const std::uint64_t batches = left_ms > half_ms ? (left_ms - half_ms) / batch_interval_ms + 1 : 1;
  const std::uint64_t size = std::max(connections_.count() / batches + 1, smallest_batch);
  for (std::uint64_t i = 0; i < size; ++i) {
    Connection* connection = connections_.next(stop_next_);
    if (connection == nullptr) {
      loop_.timers().arm(*this, stop_deadline_ms_);
      return;
    }
    connection->go_away();
  }
  loop_.timers().arm(*this, std::min(now_ms + batch_interval_ms, stop_deadline_ms_));
}

void Server::drop_all() {
  for (std::uint32_t i = 0; Connection* connection = connections_.next(i);) connection->abort();
}

// ── Signals ──────────────────────────────────────────────────────────────────────────────────

Result<void, net::Error> Server::SignalWatcher::open() {
  TRY(signals_.open());
  if (!server_.loop_.watch(signals_.fd(), *this)) return net::system_error("epoll_ctl");
  return {};
}

void Server::SignalWatcher::on_events(std::uint32_t) {
  while (signals_.next()) server_.stop();
}

}  // namespace sockeye::ws
