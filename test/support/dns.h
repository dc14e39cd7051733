// Answers of a name server, put together from their parts (RFC 1035 §4.1).
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "net/dns_message.h"

namespace sockeye::test {

inline std::string be16(std::size_t value) {
  return {static_cast<char>(value >> 8), static_cast<char>(value)};
}

// §4.1.3. The name is the question's, unless it is said.
inline std::string dns_record(std::uint16_t type, const std::string& data,
                              const std::string& name = "\xc0\x0c",
                              std::uint16_t record_class = 1) {
  return name + be16(type) + be16(record_class) + std::string(4, '\0') + be16(data.size()) + data;
}

// What a server sends that knows these records.
inline std::string dns_response(std::string question, const std::vector<std::string>& records) {
  question[2] = static_cast<char>(question[2] | 0x80);
  question.replace(6, 2, be16(records.size()));
  for (const std::string& record : records) question += record;
  return question;
}
inline std::string dns_response(const net::dns::Query& query,
                                const std::vector<std::string>& records) {
  return dns_response(std::string(as_text(query.bytes())), records);
}

}  // namespace sockeye::test
