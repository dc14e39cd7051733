// An echo server over libwebsockets, to race against.  libwebsockets PORT
//
// Settings: UTF-8 is checked (LWS_SERVER_OPTION_VALIDATE_UTF8; it isn't by default); buffers of 128
// KiB ("can be increased to, eg, 128KiB to improve throughput", pt_serv_buf_size in
// lws-context-vhost.h); a whole message goes out in one piece (tx_packet_size); the default event
// loop, poll(), which for 100 connections takes less than those over libev and libuv. As
// READMEs/README.coding.md demands, data is sent in the WRITEABLE callback alone, one message at a
// time. TCP_NODELAY is set by the library.
//
// SPDX-License-Identifier: MIT
#include <libwebsockets.h>

#include <cstdlib>
#include <deque>
#include <utility>
#include <vector>

namespace {

constexpr std::size_t message_limit_bytes = 64 * 1024 * 1024;
constexpr std::size_t buffer_bytes = 128 * 1024;

struct Message {
  std::vector<unsigned char> bytes = std::vector<unsigned char>(LWS_PRE);  // payload follows
  lws_write_protocol kind = LWS_WRITE_BINARY;
};

// What one connection has received, and what waits to be sent.
struct Session {
  Message incoming;
  std::deque<Message> outgoing;
};

// False where the connection must end.
bool receive(lws* connection, Session& session, const unsigned char* data, std::size_t size) {
  auto& bytes = session.incoming.bytes;
  bytes.insert(bytes.end(), data, data + size);
  if (bytes.size() > message_limit_bytes) return false;
  if (lws_remaining_packet_payload(connection) > 0 || !lws_is_final_fragment(connection))
    return true;
  session.incoming.kind = lws_frame_is_binary(connection) ? LWS_WRITE_BINARY : LWS_WRITE_TEXT;
  session.outgoing.push_back(std::exchange(session.incoming, Message()));
  lws_callback_on_writable(connection);
  return true;
}

bool send(lws* connection, Session& session) {
  if (session.outgoing.empty()) return true;
  Message& message = session.outgoing.front();
  const std::size_t size = message.bytes.size() - LWS_PRE;
  if (lws_write(connection, message.bytes.data() + LWS_PRE, size, message.kind) < 0) return false;
  session.outgoing.pop_front();
  if (!session.outgoing.empty()) lws_callback_on_writable(connection);
  return true;
}

int on_event(lws* connection, lws_callback_reasons reason, void* user, void* data, size_t size) {
  auto* const session = static_cast<Session**>(user);
  bool lives = true;
  if (reason == LWS_CALLBACK_ESTABLISHED) *session = new Session;
  if (reason == LWS_CALLBACK_CLOSED) delete *session;
  if (reason == LWS_CALLBACK_RECEIVE) {
    lives = receive(connection, **session, static_cast<unsigned char*>(data), size);
  }
  if (reason == LWS_CALLBACK_SERVER_WRITEABLE) lives = send(connection, **session);
  return lives ? 0 : -1;
}

}  // namespace

int main(int, char** arguments) {
  const lws_protocols protocols[] = {
      {"echo", on_event, sizeof(Session*), buffer_bytes, 0, nullptr, message_limit_bytes}, {}};
  lws_set_log_level(LLL_ERR, nullptr);
  lws_context_creation_info info = {};
  info.port = std::atoi(arguments[1]);
  info.iface = "127.0.0.1";
  info.protocols = protocols;
  info.pt_serv_buf_size = buffer_bytes;
  info.options = LWS_SERVER_OPTION_VALIDATE_UTF8;
  lws_context* const context = lws_create_context(&info);
  if (context == nullptr) return 1;
  while (lws_service(context, 0) >= 0) {
  }
  lws_context_destroy(context);
}
