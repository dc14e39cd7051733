// Every name server here is a thread on loopback.
//
// SPDX-License-Identifier: MIT
#include "net/dns_client.h"

#include <doctest/doctest.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "net/fd.h"
#include "test/support/dns.h"
#include "test/support/sockets.h"

using namespace sockeye;
using net::Address;
using test::dns_record;
using test::dns_response;

namespace {

constexpr std::uint64_t patient_ms = 20'000;
const std::string ipv4{"\x7f\x00\x00\x05", 4};
const std::string ipv6 = std::string("\x20\x01\x0d\xb8") + std::string(11, '\0') + "\x01";

bool asks_for_ipv6(const std::string& question) {
  return question[question.size() - 3] == 28;
}

// A server that sends for each question what `answer` makes of it.
class NameServer {
 public:
  using Answers = std::vector<std::string>;

  explicit NameServer(std::function<Answers(const std::string&)> answer)
      : answer_(std::move(answer)), socket_(::socket(AF_INET, SOCK_DGRAM, 0)) {
    const Address any_port = *Address::numeric("127.0.0.1", 0);
    REQUIRE(::bind(socket_.get(), any_port.data(), any_port.size()) == 0);
    sockaddr_in bound;
    socklen_t size = sizeof bound;
    REQUIRE(::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&bound), &size) == 0);
    address = Address::from(reinterpret_cast<sockaddr*>(&bound), size);
    thread_ = std::thread([this] { serve(); });
  }
  ~NameServer() {
    const net::Fd own(::socket(AF_INET, SOCK_DGRAM, 0));
    ::sendto(own.get(), "", 0, 0, address.data(), address.size());  // the end
    thread_.join();
  }

  Address address;
  std::atomic<int> questions{0};

 private:
  void serve() {
    while (true) {
      std::array<char, 600> bytes;
      sockaddr_in from;
      socklen_t from_size = sizeof from;
      auto* peer = reinterpret_cast<sockaddr*>(&from);
      const auto size = ::recvfrom(socket_.get(), bytes.data(), bytes.size(), 0, peer, &from_size);
      if (size <= 0) return;
      ++questions;
      for (const std::string& one : answer_({bytes.data(), static_cast<std::size_t>(size)})) {
        ::sendto(socket_.get(), one.data(), one.size(), 0, peer, from_size);
      }
    }
  }

  std::function<Answers(const std::string&)> answer_;
  net::Fd socket_;
  std::thread thread_;
};

// Knows one address of each kind.
NameServer::Answers both(const std::string& question) {
  return {dns_response(question,
                       {asks_for_ipv6(question) ? dns_record(28, ipv6) : dns_record(1, ipv4)})};
}

NameServer::Answers nothing(const std::string&) {
  return {};
}

NameServer::Answers with_code(std::string question, char code) {
  question = dns_response(question, {});
  question[3] = code;
  return {question};
}

std::vector<std::string> texts(const std::vector<Address>& addresses) {
  std::vector<std::string> result;
  for (const Address& address : addresses) result.push_back(address.text());
  return result;
}

std::vector<std::string> ask(std::vector<Address> servers, std::uint64_t timeout_ms = patient_ms,
                             std::string_view host = "a.example") {
  const auto found = net::dns::ask(servers, host, 9000, timeout_ms);
  return found ? texts(*found) : std::vector{std::string(found.error())};
}

const std::vector<std::string> both_texts{"[2001:db8::1]:9000", "127.0.0.5:9000"};

}  // namespace

TEST_CASE("DNS: both kinds of addresses are asked for, and IPv6 comes first") {
  const std::size_t before = test::open_descriptors();
  {
    NameServer server(both);
    CHECK(ask({server.address}) == both_texts);
    CHECK(server.questions == 2);
  }
  CHECK(test::open_descriptors() == before);
}

TEST_CASE("DNS: answers to other questions are passed over") {
  NameServer server([](const std::string& question) {
    NameServer::Answers answers = both(question);
    std::string forged = dns_response(question, {dns_record(1, "\x06\x06\x06\x06")});
    forged[1] = static_cast<char>(forged[1] + 1);
    answers.insert(answers.begin(), {forged, "", "?", std::string(600, 'x')});
    return answers;
  });
  CHECK(ask({server.address}) == both_texts);
}

TEST_CASE("DNS: a name that doesn't exist is asked for once") {
  NameServer server([](const std::string& question) { return with_code(question, 3); });
  CHECK(ask({server.address, server.address}) == std::vector<std::string>{"there is no such name"});
  CHECK(server.questions <= 2);
}

TEST_CASE("DNS: a name without addresses") {
  NameServer server(
      [](const std::string& question) { return NameServer::Answers{dns_response(question, {})}; });
  CHECK(ask({server.address}) == std::vector<std::string>{"it has no address"});
}

TEST_CASE("DNS: where one server fails, is silent or absent, the next is asked") {
  NameServer failing([](const std::string& question) { return with_code(question, 2); });
  NameServer silent(nothing);
  NameServer good(both);
  Address absent;
  { absent = NameServer(both).address; }
  CHECK(ask({failing.address, absent, good.address}) == both_texts);
  CHECK(ask({silent.address, good.address}, 50) == both_texts);
  CHECK(silent.questions == 2);
}

TEST_CASE("DNS: each server is asked twice, and then it is over") {
  NameServer silent(nothing);
  CHECK(ask({silent.address}, 30) == std::vector<std::string>{"no name server has an answer"});
  CHECK(silent.questions == 4);
}

TEST_CASE("DNS: a server may be silent about one kind") {
  NameServer server([](const std::string& question) {
    return asks_for_ipv6(question) ? nothing(question) : both(question);
  });
  CHECK(ask({server.address}, 500) == std::vector<std::string>{"127.0.0.5:9000"});
}

TEST_CASE("DNS: a server may fail, or know no such name, for one kind") {
  for (const int code : {2, 3}) {
    NameServer server([code](const std::string& question) {
      return asks_for_ipv6(question) ? with_code(question, code) : both(question);
    });
    CHECK(ask({server.address}) == std::vector<std::string>{"127.0.0.5:9000"});
  }
}

TEST_CASE("DNS: what can't be a name is not asked for") {
  NameServer server(both);
  CHECK(ask({server.address}, patient_ms, "a..b") ==
        std::vector<std::string>{"this can't be a host's name"});
  CHECK(server.questions == 0);
}

TEST_CASE("hosts(5): all addresses of a name, whatever its case") {
  const auto in_hosts = [](std::string_view text, std::string_view host) {
    return texts(net::dns::addresses_in_hosts(text, host, 80));
  };
  constexpr std::string_view text =
      "# comment\n\n127.0.0.1 localhost\n10.0.0.1\tOne  alias.one # two\r\n"
      "::1 one one\n300.0.0.1 one\n10.0.0.3 three one.three\nname 10.0.0.4\n10.0.0.5 last";
  CHECK(in_hosts(text, "one") == std::vector<std::string>{"10.0.0.1:80", "[::1]:80"});
  CHECK(in_hosts(text, "alias.ONE.") == std::vector<std::string>{"10.0.0.1:80"});
  CHECK(in_hosts(text, "last") == std::vector<std::string>{"10.0.0.5:80"});
  CHECK(in_hosts(text, "two").empty());
  CHECK(in_hosts(text, "10.0.0.4").empty());
  CHECK(in_hosts("", "one").empty());
  CHECK(in_hosts("10.0.0.6 six;seven", "six") == std::vector<std::string>{"10.0.0.6:80"});
}

TEST_CASE("resolv.conf(5): three name servers, or the one of this machine") {
  const auto servers = [](std::string_view text) { return texts(net::dns::name_servers(text)); };
  CHECK(servers("nameserver 192.0.2.1\n\tnameserver\t2001:db8::1 \n") ==
        std::vector<std::string>{"192.0.2.1:53", "[2001:db8::1]:53"});
  CHECK(servers("search a.example\n; nameserver 192.0.2.1\n#nameserver 192.0.2.2\n"
                "nameservers 192.0.2.3\nnameserver none\noptions timeout:1") ==
        std::vector<std::string>{"127.0.0.1:53"});
  CHECK(servers("").size() == 1);
  CHECK(servers("nameserver 1.1.1.1\nnameserver 1.1.1.2\nnameserver 1.1.1.3\nnameserver 1.1.1.4")
            .size() == 3);
}
