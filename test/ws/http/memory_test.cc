// What a peer can make ws/http take memory for, when there is none.
//
// SPDX-License-Identifier: MIT
#include <string>

#include "test/support/short_of_memory.h"
#include "test/ws/http/support.h"

namespace sockeye::ws::http {
namespace {

// Reads `begin`, and then up to a gigabyte of x, with limits that would allow all of it.
Error read_endless_request(std::string_view begin) {
  Limits limits;
  limits.request_line_bytes = limits.head_bytes = limits.request_body_bytes = std::size_t{1} << 30;
  Pool pool;
  RequestReader reader(pool, limits);
  static const std::string xs(64 * 1024, 'x');
  Bytes input = as_bytes(begin);
  for (int piece = 0; piece < 16 * 1024; ++piece) {
    RequestReader::Status status{};
    do {
      status = reader.read(input);
    } while (status == RequestReader::Status::head);
    if (status != RequestReader::Status::need_more) return reader.error();
    input = as_bytes(xs);
  }
  return Error::none;
}

TEST_CASE("a head or body for which there is no memory fails, and the program goes on") {
  if (!test::memory_can_be_short) return;
  for (std::string_view begin :
       {"GET /", "GET / HTTP/1.1\r\nHost: a\r\nX: ",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3b9aca00\r\n"}) {
    CAPTURE(begin);
    const int error =
        test::short_of_memory(32 << 20, [begin] { return read_endless_request(begin); });
    CHECK(static_cast<Error>(error) == Error::out_of_memory);
  }
}

}  // namespace
}  // namespace sockeye::ws::http
