// What a trace says of a conversation, and that it says so however the bytes are cut.
//
// SPDX-License-Identifier: MIT
#include "app/trace/dump.h"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "app/trace/decoder.h"

namespace sockeye::app::trace {
namespace {

using namespace std::literals;

struct Said {
  Side from;
  std::string bytes;
};

const std::string request =
    "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Version: 13\r\n\r\n";
const std::string response =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

// The lines of a whole conversation. With `cut`, each part comes in two pieces: so many bytes, and
// the rest.
std::string dump(const std::vector<Said>& conversation, Side us = Side::server, std::size_t cut = 0,
                 Decoder::Settings settings = {.shown_bytes = 100}) {
  std::string out;
  Dump lines(out, us, {.in_colour = false, .shown_bytes = settings.shown_bytes});
  Decoder decoder(lines, settings);
  for (const auto& [from, bytes] : conversation) {
    const std::size_t first = std::min(cut, bytes.size());
    for (const std::string& piece : {bytes.substr(0, first), bytes.substr(first)}) {
      decoder.feed(from, as_bytes(piece));
      lines.settle();
    }
  }
  for (const Side side : {Side::client, Side::server}) decoder.end(side);
  lines.settle();
  return out;
}

// What follows the handshake, without the words at the lines' ends.
enum class Cuts { everywhere, nowhere };

std::string frames(const std::vector<Said>& said, Side us = Side::server,
                   Cuts cuts = Cuts::everywhere) {
  std::vector<Said> conversation = {{Side::client, request}, {Side::server, response}};
  conversation.insert(conversation.end(), said.begin(), said.end());
  const std::string whole = dump(conversation, us);
  std::size_t longest = 0;
  for (const Said& one : conversation) longest = std::max(longest, one.bytes.size());
  for (std::size_t cut = 1; cut < longest && cuts == Cuts::everywhere; ++cut) {
    CAPTURE(cut);
    CHECK(dump(conversation, us, cut) == whole);
  }
  const std::string last = us == Side::server ? "xOo=\\r\\n\"\n< \"\\r\\n\"\n" : "= open\n";
  std::string text = whole.substr(whole.find(last) + last.size());
  std::string bare;
  while (!text.empty()) {
    std::string line = text.substr(0, text.find('\n'));
    text.erase(0, line.size() + 1);
    if (!line.starts_with("#")) line = line.substr(0, line.find("  #"));
    bare += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return bare;
}

const Said hello = {Side::client, "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"};

TEST_CASE("trace: the handshake, with its proof (RFC 6455 §1.3)") {
  CHECK(dump({{Side::client, request}, {Side::server, response}}) ==
        "> \"GET /chat HTTP/1.1\\r\\n\"\n"
        "> \"Host: server.example.com\\r\\n\"\n"
        "> \"Upgrade: websocket\\r\\n\"\n"
        "> \"Connection: Upgrade\\r\\n\"\n"
        "> \"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\n\"\n"
        "> \"Sec-WebSocket-Version: 13\\r\\n\"\n"
        "> \"\\r\\n\"\n"
        "# Sec-WebSocket-Accept is made of Sec-WebSocket-Key   RFC 6455 §4.2.2 item 5.4\n"
        "#   key and GUID   dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11\n"
        "#   SHA-1 of them  b3 7a 4f 2c c0 62 4f 16 90 f6 46 06 cf 38 59 45 b2 be c4 ea\n"
        "#   its Base64     s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\n"
        "= open\n"
        "< \"HTTP/1.1 101 Switching Protocols\\r\\n\"\n"
        "< \"Upgrade: websocket\\r\\n\"\n"
        "< \"Connection: Upgrade\\r\\n\"\n"
        "< \"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\\r\\n\"\n"
        "< \"\\r\\n\"\n");
}

TEST_CASE("trace: a frame's bits have names (RFC 6455 §5.2, §5.7)") {
  const std::string text = dump(
      {{Side::client, request}, {Side::server, response}, hello, {Side::server, "\x81\x05Hello"}});
  CHECK(text.ends_with(
      "> 81 85 37 fa 21 3d             # FIN 1, RSV 000, opcode 1 text, MASK 1, length 5, key"
      "   §5.2, §5.6\n"
      "> 7f 9f 4d 51 58                # \"Hello\", masked   §5.3\n"
      "= text \"Hello\"\n"
      "! send text \"Hello\"\n"
      "< 81 05                         # FIN 1, RSV 000, opcode 1 text, MASK 0, length 5"
      "   §5.2, §5.6\n"
      "< \"Hello\"\n"));
}

TEST_CASE("trace: fragments, control frames between them, and the closing handshake") {
  CHECK(frames({{Side::client,
                 "\x01\x83\x00\x00\x00\x00Hel"s
                 "\x89\x81\x00\x00\x00\x00p"s
                 "\x80\x82\x00\x00\x00\x00lo"s},
                {Side::server, "\x8a\x01p"},
                {Side::server, "\x89\x00"s},
                {Side::client,
                 "\x88\x85\x00\x00\x00\x00\x03\xe8"
                 "bye"s},
                {Side::server, "\x88\x02\x03\xe8"}}) ==
        "> 01 83 00 00 00 00\n> 48 65 6c\n"
        "> 89 81 00 00 00 00\n> 70\n= ping \"p\"\n"
        "> 80 82 00 00 00 00\n> 6c 6f\n= text \"Hello\"\n"
        "< 8a 01\n< \"p\"\n"
        "! ping\n< 89 00\n"
        "> 88 85 00 00 00 00\n> 03 e8 62 79 65\n= close 1000 \"bye\"\n"
        "< 88 02\n< 03 e8\n");
}

TEST_CASE("trace: a client's part, with the keys that a test needs") {
  CHECK(frames({hello, {Side::server, "\x81\x05Hello\x88\x02\x03\xe8"}}, Side::client) ==
        "! send text \"Hello\"\nkeys 37 fa 21 3d\n< 81 85 37 fa 21 3d\n< 7f 9f 4d 51 58\n"
        "> 81 05\n> \"Hello\"\n= text \"Hello\"\n"
        "> 88 02\n> 03 e8\n= close 1000\n");
}

// As they come in one read: all is known before the first of it is dealt with.
TEST_CASE("trace: an answer stands behind what it answers, and what was sent before, before it") {
  const std::string ping = "\x89\x80\x00\x00\x00\x00"s;
  const std::string end = "\x88\x80\x00\x00\x00\x00"s;
  const std::string message = "\x81\x81\x00\x00\x00\x00x"s;
  const std::string echoed = "\x81\x01x";
  std::string out;
  Dump lines(out, Side::server, {.in_colour = false, .shown_bytes = 100});
  const Decoder::Settings settings{.shown_bytes = 100};
  Decoder decoder(lines, settings);
  decoder.feed(Side::client, as_bytes(request + message + ping + message + ping + end));
  decoder.feed(Side::server, as_bytes(response));
  decoder.feed(Side::server, as_bytes(echoed + "\x8a\x00"s + echoed + "\x8a\x00"s + "\x88\x00"s));
  lines.note_of_peer("FIN");
  lines.settle();
  std::string order;
  for (std::size_t at = 0; at < out.size(); at = out.find('\n', at) + 1) {
    if (out[at] == '=' || out[at] == '!' || out[at] == '#') order += out.substr(at, 6) + "|";
    if (out.compare(at, 4, "< 8a") == 0 || out.compare(at, 4, "< 88") == 0)
      order += out.substr(at, 4) + "|";
  }
  CHECK(order.substr(order.find("= open")) ==
        "= open|= text|! send|= ping|< 8a|= text|! send|= ping|< 8a|= clos|< 88|# FIN\n|");
}

// A backlog may go out, and its answer come, before the stream is settled.
TEST_CASE("trace: what was sent before something came doesn't answer it") {
  std::string out;
  Dump lines(out, Side::client, {.in_colour = false, .shown_bytes = 100});
  const Decoder::Settings settings{.shown_bytes = 100};
  Decoder decoder(lines, settings);
  decoder.feed(Side::client, as_bytes(request));
  decoder.feed(Side::server, as_bytes(response));
  lines.settle();
  decoder.feed(Side::client, as_bytes("\x88\x80\x00\x00\x00\x00"s));
  lines.arrival();
  decoder.feed(Side::server, as_bytes("\x88\x00"s));
  lines.settle();
  CHECK(out.find("\n! close 1005") < out.find("\n= close 1005"));
}

// A rule may be broken before the frame is whole, so here it matters how the bytes come.
TEST_CASE("trace: a broken rule, and what nobody reads after it") {
  const std::string_view end = "< 88 02\n< 03 ea\n";
  CHECK(frames({{Side::client, "\x81\x05Hello\x81\x80"}, {Side::server, "\x88\x02\x03\xea"}},
               Side::server, Cuts::nowhere) ==
        "> 81 05\n> \"Hello\"\n= fail frame_not_masked\n> 81 80\n" + std::string(end));
  CHECK(
      frames(
          {{Side::client, "\x81\x05"}, {Side::client, "Hello"}, {Side::server, "\x88\x02\x03\xea"}},
          Side::server, Cuts::nowhere) ==
      "> 81 05\n# the frame lacks 5 bytes\n= fail frame_not_masked\n> \"Hello\"\n" +
          std::string(end));
}

TEST_CASE("trace: we close first") {
  CHECK(frames({{Side::server,
                 "\x88\x05\x03\xe9"
                 "bye"},
                {Side::client, "\x88\x80\x00\x00\x00\x00"s}}) ==
        "! close 1001 \"bye\"\n< 88 05\n< 03 e9 \"bye\"\n> 88 80 00 00 00 00\n= close 1005\n");
}

TEST_CASE("trace: a connection that ends within a frame shows what came of it") {
  CHECK(frames({{Side::client, "\x81\x85\x37\xfa\x21\x3d\x7f\x9f"}}) ==
        "> 81 85 37 fa 21 3d\n> 7f 9f\n# the frame lacks 3 bytes\n");
  CHECK(frames({{Side::client, "\x81\xfe\x01"}}) == "> 81 fe 01\n# the frame lacks 256 bytes\n");
}

TEST_CASE("trace: of a long payload the first bytes are shown") {
  const std::string text = dump({{Side::client, request}, {Side::server, response}, hello},
                                Side::server, 0, {.shown_bytes = 3});
  CHECK(text.find("> 7f 9f 4d ...") != text.npos);
  CHECK(text.find("# ... and 2 bytes more\n= text \"Hel\" ...\n") != text.npos);
}

TEST_CASE("trace: a compressed message, and what it says (RFC 7692 §7.2.3.1)") {
  std::string offer = request;
  std::string answer = response;
  offer.insert(offer.size() - 2, "Sec-WebSocket-Extensions: permessage-deflate\r\n");
  answer.insert(answer.size() - 2, "Sec-WebSocket-Extensions: permessage-deflate\r\n");
  const std::string text = dump({{Side::client, offer},
                                 {Side::server, answer},
                                 {Side::server, "\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00"s}});
  CHECK(text.find("! send text \"Hello\"\n< c1 07") != text.npos);
  CHECK(text.find("RSV 100") != text.npos);
  CHECK(text.find("compressed (RFC 7692 §6)") != text.npos);
}

TEST_CASE("trace: plain HTTP, one request after another") {
  const std::vector<Said> said = {
      {Side::client, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"},
      {Side::server, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"},
      {Side::client, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"},
      {Side::server, "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"},
      {Side::client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"},
      {Side::server, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"}};
  const std::string text = dump(said);
  for (const std::string_view line :
       {"= request POST /x\n", "= request HEAD /\n", "= request GET /\n", "> \"abc\"", "< \"ok\"",
        "< \"HTTP/1.1 404 Not Found\\r\\n\"\n"}) {
    CAPTURE(line);
    CHECK(text.find(line) != text.npos);
  }
}

TEST_CASE("trace: requests that don't wait for their responses, with an upgrade at their end") {
  const std::string text = dump({{Side::client,
                                  "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"
                                  "GET /b HTTP/1.1\r\nHost: a\r\n\r\n" +
                                      request},
                                 {Side::server,
                                  "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"
                                  "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" +
                                      response},
                                 hello});
  CHECK(text.find("< \"ok\"") != text.npos);
  CHECK(text.find("= open\n") != text.npos);
  CHECK(text.find("= text \"Hello\"\n") != text.npos);
}

TEST_CASE("trace: after a refused handshake nothing is kept, and nothing passes for frames") {
  const std::string text =
      dump({{Side::client, request + hello.bytes},
            {Side::server, "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"},
            {Side::client, std::string(1'000'000, 'x')}});
  CHECK(text.find("= text") == text.npos);
  CHECK(text.find("# not read any further") != text.npos);
  CHECK(text.size() < 3000);
}

TEST_CASE("trace: a client that refuses the response isn't open (RFC 6455 §4.1)") {
  std::string wrong = response;
  wrong.replace(wrong.find("s3p"), 3, "S3P");
  const std::string text =
      dump({{Side::client, request}, {Side::server, wrong + "\x81\x02hi"}}, Side::client);
  CHECK(text.find("= fail response_accept_wrong") != text.npos);
  CHECK(text.find("= open") == text.npos);
  CHECK(text.find("= text") == text.npos);
  CHECK(text.find("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") != text.npos);  // what it should have been
}

TEST_CASE("trace: what there is no memory for isn't read, and isn't called an error") {
  MemoryBudget memory(10'000);
  const std::string text =
      dump({{Side::client, request},
            {Side::server, response},
            {Side::client, "\x82\xff\x00\x00\x00\x00\x00\x01\x00\x00\x01\x02\x03\x04"s +
                               std::string(30'000, 'x')},
            {Side::client, std::string(36'000, 'x')}},
           Side::server, 0, {.memory = &memory, .shown_bytes = 10});
  CHECK(text.find("= fail") == text.npos);
  CHECK(text.find("not read any further") != text.npos);
  CHECK(memory.used_bytes() == 0);
}

TEST_CASE("trace: what is no HTTP, and a proxy's header") {
  CHECK(dump({{Side::client, "\x16\x03\x01\x02"}}).starts_with("> 16 03 01 02"));
  const std::string text =
      dump({{Side::client, "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + request}}, Side::server, 0,
           {.proxy_protocol = true, .shown_bytes = 100});
  CHECK(text.starts_with("> \"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\" 0d 0a"));
  CHECK(text.find("> \"GET /chat HTTP/1.1\\r\\n\"\n") != text.npos);
}

TEST_CASE("trace: colours on a terminal") {
  std::string out;
  Dump lines(out, Side::server, {.in_colour = true, .shown_bytes = 100});
  lines.finish();
  CHECK(out.starts_with("\x1b[36m< fin"));
  CHECK(out.ends_with("\x1b[0m\n"));
}

}  // namespace
}  // namespace sockeye::app::trace
