// All that a peer got from a server, taken apart: whole HTTP responses, and after a 101 whole
// frames. What is neither fails the test.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <doctest/doctest.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "test/support/websocket_peer.h"

namespace sockeye::test {

struct Transcript {
  std::vector<int> statuses;
  std::vector<Received> frames;

  // Takes what `peer` has received meanwhile. Only the end of its connection may cut something off,
  // and after a Close frame (RFC 6455 §5.5.1) or a response that says "close" there is nothing.
  void take_from(Peer& peer) {
    peer.receive();
    while (!upgraded_ && take_response(peer)) {
    }
    while (upgraded_) {
      const auto frame = peer.take_frame();
      if (!frame) break;
      CHECK(!closed());
      frames.push_back(*frame);
    }
    if (peer.ended() || closed()) {
      CHECK((peer.input().empty() || !closed()));
      peer.take_input();
    }
  }

  bool closed() const { return !frames.empty() && frames.back().opcode == close_frame; }
  // Of the Close frame; 1005 where it has none, 0 where there was no such frame.
  int close_code() const {
    if (!closed()) return 0;
    const std::string& payload = frames.back().payload;
    if (payload.size() < 2) return 1005;
    return static_cast<unsigned char>(payload[0]) << 8 | static_cast<unsigned char>(payload[1]);
  }
  // In one line: "101, text 5, 3 x binary 200000, close 1000".
  std::string summary() const {
    std::vector<std::string> parts;
    for (const int status : statuses) parts.push_back(std::to_string(status));
    for (const Received& frame : frames) {
      const bool is_close = frame.opcode == close_frame;
      parts.push_back(name_of(frame.opcode) + " " +
                      std::to_string(is_close ? close_code() : frame.payload.size()));
    }
    std::string text;
    for (std::size_t i = 0, end; i < parts.size(); i = end) {
      for (end = i; end < parts.size() && parts[end] == parts[i];) ++end;
      if (i > 0) text += ", ";
      if (end - i > 1) text += std::to_string(end - i) + " x ";
      text += parts[i];
    }
    return text;
  }

 private:
  bool take_response(Peer& peer) {
    const auto head = peer.take_head();
    if (!head) return false;
    REQUIRE(head->starts_with("HTTP/1.1 "));
    const std::size_t length_at = head->find("\r\nContent-Length: ");
    const std::size_t length =
        length_at == std::string::npos ? 0 : std::stoul(head->substr(length_at + 18));
    if (peer.input().size() < length) {
      if (!peer.ended()) peer.put_back(*head);
      return false;
    }
    const std::string rest = peer.take_input();
    peer.put_back(std::string_view(rest).substr(length));
    statuses.push_back(std::stoi(head->substr(9)));
    upgraded_ = statuses.back() == 101;
    return true;
  }

  static std::string name_of(int opcode) {
    switch (opcode) {
      case text_frame:
        return "text";
      case binary_frame:
        return "binary";
      case close_frame:
        return "close";
      case ping_frame:
        return "ping";
      case pong_frame:
        return "pong";
      default:
        return "opcode " + std::to_string(opcode);
    }
  }

  bool upgraded_ = false;
};

}  // namespace sockeye::test
