// The protocol, in both roles: an input in one piece and the same input in many must bring the same
// events. The last byte chooses role and mode, the one before it the cuts.
//
// SPDX-License-Identifier: MIT
#include "ws/protocol.h"

#include <algorithm>
#include <string>

#include "test/fuzz/fuzz_input.h"

namespace sockeye::ws {
namespace {

class Receiver {
 public:
  Receiver(Role role, bool in_chunks)
      : settings_{
            .role = role, .pool = pool_, .limits = {}, .kernels = {}, .in_chunks = in_chunks} {
    settings_.limits.message_bytes = 100'000;
    settings_.limits.message_fragments = 50;
  }

  // As a stream and its connection do.
  void feed(MutableBytes input) {
    const MutableBytes direct = protocol_.direct_space();
    if (!direct.empty()) {
      const std::size_t size = std::min(direct.size(), input.size());
      copy_bytes(direct.data(), input.first(size));
      input = input.subspan(size);
      note(protocol_.commit_direct(size));
      protocol_.release();
    }
    while (!input.empty()) {
      note(protocol_.read(input));
      protocol_.release();
    }
  }

  const std::string& events() const { return events_; }

 private:
  void note(const Event& event) {
    switch (event.kind) {
      case Event::Kind::none:
        return;
      case Event::Kind::message:
        return add(event.opcode == Opcode::text ? "text " : "binary ", as_text(event.payload));
      case Event::Kind::chunk:
        return note_chunk(event);
      case Event::Kind::ping:
        return add("ping ", as_text(event.payload));
      case Event::Kind::pong:
        return add("pong ", as_text(event.payload));
      case Event::Kind::close:
        test::expect(frame::is_valid_close_code(event.code) || event.code == 1005, "close code");
        return add("close " + std::to_string(event.code) + " ", event.reason);
      case Event::Kind::failed:
        return add("fail ", info(event.error).name);
    }
  }

  // How many chunks there are depends on the cuts; joined, they don't.
  void note_chunk(const Event& event) {
    test::expect(event.first == !in_message_, "the first chunk, and only it, is marked so");
    in_message_ = !event.last;
    chunks_ += as_text(event.payload);
    if (!event.last) return;
    add(event.opcode == Opcode::text ? "chunked text " : "chunked binary ", chunks_);
    chunks_.clear();
  }

  void add(const std::string& name, std::string_view payload) {
    test::expect(!ended_, "nothing comes after a Close frame or a failure");
    ended_ = name.starts_with("fail") || name.starts_with("close");
    events_.append(name).append(payload).append("\n");
  }

  Pool pool_{0};
  Settings settings_;
  Protocol protocol_{settings_};
  std::string events_;
  std::string chunks_;
  bool in_message_ = false;
  bool ended_ = false;
};

}  // namespace
}  // namespace sockeye::ws

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sockeye;
  test::FuzzInput input(data, size);
  const std::uint8_t mode = input.choice();
  const ws::Role role = (mode & 1) != 0 ? ws::Role::client : ws::Role::server;
  const bool in_chunks = (mode & 2) != 0;
  const std::uint8_t seed = input.choice();

  ws::Receiver whole(role, in_chunks);
  std::string copy(as_text(input.data()));
  whole.feed({reinterpret_cast<std::uint8_t*>(copy.data()), copy.size()});

  ws::Receiver cut(role, in_chunks);
  for (test::FuzzPieces pieces(input.data(), seed); !pieces.at_end();) cut.feed(pieces.next());
  test::expect_equal(whole.events(), cut.events(), "whole and cut");
  return 0;
}
