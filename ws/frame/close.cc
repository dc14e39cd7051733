// SPDX-License-Identifier: MIT
#include "ws/frame/close.h"

namespace sockeye::ws::frame {

Close decode_close(Bytes payload, Utf8Kernel* utf8) {
  if (payload.empty()) return {};  // §7.1.5: code 1005
  // §5.5.1: if there is a body, its first two bytes are a code.
  if (payload.size() == 1) return {.error = Error::close_payload_of_one_byte};
  const std::uint16_t code = load_be16(payload.data());
  if (!is_valid_close_code(code)) return {.error = Error::close_code_invalid};
  // §5.5.1, §8.1: the reason is UTF-8.
  const Bytes reason = payload.subspan(2);
  Utf8Validator validator;
  if (!validator.feed(reason, utf8) || !validator.complete()) {
    return {.error = Error::close_reason_not_utf8};
  }
  return {.code = code, .reason = as_text(reason)};
}

std::size_t encode_close(std::uint16_t code, std::string_view reason, std::uint8_t* to) {
  if (code == close_code::none_received) return 0;  // §7.4.1: it is never sent
  std::size_t size = reason.size();
  // §5.5: a control frame carries at most 125 bytes.
  if (size > max_close_reason) {
    size = max_close_reason;
    // A byte of the form 10xxxxxx continues a character: cut before that character's first byte.
    while (size > 0 && (static_cast<std::uint8_t>(reason[size]) & 0xc0) == 0x80) --size;
  }
  // §5.5.1: the code first, and its higher byte first.
  store_be16(to, code);
  copy_bytes(to + 2, as_bytes(reason.substr(0, size)));
  return 2 + size;
}

}  // namespace sockeye::ws::frame
