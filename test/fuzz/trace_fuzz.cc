// Both directions of a connection, cut at will, through what traces and the page are made by: what
// they say can be shown on any terminal, and sent in a text message.
//
// SPDX-License-Identifier: MIT
#include <algorithm>
#include <string>
#include <vector>

#include "app/trace/decoder.h"
#include "app/trace/dump.h"
#include "app/trace/feed.h"
#include "test/fuzz/fuzz_input.h"
#include "ws/frame/utf8.h"

namespace {

using namespace sockeye;
using namespace sockeye::app::trace;

constexpr std::string_view request =
    "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
constexpr std::string_view response =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
constexpr std::string_view compressed = "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";

bool can_be_shown(std::string_view text) {
  ws::frame::Utf8Validator validator;
  const auto is_control = [](char c) {
    return (static_cast<unsigned char>(c) < ' ' && c != '\n') || c == 0x7f;
  };
  return validator.feed(as_bytes(text), ws::frame::utf8_scalar) && validator.complete() &&
         std::ranges::none_of(text, is_control);
}

// The whole conversation, as `reader` gets it.
void play(Reader& reader, const Decoder::Settings& settings, std::uint8_t choice, Bytes pieces) {
  Decoder decoder(reader, settings);
  if ((choice & 1) != 0) {
    decoder.feed(Side::client, as_bytes(request));
    decoder.feed(Side::server, as_bytes(response));
    decoder.feed(Side::server, as_bytes((choice & 2) != 0 ? compressed : "\r\n"));
  }
  while (!pieces.empty()) {
    const Side from = (pieces.front() & 1) != 0 ? Side::client : Side::server;
    const std::size_t size = std::min<std::size_t>(pieces.front() >> 1, pieces.size() - 1);
    decoder.feed(from, pieces.subspan(1, size));
    pieces = pieces.subspan(1 + size);
  }
  for (const Side side : {Side::client, Side::server}) decoder.end(side);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  test::FuzzInput input(data, size);
  const std::uint8_t choice = input.choice();
  Decoder::Settings settings{.kernels = {}, .limits = {}, .shown_bytes = 20};
  settings.proxy_protocol = (choice & 4) != 0;
  settings.limits.message_bytes = 10'000;

  std::string text;
  Dump dump(text, (choice & 8) != 0 ? Side::client : Side::server, {.shown_bytes = 20});
  play(dump, settings, choice, input.data());
  dump.settle();
  test::expect(can_be_shown(text), "a trace can be printed anywhere");

  std::vector<std::string> records;
  Feed feed(records, 1, 20);
  play(feed, settings, choice, input.data());
  for (const std::string& record : records) {
    test::expect(can_be_shown(record), "JSON is UTF-8, with control characters escaped");
  }
  return 0;
}
