// How traces write bytes: hexadecimal digits, and quoted text, as in test/wire.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "net/bytes.h"

namespace sockeye::app::trace {

void put_decimal(std::string& out, std::uint64_t value);

// "81 05", with `between` between bytes.
void put_hex(std::string& out, Bytes bytes, std::string_view between = " ");

// "\"Hello\\r\\n\"": printable on any terminal; what isn't ASCII stands for itself where `bytes`
// are UTF-8, and else as \xNN.
void put_quoted(std::string& out, Bytes bytes);

// Text where it reads as such, and digits for the rest: 03 e8 "bye".
void put_mixed(std::string& out, Bytes bytes);

}  // namespace sockeye::app::trace
