// SPDX-License-Identifier: MIT
#include "app/hub/rooms.h"

#include <time.h>

#include <algorithm>
#include <new>
#include <numeric>

#include "crypto/random.h"
#include "net/clock.h"
#include "ws/endpoint.h"

namespace sockeye::app::hub {

namespace {

crypto::SipKey random_key() {
  crypto::SystemRandom random;
  const auto next = [&random] {
    return std::uint64_t{random.next_u32()} << 32 | random.next_u32();
  };
  return {next(), next()};
}

std::uint64_t now_ms() {
  return net::MonotonicClock().now_ms();
}

// Microseconds since 1970. A million messages a second, from one start to the next, don't catch up
// with it; and it stays below 2^53, which JavaScript's numbers hold, until the year 2255.
std::uint64_t first_id() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec) / 1000;
}

}  // namespace

std::uint64_t Rooms::Room::listeners() const {
  return std::accumulate(subscribers.begin(), subscribers.end(), std::uint64_t{0});
}

Rooms::Rooms(const RoomLimits& limits)
    : limits_(limits),
      key_(random_key()),
      memory_(limits.kept_bytes),
      next_id_(first_id()),
      rate_(key_, limits.publishes) {}

Rooms::~Rooms() {
  rooms_.for_each([this](Room* room) {
    while (room->kept > 0) drop_oldest(*room);
    delete room;
  });
}

std::string Rooms::topic_of(Format format, std::string_view name) {
  std::string topic(1, "pjeE"[static_cast<std::size_t>(format)]);
  return topic.append(1, ':').append(name);
}

// ── Rooms ────────────────────────────────────────────────────────────────────────────────────

Rooms::Room* Rooms::find(std::string_view name) {
  Room** found = rooms_.find(crypto::siphash(key_, as_bytes(name)),
                             [name](const Room* room) { return room->name == name; });
  return found != nullptr ? *found : nullptr;
}

Rooms::Room* Rooms::find_or_create(std::string_view name) {
  if (Room* found = find(name)) return found;
  if (!has_place(1, {})) return nullptr;
  auto* room = new (std::nothrow) Room(name, crypto::siphash(key_, as_bytes(name)));
  if (room == nullptr) return nullptr;
  if (rooms_.insert(room->hash, room) != nullptr) return room;
  delete room;
  return nullptr;
}

// Whether there is, or can be, a place for so many more. Rooms that nobody listens to make way, the
// one that was published to the longest ago first; but those in `spared`.
bool Rooms::has_place(std::size_t wanted, std::span<const std::string> spared) {
  for (Room* room = oldest_; room != nullptr && rooms_.size() + wanted > limits_.topics;) {
    Room* const next = room->newer;
    if (room->listeners() == 0 && std::ranges::find(spared, room->name) == spared.end()) {
      while (room->kept > 0) drop_oldest(*room);
      drop_if_unused(*room);
    }
    room = next;
  }
  return rooms_.size() + wanted <= limits_.topics;
}

void Rooms::drop_if_unused(Room& room) {
  if (room.listeners() > 0 || room.kept > 0) return;
  rooms_.erase(rooms_.find(room.hash, [&room](const Room* other) { return other == &room; }));
  delete &room;
}

RoomState Rooms::state(std::string_view name) {
  const std::lock_guard lock(mutex_);
  Room* room = find(name);
  if (room == nullptr) return {};
  drop_expired(*room);
  RoomState state;
  state.subscribers = room->listeners();
  state.published = room->published;
  state.last_id = room->last_id;
  state.kept = room->kept;
  if (room->first != nullptr) state.oldest_id = room->first->id;
  drop_if_unused(*room);
  return state;
}

std::size_t Rooms::size() {
  const std::lock_guard lock(mutex_);
  return rooms_.size();
}

// ── Subscribers ──────────────────────────────────────────────────────────────────────────────

Outcome Rooms::may_join(std::span<const std::string> names) {
  const std::lock_guard lock(mutex_);
  return check(names);
}

Outcome Rooms::check(std::span<const std::string> names) {
  std::size_t fresh = 0;
  for (const std::string& name : names) {
    const Room* room = find(name);
    if (room == nullptr) {
      ++fresh;
    } else if (limits_.subscribers > 0 && room->listeners() >= limits_.subscribers) {
      return Outcome::too_many_subscribers;
    }
  }
  return fresh == 0 || has_place(fresh, names) ? Outcome::done : Outcome::too_many_topics;
}

Outcome Rooms::join(ws::Connection& connection, std::span<const std::string> names, Format format,
                    std::optional<std::uint64_t> after, Array<Replayed>& replay) {
  const std::lock_guard lock(mutex_);
  const Outcome outcome = check(names);
  if (outcome != Outcome::done) return outcome;
  for (std::size_t i = 0; i < names.size(); ++i) {
    Room* room = find(names[i]);
    if (room != nullptr && !add_kept(*room, i, after, replay)) return Outcome::no_memory;
  }
  std::ranges::sort(replay, {}, [](const Replayed& one) { return one.message->id; });
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (enter(connection, names[i], format)) continue;
    for (const std::string& joined : names.first(i)) {
      connection.unsubscribe(topic_of(format, joined));
      leave_room(joined, format);
    }
    return Outcome::no_memory;
  }
  return Outcome::done;
}

bool Rooms::enter(ws::Connection& connection, std::string_view name, Format format) {
  Room* room = find_or_create(name);
  if (room == nullptr) return false;
  const bool done = connection.subscribe(topic_of(format, name));
  if (done) ++room->subscribers[static_cast<std::size_t>(format)];
  drop_if_unused(*room);
  return done;
}

bool Rooms::add_kept(Room& room, std::size_t place, std::optional<std::uint64_t> after,
                     Array<Replayed>& replay) {
  drop_expired(room);
  for (Kept* kept = room.first; kept != nullptr; kept = kept->next) {
    if (after && kept->id <= *after) continue;
    if (!replay.push_back({kept, place})) return false;
    kept->hold();
  }
  return true;
}

void Rooms::leave(std::span<const std::string> names, Format format) {
  const std::lock_guard lock(mutex_);
  for (const std::string& name : names) leave_room(name, format);
}

void Rooms::leave_room(std::string_view name, Format format) {
  Room* room = find(name);
  --room->subscribers[static_cast<std::size_t>(format)];
  drop_if_unused(*room);
}

// ── Publishing ───────────────────────────────────────────────────────────────────────────────

Rooms::Receipt Rooms::publish(ws::Endpoint& endpoint, std::string_view name, ws::Opcode opcode,
                              Bytes payload, const net::Address& from, ws::Handle except) {
  const std::lock_guard lock(mutex_);
  if (!rate_.take(from, now_ms())) return {.outcome = Outcome::too_often};
  Room* room = find(name);
  if (room == nullptr && limits_.kept_messages > 0) {
    room = find_or_create(name);
    if (room == nullptr) return {.outcome = Outcome::too_many_topics};
  }
  Receipt receipt{.id = next_id_++};
  if (room == nullptr) return receipt;  // nobody hears it, now or later
  receipt.subscribers = room->listeners();
  ++room->published;
  room->last_id = receipt.id;
  const Published message{receipt.id, room->name, opcode == ws::Opcode::text, payload};
  if (!announce(endpoint, *room, message, except)) receipt.outcome = Outcome::no_memory;
  if (limits_.kept_messages > 0) keep(*room, message);
  drop_if_unused(*room);
  return receipt;
}

// To all that listen. False where there is no memory for some of them.
bool Rooms::announce(ws::Endpoint& endpoint, const Room& room, const Published& message,
                     ws::Handle except) {
  bool done = true;
  ws::Topics& topics = endpoint.topics();
  Buffer text(endpoint.loop().pool());
  for (std::size_t i = 0; i < format_count; ++i) {
    if (room.subscribers[i] == 0) continue;
    const auto format = static_cast<Format>(i);
    const std::string topic = topic_of(format, room.name);
    if (format == Format::plain) {
      const ws::Opcode opcode = message.is_text ? ws::Opcode::text : ws::Opcode::binary;
      done &= topics.publish(topic, opcode, message.payload, except);
    } else if (!put(text, format, message)) {
      done = false;
    } else if (format == Format::json) {
      done &= topics.publish(topic, ws::Opcode::text, text.bytes(), except);
    } else {
      done &= topics.publish_raw(topic, text.bytes());
    }
  }
  return done;
}

// ── What is kept ─────────────────────────────────────────────────────────────────────────────

// One that there is no room for, even without all others, isn't kept.
void Rooms::keep(Room& room, const Published& message) {
  Kept* kept = nullptr;
  const auto create = [&] {
    kept = Kept::create(memory_, message.id, now_ms(), message.is_text, message.payload);
    return kept != nullptr;
  };
  while (!create() && oldest_ != nullptr) {
    Room& old = *oldest_;
    drop_oldest(old);
    if (&old != &room) drop_if_unused(old);
  }
  if (kept == nullptr) return;
  (room.last != nullptr ? room.last->next : room.first) = kept;
  room.last = kept;
  ++room.kept;
  become_newest(room);
  if (room.kept > limits_.kept_messages) drop_oldest(room);
  drop_expired(room);
}

void Rooms::drop_oldest(Room& room) {
  Kept* const kept = room.first;
  room.first = kept->next;
  if (room.first == nullptr) room.last = nullptr;
  if (--room.kept == 0) leave_order(room);
  kept->let_go();
}

void Rooms::drop_expired(Room& room) {
  if (limits_.kept_ms == 0) return;
  const std::uint64_t now = now_ms();
  while (room.first != nullptr && now - room.first->at_ms >= limits_.kept_ms) drop_oldest(room);
}

void Rooms::drop_old() {
  const std::lock_guard lock(mutex_);
  for (Room* room = oldest_; room != nullptr;) {
    Room* const next = room->newer;
    drop_expired(*room);
    drop_if_unused(*room);
    room = next;
  }
}

void Rooms::become_newest(Room& room) {
  if (newest_ == &room) return;
  leave_order(room);
  room.older = newest_;
  (newest_ != nullptr ? newest_->newer : oldest_) = &room;
  newest_ = &room;
}

void Rooms::leave_order(Room& room) {
  const bool is_in = room.older != nullptr || room.newer != nullptr || oldest_ == &room;
  if (!is_in) return;
  (room.older != nullptr ? room.older->newer : oldest_) = room.newer;
  (room.newer != nullptr ? room.newer->older : newest_) = room.older;
  room.older = room.newer = nullptr;
}

}  // namespace sockeye::app::hub
