// SPDX-License-Identifier: MIT
#include "app/cat.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <utility>

#include "app/flags.h"
#include "app/trace/trace.h"
#include "net/signals.h"
#include "net/text.h"
#include "ws/client.h"
#include "ws/frame/utf8.h"
#include "ws/http/chars.h"
#include "ws/http/url.h"

namespace sockeye::app {

namespace {

struct Settings {
  ws::Options options;
  ws::ConnectOptions connect;
  std::string url;
  bool binary = false;
  bool one = false;  // one message received is enough
  TraceSettings trace;
};

Flags make_flags(Settings& settings) {
  Flags flags("cat [OPTIONS] URL",
              "Connects to ws://HOST[:PORT][/PATH]. Each line of standard input is sent as a text "
              "message, and each message that comes is printed as a line. At the end of the input "
              "the connection is closed. The exit status is 0 after a clean close, 1 after a "
              "failure, 2 after a mistake in the command line.");
  flags.toggle("--binary",
               "send what comes on standard input as binary messages, a piece of up to 64 KiB "
               "each, and print messages as they are, without a line's end",
               [&settings] { settings.binary = true; });
  flags.toggle("-1", "end after the first message that comes",
               [&settings] { settings.one = true; });
  flags.value("--header", "'NAME: VALUE'", "add a field to the request; may be repeated",
              [&settings](std::string_view text) -> std::string {
                const std::size_t colon = text.find(':');
                if (colon == 0 || colon == std::string_view::npos) return "must be NAME: VALUE";
                std::string_view value = text.substr(colon + 1);
                value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
                settings.connect.extra_fields.emplace_back(text.substr(0, colon), value);
                return {};
              });
  flags.value("--subprotocol", "NAME", "offer this subprotocol; may be repeated, best one first",
              [&settings](std::string_view text) -> std::string {
                if (!ws::http::is_token(text)) return "must be a token, as RFC 6455 §4.1 says";
                settings.options.subprotocols.emplace_back(text);
                return {};
              });
  flags.value("--origin", "ORIGIN", "send this Origin, as a browser would",
              [&settings](std::string_view text) -> std::string {
                settings.connect.origin = text;
                return {};
              });
  flags.toggle("--compress", "offer permessage-deflate (RFC 7692)",
               [&settings] { settings.options.compression.emplace(); });
  flags.number("--ping", "SECONDS", "send a Ping after so much silence; 0: never (default: 30)", 0,
               4'000'000, [&settings](std::uint64_t seconds) {
                 settings.options.limits.ping_interval_ms =
                     static_cast<std::uint32_t>(seconds * 1000);
               });
  add_trace_flags(flags, settings.trace);
  flags.operand([&settings](std::string_view text) -> std::string {
    if (!settings.url.empty()) return "one URL is enough: \"" + std::string(text) + "\"";
    if (const auto url = ws::http::parse_url(text); !url) {
      return "\"" + std::string(text) + "\": " + std::string(ws::info(url.error()).text);
    }
    settings.url = text;
    return {};
  });
  return flags;
}

class Cat;

// Standard input. It may be a terminal that other programs share, so it is not made non-blocking:
// it is read once each time that epoll says there is something. A file is always readable, which
// epoll refuses to say (EPERM); such a one is read in turns of the loop.
class Input final : public net::Watcher {
 public:
  Input(net::Loop& loop, Cat& cat) : loop_(loop), cat_(cat) {}

  void start();
  void stop();

 private:
  void on_events(std::uint32_t) override { read(); }
  void on_agenda() override {
    if (is_file_ && reading_) read();
  }
  void read();

  net::Loop& loop_;
  Cat& cat_;
  bool reading_ = false;
  bool is_file_ = false;
};

class Cat final : public ws::Handler, public net::Watcher {
 public:
  explicit Cat(Settings settings) : settings_(std::move(settings)) {}

  int run();

  // From Input: a piece of it, or its end.
  void on_input(std::string_view text);
  void on_input_end();

 private:
  void on_open(Connection& connection) override;
  void on_message(Connection& connection, Message message) override;
  void on_drain(Connection& connection) override;
  void on_close(Connection& connection, Closed closed) override;
  void on_connect_failure(const ConnectFailure& failure) override;
  void on_events(std::uint32_t events) override;  // a signal

  void send(std::string_view text);
  void fail(std::string_view text);

  Settings settings_;
  ws::Client client_{*this, settings_.options};
  net::Signals signals_;
  Input input_{client_.loop(), *this};
  ws::Handle connection_;
  std::string line_;  // the begin of one that the last piece of input cut
  bool input_ended_ = false;
  bool done_ = false;  // with -1: its message has come
  bool failed_ = false;
};

// RFC 6455 §5.6: what may be sent as text.
bool is_utf8(std::string_view text) {
  ws::frame::Utf8Validator validator;
  return validator.feed(as_bytes(text), ws::frame::utf8_scalar) && validator.complete();
}

void Input::start() {
  if (reading_) return;
  reading_ = true;
  is_file_ = !loop_.watch_input(STDIN_FILENO, *this);
  if (is_file_) loop_.schedule(*this);
}

void Input::stop() {
  if (!reading_) return;
  reading_ = false;
  if (!is_file_) loop_.unwatch(STDIN_FILENO);
}

void Input::read() {
  char buffer[64 * 1024];
  const ssize_t size = ::read(STDIN_FILENO, buffer, sizeof buffer);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size <= 0) {
    stop();
    return cat_.on_input_end();
  }
  cat_.on_input({buffer, static_cast<std::size_t>(size)});
  if (is_file_ && reading_) loop_.schedule(*this);
}

int Cat::run() {
  if (auto opened = signals_.open(); !opened) return report(opened.error());
  if (auto started = client_.connect(settings_.url, settings_.connect); !started) {
    return report(started.error());
  }
  if (!client_.loop().watch(signals_.fd(), *this)) {
    return report(net::system_error("cannot watch for signals"));
  }
  client_.run();
  return failed_ ? exit_failure : exit_ok;
}

void Cat::on_open(Connection& connection) {
  connection_ = connection.handle();
  input_.start();
}

void Cat::on_input(std::string_view text) {
  if (settings_.binary) return send(text);
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    line_ += text.substr(0, end);
    if (end == std::string_view::npos) return;
    send(line_);
    line_.clear();
    text.remove_prefix(end + 1);
  }
}

void Cat::on_input_end() {
  input_ended_ = true;
  if (!line_.empty()) send(line_);  // a last line without an end
  // With -1 the message that is still to come ends it.
  if (settings_.one) return;
  if (Connection* connection = connection_.get()) connection->close();
}

void Cat::send(std::string_view text) {
  Connection* connection = connection_.get();
  if (connection == nullptr) return;
  if (!settings_.binary && !is_utf8(text)) {
    fail("a line of the input is not UTF-8: --binary sends any bytes");
    return connection->close();
  }
  const auto opcode = settings_.binary ? ws::Opcode::binary : ws::Opcode::text;
  switch (connection->send(opcode, as_bytes(text))) {
    case ws::SendResult::sent:
    case ws::SendResult::closing:
      return;
    case ws::SendResult::queued:
      return input_.stop();  // until on_drain
    case ws::SendResult::dropped:
      fail("a line of the input is larger than what may wait to be sent");
      return connection->close();
  }
}

void Cat::on_drain(Connection&) {
  if (!input_ended_) input_.start();
}

void Cat::on_message(Connection& connection, Message message) {
  if (done_) return;
  std::string text(message.text());
  if (!settings_.binary) text += '\n';
  if (!print(text)) {
    fail("cannot write to standard output");
    return connection.close();
  }
  if (!settings_.one) return;
  done_ = true;
  connection.close();
}

void Cat::on_close(Connection&, Closed closed) {
  input_.stop();
  const bool well =
      closed.clean &&
      (closed.code == ws::close_code::normal || closed.code == ws::close_code::going_away ||
       closed.code == ws::close_code::none_received || closed.code >= 3000);
  if (well) return;
  net::Text<64> ending;
  ending.put(closed.clean ? "the server closed the connection with code "
                          : "the connection ended with code ");
  std::string text(ending.put_decimal(closed.code).view());
  if (!closed.reason.empty()) text += ": " + std::string(closed.reason);
  fail(text);
}

void Cat::on_connect_failure(const ConnectFailure& failure) {
  std::string text = settings_.url + ": " + std::string(failure.text);
  if (failure.status != 0) {
    net::Text<32> status;
    text += status.put(" (status ").put_decimal(failure.status).put(")").view();
  }
  fail(text);
}

void Cat::on_events(std::uint32_t) {
  while (signals_.next()) {
    Connection* connection = connection_.get();
    if (connection == nullptr) {  // still connecting, or closing and told again
      fail("interrupted");
      return client_.loop().stop();
    }
    connection_ = {};
    input_.stop();
    connection->close(ws::close_code::going_away);
  }
}

// Says what went wrong, the first time that something does.
void Cat::fail(std::string_view text) {
  if (!failed_) complain(text, exit_failure);
  failed_ = true;
}

}  // namespace

std::string cat_help() {
  Settings settings;
  return make_flags(settings).help();
}

int run_cat(std::span<char* const> arguments) {
  Settings settings;
  if (!make_flags(settings).parse(arguments)) return exit_usage;
  if (settings.url.empty()) {
    return complain("cat needs a URL, such as ws://127.0.0.1:9000/ (see: sockeye help cat)",
                    exit_usage);
  }
  const auto trace = open_trace(settings.trace, settings.options);
  if (!trace) return report(trace.error());
  Cat cat(std::move(settings));
  return cat.run();
}

}  // namespace sockeye::app
