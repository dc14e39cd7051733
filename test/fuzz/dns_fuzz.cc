// An answer of a name server to a fixed question, its id and question in place or not: the last
// byte says which. Whatever comes, at most as many addresses are found as fit into the bytes.
//
// SPDX-License-Identifier: MIT
#include "net/dns_client.h"
#include "net/dns_message.h"
#include "test/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sockeye;
  using net::dns::Query;
  test::FuzzInput input(data, size);
  const std::uint8_t choice = input.choice();
  const auto type = (choice & 1) != 0 ? net::dns::RecordType::ipv6 : net::dns::RecordType::ipv4;

  Query query;
  test::expect(query.write("a.example", type, 0x1234), "the name is one");
  const Bytes question = query.bytes();
  const Bytes rest = input.data();
  std::vector<std::uint8_t> message(rest.begin(), rest.end());
  if ((choice & 2) == 0 && rest.size() >= 8) {  // flags and counts of the input, else as asked
    message.assign(question.begin(), question.end());
    std::copy_n(rest.begin(), 2, message.begin() + 2);
    std::copy_n(rest.begin() + 2, 6, message.begin() + 6);
    message.insert(message.end(), rest.begin() + 8, rest.end());
  }

  std::vector<net::Address> addresses;
  const auto outcome = query.read_answer(message, 9000, addresses);
  const std::size_t smallest_record = type == net::dns::RecordType::ipv4 ? 15 : 27;
  test::expect(addresses.size() * smallest_record <= message.size(), "each address takes bytes");
  for (const net::Address& address : addresses) {
    test::expect(address.port() == 9000, "an address has the port");
  }
  if (outcome != Query::Outcome::answered) test::expect(addresses.empty(), "no answer, no address");

  const std::string_view text = as_text(rest);
  test::expect(net::dns::name_servers(text).size() <= 3, "three servers at most");
  (void)net::dns::addresses_in_hosts(text, "a", 1);
  (void)Query().write(text, type, 1);
  return 0;
}
