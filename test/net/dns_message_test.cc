// RFC 1035 §4, and what hostile or broken servers make of it.
//
// SPDX-License-Identifier: MIT
#include "net/dns_message.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "test/support/dns.h"

using namespace sockeye;
using net::Address;
using net::dns::Query;
using net::dns::RecordType;
using test::dns_record;
using test::dns_response;
using Outcome = net::dns::Query::Outcome;

namespace {

Query query(std::string_view host, RecordType type = RecordType::ipv4) {
  Query written;
  REQUIRE(written.write(host, type, 0x1234));
  return written;
}

bool can_be_asked(const std::string& host) {
  return Query().write(host, RecordType::ipv4, 1);
}

struct Answer {
  Outcome outcome;
  std::vector<std::string> addresses;
};

// From a copy of the bytes that ends where they end, so that a sanitizer sees a step beyond.
Answer read(const Query& asked, std::string_view message) {
  const std::vector<std::uint8_t> copy(message.begin(), message.end());
  std::vector<Address> addresses;
  Answer answer{asked.read_answer(copy, 9000, addresses), {}};
  for (const Address& address : addresses) answer.addresses.push_back(address.text());
  return answer;
}

const std::string ipv4{"\x7f\x00\x00\x05", 4};
const std::string ipv6 = std::string("\x20\x01\x0d\xb8") + std::string(11, '\0') + "\x01";

}  // namespace

TEST_CASE("DNS: a question as RFC 1035 §4.1 lays it out") {
  CHECK(as_text(query("ab.example").bytes()) ==
        std::string_view("\x12\x34\x01\x00\0\x01\0\0\0\0\0\0"
                         "\x02"
                         "ab\x07"
                         "example\0\0\x01\0\x01",
                         28));
  // RFC 3596 §2.1: type 28.
  CHECK(
      as_text(query("a", RecordType::ipv6).bytes()).ends_with(std::string_view("\0\x1c\0\x01", 4)));
  CHECK(as_text(query("a.b.").bytes()) == as_text(query("a.b").bytes()));
}

TEST_CASE("DNS: a label has 1 to 63 bytes, and a name 255 (RFC 1035 §2.3.4)") {
  const std::string label(63, 'a');
  CHECK(can_be_asked(label));
  CHECK(!can_be_asked(label + "a"));
  const std::string most = label + "." + label + "." + label + "." + std::string(61, 'b');
  CHECK(can_be_asked(most));
  CHECK(can_be_asked(most + "."));
  CHECK(!can_be_asked(most + "b"));
  CHECK(!can_be_asked(""));
  CHECK(!can_be_asked("."));
  CHECK(!can_be_asked("a..b"));
  CHECK(!can_be_asked(".a"));
  CHECK(!can_be_asked("a.."));
}

TEST_CASE("DNS: the addresses of an answer") {
  const Query four = query("a.example");
  const Answer answer = read(four, dns_response(four, {dns_record(1, ipv4), dns_record(1, ipv4)}));
  CHECK(answer.outcome == Outcome::answered);
  CHECK(answer.addresses == std::vector<std::string>{"127.0.0.5:9000", "127.0.0.5:9000"});

  const Query six = query("a.example", RecordType::ipv6);
  CHECK(read(six, dns_response(six, {dns_record(28, ipv6)})).addresses ==
        std::vector<std::string>{"[2001:db8::1]:9000"});
  // None is an answer, too.
  CHECK(read(six, dns_response(six, {})).outcome == Outcome::answered);
}

TEST_CASE("DNS: an alias comes with what it stands for (CNAME, RFC 1035 §3.3.1)") {
  const Query asked = query("a.example");
  const std::string target = std::string("\x01") + "b" + "\xc0\x0e";
  const std::string own_name = std::string("\x01") + "b" + "\xc0\x0e";
  CHECK(read(asked, dns_response(asked, {dns_record(5, target), dns_record(1, ipv4, own_name)}))
            .addresses == std::vector<std::string>{"127.0.0.5:9000"});
}

TEST_CASE("DNS: records of other types, classes and sizes are none of ours") {
  const Query asked = query("a.example");
  const Answer answer =
      read(asked, dns_response(asked, {dns_record(28, ipv6), dns_record(1, ipv6), dns_record(1, ""),
                                       dns_record(1, ipv4, "\xc0\x0c", 3)}));
  CHECK(answer.outcome == Outcome::answered);
  CHECK(answer.addresses.empty());
}

TEST_CASE("DNS: what the server says of the name") {
  const Query asked = query("a.example");
  const auto with_code = [&](char code) {
    std::string message = dns_response(asked, {});
    message[3] = code;
    return read(asked, message).outcome;
  };
  CHECK(with_code(3) == Outcome::no_such_name);
  for (const char code : {1, 2, 4, 5}) CHECK(with_code(code) == Outcome::failed);
}

TEST_CASE("DNS: what answers another question is not for us (RFC 5452 §9.1)") {
  const Query asked = query("a.example");
  const std::string good = dns_response(asked, {dns_record(1, ipv4)});
  REQUIRE(read(asked, good).outcome == Outcome::answered);
  const std::size_t question_end = asked.bytes().size();
  // The id, that it is a response, of which operation, how many questions, and which.
  for (std::size_t at = 0; at < question_end; ++at) {
    if (at == 3 || (at >= 6 && at < 12)) continue;
    CAPTURE(at);
    std::string other = good;
    other[at] = static_cast<char>(other[at] ^ (at == 2 ? 0x80 : 0x01));
    if (at == 2) CHECK(read(asked, other).outcome == Outcome::unrelated);
    if (at == 2) other[at] = static_cast<char>(good[at] ^ 0x08);
    const Answer answer = read(asked, other);
    CHECK(answer.outcome == Outcome::unrelated);
    CHECK(answer.addresses.empty());
  }
}

TEST_CASE("DNS: a message cut anywhere") {
  const Query asked = query("a.example");
  const std::string whole = dns_response(asked, {dns_record(1, ipv4), dns_record(1, ipv4)});
  const std::size_t first_end = whole.size() - dns_record(1, ipv4).size();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    CAPTURE(size);
    const Answer answer = read(asked, whole.substr(0, size));
    const Outcome expected = size < asked.bytes().size() ? Outcome::unrelated
                             : size < first_end          ? Outcome::failed
                                                         : Outcome::answered;
    CHECK(answer.outcome == expected);
    CHECK(answer.addresses.size() == (size < first_end ? 0 : 1));
  }
}

TEST_CASE("DNS: of an answer that says it was cut, what is there counts (RFC 1035 §4.1.1, TC)") {
  const Query asked = query("a.example");
  std::string some = dns_response(asked, {dns_record(1, ipv4)});
  some[2] = static_cast<char>(some[2] | 0x02);
  CHECK(read(asked, some).outcome == Outcome::answered);
  CHECK(read(asked, some).addresses.size() == 1);
  std::string none = dns_response(asked, {});
  none[2] = static_cast<char>(none[2] | 0x02);
  CHECK(read(asked, none).outcome == Outcome::failed);
}

TEST_CASE("DNS: names that point at themselves, or are no names") {
  const Query asked = query("a.example");
  const auto outcome = [&](std::string_view name) {
    return read(asked, dns_response(asked, {dns_record(1, ipv4, std::string(name))})).outcome;
  };
  // A pointer isn't followed, so a loop is none.
  const char itself[] = {'\xc0', static_cast<char>(asked.bytes().size())};
  CHECK(outcome({itself, 2}) == Outcome::answered);
  CHECK(outcome("\xff\xff") == Outcome::answered);
  // A whole one ends with its empty label.
  CHECK(outcome({"\x01z\0", 3}) == Outcome::answered);
  CHECK(outcome({"", 1}) == Outcome::answered);
  // RFC 1035 §4.1.4: 01 and 10 are reserved.
  CHECK(outcome(std::string("\x40", 1) + std::string(64, 'a') + '\0') == Outcome::failed);
  CHECK(outcome(std::string("\x80", 1) + std::string(128, 'a') + '\0') == Outcome::failed);
  CHECK(outcome("\x3f") == Outcome::failed);  // longer than the message
}

TEST_CASE("DNS: names are the same in either case, with or without the last dot (RFC 4343)") {
  using net::dns::same_name;
  CHECK(same_name("a.Example", "A.eXAMPLE."));
  CHECK(!same_name("a.example", "b.example"));
  CHECK(!same_name("a.example", "a.example.org"));
  CHECK(!same_name("[", "{"));  // ASCII's letters alone have two cases
}
