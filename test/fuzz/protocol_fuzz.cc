// The protocol, in both roles: an input in one piece and the same input in many must bring the same
// events, and those that a second, naive reader finds; with the fast kernels and the scalar ones.
// (Where compression was agreed on, whole and cut are compared alone.) The last byte chooses role,
// mode and kernels, the one before it the cuts.
//
// SPDX-License-Identifier: MIT
#include "ws/protocol.h"

#include <algorithm>
#include <string>
#include <vector>

#include "test/fuzz/fuzz_input.h"
#include "test/fuzz/naive_protocol.h"

namespace sockeye::ws {
namespace {

using test::NaiveEvent;

class Receiver {
 public:
  Receiver(Role role, const Kernels& kernels, bool in_chunks, bool own_frames_return)
      : settings_{.role = role,
                  .pool = pool_,
                  .limits = {},
                  .kernels = kernels,
                  .in_chunks = in_chunks,
                  .own_frames_return = own_frames_return,
                  .codec = &codec_} {
    settings_.limits.message_bytes = 100'000;
    settings_.limits.message_fragments = 50;
  }

  void agree_on(const deflate::Parameters& compression) {
    test::expect(protocol_.agree_on(compression), "memory for contexts");
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

  // What came, for people; and in the words of the naive reader.
  const std::string& events() const { return events_; }
  const std::vector<NaiveEvent>& naive_events() const { return naive_events_; }
  const Limits& limits() const { return settings_.limits; }

 private:
  void note(const Event& event) {
    switch (event.kind) {
      case Event::Kind::none:
        return;
      case Event::Kind::message:
        return add_message(event.opcode, as_text(event.payload));
      case Event::Kind::chunk:
        return note_chunk(event);
      case Event::Kind::ping:
        return add("ping ", {NaiveEvent::Kind::ping, std::string(as_text(event.payload))});
      case Event::Kind::pong:
        return add("pong ", {NaiveEvent::Kind::pong, std::string(as_text(event.payload))});
      case Event::Kind::close:
        return add("close " + std::to_string(event.code) + " ",
                   {NaiveEvent::Kind::close, std::string(event.reason), event.code});
      case Event::Kind::failed:
        return add("fail " + std::string(info(event.error).name),
                   {NaiveEvent::Kind::failed, "", info(event.error).close_code});
    }
  }

  // How many chunks there are depends on the cuts; joined, they don't.
  void note_chunk(const Event& event) {
    test::expect(event.first == !in_message_, "the first chunk, and only it, is marked so");
    in_message_ = !event.last;
    chunks_ += as_text(event.payload);
    if (!event.last) return;
    add_message(event.opcode, chunks_);
    chunks_.clear();
  }

  void add_message(Opcode opcode, std::string_view payload) {
    const bool text = opcode == Opcode::text;
    add(text ? "text " : "binary ",
        {text ? NaiveEvent::Kind::text : NaiveEvent::Kind::binary, std::string(payload)});
  }

  void add(const std::string& name, NaiveEvent event) {
    test::expect(!ended_, "nothing comes after a Close frame or a failure");
    ended_ = event.kind == NaiveEvent::Kind::failed || event.kind == NaiveEvent::Kind::close;
    events_.append(name).append(event.payload).append("\n");
    naive_events_.push_back(std::move(event));
  }

  Pool pool_{0};
  deflate::MessageCodec codec_{pool_, deflate::Level::fast};
  Settings settings_;
  Protocol protocol_{settings_};
  std::string events_;
  std::vector<NaiveEvent> naive_events_;
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
  const ws::Kernels kernels = (mode & 4) != 0 ? *ws::system_kernels() : ws::Kernels();
  const bool own_frames_return = (mode & 8) != 0;
  const ws::Role reads_as = own_frames_return ? ws::Role::server : role;
  const bool compressed = (mode & 16) != 0 && !in_chunks;
  const ws::deflate::Parameters::Side side{.context_takeover = (mode & 32) != 0,
                                           .window_bits = (mode & 64) != 0
                                                              ? ws::deflate::max_window_bits
                                                              : ws::deflate::min_window_bits};
  const ws::deflate::Parameters compression{.server = side, .client = side};
  const std::uint8_t seed = input.choice();

  ws::Receiver whole(role, kernels, in_chunks, own_frames_return);
  if (compressed) whole.agree_on(compression);
  std::string copy(as_text(input.data()));
  whole.feed({reinterpret_cast<std::uint8_t*>(copy.data()), copy.size()});

  ws::Receiver cut(role, ws::Kernels(), in_chunks, own_frames_return);
  if (compressed) cut.agree_on(compression);
  for (test::FuzzPieces pieces(input.data(), seed); !pieces.at_end();) cut.feed(pieces.next());
  test::expect_equal(whole.events(), cut.events(), "whole and cut");
  if (compressed) return 0;  // the naive reader doesn't know how

  const test::NaiveReader naive(reads_as, whole.limits(), as_text(input.data()));
  test::expect(whole.naive_events() == naive.events(), "against the naive reader");
  return 0;
}
