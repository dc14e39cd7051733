// Step 2 of 6: answers the request, so that the browser's WebSocket opens.
//
// The answer has to prove that this is a server which knows WebSocket, and not some other that was
// talked into sending it (RFC 6455 §1.3): the Sec-WebSocket-Accept in it is made from the request's
// Sec-WebSocket-Key, and this program prints how. SHA-1 and Base64 are the library's: worth reading
// (crypto/sha1.cc, crypto/base64.cc), but no part of WebSocket.
//
//   g++ -std=c++20 -I. app/examples/2_handshake.cc build/libsockeye.a -o build/2_handshake
//   build/2_handshake 9000
//
// In a browser's console, on file:///:
//
//   socket = new WebSocket("ws://127.0.0.1:9000/"); socket.onopen = () => socket.send("Hello")
//
// What comes after the handshake is printed byte by byte. It doesn't look like "Hello": step 3 says
// why. All that a handshake is to be checked for is in ws/http/handshake.h.
//
// SPDX-License-Identifier: MIT
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "app/examples/listen_on.h"
#include "crypto/base64.h"
#include "crypto/sha1.h"

// The request up to its empty line (RFC 9112 §2.1); what there is, where that doesn't come within
// 8 KiB. Byte by byte, so that nothing is taken of the frames behind it: slow, and short to write.
std::string receive_head(int peer) {
  std::string head;
  for (char byte; head.size() < 8192 && recv(peer, &byte, 1, 0) == 1;) {
    head += byte;
    if (head.ends_with("\r\n\r\n")) break;
  }
  return head;
}

// The value of the field Sec-WebSocket-Key, or nothing. (RFC 9110 §5.1: in whatever case.)
std::string key_of(const std::string& head) {
  constexpr std::string_view name = "\r\nSec-WebSocket-Key:";
  const char* field = strcasestr(head.c_str(), name.data());
  if (field == nullptr) return {};
  field += name.size();
  field += std::strspn(field, " \t");
  return {field, std::strcspn(field, " \t\r")};
}

// RFC 6455 §4.2.2 item 5.4: the Base64 of the SHA-1 of the key and of a text that is always the
// same, a GUID.
std::string accept_value(const std::string& key) {
  const std::string text = key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  std::printf("key and GUID  %s\n", text.c_str());

  sockeye::crypto::Sha1 sha1;
  sha1.update(sockeye::as_bytes(text));
  const sockeye::crypto::Sha1::Digest digest = sha1.digest();
  std::printf("SHA-1         ");
  for (const std::uint8_t byte : digest) std::printf("%02x", byte);

  char letters[sockeye::crypto::base64_encoded_size(sizeof digest)];
  const std::string accept(sockeye::crypto::base64_encode(digest, letters));
  std::printf("\nBase64        %s\n", accept.c_str());
  return accept;
}

void send_all(int peer, const std::string& bytes) {
  send(peer, bytes.data(), bytes.size(), MSG_NOSIGNAL);
}

int main(int count, char** arguments) {
  const int listener = listen_on(count > 1 ? std::atoi(arguments[1]) : 9000);
  while (true) {
    const int peer = accept(listener, nullptr, nullptr);
    if (peer < 0) continue;
    const std::string head = receive_head(peer);
    std::printf("%s", head.c_str());
    const std::string key = key_of(head);
    if (key.empty()) {
      send_all(peer, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
    } else {
      // §4.2.2 item 5: 101, and from here on the connection speaks WebSocket.
      send_all(peer,
               "HTTP/1.1 101 Switching Protocols\r\n"
               "Upgrade: websocket\r\n"
               "Connection: Upgrade\r\n"
               "Sec-WebSocket-Accept: " +
                   accept_value(key) + "\r\n\r\n");
      for (std::uint8_t byte; recv(peer, &byte, 1, 0) == 1;) std::printf("%02x\n", byte);
    }
    close(peer);
  }
}
