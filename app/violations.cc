// SPDX-License-Identifier: MIT
#include "app/violations.h"

#include <algorithm>
#include <array>

#include "net/bytes.h"
#include "ws/frame/frame.h"
#include "ws/frame/mask.h"

namespace sockeye::app {

namespace {

using namespace std::literals;
using ws::frame::Opcode;

constexpr Violation all[] = {
    {ws::Error::frame_not_masked, "\x81\x05Hello"sv},
    {ws::Error::reserved_bit_set, "\xc1\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"sv},
    {ws::Error::reserved_opcode, "\x83\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"sv},
    {ws::Error::length_not_minimal, "\x81\xfe\x00\x05\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"sv},
    {ws::Error::length_top_bit_set, "\x82\xff\x80\x00\x00\x00\x00\x00\x00\x00\x37\xfa\x21\x3d"sv},
    {ws::Error::control_frame_too_long, "\x89\xfe\x00\x7e\x37\xfa\x21\x3d"sv},
    {ws::Error::control_frame_fragmented, "\x09\x80\x37\xfa\x21\x3d"sv},
    {ws::Error::continuation_without_message, "\x80\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"sv},
    {ws::Error::message_interrupted,
     "\x01\x83\x37\xfa\x21\x3d\x7f\x9f\x4d\x81\x82\x37\xfa\x21\x3d\x5b\x95"sv},
    {ws::Error::text_not_utf8, "\x81\x82\x37\xfa\x21\x3d\xc8\x04"sv},
    {ws::Error::message_too_big, "\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x37\xfa\x21\x3d"sv},
    {ws::Error::close_payload_of_one_byte, "\x88\x81\x37\xfa\x21\x3d\x34"sv},
    {ws::Error::close_code_invalid, "\x88\x82\x37\xfa\x21\x3d\x34\x17"sv},  // 1005
    {ws::Error::close_reason_not_utf8, "\x88\x83\x37\xfa\x21\x3d\x34\x12\xde"sv},
};

constexpr std::string_view close_frame = "\x88\x82\x37\xfa\x21\x3d\x34\x12"sv;  // 1000

void put_frame(std::string& out, Opcode opcode, bool fin, std::string_view payload) {
  constexpr std::uint32_t key = 0x37fa213d;
  std::array<std::uint8_t, ws::frame::max_header_size> head;
  const std::size_t size = ws::frame::encode({.fin = fin,
                                              .opcode = opcode,
                                              .masked = true,
                                              .payload_size = payload.size(),
                                              .masking_key = key},
                                             head.data());
  out += as_text({head.data(), size});
  std::string masked(payload.size(), '\0');
  ws::frame::mask_scalar(reinterpret_cast<std::uint8_t*>(masked.data()), as_bytes(payload).data(),
                         payload.size(), key);
  out += masked;
}

}  // namespace

std::span<const Violation> violations() {
  return all;
}

std::string in_fragments(std::string_view text, std::size_t size) {
  std::string out;
  Opcode opcode = Opcode::text;
  do {
    const std::string_view fragment = text.substr(0, size);
    text.remove_prefix(fragment.size());
    put_frame(out, opcode, text.empty(), fragment);
    opcode = Opcode::continuation;
  } while (!text.empty());
  return out += close_frame;
}

std::string as_ping(std::string_view text) {
  std::string out;
  put_frame(out, Opcode::ping, true, text.substr(0, ws::frame::max_control_payload));
  return out += close_frame;
}

}  // namespace sockeye::app
