// sockeye hub: what is published to a topic reaches all who listen to it: browsers over WebSocket,
// others by Server-Sent Events; and back ends publish with an HTTP request.
//
//   POST /room ─────┐                         ┌──▶ WebSocket /room, as it was published or as JSON
//                   ├──▶ Rooms ──▶ ws::Topics ┤
//   WebSocket /room ┘      │                  └──▶ GET /room, text/event-stream
//                          └─ what is kept, for those who come later or come back
//
// A handler for each thread; Rooms is what they share.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "app/hub/format.h"
#include "app/hub/request.h"
#include "app/hub/rooms.h"
#include "app/hub/tokens.h"
#include "app/serve.h"
#include "net/timers.h"
#include "ws/connection.h"
#include "ws/handler.h"
#include "ws/server_group.h"

namespace sockeye::app::hub {

struct HubSettings {
  RoomLimits limits;
  std::size_t topics_per_connection = 16;
  bool receive_only = false;
  Tokens publishers;
  Tokens subscribers;
};

class Hub final : public ws::Handler {
 public:
  // All of these must outlive it.
  Hub(const HubSettings& settings, Rooms& rooms, const Facilities& facilities)
      : settings_(settings), rooms_(rooms), facilities_(facilities) {}

  void on_upgrade(Upgrade& upgrade) override;
  void on_request(const Request& request, Reply& reply) override;
  void on_open(Connection& connection) override;
  void on_message(Connection& connection, Message message) override;
  void on_drain(Connection& connection) override;
  void on_close(Connection& connection, Closed closed) override;

 private:
  // A connection that listens.
  struct Guest {
    std::vector<std::string> topics;
    Format format = Format::plain;
    bool may_publish = false;
    bool hears_itself = true;
    std::optional<std::uint64_t> after;  // the id of the last that it has
    bool joined = false;                 // until then it is sent what is kept
    bool has_turn = false;               // to go on with that
  };

  // Why a request isn't served.
  struct Refusal {
    std::uint16_t status;
    std::string_view text;
  };

  bool is_page(const Connection& connection) const;
  bool may_publish(const HubRequest& request) const;
  bool may_subscribe(const HubRequest& request) const;
  void publish(const Request& request, const HubRequest& wanted, Reply& reply);
  void stream(HubRequest& wanted, Reply& reply);
  void tell_state(const HubRequest& wanted, Reply& reply);
  bool begin(Connection& connection, std::unique_ptr<Guest> guest);
  bool catch_up(Connection& connection, Guest& guest);
  void go_on(Connection& connection);
  bool replay(Connection& connection, Guest& guest, const Replayed& replayed);

  const HubSettings& settings_;
  Rooms& rooms_;
  const Facilities facilities_;
  // Whose handshake was accepted just now: on_open() follows.
  std::unique_ptr<Guest> accepted_;
};

// Drops what was kept for long enough, and tells streams now and then that they are alive: a proxy
// may end a connection that is silent. On the first loop.
class Housekeeper final : public Companion, private net::Timer {
 public:
  // Both must outlive it.
  Housekeeper(Rooms& rooms, ws::Server& server);
  ~Housekeeper() override;

 private:
  void on_timer(std::uint64_t now_ms) override;

  Rooms& rooms_;
  ws::Server& server_;
  unsigned ticks_ = 0;
};

}  // namespace sockeye::app::hub
