// The part of a connection's life before it speaks WebSocket: plain HTTP requests, and the opening
// handshake in either role.
//
// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cassert>
#include <new>
#include <optional>
#include <span>
#include <utility>

#include "net/log.h"
#include "net/text.h"
#include "ws/connection.h"
#include "ws/deflate/permessage_deflate.h"
#include "ws/endpoint.h"
#include "ws/http/chars.h"
#include "ws/http/extension.h"
#include "ws/http/handshake.h"
#include "ws/http/parser.h"
#include "ws/http/request_reader.h"
#include "ws/http/subprotocol.h"
#include "ws/http/writer.h"
#include "ws/proxies.h"
#include "ws/proxy_header.h"

namespace sockeye::ws {

using net::LogLevel;

// What a server's connection needs until it speaks WebSocket, and not after.
struct Connection::ServerHandshake {
  ServerHandshake(Pool& pool, const Limits& limits, bool from_proxy)
      : reader(pool, limits), through_proxy(from_proxy) {}

  http::RequestReader reader;
  bool between_requests = false;
  const bool through_proxy;  // from one of Options::proxies
  bool awaits_proxy_header = false;
  ProxyHeader proxy_header;
  Source source;
};

// The same for a client's.
struct Connection::ClientHandshake {
  ClientHandshake(Pool& pool, const Limits& limits, const Nonce& own_nonce)
      : parser(pool, limits), nonce(own_nonce) {}

  http::ResponseParser parser;
  Nonce nonce;
};

void Connection::drop_handshake() {
  Pool& pool = loop().pool();
  if (endpoint_.settings_.role == Role::server) {
    if (handshake_.server_ != nullptr) handshake_.server_->~ServerHandshake();
    pool.release(handshake_.server_, sizeof(ServerHandshake));
    handshake_.server_ = nullptr;
  } else {
    if (handshake_.client_ != nullptr) handshake_.client_->~ClientHandshake();
    pool.release(handshake_.client_, sizeof(ClientHandshake));
    handshake_.client_ = nullptr;
  }
}

// The handshake came to nothing: the peer is gone, or out of time.
void Connection::handshake_failed(Error error) {
  if (endpoint_.settings_.role == Role::client) return connect_failed(error);
  const bool asked_for_something = handshake_.server_->reader.started();
  if (error == Error::request_timeout && asked_for_something) return refuse(error);
  drop();
}

// ── The server's side ────────────────────────────────────────────────────────────────────────

bool Connection::begin_handshake(bool through_proxy) {
  void* memory = loop().pool().allocate(sizeof(ServerHandshake));
  if (memory == nullptr) return false;
  handshake_.server_ = new (memory) ServerHandshake(loop().pool(), limits(), through_proxy);
  handshake_.server_->awaits_proxy_header =
      through_proxy && endpoint_.options_.proxies.tell == Proxies::Tell::proxy_protocol;
  return true;
}

// Counts the connection as one from `address`, against limits.connections_per_address.
Error Connection::comes_from(const net::Address& address) {
  Source& source = handshake_.server_->source;
  source.address = address;
  const std::uint32_t limit = limits().connections_per_address;
  if (limit == 0) return Error::none;
  source.counted = endpoint_.admission_.addresses.enter(address, limit);
  return source.counted ? Error::none : Error::address_overloaded;
}

const Connection::Source* Connection::source() const {
  if (handshaken_) return handshake_.source_;
  const bool is_server = endpoint_.settings_.role == Role::server;
  return is_server && handshake_.server_ != nullptr ? &handshake_.server_->source : nullptr;
}

// The handshake is over: of its memory what is left is where the peer is, if it has to be known.
// False when there is no memory for that.
bool Connection::keep_source() {
  Source* kept = nullptr;
  const Source* known = source();
  if (known != nullptr && known->address.kind() != net::Address::Kind::none) {
    void* memory = loop().pool().allocate(sizeof(Source));
    if (memory == nullptr) return false;
    kept = new (memory) Source(*known);
  }
  drop_handshake();
  handshaken_ = true;
  handshake_.source_ = kept;
  return true;
}

void Connection::drop_source() {
  const Source* known = source();
  if (known != nullptr && known->counted) endpoint_.admission_.addresses.leave(known->address);
  if (!handshaken_) return;
  loop().pool().release(handshake_.source_, sizeof(Source));
  handshake_.source_ = nullptr;
}

bool Connection::accept(net::Fd fd) {
  if (!start(std::move(fd), net::Opener::peer)) return false;
  // One deadline for the whole head: a byte now and then does not extend it.
  arm(limits().head_timeout_ms);
  return true;
}

// What a proxy says ahead of the first request.
void Connection::receive_proxy_header(MutableBytes& bytes) {
  ServerHandshake& handshake = *handshake_.server_;
  Bytes input = bytes;
  const ProxyHeader::Status status = handshake.proxy_header.read(input);
  bytes = bytes.last(input.size());
  switch (status) {
    case ProxyHeader::Status::need_more:
      return;
    case ProxyHeader::Status::malformed:
      return refuse(Error::proxy_header_malformed);
    case ProxyHeader::Status::complete:
      handshake.awaits_proxy_header = false;
      break;
  }
  const net::Address& client = handshake.proxy_header.source();
  if (client.kind() == net::Address::Kind::none) return;
  const Error error = comes_from(client);
  if (error != Error::none) refuse(error);
}

void Connection::receive_requests(MutableBytes& bytes) {
  ServerHandshake& handshake = *handshake_.server_;
  if (handshake.awaits_proxy_header) return receive_proxy_header(bytes);
  if (handshake.between_requests) {
    handshake.between_requests = false;
    arm(limits().head_timeout_ms);
  }
  http::RequestReader& reader = handshake.reader;
  while (true) {
    Bytes input = bytes;
    const auto status = reader.read(input);
    bytes = bytes.last(input.size());
    switch (status) {
      case http::RequestReader::Status::need_more:
        return;
      case http::RequestReader::Status::head:
        if (http::wants_upgrade(reader.request())) return upgrade(reader.request());
        if (reader.expects_continue() && !write(as_bytes(http::continue_response))) {
          return end(Error::out_of_memory);
        }
        continue;
      case http::RequestReader::Status::complete:
        return answer(reader.request());
      case http::RequestReader::Status::failed:
        return refuse(reader.error());
    }
  }
}

// Where a trusted proxy tells it so, the connection counts as the client's.
Error Connection::read_forwarded_for(const http::Request& request) {
  const Proxies& proxies = endpoint_.options_.proxies;
  const bool tells = proxies.tell == Proxies::Tell::forwarded_for;
  if (!tells || !handshake_.server_->through_proxy) return Error::none;
  const auto client = forwarded_for(request, proxies.trusted);
  if (client) return comes_from(*client);
  net::log(LogLevel::warn, "a trusted proxy doesn't tell where its client is",
           {{"peer", net::AddressText(peer()).view()}});
  return Error::none;
}

// RFC 6455 §4.2.1 and §4.2.2: the server's half of the opening handshake.
void Connection::upgrade(const http::Request& request) {
  const Options& options = endpoint_.options_;
  Error error = read_forwarded_for(request);
  if (error == Error::none) error = http::check_upgrade(request);
  if (error == Error::none) error = options.hosts.check(request);
  if (error == Error::none) error = options.origin.check(request);
  if (error != Error::none) return refuse(error);

  Upgrade upgrade(request, *this);
  upgrade.choose_subprotocol(http::choose_subprotocol(request, endpoint_.subprotocols_));
  handler().on_upgrade(upgrade);
  if (closed() || state_ != State::handshaking) return;
  // §4.2.2 item 4: the program may have no such resource, or not want this client.
  if (upgrade.refused_) {
    endpoint_.counts_.refused_by_program.add();
    return linger();
  }
  accept_upgrade(request);
}

// The rest of it, for a request that nobody has refused.
void Connection::accept_upgrade(const http::Request& request) {
  net::Text<deflate::text_bytes> extensions;
  if (endpoint_.options_.compression && !accept_compression(request, extensions)) {
    return end(Error::out_of_memory);
  }

  // §4.2.2 item 5; RFC 7692 §3, §5: without the extension where its offer is declined. Then the
  // connection is open.
  net::Text<http::response_head_bytes> text;
  const auto response = http::upgrade_response(text, request, {subprotocol(), extensions.view()},
                                               endpoint_.settings_.kernels.sha1);
  if (!response) return refuse(Error::reply_malformed);  // no fault of the request: it was checked
  if (!write(as_bytes(*response))) return end(Error::out_of_memory);
  net::log(LogLevel::debug, "connection opened", {{"path", request.path()}});
  open();
}

// RFC 7692 §5: an offer of compression is taken, or else passed over: then the response doesn't
// name the extension (§3), and messages go as they are. What the connection will keep for it is
// held to limits.contexts_bytes, and given back in its destructor. False when there is no memory.
bool Connection::accept_compression(const http::Request& request, net::TextWriter& response) {
  deflate::Parameters wanted = endpoint_.options_.compression->windows;
  // zlib, which most clients have, can't compress with 2^8: that is only for those that say so.
  wanted.client.window_bits = std::max<std::uint8_t>(wanted.client.window_bits, 9);
  const deflate::MessageCodec& codec = *endpoint_.settings_.codec;
  MemoryBudget& budget = endpoint_.admission_.contexts;
  const std::size_t most = codec.context_bytes(wanted.server, wanted.client);
  const bool taken = budget.take(most);
  if (!taken) wanted.server.context_takeover = wanted.client.context_takeover = false;
  const auto agreed = deflate::accept_offer(http::ExtensionReader(request), wanted, response);
  const bool done = !agreed || agree_on(*agreed);
  if (taken) budget.give_back(most - protocol_.context_bytes());
  return done;
}

// RFC 7692 §5: from here on it is in use.
bool Connection::agree_on(const deflate::Parameters& compression) {
  net::log(LogLevel::debug, "compression agreed",
           {{"server_context_takeover", compression.server.context_takeover},
            {"server_window_bits", compression.server.window_bits},
            {"client_context_takeover", compression.client.context_takeover},
            {"client_window_bits", compression.client.window_bits}});
  return protocol_.agree_on(compression);
}

std::string_view Upgrade::subprotocol() const {
  return connection_.subprotocol();
}

bool Upgrade::choose_subprotocol(std::string_view name) {
  return http::offers_subprotocol(request_, name) && connection_.set_subprotocol(name);
}

void Upgrade::refuse(std::uint16_t status, std::string_view text,
                     std::initializer_list<http::Field> extra_fields) {
  assert(status >= 400 && status <= 599);
  if (refused_) return;
  refused_ = true;
  Reply reply(connection_, Reply::Then::close);
  reply.send(status, "text/plain; charset=utf-8", as_bytes(text), extra_fields);
}

bool Connection::set_subprotocol(std::string_view name) {
  const auto& known = endpoint_.subprotocols_;
  const auto found = std::ranges::find(known, name);
  if (found == known.end()) return false;
  subprotocol_ = static_cast<std::uint8_t>(found - known.begin() + 1);
  return true;
}

void Connection::answer(const http::Request& request) {
  http::RequestReader& reader = handshake_.server_->reader;
  Reply reply(*this);
  const Error error = endpoint_.options_.hosts.check(request);
  if (error != Error::none) {
    reply.refuse(error);
  } else {
    handler().on_request(request, reply);
    if (!reply.answered_) reply.refuse(Error::not_found);
  }
  if (closed() || state_ == State::lingering) return;
  if (is_stream()) return begin_stream();
  if (reply.then_ == Reply::Then::close || !reader.persists()) return linger();
  reader.reset();
  handshake_.server_->between_requests = true;
  arm(limits().keep_alive_timeout_ms);
}

// What the response goes on with is the program's; nothing more is read but the peer's end.
void Connection::begin_stream() {
  if (!keep_source()) return end(Error::out_of_memory);
  heard();
  arm(limits().idle_timeout_ms);
}

namespace {

// Fields that Reply writes by itself. A second Content-Length would be taken for the start of
// the next response by one reader, and not by another.
bool is_ours(std::string_view name) {
  for (const std::string_view ours :
       {"Content-Type", "Content-Length", "Connection", "Transfer-Encoding"}) {
    if (http::equal_ignoring_case(name, ours)) return true;
  }
  return false;
}

}  // namespace

void Reply::send(std::uint16_t status, std::string_view content_type, Bytes body,
                 std::initializer_list<http::Field> extra_fields) {
  const bool has_body = connection_.handshake_.server_->reader.request().method() != "HEAD";
  send_head(status, content_type, body.size(), has_body ? body : Bytes(), extra_fields);
}

bool Reply::stream(std::uint16_t status, std::string_view content_type,
                   std::initializer_list<http::Field> extra_fields) {
  const bool has_body = connection_.handshake_.server_->reader.request().method() != "HEAD";
  then_ = Then::close;  // RFC 9112 §6.3 item 8: without a length, the body ends with the connection
  if (!send_head(status, content_type, {}, {}, extra_fields)) return false;
  if (has_body) {
    connection_.state_ = Connection::State::streaming;
    connection_.opened_ = true;
  }
  return has_body;
}

void Reply::send_file(std::uint16_t status, std::string_view content_type, net::Fd file,
                      std::uint64_t offset, std::uint64_t size,
                      std::span<const http::Field> extra_fields) {
  const bool has_body = connection_.handshake_.server_->reader.request().method() != "HEAD";
  if (!send_head(status, content_type, size, {}, extra_fields) || !has_body) return;
  if (!connection_.write_file(std::move(file), offset, size)) connection_.end(Error::out_of_memory);
}

// False where there was an answer before, or there can't be this one.
bool Reply::send_head(std::uint16_t status, std::string_view content_type,
                      std::optional<std::uint64_t> size, Bytes body,
                      std::span<const http::Field> extra_fields) {
  if (answered_) return false;
  answered_ = true;
  const http::RequestReader& reader = connection_.handshake_.server_->reader;
  const auto fail = [this] {
    connection_.refuse(Error::reply_malformed);
    return false;
  };
  net::Text<http::response_head_bytes> text;
  http::HeadWriter writer = http::HeadWriter::response(text, status);
  // RFC 9110 §15.3.5 and §15.4.5: these have no content, and 204 has no Content-Length (§8.6).
  if (status == 204 || status == 304) {
    body = {};
  } else {
    writer.field("Content-Type", content_type);
    if (size) writer.field("Content-Length", *size);
  }
  for (const http::Field& field : extra_fields) {
    if (is_ours(field.name)) return fail();
    writer.field(field.name, field.value);
  }
  // RFC 9112 §9.3: 1.1 keeps the connection unless told otherwise, 1.0 the other way round.
  if (then_ == Then::close || !reader.persists()) {
    writer.field("Connection", "close");
  } else if (reader.request().version_minor() == 0) {
    writer.field("Connection", "keep-alive");
  }
  const auto head = writer.finish();
  if (!head) return fail();
  if (connection_.write(as_bytes(*head), body)) return true;
  connection_.end(Error::out_of_memory);
  return false;
}

void Reply::refuse(Error error) {
  if (answered_) return;
  answered_ = true;
  // Errors of frames have no status: a program that answers with one has made a mistake.
  if (info(error).http_status == 0) error = Error::reply_malformed;
  const bool closes = then_ == Then::close || !connection_.handshake_.server_->reader.persists();
  connection_.refuse(error, closes ? http::After::close : http::After::next_request);
}

// Answers a request that can't be served. One that breaks a rule ends the connection: where the
// next request would begin is anybody's guess (RFC 9112 §9.3), and what follows a refused handshake
// is nobody's frames.
void Connection::refuse(Error error, http::After after) {
  log_error(LogLevel::info, "request refused", error);
  endpoint_.counts_.refuse(error);
  const bool is_head = handshake_.server_->reader.request().method() == "HEAD";
  const http::BodyMode body = is_head ? http::BodyMode::left_out : http::BodyMode::sent;
  net::Text<http::refusal_bytes> text;
  if (!write(as_bytes(http::refusal(text, error, body, after)))) return end(Error::out_of_memory);
  if (after == http::After::close) linger();  // RFC 6455 §7.2.2
}

// ── The client's side ────────────────────────────────────────────────────────────────────────

bool Connection::connect(net::Fd fd, const Nonce& nonce, std::string_view request,
                         std::uint64_t deadline_ms) {
  void* memory = loop().pool().allocate(sizeof(ClientHandshake));
  if (memory == nullptr) return false;
  handshake_.client_ = new (memory) ClientHandshake(loop().pool(), limits(), nonce);
  // RFC 6455 §4.1: the request, and nothing after it before the response has come.
  if (!start(std::move(fd), net::Opener::us) || !write(as_bytes(request))) return false;
  if (deadline_ms != 0) loop().timers().arm(*this, deadline_ms);
  return true;
}

void Connection::receive_response(MutableBytes& bytes) {
  http::ResponseParser& parser = handshake_.client_->parser;
  Bytes input = bytes;
  const auto status = parser.parse(input);
  bytes = bytes.last(input.size());
  switch (status) {
    case http::HeadParser::Status::need_more:
      return;
    case http::HeadParser::Status::failed:
      return connect_failed(parser.error());  // RFC 6455 §4.1: no response to our handshake
    case http::HeadParser::Status::complete:
      break;
  }
  const http::Response& response = parser.response();
  // RFC 9110 §15.2: a client takes interim responses before the final one, expected or not. Those
  // but 101 say nothing about the handshake.
  if (response.status() >= 100 && response.status() <= 199 && response.status() != 101) {
    return parser.reset();
  }
  // RFC 6455 §4.1: once the response has passed, the connection is open.
  const Error error = check_response(response);
  if (error != Error::none) return connect_failed(error, response.status());
  set_subprotocol(response.field("sec-websocket-protocol").value_or(std::string_view()));
  open();
}

// Error::none where the response is as RFC 6455 §4.1 and, if compression was offered, RFC 7692 §5
// and §7 want it; what it chose is agreed on then.
Error Connection::check_response(const http::Response& response) {
  const auto& offered = endpoint_.options_.compression;
  const http::Offer offer{.url = {},
                          .nonce = handshake_.client_->nonce,
                          .subprotocols = endpoint_.subprotocols_,
                          .extensions = offered ? deflate::extension_name : std::string_view(),
                          .origin = {},
                          .extra_fields = {}};
  // RFC 6455 §4.1.
  const Error error = http::check_response(response, offer, endpoint_.settings_.kernels.sha1);
  if (error != Error::none || !offered) return error;
  const auto agreed = deflate::read_response(http::ExtensionReader(response), offered->windows);
  if (!agreed) return agreed.error();
  if (*agreed && !agree_on(**agreed)) return Error::out_of_memory;
  return Error::none;
}

// RFC 6455 §7.2.1, §7.1.7: the client ends TCP and tells its program.
void Connection::connect_failed(Error error, std::uint16_t status) {
  log_error(LogLevel::debug, "handshake failed", error);
  drop();
  handler().on_connect_failure({error, status, info(error).text, data_});
}

}  // namespace sockeye::ws
