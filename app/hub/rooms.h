// What the hub knows of its topics: who listens in which form, what was published last.
//
//   room   ─▶ subscribers by form       first ─▶ [message 7] ─▶ [message 9] ─▶ null    what is kept
//          ─▶ published, last id                                     ▲ last
//
// A room is there while it has subscribers or keeps messages. Each message has an id: increasing
// over all rooms, and from one start of the server to the next, for they begin with the time. Under
// the lock a message gets its id, is kept, and is handed to ws::Topics; so what subscribers get is
// in the order of ids, in every thread. Joining a room is one step under the same lock: what was
// kept by then is returned, and what comes after is delivered.
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

  // Whether the connection could join; see join().
  Outcome may_join(std::span<const std::string> names);

  // Makes a connection a subscriber of all these topics, or of none, in its own thread. What is
  // kept of them after `after` is added to `replay`, in the order of ids: the caller lets go of
  // each, whatever came of it.
  Outcome join(ws::Connection& connection, std::span<const std::string> names, Format format,
               std::optional<std::uint64_t> after, Array<Replayed>& replay);
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
    Kept* first = nullptr;
    Kept* last = nullptr;
    std::size_t kept = 0;
    // Among the rooms that keep messages, by their last one.
    Room* older = nullptr;
    Room* newer = nullptr;

    std::uint64_t listeners() const;
  };

  Room* find(std::string_view name);
  Room* find_or_create(std::string_view name);
  bool has_place(std::size_t wanted, std::span<const std::string> spared);
  void drop_if_unused(Room& room);
  Outcome check(std::span<const std::string> names);
  bool enter(ws::Connection& connection, std::string_view name, Format format);
  bool add_kept(Room& room, std::size_t place, std::optional<std::uint64_t> after,
                Array<Replayed>& replay);
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
