// Requests of the kinds that parsers' own suites and lists of smuggled requests collect, and all
// 256 bytes at each place of a request where the grammar draws a line.
//
// Where RFC 9112 lets a server choose between repairing and refusing, this one refuses: what two
// readers can read in two ways is how requests are smuggled.
//
// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <string_view>

#include "test/ws/http/support.h"

namespace sockeye::ws::http {
namespace {

// ── All bytes ────────────────────────────────────────────────────────────────────────────────

bool is_one_of(char c, std::string_view set) {
  return set.find(c) != std::string_view::npos;
}

constexpr std::string_view alphanumeric =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr std::string_view digits = "0123456789";
constexpr std::string_view hex_digits = "0123456789ABCDEFabcdef";

// RFC 9110 §5.6.2: tchar.
bool is_tchar(char c) {
  return is_one_of(c, alphanumeric) || is_one_of(c, "!#$%&'*+-.^_`|~");
}

// RFC 9110 §5.5: VCHAR, obs-text, and SP and HTAB between.
bool is_field_char(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return c == ' ' || c == '\t' || (byte > 0x20 && byte != 0x7f);
}

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

// RFC 3986 §3.2.2: reg-name, but for the "%" of pct-encoded, which stands before two digits.
bool is_name_char(char c) {
  return is_one_of(c, alphanumeric) || is_one_of(c, "-._~!$&'()*+,;=");
}

// Puts each byte between `before` and `after`, and expects a request where `may_stand` says so.
void check_bytes(std::string_view before, std::string_view after,
                 const std::function<bool(char)>& may_stand) {
  for (int i = 0; i < 256; ++i) {
    const char byte = static_cast<char>(i);
    const std::string text = std::string(before) + byte + std::string(after);
    CAPTURE(text);
    const std::string outcome = read_request({test::piece_of(as_bytes(text))});
    CAPTURE(outcome);
    const bool is_request = outcome.find(" target=") != std::string::npos;
    REQUIRE(is_request == may_stand(byte));
  }
}

TEST_CASE("RFC 9112 §3: all bytes at each place of a request line") {
  const std::string_view end = "\r\nHost: a\r\n\r\n";
  const auto after = [end](std::string_view rest) { return std::string(rest) + std::string(end); };
  check_bytes("G", after("T / HTTP/1.1"), [](char c) { return c == 'E'; });
  check_bytes("GET", after("/ HTTP/1.1"), [](char c) { return c == ' '; });
  check_bytes("GET ", after(" HTTP/1.1"), [](char c) { return c == '/'; });
  // More than RFC 3986 has, since browsers leave it as it is; see chars.h.
  check_bytes("GET /a", after("b HTTP/1.1"),
              [](char c) { return c > ' ' && c < '\x7f' && !is_one_of(c, "<>\"#"); });
  check_bytes("GET /", after("HTTP/1.1"), [](char c) { return c == ' '; });
  check_bytes("GET / ", after("TTP/1.1"), [](char c) { return c == 'H'; });
  check_bytes("GET / HTTP", after("1.1"), [](char c) { return c == '/'; });
  check_bytes("GET / HTTP/", after(".1"), [](char c) { return c == '1'; });
  check_bytes("GET / HTTP/1", after("1"), [](char c) { return c == '.'; });
  check_bytes("GET / HTTP/1.", after(""), [](char c) { return is_one_of(c, digits); });
  check_bytes("GET / HTTP/1.1", after(""), [](char) { return false; });
  check_bytes("GET / HTTP/1.1", "\nHost: a\r\n\r\n", [](char c) { return c == '\r'; });
  check_bytes("GET / HTTP/1.1\r", "Host: a\r\n\r\n", [](char c) { return c == '\n'; });
}

TEST_CASE("RFC 9112 §5: all bytes at each place of a field line") {
  const std::string start = "GET / HTTP/1.1\r\nHost: a\r\n";
  const std::string_view end = "\r\n\r\n";
  const auto after = [end](std::string_view rest) { return std::string(rest) + std::string(end); };
  const auto name_or_colon = [](char c) { return is_tchar(c) || c == ':'; };
  check_bytes(start, after("Y: v"), [](char c) { return is_tchar(c); });
  check_bytes(start + "X", after("Y: v"), name_or_colon);
  check_bytes(start + "X", after(": v"), name_or_colon);
  check_bytes(start + "X:", after("v"), is_field_char);
  check_bytes(start + "X: a", after("b"), is_field_char);
  check_bytes(start + "X: a", after(""), is_field_char);
  check_bytes(start + "X: a", "\n\r\n", [](char c) { return c == '\r'; });
  check_bytes(start + "X: a\r", "\r\n", [](char c) { return c == '\n'; });
  check_bytes(start + "X: a\r\n\r", "", [](char c) { return c == '\n'; });
}

TEST_CASE("RFC 9112 §3.2: all bytes in Host") {
  const std::string start = "GET / HTTP/1.1\r\nHost: ";
  check_bytes(start + "a", "b\r\n\r\n", is_name_char);
  check_bytes(start + "a", "\r\n\r\n",
              [](char c) { return is_name_char(c) || is_blank(c) || c == ':'; });
  check_bytes(start + "a:8", "0\r\n\r\n", [](char c) { return is_one_of(c, digits); });
  check_bytes(start + "[::", "1]\r\n\r\n",
              [](char c) { return is_one_of(c, hex_digits) || c == ':' || c == '.'; });
}

TEST_CASE("Smuggling: all bytes about the number in Content-Length") {
  const std::string start = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ";
  const std::string end = "\r\n\r\n" + std::string(1000, 'b');
  const auto digit_or_blank = [](char c) { return is_one_of(c, digits) || is_blank(c); };
  check_bytes(start, "1" + end, digit_or_blank);
  check_bytes(start + "1", end, digit_or_blank);
  check_bytes(start + "1", "1" + end, [](char c) { return is_one_of(c, digits); });
}

TEST_CASE("Smuggling: all bytes about the word in Transfer-Encoding") {
  const std::string start = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: ";
  const std::string end = "\r\n\r\n0\r\n\r\n";
  // RFC 9110 §5.6.1.2: empty elements of a list mean nothing.
  const auto blank_or_comma = [](char c) { return is_blank(c) || c == ','; };
  check_bytes(start, "chunked" + end, blank_or_comma);
  check_bytes(start + "chunked", end, blank_or_comma);
  check_bytes(start + "chun", "ed" + end, [](char c) { return c == 'k' || c == 'K'; });
}

TEST_CASE("Smuggling: all bytes at each place of a chunk") {
  const std::string start = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string end = "\r\n0\r\n\r\n";
  // 10 and more, so that all sizes are larger than what comes; 0 is less.
  check_bytes(start, "1\r\na" + end, [](char c) { return c == '0'; });
  check_bytes(start + "1", "\r\na" + end, [](char c) { return c == ';'; });
  check_bytes(start + "1;", "\r\na" + end, is_field_char);
  check_bytes(start + "1", "\na" + end, [](char c) { return c == '\r'; });
  check_bytes(start + "1\r", "a" + end, [](char c) { return c == '\n'; });
  check_bytes(start + "1\r\na", "\n0\r\n\r\n", [](char c) { return c == '\r'; });
  check_bytes(start + "1\r\na\r", "0\r\n\r\n", [](char c) { return c == '\n'; });
  check_bytes(start + "1\r\na" + "\r\n0", "\n\r\n", [](char c) { return c == '\r'; });
  check_bytes(start + "1\r\na" + "\r\n0\r\n", "\n", [](char c) { return c == '\r'; });
  check_bytes(start + "1\r\na" + "\r\n0\r\n\r", "", [](char c) { return c == '\n'; });
}

// ── Requests ─────────────────────────────────────────────────────────────────────────────────

std::string post(std::string_view fields, std::string_view body) {
  return "POST / HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n" + std::string(body);
}

TEST_CASE("Smuggling: request lines that two readers would read in two ways") {
  const auto line = [](std::string_view text) { return std::string(text) + "\r\nHost: a\r\n\r\n"; };
  for (const std::string_view text : {"GET  / HTTP/1.1",
                                      "GET /  HTTP/1.1",
                                      "GET / HTTP/1.1 ",
                                      "GET / HTTP/1.1\t",
                                      "GET\v/ HTTP/1.1",
                                      "GET\f/\fHTTP/1.1",
                                      "GET / / HTTP/1.1",
                                      "GET / HTTP/1.1 HTTP/1.1",
                                      "GET / HTTP /1.1",
                                      "GET /\tHTTP/1.1",
                                      "GET /\xa0HTTP/1.1",
                                      "GET /\xc2\xa0 HTTP/1.1",
                                      "GET /a#b HTTP/1.1",
                                      "GET http://b@a/ HTTP/1.1",
                                      "GET http://a:b@c/ HTTP/1.1",
                                      "GET a.b HTTP/1.1",
                                      "GET \\ HTTP/1.1",
                                      "GET ?q HTTP/1.1",
                                      "GET http:///x HTTP/1.1",
                                      "GET http://a:99999/ HTTP/1.1",
                                      "GET / HTTP/01.1",
                                      "GET / HTTP/1.01",
                                      "GET / HTTP/1,1",
                                      "GET / HTTP/-1.1",
                                      "GET / http/1.1",
                                      "GET / HTTP/1.1\v",
                                      "GET / ICE/1.0",
                                      "GET / RTSP/1.1",
                                      "GE/T / HTTP/1.1",
                                      "G,T / HTTP/1.1",
                                      "\"GET\" / HTTP/1.1",
                                      ": / HTTP/1.1",
                                      "HTTP/1.1 200 OK"}) {
    CAPTURE(text);
    const std::string request = line(text);
    std::string first;
    test::for_each_split(as_bytes(request), [&](const test::Pieces& pieces) {
      const std::string outcome = read_request(pieces);
      CHECK(outcome.find(' ') == std::string::npos);  // the name of an error
      if (first.empty()) first = outcome;
      CHECK(outcome == first);
    });
  }
}

TEST_CASE("Smuggling: fields that only look like those that tell a body's length") {
  // They are fields like any other, so there is no body, and what follows is the next request.
  for (const std::string_view field :
       {"Content_Length: 5", "Content-Length-: 5", "XContent-Length: 5",
        "Transfer_Encoding: chunked", "Transfer-Encoding-X: chunked", "TransferEncoding: chunked",
        "TE: chunked", "Trailer: Content-Length",
        "Connection: Content-Length, Transfer-Encoding"}) {
    const std::string read =
        read_request({test::piece_of(as_bytes(post(std::string(field) + "\r\n", "0\r\n\r\n")))});
    CAPTURE(read);
    CHECK(read.ends_with("body= persists rest=0\r\n\r\n"));
  }
  // And these can't be told from them by everybody.
  for (const std::string_view field :
       {"Content-Length\v: 5", "Content-Length\xa0: 5", "\"Content-Length\": 5",
        "Content Length: 5", "Content-Length;: 5", "Content-Length", "Content-Length=5",
        ":Content-Length: 5", "Transfer-Encoding\x7f: chunked", "(Transfer-Encoding): chunked"}) {
    check_request(post(std::string(field) + "\r\n", "hello"), "field_name_malformed");
  }
  check_request(post(std::string("Content-Length\0: 5\r\n", 20), "hello"), "field_name_malformed");
}

TEST_CASE("Smuggling: lengths hidden behind line ends that aren't") {
  check_request(post("X: y\nContent-Length: 5\r\n", "hello"), "line_feed_bare");
  check_request(post("X: y\n\rContent-Length: 5\r\n", "hello"), "line_feed_bare");
  check_request(post("X: y\rContent-Length: 5\r\n", "hello"), "carriage_return_bare");
  check_request(post("X: y\r\rContent-Length: 5\r\n", "hello"), "carriage_return_bare");
  check_request(post("X: y\r\n\tContent-Length: 5\r\n", "hello"), "field_folded");
  check_request(post("Content-Length:\r\n 5\r\n", "hello"), "field_folded");
  check_request(post("Transfer-Encoding:\r\n\tchunked\r\n", "0\r\n\r\n"), "field_folded");
  check_request(post("X: y\v\r\nContent-Length: 5\r\n", "hello"), "field_value_malformed");
  check_request(post(std::string("X: \0\r\nContent-Length: 5\r\n", 24), "hello"),
                "field_value_malformed");
  check_request(post("X: y\n\n", "GET /admin HTTP/1.1\r\n"), "line_feed_bare");
  check_request(post("X: y\r\n\r", "GET /admin HTTP/1.1\r\n\r\n"), "carriage_return_bare");
}

TEST_CASE("Smuggling: two lengths, in every order and spelling") {
  for (const std::string_view length :
       {"Content-Length: 5", "content-length:5", "CONTENT-LENGTH: \t0"}) {
    for (const std::string_view coding :
         {"Transfer-Encoding: chunked", "transfer-encoding:chunked", "TRANSFER-ENCODING: CHUNKED",
          "Transfer-Encoding: identity", "Transfer-Encoding:", "Transfer-Encoding: ,chunked"}) {
      const std::string first = std::string(length) + "\r\n";
      const std::string second = std::string(coding) + "\r\n";
      check_request(post(first + second, "0\r\n\r\n"), "transfer_encoding_with_length");
      check_request(post(second + "X: y\r\n" + first, "0\r\n\r\n"),
                    "transfer_encoding_with_length");
    }
  }
  for (const std::string_view second : {"0", "5", "05", "6", ""}) {
    check_request(
        post("Content-Length: 5\r\nX: y\r\nContent-Length: " + std::string(second) + "\r\n",
             "hello"),
        "content_length_repeated");
  }
}

TEST_CASE("Smuggling: a body is read with its request, whatever the method") {
  for (const std::string_view method : {"GET", "HEAD", "DELETE", "OPTIONS"}) {
    const std::string start = std::string(method) + " / HTTP/1.1\r\nHost: a\r\n";
    const std::string outcome = std::string(method) + " target=/ path=/ query= authority=a 1.1\n";
    check_request(start + "Content-Length: 20\r\n\r\nGET /admin HTTP/1.1\rG",
                  outcome + "[Host]=[a]\n[Content-Length]=[20]\n" +
                      "body=GET /admin HTTP/1.1\r persists rest=G");
    check_request(start + "Transfer-Encoding: chunked\r\n\r\n3\r\nGET\r\n0\r\n\r\nG",
                  outcome + "[Host]=[a]\n[Transfer-Encoding]=[chunked]\nbody=GET persists rest=G");
  }
}

TEST_CASE("Smuggling: what follows a chunk's data, and chunk extensions") {
  const std::string chunked = "Transfer-Encoding: chunked\r\n";
  for (const std::string_view after :
       {"X\r\n", "XX", "\n\r", "\r\r", "\n", "0\r\n", " \r\n", "\t\r\n"}) {
    const std::string text = post(chunked, "1\r\na" + std::string(after) + "0\r\n\r\n");
    CAPTURE(text);
    const std::string outcome = read_request({test::piece_of(as_bytes(text))});
    CAPTURE(outcome);
    CHECK((outcome == "chunk_malformed" || outcome == "line_feed_bare" ||
           outcome == "carriage_return_bare"));
  }
  check_request(post(chunked, "1;\na\r\n0\r\n\r\n"), "line_feed_bare");
  check_request(post(chunked, "1;x=\"\n\"\r\na\r\n0\r\n\r\n"), "line_feed_bare");
  check_request(post(chunked, "1;x=\"\r\"\r\na\r\n0\r\n\r\n"), "carriage_return_bare");
  // A quotation mark doesn't carry a line end into the line.
  check_request(post(chunked, "1;x=\"\r\na\r\n0\r\n\r\n"),
                "POST target=/ path=/ query= authority=a 1.1\n[Host]=[a]\n"
                "[Transfer-Encoding]=[chunked]\nbody=a persists");
}

TEST_CASE("Smuggling: what servers and proxies have been caught with") {
  const std::string chunked = "Transfer-Encoding: chunked\r\n";
  const auto got = [](std::string_view fields, std::string_view rest) {
    return "POST target=/ path=/ query= authority=a 1.1\n[Host]=[a]\n" + std::string(fields) +
           std::string(rest);
  };
  // Numbers read by functions that know more than decimal and hexadecimal digits.
  check_request(post("Content-Length: 010\r\n", "0123456789!"),
                got("[Content-Length]=[010]\n", "body=0123456789 persists rest=!"));
  for (const std::string_view size :
       {"0_2e", "0x2", "0X2", "+2", "-2", "2h", "2these-bytes", "2 ;", ""}) {
    const std::string text = post(chunked, std::string(size) + "\r\nab\r\n0\r\n\r\n");
    CAPTURE(text);
    const bool is_extension = size.ends_with(';');
    CHECK((read_request({test::piece_of(as_bytes(text))}) == "chunk_malformed") != is_extension);
  }
  for (const std::string_view length : {"1_0", "+10", "-48", "0x10", "1Z", "10 10", "1e1", "10."}) {
    check_request(post("Content-Length: " + std::string(length) + "\r\n", "0123456789"),
                  "content_length_malformed");
  }
  // Line ends of a CR and any byte; fields that go on in the next line.
  check_request(post(chunked, "5\r\r;ABCD\r\n34\r\nE\r\n0\r\n\r\n"), "carriage_return_bare");
  check_request(post("\rZGET /evil: HTTP/1.1\r\n", ""), "carriage_return_bare");
  check_request(post("Visible: :/\rSmuggled: :)\r\n", ""), "carriage_return_bare");
  check_request(post("Transfer-\r\nEncoding: chunked\r\n", ""), "field_name_malformed");
  check_request(post("Useless:\n\nGET / HTTP/1.1\r\n", ""), "line_feed_bare");
  // Heads that end early, and bodies that do.
  check_request(post(":\r\nI: am chopped off\r\n", ""), "field_name_malformed");
  check_request(post(chunked, "0\r\nX:POST / HTTP/1.1\r\n\r\nG"),
                got("[Transfer-Encoding]=[chunked]\n", "body= persists rest=G"));
  check_request(post(chunked, "1\r\na\r\n\r\n0\r\n\r\n"), "chunk_malformed");
  check_request(post(chunked, "\r\n0\r\n\r\n"), "chunk_malformed");
  // Versions whose digits overflow.
  check_request("GET / HTTP/4294967297.257\r\nHost: a\r\n\r\n", "version_malformed");
  check_request("GET / HTTP/257.257\r\nHost: a\r\n\r\n", "version_malformed");
  // Codings that nobody knows are not chunked, whatever else they may be.
  check_request(post("Transfer-Encoding: blegh\r\n", "1\r\nZ\r\n0\r\n\r\n"),
                "transfer_encoding_malformed");
}

TEST_CASE("Parsers' suites: requests that are as they should be") {
  check_request(
      "GET /test.cgi?foo=bar?baz HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET target=/test.cgi?foo=bar?baz path=/test.cgi query=foo=bar?baz authority=a 1.1\n"
      "[Host]=[a]\nbody= persists");
  check_request("GET http://home_0.example.org?hail=all HTTP/1.1\r\nHost: a\r\n\r\n",
                "GET target=http://home_0.example.org?hail=all path=/ query=hail=all "
                "authority=home_0.example.org 1.1\n[Host]=[a]\nbody= persists");
  check_request("GET //b/../c;d=%2e%zz HTTP/1.1\r\nHost: a\r\n\r\n",
                "GET target=//b/../c;d=%2e%zz path=//b/../c;d=%2e%zz query= authority=a 1.1\n"
                "[Host]=[a]\nbody= persists");
  // A line end after a body, which some old clients send, and then the next request.
  check_request(post("Content-Length: 1\r\n", "b\r\nGET"),
                "POST target=/ path=/ query= authority=a 1.1\n[Host]=[a]\n[Content-Length]=[1]\n"
                "body=b persists rest=\r\nGET");
  // An upgrade to something else is ignored (RFC 9110 §7.8), and the body read.
  check_request(post("Connection: Upgrade\r\nUpgrade: HTTP/2.0\r\nContent-Length: 4\r\n", "body"),
                "POST target=/ path=/ query= authority=a 1.1\n[Host]=[a]\n[Connection]=[Upgrade]\n"
                "[Upgrade]=[HTTP/2.0]\n[Content-Length]=[4]\nbody=body persists");
  check_request("GET / HTTP/1.1\r\nHost: [2001:db8::1]:8080\r\nA:\r\nB: \t \r\nC:d:e\r\n\r\n",
                "GET target=/ path=/ query= authority=[2001:db8::1]:8080 1.1\n"
                "[Host]=[[2001:db8::1]:8080]\n[A]=[]\n[B]=[]\n[C]=[d:e]\nbody= persists");
}

}  // namespace
}  // namespace sockeye::ws::http
