// SPDX-License-Identifier: MIT
#include "ws/proxy_header.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "test/support/splits.h"

using namespace sockeye;
using sockeye::test::for_each_split;
using sockeye::test::Pieces;
using sockeye::ws::ProxyHeader;

namespace {

constexpr std::string_view signature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::string_view ipv4("\xc0\x00\x02\x07\xc6\x33\x64\x01\xdc\x04\x01\xbb", 12);
constexpr std::string_view ipv6(
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07"
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\xdc\x04\x01\xbb",
    36);

std::string version_2(int command, int family, std::string_view rest) {
  std::string header(signature);
  header += static_cast<char>(command);
  header += static_cast<char>(family);
  header += static_cast<char>(rest.size() >> 8);
  header += static_cast<char>(rest.size());
  return header.append(rest);
}

// What comes of `input`, which must be the same however it is cut: the source, and what follows the
// header; or "malformed", or "need more".
std::string read(std::string_view input) {
  std::string outcome;
  for_each_split(as_bytes(input), [&outcome](const Pieces& pieces) {
    ProxyHeader header;
    ProxyHeader::Status status = ProxyHeader::Status::need_more;
    std::string after;
    for (const auto& piece : pieces) {
      Bytes left(piece);
      if (status == ProxyHeader::Status::need_more) status = header.read(left);
      after += as_text(left);
    }
    std::string result = "need more";
    if (status == ProxyHeader::Status::malformed) result = "malformed";
    if (status == ProxyHeader::Status::complete) result = header.source().text() + "|" + after;
    if (outcome.empty()) outcome = result;
    CHECK(result == outcome);
  });
  return outcome;
}

}  // namespace

TEST_CASE("PROXY protocol §2.1: a line of text") {
  CHECK(read("PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\nGET") == "192.0.2.7:56324|GET");
  CHECK(read("PROXY TCP6 2001:db8::7 2001:db8::1 56324 443\r\n") == "[2001:db8::7]:56324|");
  CHECK(read("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\nx") ==
        "255.255.255.255:65535|x");
  CHECK(read("PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n") == "0.0.0.0:0|");
  CHECK(read("PROXY UNKNOWN\r\nGET") == "unknown|GET");
  CHECK(read("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\nGET") == "unknown|GET");
}

TEST_CASE("PROXY protocol §2.1: at most 107 bytes, and no more are waited for") {
  const std::string longest = "PROXY UNKNOWN " + std::string(107 - 14 - 2, 'x') + "\r\n";
  REQUIRE(longest.size() == 107);
  CHECK(read(longest) == "unknown|");
  CHECK(read("PROXY UNKNOWN " + std::string(107 - 14, 'x')) == "malformed");
  CHECK(read("PROXY UNKNOWN " + std::string(106 - 14, 'x')) == "need more");
}

TEST_CASE("PROXY protocol §2.1: a line that isn't exactly so is malformed") {
  for (const std::string_view line : {"GET / HTTP/1.1\r\n",
                                      "PROXY\r\n",
                                      "PROXY \r\n",
                                      "PROXY  TCP4 1.2.3.4 1.2.3.4 1 1\r\n",
                                      "PROXY TCP4\r\n",
                                      "PROXY TCP4 1.2.3.4\r\n",
                                      "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
                                      "PROXY TCP4 1.2.3.4 1.2.3.4 1 1 1\r\n",
                                      "PROXY TCP4 1.2.3.4 1.2.3.4 1 1 \r\n",
                                      "PROXY TCP4 1.2.3.4 1.2.3.4 65536 1\r\n",
                                      "PROXY TCP4 1.2.3.4 1.2.3.4 01 1\r\n",
                                      "PROXY TCP4 1.2.3.4 1.2.3.4 +1 1\r\n",
                                      "PROXY TCP4 1.2.3.4 1.2.3.4 1 -1\r\n",
                                      "PROXY TCP4 1.2.3.4 ::1 1 1\r\n",
                                      "PROXY TCP4 ::1 ::1 1 1\r\n",
                                      "PROXY TCP6 1.2.3.4 1.2.3.4 1 1\r\n",
                                      "PROXY TCP5 1.2.3.4 1.2.3.4 1 1\r\n",
                                      "PROXY tcp4 1.2.3.4 1.2.3.4 1 1\r\n",
                                      "proxy TCP4 1.2.3.4 1.2.3.4 1 1\r\n",
                                      "PROXY TCP4 1.2.3 1.2.3.4 1 1\r\n",
                                      "PROXY UNKNOWNX\r\n",
                                      "PROXYX"}) {
    CAPTURE(line);
    CHECK(read(line) == "malformed");
  }
  CHECK(read("PROXY TCP4 1.2.3.4 1.2.3.4 1 1\n") == "need more");  // the line goes on
}

TEST_CASE("PROXY protocol §2.2: the binary header") {
  CHECK(read(version_2(0x21, 0x11, ipv4) + "GET") == "192.0.2.7:56324|GET");
  CHECK(read(version_2(0x21, 0x21, ipv6) + "GET") == "[2001:db8::7]:56324|GET");
}

TEST_CASE("PROXY protocol §2.2: what follows the addresses is skipped, to the byte") {
  const std::string more = std::string(ipv4) + std::string(300, '\x04');
  CHECK(read(version_2(0x21, 0x11, more) + "GET") == "192.0.2.7:56324|GET");
  CHECK(read(version_2(0x21, 0x21, std::string(ipv6) + "x") + "GET") == "[2001:db8::7]:56324|GET");
}

TEST_CASE("PROXY protocol §2.2: LOCAL, and families that aren't told, are the proxy's own") {
  CHECK(read(version_2(0x20, 0x00, "") + "GET") == "unknown|GET");
  CHECK(read(version_2(0x20, 0x11, ipv4) + "GET") == "unknown|GET");
  CHECK(read(version_2(0x21, 0x00, "") + "GET") == "unknown|GET");
  CHECK(read(version_2(0x21, 0x00, "TLVs") + "GET") == "unknown|GET");
  CHECK(read(version_2(0x21, 0x31, std::string(216, 'x')) + "GET") == "unknown|GET");
}

TEST_CASE("PROXY protocol §2.2: what it doesn't define is malformed") {
  for (int command = 0; command < 256; ++command) {
    const bool defined = command == 0x20 || command == 0x21;
    CHECK((read(version_2(command, 0x11, ipv4)) != "malformed") == defined);
  }
  for (int family = 0; family < 256; ++family) {
    CAPTURE(family);
    const bool defined = family >> 4 <= 3 && (family & 15) <= 2;
    const bool datagram = (family & 15) == 2 && family >> 4 != 0;
    const std::string enough(216, 'x');
    CHECK((read(version_2(0x21, family, enough)) != "malformed") == (defined && !datagram));
  }
  CHECK(read(version_2(0x21, 0x11, ipv4.substr(1))) == "malformed");  // too short for its family
  CHECK(read(version_2(0x21, 0x21, ipv6.substr(1))) == "malformed");
  CHECK(read(version_2(0x21, 0x31, std::string(215, 'x'))) == "malformed");
  for (std::size_t i = 0; i < signature.size(); ++i) {
    std::string header = version_2(0x21, 0x11, ipv4);
    header[i] ^= 1;
    CHECK(read(header) == "malformed");
  }
}

TEST_CASE("PROXY protocol: whatever is missing at the end is waited for") {
  for (const std::string& header :
       {std::string("PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n"), version_2(0x21, 0x21, ipv6),
        version_2(0x21, 0x11, std::string(ipv4) + "TLV")}) {
    for (std::size_t size = 0; size < header.size(); ++size) {
      ProxyHeader reader;
      Bytes input = as_bytes(std::string_view(header).substr(0, size));
      CHECK(reader.read(input) == ProxyHeader::Status::need_more);
      CHECK(input.empty());
    }
  }
}
