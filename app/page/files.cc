// SPDX-License-Identifier: MIT
#include "app/page/files.h"

#include <algorithm>

namespace sockeye::app::page {

namespace {

// A page loads nothing but its own files, and connects to nothing but its own server.
//
// Its files are there compressed and nothing else. That serves every browser, and whoever names no
// coding may be sent any (RFC 9110 §12.5.3); curl shows them with --compressed.
constexpr std::string_view content_security_policy = "default-src 'self'; frame-ancestors 'none'";

}  // namespace

bool send(std::span<const File> files, std::string_view path, ws::Reply& reply) {
  const auto file = std::ranges::find(files, path, &File::path);
  if (file == files.end()) return false;
  reply.send(200, file->type, as_bytes(file->text()),
             {{"Content-Encoding", "gzip"},
              {"Content-Security-Policy", content_security_policy},
              {"X-Content-Type-Options", "nosniff"},
              {"Cache-Control", "no-cache"}});
  return true;
}

}  // namespace sockeye::app::page
