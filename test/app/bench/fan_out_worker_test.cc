// SPDX-License-Identifier: MIT
#include "app/bench/fan_out_worker.h"

#include <doctest/doctest.h>

#include <string>

namespace sockeye::app::bench {

TEST_CASE("Stamp: what is written is read, whatever follows it") {
  std::string message(20, 'x');
  const MutableBytes bytes(reinterpret_cast<std::uint8_t*>(message.data()), message.size());
  Stamp{0x0000012a05f2, 3}.write(bytes);
  CHECK(message == "0000012a05f20003xxxx");
  const auto stamp = Stamp::read(bytes);
  REQUIRE(stamp);
  CHECK(stamp->since_ns == 0x12a05f2);
  CHECK(stamp->publisher == 3);

  Stamp{0xffff'ffff'ffff, 0xffff}.write(bytes);
  CHECK(message == "ffffffffffffffffxxxx");
  CHECK(Stamp::read(bytes)->since_ns == 0xffff'ffff'ffff);
  CHECK(Stamp::read(bytes)->publisher == 0xffff);
}

TEST_CASE("Stamp: what is none is none") {
  for (const char* text : {"", "0000012a05f2000", "0000012a05f2000g", "hello, subscribers!",
                           "-000012a05f20003", " 000012a05f20003"}) {
    CAPTURE(text);
    CHECK(!Stamp::read(as_bytes(text)));
  }
}

}  // namespace sockeye::app::bench
