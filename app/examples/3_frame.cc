// Step 3 of 6: reads frames, bit by bit, and sends them back.
//
// After the handshake both sides send frames (RFC 6455 §5.2; section numbers mean that document). A
// client's are masked (§5.3), which is why step 2 printed no "Hello".
//
//   g++ -std=c++20 -I. app/examples/3_frame.cc build/libsockeye.a -o build/3_frame
//   build/3_frame 9000
//   echo Hello | build/sockeye cat ws://127.0.0.1:9000/
//
// The last, in another terminal, prints the Hello that came back; this program prints each frame's
// header, and its payload before and after unmasking. What is left out: that text is UTF-8 (§8.1),
// that fragments come in order (§5.4), what a Close frame may say (§7.4), frames of 64 KiB and
// more. The library has all of it, and test/wire shows it as bytes.
//
// SPDX-License-Identifier: MIT
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "app/examples/listen_on.h"
#include "crypto/sha1.h"
#include "ws/http/handshake.h"

struct Frame {
  bool fin;    // ends its message
  int opcode;  // §5.2: 0 continuation, 1 text, 2 binary, 8 Close, 9 Ping, 10 Pong
  std::string payload;
};

bool send_all(int peer, const std::string& bytes) {
  return send(peer, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
}

// Waits until all of it is there. False where the peer is gone before.
bool receive_all(int peer, void* to, std::size_t size) {
  return size == 0 || recv(peer, to, size, MSG_WAITALL) == static_cast<ssize_t>(size);
}

// Step 2 in short; the proof is now made by the library.
bool shake_hands(int peer) {
  std::string head;
  for (char byte; !head.ends_with("\r\n\r\n"); head += byte) {
    if (head.size() == 8192 || recv(peer, &byte, 1, 0) != 1) return false;
  }
  // §4.1 item 7: the key is 16 bytes in Base64, so 24 letters.
  constexpr std::string_view name = "\r\nSec-WebSocket-Key: ";
  const std::size_t field = head.find(name);
  if (field == head.npos) return false;
  const auto accept = sockeye::ws::http::accept_value(head.substr(field + name.size(), 24),
                                                      sockeye::crypto::sha1_scalar);
  return send_all(peer,
                  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                  "Connection: Upgrade\r\nSec-WebSocket-Accept: " +
                      std::string(accept.data(), accept.size()) + "\r\n\r\n");
}

// As receive_frame() has them; but a server's frames aren't masked (§5.1).
bool send_frame(int peer, const Frame& frame) {
  const std::size_t size = frame.payload.size();
  std::string bytes = {static_cast<char>(frame.fin << 7 | frame.opcode),
                       static_cast<char>(size <= 125 ? size : 126)};
  if (size > 125) bytes += {static_cast<char>(size >> 8), static_cast<char>(size)};
  return send_all(peer, bytes + frame.payload);
}

// §7.1.7: the peer broke a rule, so the connection ends, with a Close frame that says which (§7.4).
std::nullopt_t fail(int peer, int code) {
  std::printf("failed with code %d\n", code);
  send_frame(peer, {true, 8, {static_cast<char>(code >> 8), static_cast<char>(code)}});
  return std::nullopt;
}

// Waits for a whole frame, such as the text Hello of §5.7:
//
//   81                  85             37 fa 21 3d   7f 9f 4d 51 58
//   1   000 0001        1    0000101   key           payload
//   FIN RSV opcode      MASK length
//
// With 126 for a length, its 16 bits come before the key; with 127 64 bits.
std::optional<Frame> receive_frame(int peer) {
  std::uint8_t start[2];
  if (!receive_all(peer, start, sizeof start)) return std::nullopt;
  const bool fin = (start[0] & 0b1000'0000) != 0;
  const int rsv = (start[0] & 0b0111'0000) >> 4;
  const int opcode = start[0] & 0b0000'1111;
  const bool masked = (start[1] & 0b1000'0000) != 0;
  std::size_t size = start[1] & 0b0111'1111;
  if (rsv != 0 || !masked) return fail(peer, 1002);  // no extension was agreed on; §5.1
  if (size == 127) return fail(peer, 1009);  // 64 bits of length, and more than is taken here
  if (size == 126) {
    std::uint8_t length[2];  // the high byte first, as in all of the header
    if (!receive_all(peer, length, sizeof length)) return std::nullopt;
    size = static_cast<std::size_t>(length[0] << 8 | length[1]);
  }
  std::uint8_t key[4];
  if (!receive_all(peer, key, sizeof key)) return std::nullopt;
  std::string payload(size, '\0');
  if (!receive_all(peer, payload.data(), size)) return std::nullopt;

  std::printf("FIN %d, opcode %d, MASK %d, length %zu, key %02x %02x %02x %02x, payload", fin,
              opcode, masked, size, key[0], key[1], key[2], key[3]);
  for (const char byte : payload) std::printf(" %02x", static_cast<std::uint8_t>(byte));
  // §5.3: XOR with the key's four bytes in turn.
  for (std::size_t i = 0; i < size; ++i) payload[i] = static_cast<char>(payload[i] ^ key[i % 4]);
  std::printf(": \"%s\"\n", payload.c_str());
  return Frame{fin, opcode, payload};
}

int main(int count, char** arguments) {
  const int listener = listen_on(count > 1 ? std::atoi(arguments[1]) : 9000);
  while (true) {
    const int peer = accept(listener, nullptr, nullptr);
    if (peer < 0) continue;
    bool open = shake_hands(peer);
    while (open) {
      std::optional<Frame> frame = receive_frame(peer);
      if (!frame) break;
      if (frame->opcode == 10) continue;           // §5.5.3: a Pong wants no answer
      if (frame->opcode == 9) frame->opcode = 10;  // §5.5.2: a Ping a Pong, with what it carried
      open = send_frame(peer, *frame) && frame->opcode != 8;  // §5.5.1: a Close frame, and the end
    }
    close(peer);
  }
}
