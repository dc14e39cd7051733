// An HTTP request, as handlers see it.
//
// RFC 9112 §3. A value that owns nothing; see head.h. RequestReader says how long its views hold.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

#include "net/bytes.h"
#include "ws/http/head.h"

namespace sockeye::ws::http {

class Request : public Head {
 public:
  // GET, HEAD, POST, PUT, DELETE, OPTIONS or PATCH; all others are refused with 501.
  std::string_view method() const { return view(method_); }

  // The request target as it was sent.
  std::string_view target() const { return view(target_); }

  // The target's path, nothing decoded: begins with "/", or is "*" (OPTIONS only).
  std::string_view path() const { return path_.size == 0 ? "/" : view(path_); }

  // What follows the target's "?", without it; empty where there is none.
  std::string_view query() const { return view(query_); }

  // The host, or host:port, that the request is for: the target's where it is a whole URL, else
  // Host's. Well-formed, or empty where an HTTP/1.0 request names none.
  std::string_view authority() const { return view(authority_); }

  // The decoded body; empty until RequestReader says `complete`.
  Bytes body() const { return body_; }

 private:
  friend class RequestParser;
  friend class RequestReader;

  Slice method_{};
  Slice target_{};
  Slice path_{};
  Slice query_{};
  Slice authority_{};
  Bytes body_;
};

}  // namespace sockeye::ws::http
