// One connection's traffic as text, in the syntax of test/wire: a dump that people read beside the
// RFC, and that runs as a test when it is put there (test/support/wire_dump.h has the grammar).
//
//   > 81 85 37 fa 21 3d            # FIN 1, RSV 000, opcode 1 text, MASK 1, length 5, key
//   > 7f 9f 4d 51 58               # "Hello", masked                   RFC 6455 §5.3
//   = text "Hello"
//   ! send text "Hello"
//   < 81 05                        # FIN 1, RSV 000, opcode 1 text, MASK 0, length 5
//   < "Hello"
//
// What a test can't repeat stands in comments. Of a long payload the first bytes are shown, and
// "..." where others were left out: such a dump is for people alone.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "app/trace/decoder.h"

namespace sockeye::app::trace {

class Dump final : public Reader {
 public:
  struct Style {
    bool in_colour = false;
    std::size_t shown_bytes = 0;  // of a payload
  };

  // Appends lines to `out`, which must outlive the dump. `us`: whose part the program plays.
  Dump(std::string& out, Side us, Style style)
      : out_(out), us_(us), in_colour_(style.in_colour), shown_bytes_(style.shown_bytes) {}

  // The first lines. `directives`: what a test has to know of the program's options.
  void begin(std::string_view title, std::string_view directives);
  // A line of comment.
  void note(std::string_view text);
  // The same, of what the peer did.
  void note_of_peer(std::string_view text);
  // We have ended our half of TCP.
  void finish();
  // What came has been dealt with: puts it and what it led to in order.
  void settle();
  // Something is about to come. What was sent with nothing to answer doesn't answer that.
  void arrival() {
    if (came_.empty()) settle();
  }

  void on_request(const ws::http::Request& request, std::string_view head) override;
  void on_response(const ws::http::Response& response, std::string_view head) override;
  void on_upgrade(const Proof& proof, std::string_view subprotocol, ws::Error error) override;
  void on_body(Side from, Bytes bytes) override;
  void on_frame(Side from, const FrameBytes& frame) override;
  void on_event(Side from, const ws::Event& event) override;
  void on_other_bytes(Side from, Bytes bytes, std::string_view why) override;

 private:
  // What we send without our program's doing answers the first of these that came and has none.
  enum class Cue : std::uint8_t { none, request, ping, end };
  struct Lines {
    std::string text;
    Cue cue = Cue::none;
  };

  std::string line(char kind, std::string_view text, std::string_view comment = {}) const;
  std::string head_lines(Side from, std::string_view head) const;
  std::string client_directives(const ws::http::Request& request) const;
  std::string frame_lines(Side from, const FrameBytes& frame) const;
  std::string payload_lines(char kind, const FrameBytes& frame) const;
  std::string failure(ws::Error error) const;
  Lines received(const ws::Event& event);
  Lines sent(const ws::Event& event) const;
  void came(Lines lines);
  void went(Lines lines);
  char kind_of(Side from) const { return from == us_ ? '<' : '>'; }

  std::string& out_;
  const Side us_;
  const bool in_colour_;
  const std::size_t shown_bytes_;
  // Since settle(), and what is not whole yet.
  std::vector<Lines> came_;
  std::vector<Lines> went_;
  std::string coming_;
  std::string going_;
  bool peer_ended_ = false;  // its Close frame, or its error, has come
};

}  // namespace sockeye::app::trace
