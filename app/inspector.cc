// SPDX-License-Identifier: MIT
#include "app/inspector.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "app/flags.h"
#include "app/trace/feed.h"
#include "app/trace/text.h"
#include "app/trace/tracer.h"
#include "app/violations.h"
#include "crypto/random.h"
#include "net/address.h"
#include "net/clock.h"
#include "net/error.h"
#include "net/log.h"
#include "net/networks.h"
#include "net/stream.h"
#include "ws/connection.h"
#include "ws/http/authority.h"
#include "ws/http/chars.h"
#include "ws/http/subprotocol.h"

namespace sockeye::app {

namespace {

// What may wait for a page; the rest is left out, and counted.
constexpr std::size_t most_waiting_bytes = 1024 * 1024;
// Of a connection, for a page that wants to see it later: the handshake.
constexpr std::size_t most_kept_records = 8;
// Of what one read or write brings; and in all, until a connection isn't followed any longer.
constexpr std::size_t most_records_at_once = 1000;
constexpr std::uint64_t most_left_out = 20'000;
// While pages look on, each read and write of any connection is looked up in what they look at. A
// peer must not make that long.
constexpr std::size_t most_pages = 16;
constexpr std::size_t most_followed = 256;
constexpr std::size_t most_clients = 16;
constexpr std::size_t longest_command = 1024;
// Of each payload.
constexpr std::size_t shown_bytes = 256;

std::string random_token() {
  std::array<std::uint8_t, 16> bytes;
  crypto::SystemRandom().fill(bytes);
  std::string token;
  trace::put_hex(token, bytes, "");
  return token;
}

// The value of "trace" in a query.
std::string_view token_of(std::string_view query) {
  constexpr std::string_view name = "trace=";
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    if (pair.starts_with(name)) return pair.substr(name.size());
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
  }
  return {};
}

// Takes the text up to the first blank off `text`, and the blank.
std::string_view take_word(std::string_view& text) {
  const std::string_view word = text.substr(0, text.find(' '));
  text.remove_prefix(std::min(text.size(), word.size() + 1));
  return word;
}

}  // namespace

// A page that looks.
struct Inspector::Page {
  ws::Handle handle;
  net::Loop& loop;
  std::string token;
  std::size_t untapped_loops;  // until it is greeted
  bool sees_all = false;
  // What is on the way to its loop, most_waiting_bytes at most; and how many records found no room.
  std::vector<std::string> waiting = {};
  std::size_t waiting_bytes = 0;
  bool sending = false;
  std::uint64_t lost = 0;
};

// A connection that pages look at, or might.
struct Inspector::Shown final : trace::Feed {
  Shown(const net::Stream& shown, std::uint64_t its_id, const trace::Decoder::Settings& settings)
      : trace::Feed(records, its_id, settings.shown_bytes),
        stream(shown),
        decoder(*this, settings) {}

  void on_request(const ws::http::Request& request, std::string_view head) override {
    token = token_of(request.query());
    asked = true;
    is_page = ws::http::offers_subprotocol(request, subprotocol);
    trace::Feed::on_request(request, head);
  }

  void set_time() { at(clock.now_us() - opened_us); }

  const net::Stream& stream;
  net::MonotonicClock clock;
  const std::uint64_t opened_us = clock.now_us();
  std::vector<std::string> records = {};  // that were told nobody yet
  std::vector<std::string> kept = {};
  std::vector<ws::Handle> pages = {};
  std::uint64_t left_out = 0;  // records, for there were too many; since tell(), and ever
  std::uint64_t all_left_out = 0;
  std::string token = {};  // of its last request
  bool asked = false;      // with a request that pages weren't chosen for
  bool is_page = false;    // a page's own, which isn't shown: it would never end
  bool decided = false;    // who sees it, by a request
  trace::Decoder decoder;
};

Inspector::Inspector(trace::Decoder::Settings settings, const ws::Options& options, bool shows_all)
    : memory_(options.limits.memory_bytes),
      settings_(settings),
      hosts_(options.hosts),
      next_(options.tap),
      shows_all_(shows_all),
      may_play_(options.hosts == ws::http::AllowedHosts() && !settings.proxy_protocol) {
  settings_.memory = &memory_;
}

Inspector::~Inspector() = default;

Result<std::unique_ptr<Inspector>, net::Error> open_inspector(bool shows_all,
                                                              ws::Options& options) {
  auto inspector = std::make_unique<Inspector>(TRY(trace::decoder_settings(options, shown_bytes)),
                                               options, shows_all);
  if (options.subprotocols.size() < ws::max_subprotocols) {
    options.subprotocols.emplace_back(Inspector::subprotocol);
  }
  if (shows_all) options.tap = inspector.get();
  return inspector;
}

void Inspector::serve(ws::ServerGroup& group) {
  for (const auto& server : group.servers()) loops_.push_back(&server->loop());
}

Inspector::Page* Inspector::find(ws::Handle handle) {
  const auto found =
      std::ranges::find_if(pages_, [handle](const auto& page) { return page->handle == handle; });
  return found == pages_.end() ? nullptr : found->get();
}

Inspector::Shown* Inspector::find(const net::Stream& stream) {
  const auto found = std::ranges::find_if(
      connections_, [&stream](const auto& shown) { return &shown->stream == &stream; });
  return found == connections_.end() ? nullptr : found->get();
}

// ── Pages ────────────────────────────────────────────────────────────────────────────────────

// On this machine, or with --inspect. And asked for by an address, or by a name that is this
// machine's or one of --host: any other may be a stranger's that was made to lead here (DNS
// rebinding), whose page passes for one of our own.
bool Inspector::admits(const ws::Upgrade& upgrade) const {
  if (!shows_all_ && !net::Networks::local().contains(upgrade.connection().peer())) return false;
  if (hosts_ != ws::http::AllowedHosts()) return true;  // which were checked
  const auto authority = ws::http::parse_authority(upgrade.request().authority());
  if (!authority) return false;
  const std::string_view host = authority->host;
  const bool is_address = static_cast<bool>(net::Address::parse(std::string(host) + ":1"));
  return is_address || ws::http::equal_ignoring_case(host, "localhost");
}

void Inspector::on_open(ws::Connection& page) {
  if (!add_page(page)) page.close(ws::close_code::policy_violation, "enough pages look on");
}

bool Inspector::add_page(ws::Connection& page) {
  const ws::Handle handle = page.handle();
  const std::lock_guard lock(mutex_);
  if (pages_.size() >= most_pages) return false;
  pages_.push_back(std::make_unique<Page>(Page{.handle = handle,
                                               .loop = page.endpoint().loop(),
                                               .token = random_token(),
                                               .untapped_loops = loops_.size()}));
  for (net::Loop* loop : loops_) {
    loop->post([this, loop, handle] {
      loop->set_tap(this);
      tapped(handle);
    });
  }
  return true;
}

// Once all loops tell us, the page may begin.
void Inspector::tapped(ws::Handle handle) {
  const std::lock_guard lock(mutex_);
  Page* page = find(handle);
  if (page == nullptr || --page->untapped_loops > 0) return;
  Json hello;
  hello.put("type", "hello").put("token", page->token).put_bool("inspect", shows_all_);
  hello.open("violations");
  for (const Violation& violation : violations()) {
    if (!may_play_) break;
    const ws::ErrorInfo row = ws::info(violation.error);
    hello.open(row.name).put("section", row.section).put("text", row.text).close();
  }
  put(*page, hello.close().text());
}

// Has the page's loop send it, with what else is to be sent by then.
void Inspector::put(Page& page, const std::string& record) {
  if (record.size() > most_waiting_bytes - page.waiting_bytes) {
    ++page.lost;
    return;
  }
  page.waiting_bytes += record.size();
  page.waiting.push_back(record);
  if (std::exchange(page.sending, true)) return;
  page.loop.post([this, handle = page.handle] { send_waiting(handle); });
}

// In the page's loop. Nothing is sent under the lock: it may come back as on_sent().
void Inspector::send_waiting(ws::Handle handle) {
  ws::Connection* connection = handle.get();
  if (connection == nullptr) return;
  std::vector<std::string> records;
  std::uint64_t lost = 0;
  {
    const std::lock_guard lock(mutex_);
    Page* page = find(handle);
    if (page == nullptr) return;
    page->sending = false;
    page->waiting_bytes = 0;
    records = std::exchange(page->waiting, {});
    if (connection->buffered_bytes() > most_waiting_bytes) {
      page->lost += records.size();
      return;
    }
    lost = std::exchange(page->lost, 0);
  }
  for (const std::string& record : records) connection->send_text(record);
  if (lost > 0) connection->send_text(Json().put("type", "lost").put("records", lost).text());
}

void Inspector::on_close(ws::Connection& page) {
  const std::lock_guard lock(mutex_);
  const ws::Handle handle = page.handle();
  std::erase_if(pages_, [handle](const auto& one) { return one->handle == handle; });
  for (const auto& shown : connections_) std::erase(shown->pages, handle);
  if (!pages_.empty() || shows_all_) return;
  connections_.clear();
  for (net::Loop* loop : loops_) {
    loop->post([this, loop] {
      const std::lock_guard again(mutex_);
      if (pages_.empty()) loop->set_tap(next_);
    });
  }
}

// A command: "violate NAME", "fragment SIZE TEXT", "ping TEXT", "all on", "all off".
void Inspector::on_message(ws::Connection& connection, ws::Message message) {
  std::string_view text = message.text().substr(0, longest_command);
  const std::string_view command = take_word(text);
  if (command == "violate") {
    const auto violation = std::ranges::find_if(
        violations(), [text](const Violation& one) { return ws::info(one.error).name == text; });
    if (violation != violations().end()) play(connection, violation->bytes);
    return;
  }
  if (command == "fragment") {
    std::uint64_t size;
    if (parse_number(take_word(text), 1, longest_command, size)) {
      play(connection, in_fragments(text, static_cast<std::size_t>(size)));
    }
    return;
  }
  if (command == "ping") return play(connection, as_ping(text));
  const std::lock_guard lock(mutex_);
  Page* page = find(connection.handle());
  if (page != nullptr && shows_all_ && command == "all") look_at_all(*page, text == "on");
}

void Inspector::look_at_all(Page& page, bool wanted) {
  page.sees_all = wanted;
  for (const auto& shown : connections_) {
    const bool sees = std::ranges::find(shown->pages, page.handle) != shown->pages.end();
    if (wanted && !sees && shown->decided) {
      shown->pages.push_back(page.handle);
      for (const std::string& record : shown->kept) put(page, record);  // what it has missed
    } else if (!wanted && sees && shown->token != page.token) {
      std::erase(shown->pages, page.handle);
    }
  }
}

// Has a client of ours send `bytes`, for the page to see.
void Inspector::play(ws::Connection& connection, std::string_view bytes) {
  auto& server = static_cast<ws::Server&>(connection.endpoint());
  if (server.stopping() || !may_play_) return;
  std::string target("/?trace=");
  {
    const std::lock_guard lock(mutex_);
    const Page* page = find(connection.handle());
    if (page == nullptr || clients_.size() >= most_clients) return;
    target += page->token;
  }
  auto client = std::make_unique<RawClient>(server.loop(), target, bytes, [this](RawClient& done) {
    const std::lock_guard lock(mutex_);
    std::erase_if(clients_, [&done](const auto& one) { return one.get() == &done; });
  });
  net::Fd end = client->start();
  if (!end) {
    return net::log(net::LogLevel::warn, net::system_error("no client for the page").message);
  }
  {
    const std::lock_guard lock(mutex_);
    clients_.push_back(std::move(client));
  }
  server.on_accept(std::move(end), {});
}

// ── Connections ──────────────────────────────────────────────────────────────────────────────

void Inspector::on_opened(const net::Stream& stream, net::Opener opener) {
  if (next_ != nullptr) next_->on_opened(stream, opener);
  const std::lock_guard lock(mutex_);
  if (opener == net::Opener::us) return;
  if (!shows_all_ && (pages_.empty() || connections_.size() >= most_followed)) return;
  connections_.push_back(std::make_unique<Shown>(stream, ++opened_, settings_));
  connections_.back()->opened(trace::peer_of(stream));
}

void Inspector::on_received(const net::Stream& stream, Bytes bytes) {
  if (next_ != nullptr) next_->on_received(stream, bytes);
  feed(stream, trace::Side::client, bytes);
}

void Inspector::on_sent(const net::Stream& stream, Bytes bytes) {
  if (next_ != nullptr) next_->on_sent(stream, bytes);
  feed(stream, trace::Side::server, bytes);
}

void Inspector::on_settled(const net::Stream& stream) {
  if (next_ != nullptr) next_->on_settled(stream);
}

void Inspector::feed(const net::Stream& stream, trace::Side from, Bytes bytes) {
  const std::lock_guard lock(mutex_);
  Shown* shown = find(stream);
  if (shown == nullptr) return;
  shown->set_time();
  shown->make_room(most_records_at_once);
  shown->decoder.feed(from, bytes);
  shown->left_out += shown->dropped();
  tell(*shown);
}

void Inspector::on_peer_ended(const net::Stream& stream, int error) {
  if (next_ != nullptr) next_->on_peer_ended(stream, error);
  const std::lock_guard lock(mutex_);
  Shown* shown = find(stream);
  if (shown == nullptr) return;
  shown->set_time();
  shown->decoder.end(trace::Side::client);
  errno = error;
  shown->ended(trace::Side::client, error == 0 ? "" : net::system_error("broken").message);
  tell(*shown);
}

void Inspector::on_ended(const net::Stream& stream) {
  if (next_ != nullptr) next_->on_ended(stream);
  const std::lock_guard lock(mutex_);
  Shown* shown = find(stream);
  if (shown == nullptr) return;
  shown->set_time();
  shown->ended(trace::Side::server, "");
  tell(*shown);
}

void Inspector::on_closed(const net::Stream& stream) {
  if (next_ != nullptr) next_->on_closed(stream);
  const std::lock_guard lock(mutex_);
  Shown* shown = find(stream);
  if (shown == nullptr) return;
  shown->set_time();
  for (const trace::Side side : {trace::Side::client, trace::Side::server}) {
    shown->decoder.end(side);
  }
  shown->closed();
  tell(*shown);
  std::erase_if(connections_, [&stream](const auto& one) { return &one->stream == &stream; });
}

// Who is to see it: a connection is asked for with its request.
void Inspector::choose_pages(Shown& shown) {
  shown.asked = false;
  shown.decided = true;
  shown.pages.clear();
  for (const auto& page : pages_) {
    const bool sees = page->sees_all || page->token == shown.token;
    if (sees && !shown.is_page) shown.pages.push_back(page->handle);
  }
}

// Hands what has gathered to the pages that look at it. A connection that none does isn't followed
// any longer, unless one may want to later; nor is one that has too much to show.
void Inspector::tell(Shown& shown) {
  if (shown.asked) choose_pages(shown);
  if (!shown.decided) return;
  const std::vector<std::string> records = std::exchange(shown.records, {});
  const std::uint64_t left_out = std::exchange(shown.left_out, 0);
  for (const ws::Handle handle : shown.pages) {
    Page* page = find(handle);
    if (page == nullptr) continue;
    for (const std::string& record : records) put(*page, record);
    page->lost += left_out;
  }
  shown.all_left_out += left_out;
  const bool may_be_wanted = shows_all_ && !shown.is_page;
  if (may_be_wanted) {
    const std::size_t room = most_kept_records - std::min(most_kept_records, shown.kept.size());
    shown.kept.insert(
        shown.kept.end(), records.begin(),
        records.begin() + static_cast<std::ptrdiff_t>(std::min(room, records.size())));
  }
  if ((shown.pages.empty() && !may_be_wanted) || shown.all_left_out > most_left_out) {
    std::erase_if(connections_, [&shown](const auto& one) { return one.get() == &shown; });
  }
}

}  // namespace sockeye::app
