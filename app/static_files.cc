// SPDX-License-Identifier: MIT
#include "app/static_files.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <span>
#include <string_view>

#include "app/static_request.h"
#include "net/log.h"
#include "ws/http/list.h"

namespace sockeye::app {

using ws::http::Field;
using ws::http::FieldValues;
using ws::http::Request;

namespace {

constexpr std::string_view index_name = "index.html";

// Room for the longest path with "/index.html.gz" behind it, and a zero.
using Path = net::Text<longest_file_path + 16>;

// Beneath the folder, whatever links say; and not by a link of /proc, which leads to what a process
// has open.
int open_beneath(int folder, const char* path, int flags) {
  open_how how{};
  how.flags = static_cast<unsigned>(flags | O_CLOEXEC);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  // EAGAIN: something was renamed meanwhile, so that the kernel can't tell where ".." of a link is.
  long opened = -1;
  for (int tries = 0; tries < 4; ++tries) {
    opened = ::syscall(__NR_openat2, folder, path, &how, sizeof how);
    if (opened >= 0 || (errno != EAGAIN && errno != EINTR)) break;
  }
  return static_cast<int>(opened);
}

}  // namespace

Result<std::unique_ptr<StaticFiles>, net::Error> open_static_files(const std::string& folder) {
  if (folder.empty()) return std::unique_ptr<StaticFiles>();
  net::Fd fd(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return net::system_error("cannot serve files of " + folder);
  const net::Fd probe(open_beneath(fd.get(), ".", O_PATH));
  if (!probe) return net::system_error("--static needs openat2(2), which Linux has since 5.6");
  return std::make_unique<StaticFiles>(std::move(fd));
}

int StaticFiles::open(net::TextWriter& path, int flags) const {
  const std::size_t size = path.size();
  path.put({"", 1});  // its end, for the kernel
  const int opened = open_beneath(folder_.get(), path.view().data(), flags);
  path.rewind(size);
  return opened;
}

// What to make of errno. Where a file is there and isn't served, the log tells its owner.
StaticFiles::Kind StaticFiles::why_not(std::string_view path) {
  const int error = errno;
  if (error == ENOENT || error == ENOTDIR || error == ENAMETOOLONG) return Kind::nothing;
  const std::string_view reason = std::strerror(error);
  net::log(net::LogLevel::info, "a file can't be served", {{"path", path}, {"reason", reason}});
  const bool in_want = error == EMFILE || error == ENFILE || error == ENOMEM;
  return in_want ? Kind::unavailable : Kind::nothing;
}

// Without opening it: a device or a FIFO would notice.
StaticFiles::Kind StaticFiles::kind_of(net::TextWriter& path) const {
  const net::Fd place(open(path, O_PATH));
  struct stat status;
  if (!place || ::fstat(place.get(), &status) != 0) return why_not(path.view());
  if (S_ISDIR(status.st_mode)) return Kind::folder;
  return S_ISREG(status.st_mode) ? Kind::file : Kind::nothing;
}

// O_NONBLOCK: should it have become something else by now, that doesn't keep the server waiting.
StaticFiles::Kind StaticFiles::open_file(net::TextWriter& path, File& file) const {
  if (const Kind kind = kind_of(path); kind != Kind::file) return kind;
  net::Fd fd(open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY));
  struct stat status;
  if (!fd || ::fstat(fd.get(), &status) != 0) return why_not(path.view());
  if (!S_ISREG(status.st_mode)) return Kind::nothing;
  file.fd = std::move(fd);
  file.size = static_cast<std::uint64_t>(status.st_size);
  // RFC 9110 §8.8.3: another one for whatever is written to the file, or renamed to its name.
  file.tag.rewind(0);
  file.tag.put("\"").put_hex(static_cast<std::uint64_t>(status.st_mtim.tv_sec));
  file.tag.put_hex(static_cast<std::uint64_t>(status.st_mtim.tv_nsec), 8);
  file.tag.put("-").put_hex(file.size).put("-").put_hex(status.st_ino).put("\"");
  return Kind::file;
}

namespace {

// RFC 9110 §15.4.2: the same path with a slash, in which the folder's own links are right. Relative
// to where the client is, so that no path ("//evil.example") can name another host; and with a dot,
// so that none ("/javascript:x") can name a scheme.
void redirect_to_folder(std::string_view path, ws::Reply& reply) {
  net::Text<1024> location;
  location.put("./").put(path.substr(path.rfind('/') + 1)).put("/");
  reply.send(301, "text/plain; charset=utf-8", as_bytes("301 Moved Permanently\n"),
             {{"Location", location.view()}});
}

// The part of the file that the request wants, §13.2.2: of GET alone, and only where If-Range, if
// it is there, has this very tag (§13.1.5).
Range wanted_range(const Request& request, std::uint64_t size, std::string_view tag) {
  if (request.method() != "GET" || request.count("range") != 1) return {};
  if (request.field("if-range").value_or(tag) != tag) return {};
  return read_range(*request.field("range"), size);
}

}  // namespace

bool StaticFiles::serve(const Request& request, ws::Reply& reply) const {
  if (request.method() != "GET" && request.method() != "HEAD") return false;
  Path path;
  if (!decode_path(request.path(), path)) return false;
  if (path.size() == 0 || path.view().ends_with('/')) {
    path.put(index_name);
  } else if (kind_of(path) == Kind::folder) {
    path.put("/").put(index_name);
    if (kind_of(path) != Kind::file) return false;
    redirect_to_folder(request.path(), reply);
    return true;
  }

  File file;
  const Kind kind = open_file(path, file);
  if (kind == Kind::unavailable) {
    reply.refuse(ws::Error::out_of_memory);
    return true;
  }
  if (kind != Kind::file) return false;
  const std::string_view type = content_type(path.view());
  bool is_gzip = false;
  if (accepts_gzip(FieldValues(request, "accept-encoding"))) {
    path.put(".gz");
    is_gzip = open_file(path, file) == Kind::file;
  }

  const std::string_view tag = file.tag.view();
  if (has_entity_tag(FieldValues(request, "if-none-match"), tag)) {
    reply.send(304, type, {}, {{"ETag", tag}, {"Vary", "Accept-Encoding"}});
    return true;
  }
  const Range range = wanted_range(request, file.size, tag);
  net::Text<80> content_range;
  content_range.put("bytes ");
  if (range.kind == Range::Kind::unsatisfiable) {
    content_range.put("*/").put_decimal(file.size);
    reply.send(416, "text/plain; charset=utf-8", as_bytes("416 Range Not Satisfiable\n"),
               {{"Content-Range", content_range.view()}});
    return true;
  }
  const bool is_part = range.kind == Range::Kind::part;
  if (is_part) {
    content_range.put_decimal(range.first).put("-").put_decimal(range.first + range.size - 1);
    content_range.put("/").put_decimal(file.size);
  }
  Field fields[6] = {{"ETag", tag},
                     {"Accept-Ranges", "bytes"},
                     {"Vary", "Accept-Encoding"},
                     {"X-Content-Type-Options", "nosniff"}};
  std::size_t count = 4;
  if (is_gzip) fields[count++] = {"Content-Encoding", "gzip"};
  if (is_part) fields[count++] = {"Content-Range", content_range.view()};
  reply.send_file(is_part ? 206 : 200, type, std::move(file.fd), range.first,
                  is_part ? range.size : file.size, std::span(fields).first(count));
  return true;
}

}  // namespace sockeye::app
