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
  // We have ended our half of TCP.
  void finish();
  // Nothing more will be sent.
  void flush_own();

  void on_request(const ws::http::Request& request, std::string_view head) override;
  void on_response(const ws::http::Response& response, std::string_view head) override;
  void on_upgrade(const Proof& proof, std::string_view subprotocol, ws::Error error) override;
  void on_body(Side from, Bytes bytes) override;
  void on_frame(Side from, const FrameBytes& frame) override;
  void on_event(Side from, const ws::Event& event) override;
  void on_other_bytes(Side from, Bytes bytes, std::string_view why) override;

 private:
  void line(char kind, std::string_view text, std::string_view comment = {});
  void head_lines(Side from, std::string_view head);
  void payload_lines(char kind, const FrameBytes& frame);
  void received(const ws::Event& event);
  void failed(ws::Error error);
  void sent(const ws::Event& event);
  char kind_of(Side from) const { return from == us_ ? '<' : '>'; }

  std::string& out_;
  const Side us_;
  const bool in_colour_;
  const std::size_t shown_bytes_;
  std::string own_frame_;    // lines of it: what made us send it is said first
  bool peer_ended_ = false;  // its Close frame, or its error, has come
};

}  // namespace sockeye::app::trace
