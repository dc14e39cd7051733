// What a peer can make ws/http take memory for: nothing in the usual case, and what happens in
// others when there is none.
//
// SPDX-License-Identifier: MIT
#include <array>
#include <cstddef>
#include <new>
#include <string>
#include <string_view>

#include "test/support/failing_malloc.h"
#include "test/support/short_of_memory.h"
#include "test/ws/http/support.h"
#include "ws/http/allowed_hosts.h"
#include "ws/http/handshake.h"
#include "ws/http/origin.h"
#include "ws/http/subprotocol.h"
#include "ws/http/writer.h"

namespace {
thread_local std::size_t calls_of_new = 0;
}

// MallocWatch doesn't see libstdc++'s operator new, so all unit tests use this one, which counts.
// Sanitizers have their own, which checks how blocks are deleted.
#ifdef NDEBUG
extern "C" {
void* __real_malloc(std::size_t size);  // past MallocWatch
void __real_free(void* block);
}

void* operator new(std::size_t size) {
  ++calls_of_new;
  if (void* block = __real_malloc(size)) return block;
  throw std::bad_alloc();
}
void operator delete(void* block) noexcept {
  __real_free(block);
}
void operator delete(void* block, std::size_t) noexcept {
  __real_free(block);
}
#endif

namespace sockeye::ws::http {
namespace {

// Takes bytes as a server does, and writes what it sends; counts how often memory was asked for.
struct Handshake {
  explicit Handshake(std::string_view request) {
    const test::MallocWatch mallocs;
    const std::size_t calls_before = calls_of_new;
    run(as_bytes(request));
    allocations = mallocs.calls() + (calls_of_new - calls_before);
  }

  void run(Bytes input) {
    RequestReader reader(pool, limits);
    if (reader.read(input) == RequestReader::Status::failed) return refuse(reader.error());
    const Request& request = reader.request();
    Error error = check_upgrade(request);
    if (error == Error::none) error = hosts.check(request);
    if (error == Error::none) error = origin.check(request);
    if (error != Error::none) return refuse(error);
    const Choice choice{choose_subprotocol(request, supported), {}};
    sent = *upgrade_response(accepted, request, choice, crypto::sha1_scalar);
  }

  void refuse(Error error) { sent = refusal(refused, error); }

  Pool pool;
  const Limits limits;
  const AllowedHosts hosts;
  const OriginPolicy origin;
  const std::array<std::string_view, 2> supported = {"superchat", "chat"};
  net::Text<response_head_bytes> accepted;
  net::Text<refusal_bytes> refused;
  std::string_view sent;
  std::size_t allocations = 0;
};

TEST_CASE("an opening handshake that comes in one piece takes no memory") {
  const std::string line_and_host = "GET /chat HTTP/1.1\r\nHost: example.com\r\n";
  const std::string upgrade =
      "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
      "Sec-WebSocket-Protocol: chat, superchat\r\n"
      "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";

  const Handshake accepted(line_and_host + upgrade + "Origin: http://example.com\r\n\r\n");
  CHECK(accepted.sent.starts_with("HTTP/1.1 101 "));
  CHECK(accepted.sent.find("\r\nSec-WebSocket-Protocol: superchat\r\n") != std::string::npos);
  CHECK(accepted.allocations == 0);

  const Handshake forbidden(line_and_host + upgrade + "Origin: http://elsewhere.com\r\n\r\n");
  CHECK(forbidden.sent.starts_with("HTTP/1.1 403 "));
  CHECK(forbidden.allocations == 0);

  const Handshake malformed(line_and_host + "X : y\r\n\r\n");
  CHECK(malformed.sent.starts_with("HTTP/1.1 400 "));
  CHECK(malformed.allocations == 0);
}

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
