// SPDX-License-Identifier: MIT
#include "ws/server_group.h"

#include <pthread.h>
#include <signal.h>

#include <cassert>
#include <cerrno>
#include <utility>

namespace sockeye::ws {

namespace {

// A thread that runs one of the servers. The first server goes on until all of them have stopped,
// for it is the one that hears of signals.
struct Worker {
  Server& server;
  Server& first;
  pthread_t thread;

  static void* run(void* self) {
    Worker& worker = *static_cast<Worker*>(self);
    worker.server.run();
    worker.first.loop().post([first = &worker.first] { first->release(); });
    return nullptr;
  }
};

}  // namespace

ServerGroup::ServerGroup(std::function<std::unique_ptr<Handler>()> make_handler, Options options,
                         unsigned threads)
    : admission_(options.limits) {
  assert(threads > 0);
  options.admission = &admission_;
  Options first = options;
  first.on_stop = [this, on_stop = options.on_stop] {
    if (on_stop) on_stop();
    for (std::size_t i = 1; i < servers_.size(); ++i) {
      servers_[i]->loop().post([server = servers_[i].get()] { server->stop(); });
    }
  };
  options.stop_on_signals = false;
  options.on_stop = nullptr;
  for (unsigned i = 0; i < threads; ++i) {
    handlers_.push_back(make_handler());
    servers_.push_back(std::make_unique<Server>(*handlers_.back(), i == 0 ? first : options));
    if (threads > 1) servers_.back()->topics().join(topics_);
  }
}

ServerGroup::~ServerGroup() = default;

Result<net::Address, net::Error> ServerGroup::listen(std::string_view text) {
  using Sharing = net::Listener::Sharing;
  const net::Address address = TRY(net::Address::parse(text));
  if (servers_.size() == 1) return first().listen(address);

  const bool by_port =
      address.kind() == net::Address::Kind::ip || address.kind() == net::Address::Kind::any;
  const Sharing sharing = by_port ? Sharing::by_port : Sharing::by_socket;
  const net::Address bound = TRY(first().listen(address, sharing));
  const int shared = first().listeners().back()->descriptor();
  for (std::size_t i = 1; i < servers_.size(); ++i) {
    TRY(servers_[i]->listen(bound, sharing, shared));
  }
  return bound;
}

int ServerGroup::run() {
  // The other threads start with every signal blocked: signals are the first server's business.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::vector<Worker> workers;
  workers.reserve(servers_.size());
  int error = 0;
  for (std::size_t i = 1; i < servers_.size() && error == 0; ++i) {
    workers.push_back({*servers_[i], first(), {}});
    first().hold();
    error = pthread_create(&workers.back().thread, nullptr, Worker::run, &workers.back());
    if (error != 0) workers.pop_back();
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);

  int status = 0;
  if (error == 0) {
    status = first().run();
  } else {
    errno = error;
    status = report(net::system_error("cannot start a thread"));
  }
  // Where the first one ended by itself, the others are still to be told.
  if (!first().stopping()) first().stop();
  for (const Worker& worker : workers) pthread_join(worker.thread, nullptr);
  return status;
}

}  // namespace sockeye::ws
