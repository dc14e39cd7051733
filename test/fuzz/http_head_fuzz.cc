// Requests with their bodies, and heads of responses: in one piece and in many. The last byte
// chooses which, the one before it the cuts.
//
// SPDX-License-Identifier: MIT
#include <string>
#include <string_view>

#include "net/text.h"
#include "test/fuzz/fuzz_input.h"
#include "ws/http/handshake.h"
#include "ws/http/parser.h"
#include "ws/http/request_reader.h"
#include "ws/http/writer.h"

namespace sockeye::ws::http {
namespace {

// Small, so that the fuzzer comes to them.
Limits small_limits() {
  Limits limits;
  limits.request_line_bytes = 200;
  limits.head_bytes = 1000;
  limits.head_fields = 10;
  limits.request_body_bytes = 100;
  return limits;
}

std::string describe(const Head& head) {
  std::string text = "HTTP/1." + std::to_string(head.version_minor()) + "\n";
  for (std::size_t i = 0; i < head.field_count(); ++i) {
    const Field field = head.field_at(i);
    for (const std::string_view part : {field.name, field.value}) {
      test::expect(part.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos,
                   "no line ends in a field");
    }
    text.append(field.name).append("=").append(field.value).append("\n");
  }
  return text;
}

// Reads requests as a server does, to the first that is refused.
class Requests {
 public:
  void feed(Bytes input) {
    while (!ended_) {
      switch (reader_.read(input)) {
        case RequestReader::Status::need_more:
          test::expect(input.empty(), "all input is taken where more is needed");
          return;
        case RequestReader::Status::head:
          break;
        case RequestReader::Status::complete:
          note(reader_.request());
          ended_ = !reader_.persists();
          reader_.reset();
          break;
        case RequestReader::Status::failed:
          test::expect(info(reader_.error()).http_status >= 400, "a failure has a status");
          note(reader_.error());
          ended_ = true;
          break;
      }
    }
  }
  const std::string& events() const { return events_; }

 private:
  void note(Error error) {
    net::Text<refusal_bytes> room;
    events_.append(refusal(room, error));
  }

  void note(const Request& request) {
    events_.append(request.method()).append(" ").append(request.target()).append("\n");
    events_.append(request.path()).append("?").append(request.query()).append("\n");
    events_.append(request.authority()).append("\n").append(describe(request));
    events_.append(as_text(request.body())).append("\n");
    if (!wants_upgrade(request)) return;
    const Error error = check_upgrade(request);
    events_.append(info(error).name);
    if (error != Error::none) return;
    net::Text<response_head_bytes> room;
    events_.append(*upgrade_response(room, request, {}, crypto::sha1_scalar));
  }

  const Limits limits_ = small_limits();
  Pool pool_{0};
  RequestReader reader_{pool_, limits_};
  std::string events_;
  bool ended_ = false;
};

// Reads the one response that a client waits for.
class Responses {
 public:
  void feed(Bytes input) {
    if (ended_) return;
    switch (parser_.parse(input)) {
      case HeadParser::Status::need_more:
        test::expect(input.empty(), "all input is taken where more is needed");
        return;
      case HeadParser::Status::complete:
        events_ = std::to_string(parser_.response().status()) + " " +
                  std::string(parser_.response().reason()) + "\n" + describe(parser_.response());
        events_ += info(check_response(parser_.response(), offer(), crypto::sha1_scalar)).name;
        break;
      case HeadParser::Status::failed:
        events_ = info(parser_.error()).name;
        break;
    }
    ended_ = true;
  }
  const std::string& events() const { return events_; }

 private:
  // What was asked for: with the key AAAAAAAAAAAAAAAAAAAAAA==.
  static Offer offer() {
    static constexpr std::string_view subprotocols[] = {"chat", "superchat"};
    return {.url = {},
            .nonce = {},
            .subprotocols = subprotocols,
            .extensions = {},
            .origin = {},
            .extra_fields = {}};
  }

  const Limits limits_ = small_limits();
  Pool pool_{0};
  ResponseParser parser_{pool_, limits_};
  std::string events_;
  bool ended_ = false;
};

template <typename Reader>
void compare(Bytes data, std::uint8_t seed) {
  Reader whole;
  const std::string copy(as_text(data));
  whole.feed(as_bytes(copy));
  Reader cut;
  for (test::FuzzPieces pieces(data, seed); !pieces.at_end();) cut.feed(pieces.next());
  test::expect_equal(whole.events(), cut.events(), "whole and cut");
}

}  // namespace
}  // namespace sockeye::ws::http

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sockeye;
  test::FuzzInput input(data, size);
  const bool response = (input.choice() & 1) != 0;
  const std::uint8_t seed = input.choice();
  if (response) {
    ws::http::compare<ws::http::Responses>(input.data(), seed);
  } else {
    ws::http::compare<ws::http::Requests>(input.data(), seed);
  }
  return 0;
}
