// SPDX-License-Identifier: MIT
#include "app/hub/tokens.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>

#include "net/fd.h"

namespace sockeye::app::hub {

namespace {

constexpr std::size_t most_bytes = 64 * 1024;

// Looks at every byte, whatever it finds.
bool is_same(std::string_view given, std::string_view token) {
  if (given.size() != token.size()) return false;
  unsigned difference = 0;
  for (std::size_t i = 0; i < token.size(); ++i) {
    const auto differing = static_cast<unsigned char>(given[i] ^ token[i]);
    difference |= differing;
    asm("" : "+r"(difference));  // the compiler must not see that it may stop at the first
  }
  return difference == 0;
}

}  // namespace

Result<Tokens, net::Error> Tokens::read(const std::string& file) {
  const net::Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return net::system_error(file);
  std::string text;
  char bytes[4096];
  ssize_t size;
  while ((size = ::read(fd.get(), bytes, sizeof bytes)) > 0 && text.size() <= most_bytes) {
    text.append(bytes, static_cast<std::size_t>(size));
  }
  if (size < 0) return net::system_error(file);
  if (text.size() > most_bytes) return net::Error{file + " is too large for tokens", EFBIG};
  Tokens tokens;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view line = std::string_view(text).substr(begin, end - begin);
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
    if (!line.empty()) tokens.tokens_.emplace_back(line);
    begin = end + 1;
  }
  if (!tokens.are_wanted()) return net::Error{file + " holds no token", EINVAL};
  return tokens;
}

bool Tokens::include(std::string_view given) const {
  bool found = false;
  for (const std::string& token : tokens_) found |= is_same(given, token);
  return found;
}

}  // namespace sockeye::app::hub
