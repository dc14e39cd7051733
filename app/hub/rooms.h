// What the hub knows of its topics: who listens in which form, what was published last.
//
//   room   ─▶ subscribers by form
//          ─▶ published, last id
//          ─▶ what is kept:  │ - │ - │ 7 │ 9 │ 12 │ …    by id; those in front are gone
//
// A room is there while it has subscribers or keeps messages. Each message has an id: increasing
// over all rooms, and from one start of the server to the next, for they begin with the time. Under
// the lock a message gets its id, is kept, and is handed to ws::Topics; so what subscribers get is
// in the order of ids, in every thread. Who joins is first handed what is kept, as much at a time
// as it may be sent; with the last of it, under the same lock, it becomes a subscriber.
//
// One for all threads: a lock guards it.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "app/hub/format.h"
#include "app/hub/kept.h"
#include "app/hub/publish_rate.h"
#include "crypto/siphash.h"
#include "net/array.h"
#include "net/hash_map.h"
#include "ws/connection.h"
#include "ws/endpoint.h"

namespace sockeye::app::hub {

struct RoomLimits {
  std::size_t topics = 10'000;          // that have subscribers, or keep messages
  std::size_t subscribers = 0;          // of one topic; 0: no limit
  std::uint32_t publishes = 0;          // by one address in a second; 0: no limit
  std::size_t kept_messages = 0;        // of one topic
  std::uint32_t kept_ms = 0;            // how long; 0: no limit
  std::size_t kept_bytes = 64u << 20u;  // of all topics together; the oldest go first
};

enum class Outcome : std::uint8_t {
  done,
  more,  // not joined yet: this is to be sent first
  too_many_topics,
  too_many_subscribers,
  too_often,
  no_memory,
};

// A kept message and where it is from, held for whoever sends it.
struct Replayed {
  Kept* message;
  std::size_t topic;  // its place among those that were joined
};

struct RoomState {
  std::uint64_t subscribers = 0;
  std::uint64_t published = 0;  // since the room is there
  std::optional<std::uint64_t> last_id;
  std::uint64_t kept = 0;
  std::optional<std::uint64_t> oldest_id;
};

class Rooms {
 public:
  explicit Rooms(const RoomLimits& limits);
  ~Rooms();
  Rooms(const Rooms&) = delete;
  Rooms& operator=(const Rooms&) = delete;

  // What a publication became.
  struct Receipt {
    Outcome outcome = Outcome::done;
    std::uint64_t id = 0;
    std::uint64_t subscribers = 0;
  };

  // Publishes to a topic, in the endpoint's thread; `from` is counted against the limit, and
  // `except` doesn't get it, where it names a connection.
  Receipt publish(ws::Endpoint& endpoint, std::string_view name, ws::Opcode opcode, Bytes payload,
                  const net::Address& from, ws::Handle except);

  // Whether a connection could join; see join(). Nothing makes way for it yet.
  Outcome may_join(std::span<const std::string> names);

  // Makes a connection a subscriber of all these topics, or of none, in its own thread. What is
  // kept of them after `after` is added to `replay`, in the order of ids: the caller lets go of
  // each, whatever came of it. Where that is more than `most_bytes`, the first of it is added, and
  // the connection is to come back for the rest.
  Outcome join(ws::Connection& connection, std::span<const std::string> names, Format format,
               std::optional<std::uint64_t> after, std::size_t most_bytes, Array<Replayed>& replay);
  // It has gone, or goes.
  void leave(std::span<const std::string> names, Format format);

  RoomState state(std::string_view name);
  // How many rooms there are.
  std::size_t size();

  // Drops what was kept for long enough.
  void drop_old();

  // The topic of ws::Topics that such subscribers of `name` have.
  static std::string topic_of(Format format, std::string_view name);

 private:
  struct Room {
    Room(std::string_view own_name, std::uint64_t name_hash) : name(own_name), hash(name_hash) {}

    const std::string name;
    const std::uint64_t hash;
    std::array<std::uint32_t, format_count> subscribers{};
    std::uint64_t published = 0;
    std::optional<std::uint64_t> last_id;
    Array<Kept*> kept;
    std::size_t gone = 0;  // of those, in front
    // Among the rooms that keep messages, by their last one.
    Room* older = nullptr;
    Room* newer = nullptr;

    std::uint64_t listeners() const;
    std::span<Kept* const> all_kept() const { return {kept.begin() + gone, kept.size() - gone}; }
    bool keeps() const { return gone < kept.size(); }
  };

  Room* find(std::string_view name);
  Room* find_or_create(std::string_view name);
  bool may_go(const Room& room, std::span<const std::string> spared) const;
  bool can_have_place(std::size_t wanted, std::span<const std::string> spared) const;
  void make_place(std::size_t wanted, std::span<const std::string> spared);
  void drop_if_unused(Room& room);
  Outcome check(std::span<const std::string> names, std::size_t& fresh);
  bool enter(ws::Connection& connection, std::string_view name, Format format);
  Outcome add_kept(std::span<const std::string> names, std::optional<std::uint64_t> after,
                   std::size_t most_bytes, Array<Replayed>& replay);
  void leave_room(std::string_view name, Format format);
  bool announce(ws::Endpoint& endpoint, const Room& room, const Published& message,
                ws::Handle except);
  void keep(Room& room, const Published& message);
  void drop_oldest(Room& room);
  void drop_expired(Room& room);
  void become_newest(Room& room);
  void leave_order(Room& room);

  const RoomLimits limits_;
  const crypto::SipKey key_;
  MemoryBudget memory_;  // of what is kept
  std::mutex mutex_;     // guards what follows
  HashMap<Room*> rooms_;
  Room* oldest_ = nullptr;
  Room* newest_ = nullptr;
  std::uint64_t next_id_;
  PublishRate rate_;
};

}  // namespace sockeye::app::hub
