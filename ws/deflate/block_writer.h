// SPDX-License-Identifier: MIT
#pragma once

#include "net/bytes.h"
#include "ws/deflate/bit_writer.h"
#include "ws/deflate/symbols.h"

namespace sockeye::ws::deflate {

// Writes `text` as a block of the type that takes the least room. `symbols` tells the same text.
BitWriter write_block(BitWriter out, Bytes text, Symbols& symbols);

}  // namespace sockeye::ws::deflate
