// SPDX-License-Identifier: MIT
#include "ws/client.h"

#include <algorithm>
#include <utility>

#include "net/resolver.h"
#include "net/text.h"
#include "ws/deflate/permessage_deflate.h"
#include "ws/http/handshake.h"
#include "ws/http/url.h"

namespace sockeye::ws {

// A connection that is on its way: from connect() until TCP is connected, or can't be.
class Client::Attempt final : private net::Connector::Owner, private net::Timer {
 public:
  Attempt(Client& client, const Nonce& nonce, std::string request, void* data)
      : client_(client), nonce_(nonce), request_(std::move(request)), data_(data) {}
  ~Attempt() { client_.loop_.timers().disarm(*this); }

  void start(std::vector<net::Address> addresses, const net::Address& source) {
    const std::uint32_t timeout_ms = client_.settings_.limits.connect_timeout_ms;
    if (timeout_ms != 0) {
      deadline_ms_ = client_.loop_.now_ms() + timeout_ms;
      client_.loop_.timers().arm(*this, deadline_ms_);
    }
    // RFC 6455 §4.1: directly, for it can't be told of a proxy.
    connector_.connect(std::move(addresses), source);
  }

 private:
  // RFC 6455 §4.1: then the handshake is sent, and the answer awaited.
  void on_connected(net::Fd fd) override {
    Slab<Connection>& connections = client_.connections_;
    Connection* connection = connections.create(client_);
    if (connection == nullptr) return fail(Error::out_of_memory, info(Error::out_of_memory).text);
    connection->set_data(data_);
    if (!connection->connect(std::move(fd), nonce_, request_, deadline_ms_)) {
      connections.destroy(connection);
      return fail(Error::out_of_memory, info(Error::out_of_memory).text);
    }
    client_.finished(*this);  // destroys this attempt
  }

  // RFC 6455 §4.1: fails, where TCP can't be opened.
  void on_connect_failed(const net::Error& error) override {
    fail(Error::connection_lost, error.message);
  }

  void on_timer(std::uint64_t) override {
    fail(Error::connect_timeout, info(Error::connect_timeout).text);
  }

  void fail(Error error, std::string_view text) {
    client_.handler_.on_connect_failure({error, 0, text, data_});
    client_.finished(*this);  // destroys this attempt
  }

  Client& client_;
  Nonce nonce_;
  std::string request_;
  void* data_;
  std::uint64_t deadline_ms_ = 0;
  net::Connector connector_{client_.loop_, *this};
};

Client::Client(Handler& handler, Options options, net::Loop* loop)
    : Endpoint(handler, std::move(options), frame::Role::client, loop) {}

Client::~Client() = default;

Result<void, net::Error> Client::connect(std::string_view url_text, const ConnectOptions& options) {
  loop_.assert_in_thread();
  TRY(prepare());
  const auto failure = [url_text](Error error) {
    return net::Error{std::string(url_text) + ": " + std::string(info(error).text), 0};
  };

  // RFC 6455 §4.1: nothing is started for a URL that breaks §3.
  const auto url = http::parse_url(url_text);
  if (!url) return failure(url.error());
  std::vector<http::Field> fields;
  for (const auto& [name, value] : options.extra_fields) fields.push_back({name, value});
  net::Text<deflate::text_bytes> extensions;
  if (options_.compression) deflate::write_offer(options_.compression->windows, extensions);
  http::Offer offer{.url = *url,
                    .nonce = {},
                    .subprotocols = subprotocols_,
                    .extensions = extensions.view(),
                    .origin = options.origin,
                    .extra_fields = fields};
  random_.fill(offer.nonce);  // RFC 6455 §4.1 item 7: anew for each connection
  net::Text<http::request_head_bytes> text;
  const auto request = http::upgrade_request(text, offer);
  if (!request) return failure(request.error());
  std::vector<net::Address> addresses = options.addresses;
  if (addresses.empty()) addresses = TRY(net::resolve(url->host, url->port));

  attempts_.push_back(
      std::make_unique<Attempt>(*this, offer.nonce, std::string(*request), options.data));
  attempts_.back()->start(std::move(addresses), options.source);
  return {};
}

void Client::run() {
  if (idle()) return;
  run_loop();
}

void Client::finished(Attempt& attempt) {
  const auto found = std::ranges::find_if(
      attempts_, [&attempt](const auto& one) { return one.get() == &attempt; });
  attempts_.erase(found);
  if (idle()) end_run();
}

void Client::on_connection_gone(bool) {
  if (idle()) end_run();
}

bool Client::idle() const {
  return attempts_.empty() && connections_.count() == 0;
}

}  // namespace sockeye::ws
