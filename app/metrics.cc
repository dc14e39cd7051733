// SPDX-License-Identifier: MIT
#include "app/metrics.h"

#include <time.h>

#include <array>
#include <cstddef>
#include <string_view>
#include <utility>

#include "app/decimal.h"
#include "app/version.h"
#include "net/lag.h"
#include "net/loop.h"
#include "ws/admission.h"
#include "ws/counts.h"
#include "ws/error.h"

namespace sockeye::app {

namespace {

using Type = Exposition::Type;
using Unit = Exposition::Unit;

std::uint64_t read_us(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000 +
         static_cast<std::uint64_t>(time.tv_nsec) / 1000;
}

}  // namespace

Metrics::Metrics() : started_ms_(read_us(CLOCK_REALTIME) / 1000) {}

void Metrics::watch(const ws::ServerGroup& group) {
  for (const auto& server : group.servers()) {
    servers_.push_back(server.get());
    server->loop().measure_lag();
  }
}

void Metrics::add(std::function<void(Exposition&)> write) {
  more_.push_back(std::move(write));
}

bool Metrics::serve(const ws::http::Request& request, ws::Reply& reply) const {
  const bool is_health = request.path() == "/healthz";
  if (!is_health && request.path() != "/metrics") return false;
  if (request.method() != "GET" && request.method() != "HEAD") {
    reply.refuse(ws::Error::method_not_allowed);
    return true;
  }
  const auto send = [&reply](std::uint16_t status, std::string_view type, std::string_view body) {
    reply.send(status, type, as_bytes(body), {{"Cache-Control", "no-store"}});
  };
  if (!is_health) {
    send(200, Exposition::content_type, text());
  } else if (stopping_.load(std::memory_order_relaxed)) {
    send(503, "text/plain; charset=utf-8", "stopping\n");
  } else {
    send(200, "text/plain; charset=utf-8", "ok\n");
  }
  return true;
}

std::string Metrics::text() const {
  Exposition page;
  put_process(page);
  put_connections(page);
  put_refusals(page);
  put_messages(page);
  put_closes(page);
  put_memory(page);
  put_lag(page);
  for (const auto& write : more_) write(page);
  return page.text();
}

// A sample for each loop, of what `value` says of its server.
template <typename Value>
void Metrics::by_loop(Exposition& page, Value value) const {
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    page.sample(value(*servers_[i]), {{"loop", to_text(i)}});
  }
}

template <typename Value>
std::uint64_t Metrics::sum(Value value) const {
  std::uint64_t total = 0;
  for (const ws::Server* server : servers_) total += value(*server);
  return total;
}

// The names are those that all of Prometheus's libraries have.
void Metrics::put_process(Exposition& page) const {
  page.metric("sockeye_build_info", Type::gauge, "Always 1; its label says which version runs.");
  page.sample(1, {{"version", SOCKEYE_VERSION}});
  page.metric("process_start_time_seconds", Type::gauge,
              "When the process started, in seconds since 1970.");
  page.sample(started_ms_, {}, Unit::ms);
  page.metric("process_cpu_seconds_total", Type::counter,
              "Processor time that the process has taken, in the kernel as well.");
  page.sample(read_us(CLOCK_PROCESS_CPUTIME_ID), {}, Unit::us);
}

void Metrics::put_connections(Exposition& page) const {
  page.metric("sockeye_connections", Type::gauge, "Connections now, for WebSocket and plain HTTP.");
  by_loop(page, [](const ws::Server& of) { return of.counts().connections.value(); });
  page.metric("sockeye_connections_accepted_total", Type::counter,
              "Connections that were accepted, for WebSocket and plain HTTP.");
  by_loop(page, [](const ws::Server& of) { return of.counts().all_connections.value(); });
  page.metric("sockeye_websockets", Type::gauge, "Open WebSocket connections now.");
  by_loop(page, [](const ws::Server& of) { return of.counts().websockets.value(); });
  page.metric("sockeye_handshakes_total", Type::counter,
              "Opening handshakes of WebSocket that succeeded.");
  by_loop(page, [](const ws::Server& of) { return of.counts().handshakes.value(); });
}

// All reasons that a server can have, also where there was no such refusal yet: what appears with
// its first one, at 1, hasn't risen in Prometheus's eyes.
void Metrics::put_refusals(Exposition& page) const {
  page.metric("sockeye_requests_refused_total", Type::counter,
              "Handshakes and other requests that were refused, by reason.");
  for (std::size_t i = 0; i < static_cast<std::size_t>(ws::Error::count_); ++i) {
    const ws::ErrorInfo row = ws::info(static_cast<ws::Error>(i));
    if (row.http_status == 0) continue;
    page.sample(sum([i](const ws::Server& of) { return of.counts().refused[i].value(); }),
                {{"reason", row.name}});
  }
  page.sample(sum([](const ws::Server& of) { return of.counts().refused_by_program.value(); }),
              {{"reason", "program"}});
}

void Metrics::put_messages(Exposition& page) const {
  page.metric("sockeye_messages_received_total", Type::counter, "WebSocket messages received.");
  by_loop(page, [](const ws::Server& of) { return of.counts().messages_received.value(); });
  page.metric("sockeye_messages_sent_total", Type::counter,
              "WebSocket messages sent, or waiting for their peers to read.");
  by_loop(page, [](const ws::Server& of) { return of.counts().messages_sent.value(); });
  page.metric("sockeye_messages_dropped_total", Type::counter,
              "WebSocket messages that weren't sent, as too much waited for their peer already.");
  by_loop(page, [](const ws::Server& of) { return of.counts().messages_dropped.value(); });
  page.metric("sockeye_received_bytes_total", Type::counter, "Bytes received over TCP.");
  by_loop(page, [](const ws::Server& of) { return of.loop().counts().received_bytes.value(); });
  page.metric("sockeye_sent_bytes_total", Type::counter, "Bytes sent over TCP.");
  by_loop(page, [](const ws::Server& of) { return of.loop().counts().sent_bytes.value(); });
  page.metric("sockeye_topics", Type::gauge, "Topics that have subscribers on this loop now.");
  by_loop(page, [](const ws::Server& of) { return of.counts().topics.value(); });
}

void Metrics::put_closes(Exposition& page) const {
  using Closes = ws::CloseCounts;
  page.metric("sockeye_closes_total", Type::counter,
              "WebSocket connections that are closed, by code; 1006: without a Close frame.");
  for (std::size_t slot = 0; slot < Closes::slots; ++slot) {
    const std::uint16_t code = Closes::first_code(slot);
    const std::string label =
        code < 3000 ? to_text(code) : to_text(code) + "-" + to_text(code + 999u);
    page.sample(sum([slot](const ws::Server& of) { return of.counts().closes.count(slot); }),
                {{"code", label}});
  }
}

void Metrics::put_memory(Exposition& page) const {
  page.metric("sockeye_buffered_bytes", Type::gauge,
              "Bytes that wait in memory now, for their peers to read.");
  by_loop(page, [](const ws::Server& of) { return of.loop().counts().buffered_bytes.value(); });
  if (servers_.empty()) return;
  const ws::Admission& admission = servers_.front()->admission();
  page.metric("sockeye_memory_bytes", Type::gauge,
              "Memory now for what peers send and don't read; --max-memory is its limit.");
  page.sample(admission.memory.used_bytes());
  page.metric("sockeye_compression_memory_bytes", Type::gauge,
              "Memory now for what compression refers back to; --compress-memory is its limit.");
  page.sample(admission.contexts.used_bytes());
}

void Metrics::put_lag(Exposition& page) const {
  page.metric("sockeye_loop_lag_seconds", Type::histogram,
              "How late loops come to a timer, which is how long anything may have to wait.");
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    const net::Lag& lag = servers_[i]->loop().lag();
    std::array<std::uint64_t, net::Lag::bounds_ms.size() + 1> counts;
    for (std::size_t bucket = 0; bucket < counts.size(); ++bucket) {
      counts[bucket] = lag.count(bucket);
    }
    page.histogram({"loop", to_text(i)}, net::Lag::bounds_ms, counts, lag.sum_us());
  }
}

}  // namespace sockeye::app
