// Topics: what is published to one reaches all of its subscribers.
//
//   connection.subscribe("room");
//   connection.publish("room", message);                  to all others
//   server.topics().publish("room", Opcode::text, bytes); to all
//
// A message is framed once (ws/publication.h). What is published within one turn of the loop goes
// out at the turn's end: to each subscriber all that is for it, in one send, in the order in which
// it was published. (What send() is given goes ahead of it.) A subscriber gets what is published
// after it has subscribed.
//
//   topics_       name ─▶ Topic          members: │ connection, subscription │ … │   in no order
//                          ▲                                     │      ▲ place
//                          │                                     ▼      │
//   subscriptions_         └────────────── │ topic, place, next of the same connection │ …
//                                                          ▲
//   subscribers_  by the connection's place:  │ first, dropped │ …
//
// So a delivery finds its connections in one array, and a connection that goes leaves its topics
// without a search. Names are peers' to choose, hence SipHash.
//
// The servers of a ServerGroup have one TopicGroup: each of them gets what any has published, and
// all get it in the same order. One lock is taken for each message, and a thread is woken once for
// all that waits for it.
//
// Slow subscribers: limits.subscriber_bytes may wait for each, and Options::slow_subscribers says
// what happens to what finds no room. The others don't notice. Nobody is called then: ask
// dropped(), from a timer or in on_close().
//
// One belongs to each endpoint and its loop's thread.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "crypto/siphash.h"
#include "net/array.h"
#include "net/buffer.h"
#include "net/bytes.h"
#include "net/hash_map.h"
#include "net/loop.h"
#include "net/slab.h"
#include "ws/prepared_message.h"
#include "ws/publication.h"

namespace sockeye::ws {

class Endpoint;
class Topics;

// Those that publish to each other, each in its own thread.
class TopicGroup {
 private:
  friend class Topics;

  crypto::SipKey key();

  std::mutex mutex_;  // guards what follows, and the inboxes of the members
  std::optional<crypto::SipKey> key_;
  std::vector<Topics*> members_;
};

class Topics final : private net::Watcher {
 public:
  // `endpoint` must outlive it.
  explicit Topics(Endpoint& endpoint);
  ~Topics();

  // Whether the connection is a subscriber of the topic now, and was not before. False also where
  // there is no memory, where it is neither open nor a stream (Reply::stream), or where the name
  // has more than max_name_bytes. This and unsubscribe() take time for each topic that the
  // connection has already; all else takes none for topics that aren't concerned.
  bool subscribe(Connection& connection, std::string_view topic);
  // Whether it was one, and is no more. All end with the connection.
  bool unsubscribe(Connection& connection, std::string_view topic);
  bool is_subscribed(Connection& connection, std::string_view topic);

  // Sends a message to all subscribers of the topic but `except`. The bytes need only live for the
  // call. Text must be UTF-8, which is not checked. False, and nothing sent, where there is no
  // memory for it, or the name is too long.
  bool publish(std::string_view topic, Opcode opcode, Bytes payload, Handle except = {});

  // Sends bytes as they are to those subscribers that are streams of plain HTTP. Nobody else hears
  // of it, as streams don't of messages.
  bool publish_raw(std::string_view topic, Bytes bytes);

  // Sends what was published by now, before the turn's end.
  void flush();

  // How many subscribers a topic has, of this endpoint.
  std::size_t subscriber_count(std::string_view topic);
  // How many topics have subscribers, of this endpoint.
  std::size_t size() const { return topics_.count(); }

  // How many messages a connection was not sent as it reads too slowly; and all together, of those
  // that are gone, too.
  std::uint32_t dropped(const Connection& connection) const;
  std::size_t dropped() const { return dropped_; }

  static constexpr std::size_t max_name_bytes = 1024;

 private:
  friend class Endpoint;
  friend class Connection;
  friend class ServerGroup;

  using Form = Publication::Form;
  static constexpr std::uint32_t none = ~std::uint32_t{0};
  static constexpr std::uint32_t waiting = std::uint32_t{1} << 31;

  struct Member {
    Connection* connection;
    std::uint32_t subscription;
  };

  struct Topic {
    Topic(std::uint64_t name_hash, char* own_name, std::size_t name_size)
        : hash(name_hash), name_(own_name), name_size_(name_size) {}
    ~Topic() { std::free(name_); }
    std::string_view name() const { return {name_, name_size_}; }

    const std::uint64_t hash;
    std::uint32_t joining = 0;  // subscriptions that aren't members yet
    Array<Member> members;

   private:
    char* const name_;
    const std::size_t name_size_;
  };

  struct Subscription {
    Topic* topic;         // null: free
    std::uint32_t place;  // in its members; or `waiting`, and in the inbox
    std::uint32_t next;   // of the same connection, or of those that are free
  };

  // What is known of a connection.
  struct Subscriber {
    std::uint32_t first = none;  // of its subscriptions
    std::uint32_t dropped = 0;
    std::uint32_t touched = 0;  // 1 + its place in touched_, during a delivery
  };

  // What waits for the end of the turn: a publication, or somebody who gets those behind it.
  struct Item {
    Publication* publication;
    Connection* connection;
    std::uint32_t subscription;
  };

  // A publication with subscribers here.
  struct Parcel {
    Publication* publication;
    const Connection* except;
    PreparedMessage* prepared;  // with compression, once someone wants it
    Form form() const { return publication->form(); }
  };

  // Parcels of one topic, one after the other.
  struct Run {
    Topic* topic;
    std::uint32_t begin;
    std::uint32_t end;
  };

  // A run for one subscriber, and the next.
  struct Link {
    std::uint32_t run;
    std::uint32_t next;
  };

  // A subscriber of several runs, and its links.
  struct Touched {
    Connection* connection;
    std::uint32_t first;
    std::uint32_t last;
  };

  void on_events(std::uint32_t) override {}  // it has no descriptor
  void on_agenda() override { flush(); }     // the end of a turn

  // For the endpoint and its connections.
  void forget(Connection& connection);
  void join(TopicGroup& group);
  void open();
  void leave();

  std::unique_lock<std::mutex> lock();
  std::uint64_t hash(std::string_view name);
  Topic* find(std::string_view name, std::uint64_t hash);
  Topic* find_or_create(std::string_view name);
  void drop_if_unused(Topic& topic);
  std::uint32_t index_of(const Connection& connection) const;
  std::uint32_t* find_subscription(Connection& connection, const Topic& topic);
  std::uint32_t new_subscription();
  bool become_member(Connection& connection, std::uint32_t subscription);
  void remove(std::uint32_t& link);

  bool enter(std::string_view name, Form form, Opcode opcode, Bytes payload, Handle except);
  bool put_everywhere(Publication& publication);
  bool put(const Item& item);
  void take_back();
  bool wait_for_inbox(Connection& connection, std::uint32_t subscription);

  void let_go(std::span<const Item> items);
  void deliver(std::span<const Item> items);
  void lose(const Publication& publication);
  void sort_into_runs(std::span<const Item> items);
  void deliver_merged(std::span<const Run> runs);
  void deliver_to_all(const Run& run);
  std::span<Parcel> parcels_of(const Run& run) {
    return {parcels_.begin() + run.begin, run.end - run.begin};
  }
  Bytes together(std::span<const Parcel> parcels);
  void send(Connection& connection, std::span<Parcel> parcels);
  PreparedMessage* prepared(Parcel& parcel);
  void count_dropped(const Connection& connection);

  Endpoint& endpoint_;
  TopicGroup* group_ = nullptr;
  bool open_ = true;  // takes what others of the group publish
  std::optional<crypto::SipKey> key_;
  Slab<Topic> topics_;
  HashMap<Topic*> by_name_;
  Array<Subscriber> subscribers_;
  Array<Subscription> subscriptions_;
  std::uint32_t free_subscription_ = none;
  std::size_t dropped_ = 0;

  Array<Item> inbox_;  // in a group guarded by its mutex

  // Of the delivery under way; kept for the next one's sake.
  Array<Item> items_;
  Array<Parcel> parcels_;
  Array<Run> runs_;
  Array<Link> links_;
  Array<Touched> touched_;
  Slab<PreparedMessage> prepared_;
  Buffer together_;
};

}  // namespace sockeye::ws
