// Shows pages what goes over connections, as it happens: the right half of the page at "/".
//
// A page opens a WebSocket with the subprotocol `sockeye-inspect`, and is told a token that nobody
// can guess. What comes with "?trace=TOKEN" in its request's target is shown to that page, as
// JSON (app/trace/feed.h); with --inspect, and where the page wants it, every connection is. A page
// may also have a client of the server's own do what a browser doesn't (app/violations.h).
//
// A page is shown something if it is on this machine, or with --inspect; and whatever a peer does,
// what is kept for pages has bounds, and what finds no room is counted and left out.
//
// Loops are tapped only while such a page is there: nobody else pays for it. Connections call from
// the threads of their loops, so a mutex guards all of it; what is told goes to the page's own loop
// by post().
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "app/raw_client.h"
#include "app/trace/decoder.h"
#include "net/error.h"
#include "net/result.h"
#include "net/tap.h"
#include "ws/handler.h"
#include "ws/server_group.h"

namespace sockeye::app {

#if defined(SOCKEYE_WITHOUT_trace) || defined(SOCKEYE_WITHOUT_page)

class Inspector {
 public:
  static constexpr std::string_view subprotocol = "";
  void serve(ws::ServerGroup&) {}
  bool admits(const ws::Upgrade&) const { return false; }
  void on_open(ws::Connection&) {}
  void on_message(ws::Connection&, ws::Message) {}
  void on_close(ws::Connection&) {}
};

inline Result<std::unique_ptr<Inspector>, net::Error> open_inspector(bool, ws::Options&) {
  return std::unique_ptr<Inspector>();
}

#else

class Inspector final : public net::Tap {
 public:
  static constexpr std::string_view subprotocol = "sockeye-inspect";

  // Of `options`, the tap is told what the inspector is. `shows_all`: --inspect.
  Inspector(trace::Decoder::Settings settings, const ws::Options& options, bool shows_all);
  ~Inspector();

  // The servers whose connections it may show; to be called before they run. They must not outlive
  // it.
  void serve(ws::ServerGroup& group);

  // Whether a request for the subprotocol may be accepted.
  bool admits(const ws::Upgrade& upgrade) const;

  // From the handlers of those servers: what a page's connection does.
  void on_open(ws::Connection& page);
  void on_message(ws::Connection& page, ws::Message message);
  void on_close(ws::Connection& page);

  // net::Tap
  void on_opened(const net::Stream& stream, net::Opener opener) override;
  void on_received(const net::Stream& stream, Bytes bytes) override;
  void on_sent(const net::Stream& stream, Bytes bytes) override;
  void on_settled(const net::Stream& stream) override;
  void on_peer_ended(const net::Stream& stream, int error) override;
  void on_ended(const net::Stream& stream) override;
  void on_closed(const net::Stream& stream) override;

 private:
  struct Page;
  struct Shown;

  bool add_page(ws::Connection& page);
  void tapped(ws::Handle page);
  void put(Page& page, const std::string& record);
  void send_waiting(ws::Handle page);
  void look_at_all(Page& page, bool wanted);
  void play(ws::Connection& page, std::string_view bytes);
  Page* find(ws::Handle handle);
  Shown* find(const net::Stream& stream);
  void feed(const net::Stream& stream, trace::Side from, Bytes bytes);
  void choose_pages(Shown& shown);
  void tell(Shown& shown);

  MemoryBudget memory_;  // of what is decoded
  trace::Decoder::Settings settings_;
  const ws::http::AllowedHosts hosts_;
  net::Tap* const next_;  // whom the loops tell without an inspector, or null
  const bool shows_all_;
  const bool may_play_;  // a client of our own would pass for any other
  std::vector<net::Loop*> loops_;
  std::mutex mutex_;  // guards what follows
  std::vector<std::unique_ptr<Page> > pages_;
  std::vector<std::unique_ptr<Shown> > connections_;
  std::vector<std::unique_ptr<RawClient> > clients_;
  std::uint64_t opened_ = 0;
};

// Makes one for the servers that are to be made of `options`, which get its subprotocol; it must
// outlive them. `shows_all`: --inspect.
Result<std::unique_ptr<Inspector>, net::Error> open_inspector(bool shows_all, ws::Options& options);

#endif

}  // namespace sockeye::app
