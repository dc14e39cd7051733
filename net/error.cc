// SPDX-License-Identifier: MIT
#include "net/error.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace sockeye::net {

Error system_error(std::string_view what) {
  const int code = errno;
  std::string message(what);
  message += ": ";
  message += std::strerror(code);
  return {std::move(message), code};
}

}  // namespace sockeye::net

namespace sockeye {

int report(const net::Error& error) {
  const std::string line = "sockeye: " + error.message + "\n";
  // Nothing is left to do when even standard error can't be written.
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
  return 1;
}

}  // namespace sockeye
