// SPDX-License-Identifier: MIT
#include "ws/frame/close.h"

#include <doctest/doctest.h>

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace sockeye::ws::frame {
namespace {

Close decoded(std::vector<std::uint8_t> payload) {
  Close close = decode_close(payload, utf8_scalar);
  close.reason = {};  // it lay in the payload
  return close;
}

std::string encoded(std::uint16_t code, std::string_view reason) {
  std::array<std::uint8_t, max_control_payload + 1> bytes;
  bytes.fill(0xEE);
  const std::size_t size = encode_close(code, reason, bytes.data());
  CHECK(size <= max_control_payload);
  CHECK(bytes[size] == 0xEE);
  return std::string(as_text(Bytes(bytes).first(size)));
}

// RFC 6455 §7.4.2 gives the ranges, §7.4.1 the codes that are defined, and which of them must not
// be set in a Close frame: 1004 is reserved, 1005, 1006 and 1015 are for reports. IANA's registry
// has had 1012 to 1014 since. The rest of 1000 to 2999 is for later versions of the protocol.
bool may_be_sent(unsigned code) {
  if (code < 1000) return false;  // "not used"
  if (code < 3000) {
    switch (code) {
      case 1000:
      case 1001:
      case 1002:
      case 1003:
      case 1007:
      case 1008:
      case 1009:
      case 1010:
      case 1011:
      case 1012:
      case 1013:
      case 1014:
        return true;
    }
    return false;
  }
  return code < 5000;  // 3000 to 3999 registered with IANA, 4000 to 4999 for private use
}

TEST_CASE("RFC 6455 §7.4: each of the 65,536 codes is taken or refused") {
  for (unsigned code = 0; code <= 0xffff; ++code) {
    CAPTURE(code);
    const Close close =
        decoded({static_cast<std::uint8_t>(code >> 8), static_cast<std::uint8_t>(code)});
    REQUIRE(close.error == (may_be_sent(code) ? Error::none : Error::close_code_invalid));
    if (may_be_sent(code)) REQUIRE(close.code == code);
  }
}

TEST_CASE("RFC 6455 §7.1.5: no payload means that no code was received") {
  const Close close = decoded({});
  CHECK(close.error == Error::none);
  CHECK(close.code == close_code::none_received);
}

TEST_CASE("RFC 6455 §5.5.1: half a code is none") {
  CHECK(decoded({0x03}).error == Error::close_payload_of_one_byte);
}

TEST_CASE("RFC 6455 §5.5.1: the reason is UTF-8, and borrowed from the payload") {
  const std::vector<std::uint8_t> payload = {0x03, 0xe8, 0xe2, 0x82, 0xac};
  const Close close = decode_close(payload, utf8_scalar);
  CHECK(close.error == Error::none);
  CHECK(close.reason == "€");
  CHECK(as_bytes(close.reason).data() == payload.data() + 2);

  CHECK(decoded({0x03, 0xe8, 0xff}).error == Error::close_reason_not_utf8);
  CHECK(decoded({0x03, 0xe8, 0xe2, 0x82}).error == Error::close_reason_not_utf8);
  // Where both are wrong, the code comes first.
  CHECK(decoded({0x00, 0x00, 0xff}).error == Error::close_code_invalid);
}

TEST_CASE("RFC 6455 §5.5.1: a payload is written as it is read") {
  CHECK(encoded(close_code::none_received, "ignored") == "");
  CHECK(encoded(1000, "") == std::string_view("\x03\xe8"));
  CHECK(encoded(4999, "bye") == std::string_view("\x13\x87"
                                                 "bye"));
  const std::string longest(max_close_reason, 'r');
  const std::string payload = encoded(1000, longest);
  CHECK(payload.size() == max_control_payload);
  CHECK(decode_close(as_bytes(payload), utf8_scalar).reason == longest);
}

TEST_CASE("RFC 6455 §5.5: a reason that is too long is cut at the end of a character") {
  CHECK(encoded(1000, std::string(124, 'r')).substr(2) == std::string(123, 'r'));
  for (const std::string_view character : {"é", "€", "𐍈"}) {
    for (std::size_t before = 110; before <= 125; ++before) {
      std::string reason(before, 'r');
      for (int i = 0; i < 5; ++i) reason += character;
      const std::string payload = encoded(1000, reason);
      const Close close = decode_close(as_bytes(payload), utf8_scalar);
      CAPTURE(before);
      REQUIRE(close.error == Error::none);
      CHECK(reason.starts_with(close.reason));
      // Not one character less than would have fitted.
      const bool all_fits = close.reason.size() == reason.size();
      const std::size_t next = close.reason.size() < before ? 1 : character.size();
      CHECK((all_fits || close.reason.size() + next > max_close_reason));
    }
  }
}

}  // namespace
}  // namespace sockeye::ws::frame
