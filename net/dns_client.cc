// SPDX-License-Identifier: MIT
#include "net/dns_client.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <string>

#include "crypto/random.h"
#include "net/clock.h"
#include "net/dns_message.h"
#include "net/fd.h"

namespace sockeye::net::dns {

namespace {

constexpr std::uint16_t server_port = 53;
constexpr std::size_t most_servers = 3;  // as many as the C libraries ask
constexpr std::uint64_t answer_timeout_ms = 3000;
constexpr std::size_t most_file_bytes = std::size_t{1} << 20;

// All of a file; nothing of one that can't be read. Of one that is too large its last lines are
// missing.
std::string read_file(const char* path) {
  const Fd file(::open(path, O_RDONLY | O_CLOEXEC));
  std::string text;
  char piece[1024];
  while (text.size() < most_file_bytes) {
    const ssize_t size = ::read(file.get(), piece, sizeof piece);
    if (size <= 0) return text;
    text.append(piece, static_cast<std::size_t>(size));
  }
  text.resize(text.rfind('\n') + 1);
  return text;
}

// Cuts the next line off the front of `text`, and returns it without its comment.
std::string_view take_line(std::string_view& text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(line.size() + 1, text.size()));
  return line.substr(0, line.find_first_of("#;"));
}

// Cuts the next word off the front of `line`; an empty one at its end.
std::string_view take_word(std::string_view& line) {
  constexpr std::string_view space = " \t\r";
  line.remove_prefix(std::min(line.find_first_not_of(space), line.size()));
  const std::string_view word = line.substr(0, line.find_first_of(space));
  line.remove_prefix(word.size());
  return word;
}

// Questions to one server for all addresses of a host.
class Inquiry {
 public:
  // False where `host` can't be a name.
  bool write(std::string_view host);

  // Sends them to `server`, and reads what comes back until there is an answer to each.
  Query::Outcome put_to(const Address& server, std::uint16_t port, std::uint64_t timeout_ms);

  std::vector<Address> addresses() const;

 private:
  struct Question {
    Query query;
    std::vector<Address> addresses;
    std::optional<Query::Outcome> outcome;
  };

  Query::Outcome read_answers(int socket, std::uint16_t port, std::uint64_t timeout_ms);
  Query::Outcome read_answer(Bytes message, std::uint16_t port);
  Query::Outcome verdict() const;

  std::array<Question, 2> questions_;
};

bool Inquiry::write(std::string_view host) {
  crypto::SystemRandom random;
  const std::uint32_t ids = random.next_u32();
  return questions_[0].query.write(host, RecordType::ipv6, static_cast<std::uint16_t>(ids)) &&
         questions_[1].query.write(host, RecordType::ipv4, static_cast<std::uint16_t>(ids >> 16));
}

Query::Outcome Inquiry::put_to(const Address& server, std::uint16_t port,
                               std::uint64_t timeout_ms) {
  const Fd socket(::socket(server.family(), SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // Connected, it receives from that server alone, and learns when there is none.
  if (::connect(socket.get(), server.data(), server.size()) != 0) return Query::Outcome::failed;
  for (const Question& question : questions_) {
    const Bytes message = question.query.bytes();
    // The second call may be told that the first one's message was refused.
    const ssize_t sent = ::send(socket.get(), message.data(), message.size(), MSG_NOSIGNAL);
    if (sent < 0) return Query::Outcome::failed;
  }
  return read_answers(socket.get(), port, timeout_ms);
}

Query::Outcome Inquiry::read_answers(int socket, std::uint16_t port, std::uint64_t timeout_ms) {
  MonotonicClock clock;
  const std::uint64_t deadline_ms = clock.now_ms() + timeout_ms;
  std::array<std::uint8_t, most_message_bytes> message;
  for (std::uint64_t now_ms; (now_ms = clock.now_ms()) < deadline_ms;) {
    pollfd wanted{socket, POLLIN, 0};
    if (::poll(&wanted, 1, static_cast<int>(deadline_ms - now_ms)) <= 0) continue;
    const ssize_t size = ::recv(socket, message.data(), message.size(), 0);
    if (size < 0 && errno == EAGAIN) continue;  // it had a wrong checksum
    if (size < 0) return Query::Outcome::failed;
    const auto outcome = read_answer(Bytes(message).first(static_cast<std::size_t>(size)), port);
    if (outcome != Query::Outcome::unrelated) return outcome;
  }
  return verdict();
}

// Outcome::unrelated: there is more to wait for.
Query::Outcome Inquiry::read_answer(Bytes message, std::uint16_t port) {
  for (Question& one : questions_) {
    if (one.outcome) continue;
    const auto outcome = one.query.read_answer(message, port, one.addresses);
    if (outcome != Query::Outcome::unrelated) one.outcome = outcome;
  }
  const bool all = questions_[0].outcome && questions_[1].outcome;
  return all ? verdict() : Query::Outcome::unrelated;
}

// A server that is silent about one kind of addresses, or fails, may have said enough with the
// other.
Query::Outcome Inquiry::verdict() const {
  if (!addresses().empty()) return Query::Outcome::answered;
  for (const Question& one : questions_) {
    if (one.outcome != Query::Outcome::answered)
      return one.outcome.value_or(Query::Outcome::failed);
  }
  return Query::Outcome::answered;
}

std::vector<Address> Inquiry::addresses() const {
  std::vector<Address> all = questions_[0].addresses;
  all.insert(all.end(), questions_[1].addresses.begin(), questions_[1].addresses.end());
  return all;
}

}  // namespace

std::vector<Address> addresses_in_hosts(std::string_view text, std::string_view host,
                                        std::uint16_t port) {
  std::vector<Address> addresses;
  while (!text.empty()) {
    std::string_view line = take_line(text);
    const auto address = Address::numeric(take_word(line), port);
    if (!address) continue;
    for (std::string_view name; !(name = take_word(line)).empty();) {
      if (!same_name(name, host)) continue;
      addresses.push_back(*address);
      break;
    }
  }
  return addresses;
}

std::vector<Address> name_servers(std::string_view text) {
  std::vector<Address> servers;
  while (!text.empty() && servers.size() < most_servers) {
    std::string_view line = take_line(text);
    if (take_word(line) != "nameserver") continue;
    if (const auto server = Address::numeric(take_word(line), server_port)) {
      servers.push_back(*server);
    }
  }
  if (servers.empty()) servers.push_back(*Address::numeric("127.0.0.1", server_port));
  return servers;
}

Result<std::vector<Address>, std::string_view> ask(std::span<const Address> servers,
                                                   std::string_view host, std::uint16_t port,
                                                   std::uint64_t timeout_ms) {
  for (int attempt = 0; attempt < 2; ++attempt) {
    for (const Address& server : servers) {
      Inquiry inquiry;
      if (!inquiry.write(host)) return std::string_view("this can't be a host's name");
      const auto outcome = inquiry.put_to(server, port, timeout_ms);
      if (outcome == Query::Outcome::no_such_name) return std::string_view("there is no such name");
      if (outcome != Query::Outcome::answered) continue;
      auto addresses = inquiry.addresses();
      if (addresses.empty()) return std::string_view("it has no address");
      return addresses;
    }
  }
  return std::string_view("no name server has an answer");
}

Result<std::vector<Address>, std::string_view> look_up(std::string_view host, std::uint16_t port) {
  auto known = addresses_in_hosts(read_file("/etc/hosts"), host, port);
  if (!known.empty()) return known;
  return ask(name_servers(read_file("/etc/resolv.conf")), host, port, answer_timeout_ms);
}

}  // namespace sockeye::net::dns
