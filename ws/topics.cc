// SPDX-License-Identifier: MIT
#include "ws/topics.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "crypto/random.h"
#include "ws/endpoint.h"

namespace sockeye::ws {

namespace {

// So many publications for one subscriber, together no larger than this, are put into one piece
// once, and not gathered for each subscriber anew.
constexpr std::size_t together_bytes = 16 * 1024;

// A connection is fetched into the processor's cache while so many others have their turn.
constexpr std::size_t ahead = 4;

// How much a delivery to subscribers of several topics notes down at a time.
constexpr std::size_t most_links = 64 * 1024;

crypto::SipKey random_key() {
  crypto::SystemRandom random;
  const auto next = [&random] {
    return std::uint64_t{random.next_u32()} << 32 | random.next_u32();
  };
  return {next(), next()};
}

}  // namespace

// Drawn when there is a topic, and not before: a machine that has just started may have to wait for
// its first random bytes.
crypto::SipKey TopicGroup::key() {
  const std::lock_guard lock(mutex_);
  if (!key_) key_ = random_key();
  return *key_;
}

Topics::Topics(Endpoint& endpoint) : endpoint_(endpoint), together_(endpoint.loop().pool()) {}

Topics::~Topics() {
  leave();
  endpoint_.loop().forget(*this);
  by_name_.for_each([this](Topic* topic) { topics_.destroy(topic); });
}

// ── In a group ───────────────────────────────────────────────────────────────────────────────

void Topics::join(TopicGroup& group) {
  group_ = &group;
  group.members_.push_back(this);
}

// Its loop runs: what is published reaches it.
void Topics::open() {
  const auto guard = lock();
  open_ = true;
}

// Its loop runs no more, and nobody would take what others put into its inbox.
void Topics::leave() {
  Array<Item> left;
  {
    const auto guard = lock();
    open_ = group_ == nullptr;
    std::swap(left, inbox_);
  }
  let_go({left.begin(), left.size()});
}

std::unique_lock<std::mutex> Topics::lock() {
  return group_ != nullptr ? std::unique_lock(group_->mutex_) : std::unique_lock<std::mutex>();
}

// ── Subscriptions ────────────────────────────────────────────────────────────────────────────

bool Topics::subscribe(Connection& connection, std::string_view name) {
  endpoint_.loop().assert_in_thread();
  if (!connection.takes_publications() || name.size() > max_name_bytes) return false;
  const std::uint32_t index = index_of(connection);
  if (index >= subscribers_.size() && !subscribers_.resize(index + std::size_t{1})) return false;
  Topic* topic = find_or_create(name);
  if (topic == nullptr) return false;
  const bool is_new = find_subscription(connection, *topic) == nullptr;
  const std::uint32_t made = is_new ? new_subscription() : none;
  if (made == none) {
    drop_if_unused(*topic);
    return false;
  }
  std::uint32_t& first = subscribers_[index].first;
  subscriptions_[made] = {topic, waiting, first};
  first = made;
  ++topic->joining;
  // What was published before it subscribed isn't for it.
  if (wait_for_inbox(connection, made) || become_member(connection, made)) return true;
  remove(first);
  return false;
}

bool Topics::unsubscribe(Connection& connection, std::string_view name) {
  endpoint_.loop().assert_in_thread();
  Topic* topic = find(name, hash(name));
  std::uint32_t* link = topic != nullptr ? find_subscription(connection, *topic) : nullptr;
  if (link == nullptr) return false;
  remove(*link);
  return true;
}

bool Topics::is_subscribed(Connection& connection, std::string_view name) {
  const Topic* topic = find(name, hash(name));
  return topic != nullptr && find_subscription(connection, *topic) != nullptr;
}

void Topics::forget(Connection& connection) {
  const std::uint32_t index = index_of(connection);
  if (index >= subscribers_.size()) return;
  Subscriber& subscriber = subscribers_[index];
  while (subscriber.first != none) remove(subscriber.first);
  subscriber.dropped = 0;
}

std::size_t Topics::subscriber_count(std::string_view name) {
  const Topic* topic = find(name, hash(name));
  return topic != nullptr ? topic->members.size() + topic->joining : 0;
}

std::uint32_t Topics::dropped(const Connection& connection) const {
  const std::uint32_t index = index_of(connection);
  return index < subscribers_.size() ? subscribers_[index].dropped : 0;
}

std::uint64_t Topics::hash(std::string_view name) {
  if (!key_) key_ = group_ != nullptr ? group_->key() : random_key();
  return crypto::siphash(*key_, as_bytes(name));
}

Topics::Topic* Topics::find(std::string_view name, std::uint64_t hash) {
  Topic** found = by_name_.find(hash, [name](const Topic* topic) { return topic->name() == name; });
  return found != nullptr ? *found : nullptr;
}

Topics::Topic* Topics::find_or_create(std::string_view name) {
  const std::uint64_t key = hash(name);
  if (Topic* found = find(name, key)) return found;
  auto* own_name = static_cast<char*>(std::malloc(name.size() + 1));
  if (own_name == nullptr) return nullptr;
  copy_bytes(reinterpret_cast<std::uint8_t*>(own_name), as_bytes(name));
  Topic* topic = topics_.create(key, own_name, name.size());
  if (topic == nullptr) {
    std::free(own_name);
  } else if (by_name_.insert(key, topic) == nullptr) {
    topics_.destroy(topic);
    topic = nullptr;
  }
  endpoint_.counts_.topics.set(size());
  return topic;
}

void Topics::drop_if_unused(Topic& topic) {
  if (!topic.members.empty() || topic.joining > 0) return;
  by_name_.erase(
      by_name_.find(topic.hash, [&topic](const Topic* other) { return other == &topic; }));
  topics_.destroy(&topic);
  endpoint_.counts_.topics.set(size());
}

std::uint32_t Topics::index_of(const Connection& connection) const {
  return endpoint_.connections_.key(&connection).index;
}

// The link to it: its place in the list of the connection's subscriptions. Null: there is none.
std::uint32_t* Topics::find_subscription(Connection& connection, const Topic& topic) {
  const std::uint32_t index = index_of(connection);
  if (index >= subscribers_.size()) return nullptr;
  std::uint32_t* link = &subscribers_[index].first;
  while (*link != none && subscriptions_[*link].topic != &topic) link = &subscriptions_[*link].next;
  return *link != none ? link : nullptr;
}

// The place of one that is to be filled in; none: no memory.
std::uint32_t Topics::new_subscription() {
  if (free_subscription_ != none) {
    const std::uint32_t place = free_subscription_;
    free_subscription_ = subscriptions_[place].next;
    return place;
  }
  if (subscriptions_.size() == none || !subscriptions_.push_back({})) return none;
  return static_cast<std::uint32_t>(subscriptions_.size() - 1);
}

bool Topics::become_member(Connection& connection, std::uint32_t subscription) {
  Subscription& made = subscriptions_[subscription];
  Array<Member>& members = made.topic->members;
  if (!members.push_back({&connection, subscription})) return false;
  made.place = static_cast<std::uint32_t>(members.size() - 1);
  --made.topic->joining;
  return true;
}

// Ends the subscription that `link` leads to. The last of its topic's members takes its place.
void Topics::remove(std::uint32_t& link) {
  const std::uint32_t gone = link;
  Subscription& subscription = subscriptions_[gone];
  Topic& topic = *subscription.topic;
  link = subscription.next;
  if ((subscription.place & waiting) != 0) {
    const auto guard = lock();
    const std::uint32_t place = subscription.place ^ waiting;
    if (place < inbox_.size() && inbox_[place].subscription == gone) {
      inbox_[place].connection = nullptr;
    }
    --topic.joining;
  } else {
    const Member last = topic.members.back();
    topic.members[subscription.place] = last;
    subscriptions_[last.subscription].place = subscription.place;
    topic.members.pop_back();
  }
  subscription = {nullptr, 0, free_subscription_};
  free_subscription_ = gone;
  drop_if_unused(topic);
}

// ── Publishing ───────────────────────────────────────────────────────────────────────────────

bool Topics::publish(std::string_view topic, Opcode opcode, Bytes payload, Handle except) {
  assert(!frame::is_control(opcode));
  return enter(topic, Publication::Form::message, opcode, payload, except);
}

bool Topics::publish_raw(std::string_view topic, Bytes bytes) {
  return enter(topic, Publication::Form::raw, Opcode::binary, bytes, {});
}

bool Topics::enter(std::string_view name, Publication::Form form, Opcode opcode, Bytes payload,
                   Handle except) {
  endpoint_.loop().assert_in_thread();
  if (name.size() > max_name_bytes) return false;
  const std::uint64_t key = hash(name);
  if (group_ == nullptr && find(name, key) == nullptr) return true;
  auto* publication = Publication::create(endpoint_.loop().pool().budget(), name, key, form, opcode,
                                          payload, except);
  if (publication == nullptr) return false;
  const bool done = put_everywhere(*publication);
  publication->let_go();
  if (done) endpoint_.loop().schedule(*this);
  return done;
}

// Into the inbox of each of the group, or of none where there is no memory.
bool Topics::put_everywhere(Publication& publication) {
  const auto guard = lock();
  Topics* const alone[] = {this};
  const std::span<Topics* const> all =
      group_ != nullptr ? std::span<Topics* const>(group_->members_) : alone;
  std::size_t done = 0;
  while (done < all.size() && all[done]->put({&publication, nullptr, none})) ++done;
  if (done == all.size()) return true;
  while (done > 0) all[--done]->take_back();
  return false;
}

// With the lock held.
bool Topics::put(const Item& item) {
  if (!open_) return true;
  if (!inbox_.push_back(item)) return false;
  item.publication->hold();
  // Others are told once that there is something. (It is no member of a group twice.)
  if (inbox_.size() == 1) endpoint_.loop().post([this] { endpoint_.loop().schedule(*this); });
  return true;
}

void Topics::take_back() {
  if (!open_) return;
  inbox_.back().publication->let_go();
  inbox_.pop_back();
}

// Where something is waiting to be delivered: has the subscription begin behind it.
bool Topics::wait_for_inbox(Connection& connection, std::uint32_t subscription) {
  const auto guard = lock();
  if (inbox_.empty() || inbox_.size() >= waiting) return false;
  subscriptions_[subscription].place = waiting | static_cast<std::uint32_t>(inbox_.size());
  return inbox_.push_back({nullptr, &connection, subscription});
}

// ── Delivery ─────────────────────────────────────────────────────────────────────────────────

void Topics::flush() {
  {
    const auto guard = lock();
    std::swap(items_, inbox_);
  }
  const std::span<const Item> items(items_.begin(), items_.size());
  std::size_t begin = 0;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (items[i].publication != nullptr) continue;
    deliver(items.subspan(begin, i - begin));
    begin = i + 1;
    Connection* const connection = items[i].connection;
    if (connection != nullptr && !become_member(*connection, items[i].subscription)) {
      connection->end(Error::out_of_memory);
    }
  }
  deliver(items.subspan(begin));
  let_go(items);
  items_.clear();
}

void Topics::let_go(std::span<const Item> items) {
  for (const Item& item : items) {
    if (item.publication != nullptr) item.publication->let_go();
  }
}

void Topics::deliver(std::span<const Item> items) {
  if (items.empty()) return;
  if (!parcels_.reserve(items.size()) || !runs_.reserve(items.size())) {
    if (items.size() == 1) return lose(*items.front().publication);
    deliver(items.first(items.size() / 2));
    return deliver(items.subspan(items.size() / 2));
  }
  sort_into_runs(items);
  std::span<const Run> runs(runs_.begin(), runs_.size());
  while (!runs.empty()) {
    std::size_t count = 0;
    std::size_t links = 0;
    do {
      links += runs[count++].topic->members.size();
    } while (count < runs.size() && links < most_links &&
             runs[count].topic->members.size() <= most_links - links);
    deliver_merged(runs.first(count));
    runs = runs.subspan(count);
  }
  for (const Parcel& parcel : parcels_) {
    if (parcel.prepared != nullptr) prepared_.destroy(parcel.prepared);
  }
}

// Without memory even for a list of one.
void Topics::lose(const Publication& publication) {
  const Topic* topic = find(publication.topic(), publication.hash());
  if (topic == nullptr) return;
  for (const Member& member : topic->members) count_dropped(*member.connection);
}

// Fills parcels_ and runs_, which have room.
void Topics::sort_into_runs(std::span<const Item> items) {
  parcels_.clear();
  runs_.clear();
  const Publication* previous = nullptr;
  Topic* topic = nullptr;
  for (const Item& item : items) {
    Publication& publication = *item.publication;
    const bool same = previous != nullptr && previous->hash() == publication.hash() &&
                      previous->topic() == publication.topic();
    if (!same) topic = find(publication.topic(), publication.hash());
    previous = &publication;
    if (topic == nullptr || topic->members.empty()) continue;
    // Another loop's connections aren't this thread's to look at.
    const Handle except = publication.except();
    const bool is_ours = except.endpoint_ == &endpoint_;
    (void)parcels_.push_back({&publication, is_ours ? except.get() : nullptr, nullptr});
    const auto end = static_cast<std::uint32_t>(parcels_.size());
    if (!runs_.empty() && runs_.back().topic == topic) {
      runs_.back().end = end;
    } else {
      (void)runs_.push_back({topic, end - 1, end});
    }
  }
}

// To everyone who subscribes to one of these runs' topics, all of them in one send.
void Topics::deliver_merged(std::span<const Run> runs) {
  std::size_t links = 0;
  for (const Run& run : runs) links += run.topic->members.size();
  if (runs.size() == 1 || !links_.reserve(links) || !touched_.reserve(links)) {
    for (const Run& run : runs) deliver_to_all(run);
    return;
  }
  links_.clear();
  touched_.clear();
  for (std::uint32_t i = 0; i < runs.size(); ++i) {
    for (const Member& member : runs[i].topic->members) {
      const auto link = static_cast<std::uint32_t>(links_.size());
      (void)links_.push_back({i, none});
      std::uint32_t& place = subscribers_[index_of(*member.connection)].touched;
      if (place == 0) {
        (void)touched_.push_back({member.connection, link, link});
        place = static_cast<std::uint32_t>(touched_.size());
      } else {
        Touched& touched = touched_[place - 1];
        links_[touched.last].next = link;
        touched.last = link;
      }
    }
  }
  for (const Touched& touched : touched_) {
    Connection& connection = *touched.connection;
    subscribers_[index_of(connection)].touched = 0;
    const bool batched = connection.begin_batch();
    for (std::uint32_t i = touched.first; i != none; i = links_[i].next) {
      send(connection, parcels_of(runs[links_[i].run]));
    }
    if (batched) connection.end_batch();
  }
}

// To every subscriber of one topic. Mostly all get the same bytes, in one piece.
void Topics::deliver_to_all(const Run& run) {
  const std::span<Parcel> parcels = parcels_of(run);
  const Form form = parcels.front().publication->form();
  const bool same_for_all =
      std::ranges::all_of(parcels, [form](const Parcel& parcel) { return parcel.form() == form; });
  Shared* const owner = parcels.size() == 1 ? parcels.front().publication : nullptr;
  const Bytes wire = same_for_all ? together(parcels) : Bytes();
  const auto is_excepted = [parcels](const Connection* connection) {
    return std::ranges::find(parcels, connection, &Parcel::except) != parcels.end();
  };
  const Array<Member>& members = run.topic->members;
  for (std::size_t i = 0; i < members.size(); ++i) {
    Connection& connection = *members[i].connection;
    if (i + ahead < members.size()) __builtin_prefetch(members[i + ahead].connection);
    if (!wire.empty() && !is_excepted(&connection) &&
        connection.send_published(form, wire, owner, parcels.size())) {
      continue;
    }
    const bool batched = connection.begin_batch();
    send(connection, parcels);
    if (batched) connection.end_batch();
  }
}

// What is to be sent for all of them, in one piece; empty where it is too much for that.
Bytes Topics::together(std::span<const Parcel> parcels) {
  if (parcels.size() == 1) return parcels.front().publication->wire();
  together_.clear();
  for (const Parcel& parcel : parcels) {
    const Bytes wire = parcel.publication->wire();
    if (wire.size() > together_bytes - together_.size() || !together_.append(wire)) return {};
  }
  return together_.bytes();
}

// With compression, or to one that reads slowly: each by itself.
void Topics::send(Connection& connection, std::span<Parcel> parcels) {
  for (Parcel& parcel : parcels) {
    if (parcel.except == &connection) continue;
    PreparedMessage* message = connection.protocol_.may_compress() ? prepared(parcel) : nullptr;
    if (connection.send_published(*parcel.publication, message) != SendResult::dropped) continue;
    count_dropped(connection);
    if (endpoint_.options().slow_subscribers == SlowSubscribers::close) {
      return connection.fall_behind();
    }
  }
}

// Null where there is no memory: then the message goes as it is.
PreparedMessage* Topics::prepared(Parcel& parcel) {
  const Publication& publication = *parcel.publication;
  if (parcel.prepared == nullptr && publication.form() == Form::message) {
    parcel.prepared = prepared_.create(endpoint_, publication.opcode(), publication.payload());
  }
  return parcel.prepared;
}

void Topics::count_dropped(const Connection& connection) {
  ++dropped_;
  ++subscribers_[index_of(connection)].dropped;
}

}  // namespace sockeye::ws
