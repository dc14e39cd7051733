// What operators ask a server: /metrics, its figures as Prometheus reads them, and /healthz,
// whether it may be sent more clients.
//
//   bool answered = metrics.serve(request, reply);   // first thing in on_request()
//
// A page is made when it is asked for, of the counts that loops and endpoints keep anyway
// (net/counter.h): there are no locks, and no thread waits for another.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "app/exposition.h"
#include "ws/handler.h"
#include "ws/server_group.h"

namespace sockeye::app {

#ifdef SOCKEYE_WITHOUT_metrics

class Metrics {
 public:
  void watch(const ws::ServerGroup&) {}
  void stop() {}
  bool serve(const ws::http::Request&, ws::Reply&) const { return false; }
};

#else

class Metrics {
 public:
  Metrics();

  // Whose figures it shows, from now on; to be called before they run, and they must outlive the
  // last call of serve(). Has their loops measure their lag.
  void watch(const ws::ServerGroup& group);

  // Has each page end with what `write` adds: a subcommand's own metrics. It is called by the
  // thread of whoever serves the page.
  void add(std::function<void(Exposition&)> write);

  // The server takes no more clients, and /healthz says so. For Options::on_stop. Any thread.
  void stop() { stopping_.store(true, std::memory_order_relaxed); }

  // Answers requests for /metrics and /healthz; false, and nothing done, for others. Any thread.
  bool serve(const ws::http::Request& request, ws::Reply& reply) const;

  // The page.
  std::string text() const;

 private:
  template <typename Value>
  void by_loop(Exposition& page, Value value) const;
  template <typename Value>
  std::uint64_t sum(Value value) const;
  void put_process(Exposition& page) const;
  void put_connections(Exposition& page) const;
  void put_refusals(Exposition& page) const;
  void put_messages(Exposition& page) const;
  void put_closes(Exposition& page) const;
  void put_memory(Exposition& page) const;
  void put_lag(Exposition& page) const;

  const std::uint64_t started_ms_;  // on the wall clock
  std::vector<const ws::Server*> servers_;
  std::vector<std::function<void(Exposition&)> > more_;
  std::atomic<bool> stopping_{false};
};

#endif

}  // namespace sockeye::app
