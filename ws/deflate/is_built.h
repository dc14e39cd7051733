// Whether permessage-deflate is there: make WITHOUT=deflate leaves out what compresses, inflates
// and negotiates. For the library's own files: programs that include its headers know nothing of
// WITHOUT.
//
// SPDX-License-Identifier: MIT
#pragma once

namespace sockeye::ws::deflate {

#ifdef SOCKEYE_WITHOUT_deflate
inline constexpr bool is_built = false;
#else
inline constexpr bool is_built = true;
#endif

}  // namespace sockeye::ws::deflate
