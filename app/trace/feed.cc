// SPDX-License-Identifier: MIT
#include "app/trace/feed.h"

#include <algorithm>

#include "app/trace/text.h"
#include "ws/error.h"
#include "ws/frame/utf8.h"
#include "ws/http/handshake.h"

namespace sockeye::app::trace {

namespace {

std::string hex(Bytes bytes) {
  std::string text;
  put_hex(text, bytes, "");
  return text;
}

// JSON is UTF-8 (RFC 8259 §8.1); a peer's head need not be.
std::string as_utf8(std::string_view text) {
  std::string out(text);
  ws::frame::Utf8Validator validator;
  const bool is_utf8 =
      validator.feed(as_bytes(text), ws::frame::utf8_scalar) && validator.complete();
  const auto is_foreign = [](char c) { return static_cast<unsigned char>(c) >= 0x80; };
  if (!is_utf8) std::ranges::replace_if(out, is_foreign, '?');
  return out;
}

std::string_view name_of(ws::Event::Kind kind) {
  switch (kind) {
    case ws::Event::Kind::message:
      return "message";
    case ws::Event::Kind::ping:
      return "ping";
    case ws::Event::Kind::pong:
      return "pong";
    case ws::Event::Kind::close:
      return "close";
    case ws::Event::Kind::failed:
      return "failed";
    case ws::Event::Kind::chunk:
    case ws::Event::Kind::none:
      break;
  }
  return "none";
}

}  // namespace

Json Feed::record(std::string_view type) const {
  Json json;
  json.put("type", type).put("id", id_).put("time_us", time_us_);
  return json;
}

Json Feed::record(std::string_view type, Side from) const {
  Json json = record(type);
  json.put("from", from == Side::client ? "client" : "server");
  return json;
}

bool Feed::takes() {
  if (room_ > 0) {
    --room_;
    return true;
  }
  ++dropped_;
  return false;
}

void Feed::opened(std::string_view peer) {
  add(record("opened").put("peer", peer));
}

void Feed::ended(Side side, std::string_view error) {
  add(record("ended", side).put("error", error));
}

void Feed::closed() {
  add(record("closed"));
}

void Feed::on_request(const ws::http::Request&, std::string_view head) {
  add(record("request", Side::client).put("head", as_utf8(head)));
}

void Feed::on_response(const ws::http::Response&, std::string_view head) {
  add(record("response", Side::server).put("head", as_utf8(head)));
}

void Feed::on_upgrade(const Proof& proof, std::string_view subprotocol, ws::Error error) {
  if (error != ws::Error::none) return;  // no client of a server's own finds one
  add(record("upgrade")
          .put("key", as_utf8(proof.key))
          .put("guid", ws::http::guid)
          .put("sha1", hex(proof.digest))
          .put("accept", proof.accept)
          .put("subprotocol", subprotocol));
}

void Feed::on_body(Side from, Bytes bytes) {
  if (!takes()) return;
  add(record("body", from).put("size", bytes.size()));
}

void Feed::on_frame(Side from, const FrameBytes& frame) {
  if (!takes()) return;
  const ws::frame::Header& header = frame.header;
  add(record("frame", from)
          .put("head", hex(frame.head))
          .put_bool("fin", header.fin)
          .put("rsv", std::uint64_t{header.rsv})
          .put("opcode", static_cast<std::uint64_t>(header.opcode))
          .put_bool("masked", header.masked)
          .put("length", header.payload_size)
          .put("payload", hex(frame.payload))
          .put("unmasked", hex(frame.unmasked))
          .put("came", frame.came)
          .put_bool("compressed", frame.compressed));
}

void Feed::on_event(Side from, const ws::Event& event) {
  if (!takes()) return;
  Json json = record("event", from);
  const Bytes shown = event.payload.first(std::min(event.payload.size(), shown_bytes_));
  json.put("event", name_of(event.kind))
      .put("opcode", static_cast<std::uint64_t>(event.opcode))
      .put("size", event.payload.size())
      .put("payload", hex(shown));
  if (event.kind == ws::Event::Kind::close) {
    json.put("code", std::uint64_t{event.code}).put("reason", event.reason);
  }
  if (event.kind == ws::Event::Kind::failed) {
    const ws::ErrorInfo row = ws::info(event.error);
    json.put("error", row.name)
        .put("code", std::uint64_t{row.close_code})
        .put("section", row.section)
        .put("text", row.text);
  }
  add(json);
}

void Feed::on_other_bytes(Side from, Bytes bytes, std::string_view why) {
  if (!takes()) return;
  const Bytes shown = bytes.first(std::min(bytes.size(), shown_bytes_));
  add(record("bytes", from).put("bytes", hex(shown)).put("size", bytes.size()).put("why", why));
}

}  // namespace sockeye::app::trace
