// --static DIR: files, served beside WebSocket. make WITHOUT=static leaves them out.
//
// RFC 9110: GET and HEAD, entity tags and If-None-Match (§13.1.2), ranges (§14), and for clients
// that accept gzip the file NAME.gz in place of NAME. A folder is its index.html. The system's
// openat2(2) sees to it that nothing outside of the folder is ever opened, whatever a path or a
// symbolic link says. Links that stay within the folder are followed: swapping one is how a site is
// brought up to date, and who can make them could copy as well. What has a name that begins with a
// dot is nobody's business, and what isn't a regular file is never opened.
//
// A new version of a file is to be renamed to its name. The kernel sends the pages of a file as
// they are when their time has come, so of one that is overwritten where it is, a response under
// way may have some of the old and some of the new; if it becomes shorter, the connection ends.
//
// Threads may share one: it doesn't change. What a request says is read by app/static_request.h.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "net/error.h"
#include "net/fd.h"
#include "net/result.h"
#include "net/text.h"
#include "ws/handler.h"

namespace sockeye::app {

#ifdef SOCKEYE_WITHOUT_static

class StaticFiles {
 public:
  bool serve(const ws::http::Request&, ws::Reply&) const { return false; }
  int folder() const { return -1; }
};

inline Result<std::unique_ptr<StaticFiles>, net::Error> open_static_files(const std::string&) {
  return std::unique_ptr<StaticFiles>();
}

#else

class StaticFiles {
 public:
  explicit StaticFiles(net::Fd folder) : folder_(std::move(folder)) {}

  // Answers, or returns false: the request isn't GET or HEAD, or there is no such file.
  bool serve(const ws::http::Request& request, ws::Reply& reply) const;

  // The descriptor of the folder.
  int folder() const { return folder_.get(); }

 private:
  struct File {
    net::Fd fd;
    std::uint64_t size = 0;
    net::Text<64> tag;
  };
  // What is to be served under a name; `unavailable`: not now, for want of descriptors or memory.
  enum class Kind : std::uint8_t { nothing, file, folder, unavailable };

  static Kind why_not(std::string_view path);
  int open(net::TextWriter& path, int flags) const;
  Kind kind_of(net::TextWriter& path) const;
  Kind open_file(net::TextWriter& path, File& file) const;

  const net::Fd folder_;
};

// Null where `folder` is empty. Fails where there is no such folder, or the kernel has no
// openat2(2).
Result<std::unique_ptr<StaticFiles>, net::Error> open_static_files(const std::string& folder);

#endif

}  // namespace sockeye::app
