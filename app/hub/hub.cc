// SPDX-License-Identifier: MIT
#include "app/hub/hub.h"

#include <algorithm>
#include <new>
#include <utility>

#include "app/inspector.h"
#include "app/json.h"
#include "app/metrics.h"
#include "app/page/files.h"
#include "app/static_files.h"
#include "net/buffer.h"
#include "ws/frame/utf8.h"
#include "ws/http/chars.h"

namespace sockeye::app::hub {

namespace {

// (No topic begins with "-".)
constexpr page::File files[] = {
    {"/", page::html, page::chat_html},
    {"/-/chat.css", page::css, page::chat_css},
    {"/-/chat.js", page::javascript, page::chat_js},
};

constexpr std::string_view plain_text = "text/plain; charset=utf-8";
constexpr std::string_view challenge = "Bearer realm=\"sockeye\"";

// How much of what is kept is sent to a newcomer before it has read some.
constexpr std::size_t replayed_bytes = 256 * 1024;

// Every stream's, for signs of life.
constexpr std::string_view heartbeat_topic = "streams";
constexpr std::uint64_t tick_ms = 1000;
constexpr unsigned ticks_per_heartbeat = 15;

std::string_view missing(const HubRequest& request) {
  return request.token.empty() ? "a token is needed\n" : "this token is not one for that\n";
}

void refuse(ws::Reply& reply, std::uint16_t status, std::string_view text) {
  if (status == 401) {
    return reply.send(status, plain_text, as_bytes(text), {{"WWW-Authenticate", challenge}});
  }
  reply.send(status, plain_text, as_bytes(text));
}

// What a request is answered with that asks for too much.
std::uint16_t status_of(Outcome outcome) {
  return outcome == Outcome::too_often ? 429 : 503;
}

std::string_view text_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::done:
    case Outcome::more:
      break;
    case Outcome::too_many_topics:
      return "the server has as many topics as it may\n";
    case Outcome::too_many_subscribers:
      return "the topic has as many subscribers as it may\n";
    case Outcome::too_often:
      return "your address publishes more often than it may\n";
    case Outcome::no_memory:
      return "there is no memory for it\n";
  }
  return {};
}

bool is_utf8(Bytes bytes) {
  ws::frame::Utf8Validator validator;
  return validator.feed(bytes, ws::frame::utf8_scalar) && validator.complete();
}

bool has_type(const ws::http::Request& request, std::string_view field, std::string_view type) {
  const std::string_view value = request.field(field).value_or(std::string_view());
  const auto is_same = [](char a, char b) {
    return ws::http::equal_ignoring_case({&a, 1}, {&b, 1});
  };
  return std::search(value.begin(), value.end(), type.begin(), type.end(), is_same) != value.end();
}

}  // namespace

bool Hub::is_page(const Connection& connection) const {
  return facilities_.inspector != nullptr && connection.subprotocol() == Inspector::subprotocol;
}

bool Hub::may_publish(const HubRequest& request) const {
  return !settings_.publishers.are_wanted() || settings_.publishers.include(request.token);
}

// (A request has one token: one for both stands in both files.)
bool Hub::may_subscribe(const HubRequest& request) const {
  return !settings_.subscribers.are_wanted() || settings_.subscribers.include(request.token);
}

// ── WebSocket ────────────────────────────────────────────────────────────────────────────────

void Hub::on_upgrade(Upgrade& upgrade) {
  if (is_page(upgrade.connection())) {
    if (!facilities_.inspector->admits(upgrade))
      upgrade.refuse(403, "shown on this machine only: see --inspect\n");
    return;
  }
  auto wanted = read_request(upgrade.request(), settings_.topics_per_connection);
  if (!wanted) return upgrade.refuse(400, wanted.error());
  if (wanted->topics.empty())
    return upgrade.refuse(400, "a topic is needed: /room, or ?topic=room\n");
  if (!may_subscribe(*wanted)) {
    return upgrade.refuse(401, missing(*wanted), {{"WWW-Authenticate", challenge}});
  }
  const Outcome outcome = rooms_.may_join(wanted->topics);
  if (outcome != Outcome::done) return upgrade.refuse(status_of(outcome), text_of(outcome));
  accepted_.reset(new (std::nothrow) Guest);
  if (!accepted_) return upgrade.refuse(503, text_of(Outcome::no_memory));
  accepted_->topics = std::move(wanted->topics);
  accepted_->format = wanted->json ? Format::json : Format::plain;
  accepted_->may_publish = !settings_.receive_only && may_publish(*wanted);
  accepted_->hears_itself = wanted->hears_itself;
  accepted_->after = wanted->after;
}

void Hub::on_open(Connection& connection) {
  if (is_page(connection)) return facilities_.inspector->on_open(connection);
  if (!begin(connection, std::move(accepted_))) {
    connection.close(ws::close_code::try_again_later, "the topic can't be joined now");
  }
}

void Hub::on_message(Connection& connection, Message message) {
  if (is_page(connection)) return facilities_.inspector->on_message(connection, message);
  const Guest* guest = connection.data<Guest>();
  if (guest == nullptr || !connection.is_open()) return;
  if (!guest->may_publish) {
    return connection.close(ws::close_code::policy_violation, "this connection may only listen");
  }
  const ws::Handle except = guest->hears_itself ? ws::Handle() : connection.handle();
  const net::Address from = settings_.limits.publishes > 0 ? connection.peer() : net::Address();
  for (const std::string& topic : guest->topics) {
    const auto receipt = rooms_.publish(connection.endpoint(), topic, message.opcode(),
                                        message.bytes(), from, except);
    if (receipt.outcome == Outcome::done) continue;
    std::string_view reason = text_of(receipt.outcome);
    reason.remove_suffix(1);
    return connection.close(receipt.outcome == Outcome::too_often ? ws::close_code::policy_violation
                                                                  : ws::close_code::internal_error,
                            reason);
  }
}

void Hub::on_close(Connection& connection, Closed) {
  if (is_page(connection)) return facilities_.inspector->on_close(connection);
  const std::unique_ptr<Guest> guest(connection.data<Guest>());
  connection.set_data(nullptr);
  if (guest != nullptr && guest->joined) rooms_.leave(guest->topics, guest->format);
}

// Makes it a guest. False where it can't be one.
bool Hub::begin(Connection& connection, std::unique_ptr<Guest> guest) {
  if (guest == nullptr) return false;
  connection.set_data(guest.get());
  return catch_up(connection, *guest.release());
}

// Sends it the next of what is kept, and has it join with the last of that. So a newcomer holds no
// more of what is kept than it is about to read; and what is published meanwhile is kept as well.
bool Hub::catch_up(Connection& connection, Guest& guest) {
  Array<Replayed> kept;
  const Outcome outcome =
      rooms_.join(connection, guest.topics, guest.format, guest.after, replayed_bytes, kept);
  guest.joined = outcome == Outcome::done;
  bool done = guest.joined || outcome == Outcome::more;
  for (const Replayed& one : kept) {
    done = done && replay(connection, guest, one);
    one.message->let_go();
  }
  if (!done || guest.joined) return done;
  guest.has_turn = true;
  connection.endpoint().loop().post([this, handle = connection.handle()] {
    Connection* const later = handle.get();
    if (later == nullptr) return;
    later->data<Guest>()->has_turn = false;
    if (later->buffered_bytes() == 0) go_on(*later);  // else on_drain() follows
  });
  return true;
}

void Hub::on_drain(Connection& connection) {
  Guest* const guest = is_page(connection) ? nullptr : connection.data<Guest>();
  if (guest != nullptr && !guest->joined && !guest->has_turn) go_on(connection);
}

void Hub::go_on(Connection& connection) {
  if (catch_up(connection, *connection.data<Guest>())) return;
  if (connection.is_stream()) return connection.abort();
  connection.close(ws::close_code::try_again_later, "the topic can't be joined now");
}

// False where it doesn't fit: who comes back, after what it got, has the rest.
bool Hub::replay(Connection& connection, Guest& guest, const Replayed& replayed) {
  const Kept& kept = *replayed.message;
  const Published message{kept.id, guest.topics[replayed.topic], kept.is_text, kept.payload()};
  ws::SendResult result;
  if (guest.format == Format::plain) {
    result = connection.send(kept.is_text ? ws::Opcode::text : ws::Opcode::binary, message.payload);
  } else {
    Buffer text(connection.endpoint().loop().pool());
    if (!put(text, guest.format, message)) return false;
    result = guest.format == Format::json ? connection.send_text(as_text(text.bytes()))
                                          : connection.send_raw(text.bytes());
  }
  guest.after = kept.id;
  return result == ws::SendResult::sent || result == ws::SendResult::queued;
}

// ── HTTP ─────────────────────────────────────────────────────────────────────────────────────

void Hub::on_request(const Request& request, Reply& reply) {
  if (facilities_.metrics != nullptr && facilities_.metrics->serve(request, reply)) return;
  const bool posts = request.method() == "POST";
  if (!posts && request.method() != "GET" && request.method() != "HEAD") {
    const std::string_view text = "GET, HEAD and POST are understood\n";
    return reply.send(405, plain_text, as_bytes(text), {{"Allow", "GET, HEAD, POST"}});
  }
  const bool wants_events = !posts && has_type(request, "accept", "text/event-stream");
  if (!posts && !wants_events) {
    if (facilities_.files != nullptr && facilities_.files->serve(request, reply)) return;
    if (page::send(files, request.path(), reply)) return;
  }
  auto wanted = read_request(request, settings_.topics_per_connection);
  if (!wanted) return refuse(reply, 400, wanted.error());
  if (wanted->topics.empty())
    return refuse(reply, 400, "a topic is needed: /room, or ?topic=room\n");
  if (posts) return publish(request, *wanted, reply);
  if (!may_subscribe(*wanted)) return refuse(reply, 401, missing(*wanted));
  wants_events ? stream(*wanted, reply) : tell_state(*wanted, reply);
}

void Hub::publish(const Request& request, const HubRequest& wanted, Reply& reply) {
  ws::Connection& connection = reply.connection();
  ws::Endpoint& endpoint = connection.endpoint();
  // A page of another site may send a POST without asking anybody (a form does): RFC 6455 §10.2's
  // concern, by another door.
  const ws::Error error = endpoint.options().origin.check(request);
  if (error != ws::Error::none) return reply.refuse(error);
  if (!may_publish(wanted)) return refuse(reply, 401, missing(wanted));
  if (wanted.topics.size() != 1) return refuse(reply, 400, "one topic at a time\n");
  const bool is_binary = has_type(request, "content-type", "application/octet-stream");
  const bool is_text = !is_binary && is_utf8(request.body());
  const std::string& topic = wanted.topics.front();
  const auto receipt =
      rooms_.publish(endpoint, topic, is_text ? ws::Opcode::text : ws::Opcode::binary,
                     request.body(), connection.peer(), {});
  if (receipt.outcome != Outcome::done) {
    return refuse(reply, status_of(receipt.outcome), text_of(receipt.outcome));
  }
  Json json;
  json.put("id", receipt.id).put("topic", topic).put("subscribers", receipt.subscribers);
  reply.send(200, "application/json", as_bytes(json.text() + "\n"),
             {{"Cache-Control", "no-store"}});
}

void Hub::stream(HubRequest& wanted, Reply& reply) {
  const Outcome outcome = rooms_.may_join(wanted.topics);
  if (outcome != Outcome::done) return refuse(reply, status_of(outcome), text_of(outcome));
  std::unique_ptr<Guest> guest(new (std::nothrow) Guest);
  if (!guest) return refuse(reply, 503, text_of(Outcome::no_memory));
  guest->topics = std::move(wanted.topics);
  guest->format = wanted.json ? Format::json_event : Format::event;
  guest->after = wanted.after;
  // (nginx would keep what it gets until a buffer is full.)
  if (!reply.stream(200, "text/event-stream",
                    {{"Cache-Control", "no-store"}, {"X-Accel-Buffering", "no"}})) {
    return;
  }
  ws::Connection& connection = reply.connection();
  if (!begin(connection, std::move(guest)) || !connection.subscribe(heartbeat_topic)) {
    connection.abort();
  }
}

void Hub::tell_state(const HubRequest& wanted, Reply& reply) {
  if (wanted.topics.size() != 1) return refuse(reply, 400, "one topic at a time\n");
  const RoomState state = rooms_.state(wanted.topics.front());
  Json json;
  const auto put_id = [&json](std::string_view name, std::optional<std::uint64_t> id) {
    id ? json.put(name, *id) : json.put_null(name);
  };
  json.put("topic", wanted.topics.front())
      .put("subscribers", state.subscribers)
      .put("published", state.published);
  put_id("last_id", state.last_id);
  json.put("kept", state.kept);
  put_id("oldest_id", state.oldest_id);
  reply.send(200, "application/json", as_bytes(json.text() + "\n"),
             {{"Cache-Control", "no-store"}, {"Vary", "Accept"}});
}

// ── Housekeeping ─────────────────────────────────────────────────────────────────────────────

Housekeeper::Housekeeper(Rooms& rooms, ws::Server& server) : rooms_(rooms), server_(server) {
  server_.loop().timers().arm(*this, server_.loop().now_ms() + tick_ms);
}

Housekeeper::~Housekeeper() {
  server_.loop().timers().disarm(*this);
}

void Housekeeper::on_timer(std::uint64_t now_ms) {
  rooms_.drop_old();
  if (++ticks_ % ticks_per_heartbeat == 0) {
    server_.topics().publish_raw(heartbeat_topic, as_bytes(":\n\n"));
  }
  server_.loop().timers().arm(*this, now_ms + tick_ms);
}

}  // namespace sockeye::app::hub
