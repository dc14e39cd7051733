// Writes a block: stored, or in fixed or dynamic codes, whatever takes the fewest bits.
//
// RFC 1951 §3.2.3 to §3.2.7. All three sizes are known before the first bit is written. Fixed codes
// suit short messages, where it isn't worth it to write codes of their own; stored blocks what
// nothing can be saved on, as what is compressed already.
//
// Pure. Next to read: ws/deflate/permessage_deflate.h.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "net/bytes.h"
#include "ws/deflate/bit_writer.h"
#include "ws/deflate/symbols.h"

namespace sockeye::ws::deflate {

// Writes `text`, of at most max_stored_bytes, which `symbols` tell, as a block that isn't the last
// one. Returns the writer that goes on behind it. Clear the symbols then.
BitWriter write_block(BitWriter out, Bytes text, Symbols& symbols);

}  // namespace sockeye::ws::deflate
