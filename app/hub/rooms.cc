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
    while (room->keeps()) drop_oldest(*room);
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
  if (!can_have_place(1, {})) return nullptr;
  make_place(1, {});
  auto* room = new (std::nothrow) Room(name, crypto::siphash(key_, as_bytes(name)));
  if (room == nullptr) return nullptr;
  if (rooms_.insert(room->hash, room) != nullptr) return room;
  delete room;
  return nullptr;
}

// Rooms that nobody listens to make way for others, but those in `spared`.
bool Rooms::may_go(const Room& room, std::span<const std::string> spared) const {
  return room.listeners() == 0 && std::ranges::find(spared, room.name) == spared.end();
}

bool Rooms::can_have_place(std::size_t wanted, std::span<const std::string> spared) const {
  std::size_t free = limits_.topics - std::min(rooms_.size(), limits_.topics);
  for (const Room* room = oldest_; room != nullptr && free < wanted; room = room->newer) {
    if (may_go(*room, spared)) ++free;
  }
  return free >= wanted;
}

// The one that was published to the longest ago goes first.
void Rooms::make_place(std::size_t wanted, std::span<const std::string> spared) {
  for (Room* room = oldest_; room != nullptr && rooms_.size() + wanted > limits_.topics;) {
    Room* const next = room->newer;
    if (may_go(*room, spared)) {
      while (room->keeps()) drop_oldest(*room);
      drop_if_unused(*room);
    }
    room = next;
  }
}

void Rooms::drop_if_unused(Room& room) {
  if (room.listeners() > 0 || room.keeps()) return;
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
  const auto kept = room->all_kept();
  state.kept = kept.size();
  if (!kept.empty()) state.oldest_id = kept.front()->id;
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
  std::size_t fresh;
  return check(names, fresh);
}

// `fresh`: of how many there is no room yet.
Outcome Rooms::check(std::span<const std::string> names, std::size_t& fresh) {
  fresh = 0;
  for (const std::string& name : names) {
    const Room* room = find(name);
    if (room == nullptr) {
      ++fresh;
    } else if (limits_.subscribers > 0 && room->listeners() >= limits_.subscribers) {
      return Outcome::too_many_subscribers;
    }
  }
  return can_have_place(fresh, names) ? Outcome::done : Outcome::too_many_topics;
}

Outcome Rooms::join(ws::Connection& connection, std::span<const std::string> names, Format format,
                    std::optional<std::uint64_t> after, std::size_t most_bytes,
                    Array<Replayed>& replay) {
  const std::lock_guard lock(mutex_);
  std::size_t fresh;
  Outcome outcome = check(names, fresh);
  if (outcome == Outcome::done) outcome = add_kept(names, after, most_bytes, replay);
  if (outcome != Outcome::done) return outcome;
  make_place(fresh, names);
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

// Adds what is kept after `after`, in the order of ids over all of these rooms, up to `most_bytes`
// but at least one message. Outcome::more: there is more of it.
Outcome Rooms::add_kept(std::span<const std::string> names, std::optional<std::uint64_t> after,
                        std::size_t most_bytes, Array<Replayed>& replay) {
  struct Source {
    std::span<Kept* const> rest;
    std::size_t topic;
  };
  Array<Source> sources;
  for (std::size_t i = 0; i < names.size(); ++i) {
    Room* room = find(names[i]);
    if (room == nullptr) continue;
    drop_expired(*room);
    auto kept = room->all_kept();
    if (after) {
      const auto begin =
          std::ranges::upper_bound(kept, *after, {}, [](const Kept* one) { return one->id; });
      kept = kept.subspan(static_cast<std::size_t>(begin - kept.begin()));
    }
    if (!kept.empty() && !sources.push_back({kept, i})) return Outcome::no_memory;
  }
  std::size_t bytes = 0;
  while (!sources.empty()) {
    Source& next = *std::ranges::min_element(
        sources, {}, [](const Source& one) { return one.rest.front()->id; });
    Kept& message = *next.rest.front();
    const std::size_t size = Kept::size_of(message.payload().size());
    if (bytes > 0 && (bytes >= most_bytes || size > most_bytes - bytes)) return Outcome::more;
    if (!replay.push_back({&message, next.topic})) return Outcome::no_memory;
    message.hold();
    bytes += size;
    next.rest = next.rest.subspan(1);
    if (next.rest.empty()) {
      next = sources.back();
      sources.pop_back();
    }
  }
  return Outcome::done;
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
  if (Kept::size_of(message.payload.size()) > limits_.kept_bytes) return;
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
  if (!room.kept.push_back(kept)) return kept->let_go();
  become_newest(room);
  if (room.all_kept().size() > limits_.kept_messages) drop_oldest(room);
  drop_expired(room);
}

void Rooms::drop_oldest(Room& room) {
  room.all_kept().front()->let_go();
  ++room.gone;
  // What is gone is cut off when it is half of all: each message is moved once at most, on average.
  if (2 * room.gone >= room.kept.size()) {
    std::ranges::copy(room.all_kept(), room.kept.begin());
    (void)room.kept.resize(room.kept.size() - room.gone);
    room.gone = 0;
  }
  if (!room.keeps()) leave_order(room);
}

void Rooms::drop_expired(Room& room) {
  if (limits_.kept_ms == 0) return;
  const std::uint64_t now = now_ms();
  while (room.keeps() && now - room.all_kept().front()->at_ms >= limits_.kept_ms) drop_oldest(room);
}

void Rooms::drop_old() {
  if (limits_.kept_ms == 0) return;
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
