// One connection's traffic as JSON objects, for the page that draws it (app/page/page.js).
//
//   {"type":"frame","id":7,"time_us":1234,"from":"client","head":"818537fa213d","fin":true,...}
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "app/json.h"
#include "app/trace/decoder.h"

namespace sockeye::app::trace {

class Feed : public Reader {
 public:
  // Appends objects to `out`, which must outlive the feed. `id` names the connection in them.
  Feed(std::vector<std::string>& out, std::uint64_t id, std::size_t shown_bytes)
      : out_(out), id_(id), shown_bytes_(shown_bytes) {}

  // When what follows happened: microseconds since the connection was opened.
  void at(std::uint64_t time_us) { time_us_ = time_us; }

  // From now on, takes so many records of what is read, and only counts the others.
  void make_room(std::size_t records) {
    room_ = records;
    dropped_ = 0;
  }
  std::uint64_t dropped() const { return dropped_; }

  void opened(std::string_view peer);
  // That side has ended TCP (`error` is empty), or the connection is broken.
  void ended(Side side, std::string_view error);
  void closed();

  void on_request(const ws::http::Request& request, std::string_view head) override;
  void on_response(const ws::http::Response& response, std::string_view head) override;
  void on_upgrade(const Proof& proof, std::string_view subprotocol, ws::Error error) override;
  void on_body(Side from, Bytes bytes) override;
  void on_frame(Side from, const FrameBytes& frame) override;
  void on_event(Side from, const ws::Event& event) override;
  void on_other_bytes(Side from, Bytes bytes, std::string_view why) override;

 private:
  Json record(std::string_view type) const;
  Json record(std::string_view type, Side from) const;
  void add(const Json& json) { out_.push_back(json.text()); }
  bool takes();

  std::vector<std::string>& out_;
  const std::uint64_t id_;
  const std::size_t shown_bytes_;
  std::uint64_t time_us_ = 0;
  std::size_t room_ = SIZE_MAX;
  std::uint64_t dropped_ = 0;
};

}  // namespace sockeye::app::trace
