// SPDX-License-Identifier: MIT
#include "app/trace/dump.h"

#include <algorithm>
#include <array>
#include <utility>

#include "app/trace/text.h"
#include "crypto/base64.h"
#include "ws/error.h"
#include "ws/http/handshake.h"

namespace sockeye::app::trace {

using ws::Opcode;

namespace {

constexpr std::size_t bytes_per_line = 24;
constexpr std::size_t comment_column = 32;

// §5.2, and the section that is about frames of the kind.
struct OpcodeText {
  std::string_view name;
  std::string_view section;
};

OpcodeText text_of(Opcode opcode) {
  switch (opcode) {
    case Opcode::continuation:
      return {"continuation", "§5.4"};
    case Opcode::text:
      return {"text", "§5.6"};
    case Opcode::binary:
      return {"binary", "§5.6"};
    case Opcode::close:
      return {"Close", "§5.5.1"};
    case Opcode::ping:
      return {"Ping", "§5.5.2"};
    case Opcode::pong:
      return {"Pong", "§5.5.3"};
  }
  return {"reserved", "§5.2"};
}

// "FIN 1, RSV 000, opcode 1 text, MASK 1, length 5, key"
std::string bits_of(const FrameBytes& frame) {
  const ws::frame::Header& header = frame.header;
  const OpcodeText opcode = text_of(header.opcode);
  std::string text = header.fin ? "FIN 1, RSV " : "FIN 0, RSV ";
  for (const int bit : {4, 2, 1}) text += (header.rsv & bit) != 0 ? '1' : '0';
  text += ", opcode ";
  put_decimal(text, static_cast<std::uint8_t>(header.opcode));
  text.append(" ").append(opcode.name).append(header.masked ? ", MASK 1" : ", MASK 0");
  const std::uint8_t length = frame.head.size() > 1 ? frame.head[1] & 0x7f : 0;
  text += ", length ";
  if (length == 126) text += "126: the next 16 bits, ";
  if (length == 127) text += "127: the next 64 bits, ";
  put_decimal(text, header.payload_size);
  if (header.masked) text += ", key";
  if (frame.compressed) text += "; compressed (RFC 7692 §6)";
  const bool is_whole =
      frame.head.size() > 1 && frame.head.size() >= ws::frame::header_size(frame.head[1]);
  if (!is_whole) text += "; but the header is cut off here";
  return text.append("   §5.2, ").append(opcode.section);
}

// `payload`, or what is shown of it.
void put_shown(std::string& out, Bytes payload, std::size_t shown_bytes, bool quoted) {
  if (payload.empty()) return;
  out += ' ';
  const Bytes shown = payload.first(std::min(payload.size(), shown_bytes));
  quoted ? put_quoted(out, shown) : put_mixed(out, shown);
  if (shown.size() < payload.size()) out += " ...";
}

}  // namespace

// ── Lines ────────────────────────────────────────────────────────────────────────────────────

void Dump::line(char kind, std::string_view text, std::string_view comment) {
  std::string_view colour;
  switch (kind) {
    case '>':
      colour = "\x1b[32m";  // green
      break;
    case '<':
      colour = "\x1b[36m";  // cyan
      break;
    case '#':
      colour = "\x1b[2m";  // dim
      break;
    default:
      colour = "\x1b[1m";  // bold
  }
  if (in_colour_) out_ += colour;
  const std::size_t begin = out_.size();
  if (kind != 0) out_ += kind;
  if (kind != 0 && !text.empty()) out_ += ' ';
  out_ += text;
  if (!comment.empty()) {
    const std::size_t width = out_.size() - begin;
    out_.append(width < comment_column ? comment_column - width : 2, ' ');
    if (in_colour_) out_ += "\x1b[0;2m";
    out_.append("# ").append(comment);
  }
  if (in_colour_) out_ += "\x1b[0m";
  out_ += '\n';
}

void Dump::begin(std::string_view title, std::string_view directives) {
  out_ += '\n';
  std::string text = "case ";
  line(0, text.append(title));
  line(0, us_ == Side::server ? "role server" : "role client");
  line(0, "begin handshake");
  out_ += directives;
}

void Dump::note(std::string_view text) {
  line('#', text);
}

void Dump::finish() {
  line('<', "fin", "the end of what we send: TCP's FIN   RFC 6455 §7.1.1");
}

// ── HTTP ─────────────────────────────────────────────────────────────────────────────────────

void Dump::head_lines(Side from, std::string_view head) {
  while (!head.empty()) {
    const std::string_view one = head.substr(0, head.find('\n') + 1);
    std::string text;
    put_quoted(text, as_bytes(one.empty() ? head : one));
    line(kind_of(from), text);
    head.remove_prefix(one.empty() ? head.size() : one.size());
  }
}

void Dump::on_request(const ws::http::Request& request, std::string_view head) {
  if (us_ == Side::client) {
    std::string text("url ws://");
    line(0, text.append(request.authority()).append(request.target()));
    std::array<std::uint8_t, 18> nonce;
    const auto size = crypto::base64_decode(
        request.field("sec-websocket-key").value_or(std::string_view()), nonce);
    text = "nonce ";
    put_hex(text, {nonce.data(), size.value_or(0)});
    line(0, text);
    if (const auto origin = request.field("origin")) {
      text = "origin ";
      put_quoted(text, as_bytes(*origin));
      line(0, text);
    }
  }
  head_lines(Side::client, head);
  if (us_ == Side::client || ws::http::wants_upgrade(request)) return;
  std::string text("request ");
  line('=', text.append(request.method()).append(" ").append(request.target()));
}

void Dump::on_response(const ws::http::Response&, std::string_view head) {
  if (us_ == Side::client) return head_lines(Side::server, head);
  own_frame_.swap(out_);  // on_upgrade() comes first, if it comes
  head_lines(Side::server, head);
  own_frame_.swap(out_);
}

void Dump::on_upgrade(const Proof& proof, std::string_view subprotocol, ws::Error error) {
  note("Sec-WebSocket-Accept is made of Sec-WebSocket-Key   RFC 6455 §4.2.2 item 5.4");
  std::string text("  key and GUID   ");
  note(text.append(proof.key).append(ws::http::guid));
  text = "  SHA-1 of them  ";
  put_hex(text, proof.digest);
  note(text);
  text = "  its Base64     ";
  note(text.append(proof.accept));
  if (error != ws::Error::none) {
    failed(error);
  } else {
    text = "open";
    put_shown(text, as_bytes(subprotocol), subprotocol.size(), true);
    line('=', text);
  }
  flush_own();
}

void Dump::on_body(Side from, Bytes bytes) {
  flush_own();
  std::string text;
  put_shown(text, bytes, shown_bytes_, true);
  line(kind_of(from), text.substr(1), "the body");
}

// ── Frames ───────────────────────────────────────────────────────────────────────────────────

void Dump::payload_lines(char kind, const FrameBytes& frame) {
  std::string comment;
  if (frame.header.masked) {
    put_mixed(comment, frame.unmasked.first(std::min(frame.unmasked.size(), bytes_per_line)));
    comment += frame.unmasked.size() > bytes_per_line ? " ..., masked   §5.3" : ", masked   §5.3";
  }
  Bytes left = frame.payload;
  while (!left.empty()) {
    const Bytes part = frame.header.masked || frame.compressed
                           ? left.first(std::min(left.size(), bytes_per_line))
                           : left;
    std::string text;
    frame.header.masked || frame.compressed ? put_hex(text, part) : put_mixed(text, part);
    left = left.subspan(part.size());
    if (left.empty() && frame.came > frame.payload.size()) text += " ...";
    line(kind, text, std::exchange(comment, {}));
  }
  if (frame.came > frame.payload.size()) {
    std::string text("... and ");
    put_decimal(text, frame.came - frame.payload.size());
    note(text.append(" bytes more"));
  }
  if (frame.came < frame.header.payload_size) {
    std::string text("the frame lacks ");
    put_decimal(text, frame.header.payload_size - frame.came);
    note(text.append(" bytes"));
  }
}

void Dump::on_frame(Side from, const FrameBytes& frame) {
  const bool is_own = from == us_;
  if (is_own) own_frame_.swap(out_);
  const bool has_key = frame.header.masked && frame.head.size() >= 6;  // or it was cut off
  if (is_own && has_key) {
    std::string text("keys ");
    put_hex(text, frame.head.last(4));
    line(0, text);
  }
  std::string text;
  put_hex(text, frame.head);
  line(kind_of(from), text, bits_of(frame));
  payload_lines(kind_of(from), frame);
  if (is_own) own_frame_.swap(out_);
}

void Dump::flush_own() {
  out_ += own_frame_;
  own_frame_.clear();
}

void Dump::on_event(Side from, const ws::Event& event) {
  from == us_ ? sent(event) : received(event);
}

// What our program is told.
void Dump::received(const ws::Event& event) {
  std::string text;
  switch (event.kind) {
    case ws::Event::Kind::none:
    case ws::Event::Kind::chunk:
      return;
    case ws::Event::Kind::message:
      text = event.opcode == Opcode::text ? "text" : "binary";
      put_shown(text, event.payload, shown_bytes_, event.opcode == Opcode::text);
      return line('=', text);
    case ws::Event::Kind::ping:
    case ws::Event::Kind::pong:
      text = event.kind == ws::Event::Kind::ping ? "ping" : "pong";
      put_shown(text, event.payload, shown_bytes_, false);
      return line('=', text);
    case ws::Event::Kind::close:
      peer_ended_ = true;
      text = "close ";
      put_decimal(text, event.code);
      put_shown(text, as_bytes(event.reason), event.reason.size(), true);
      return line('=', text);
    case ws::Event::Kind::failed:
      peer_ended_ = true;
      return failed(event.error);
  }
}

void Dump::failed(ws::Error error) {
  const ws::ErrorInfo row = ws::info(error);
  std::string comment(row.section.starts_with("RFC") ? "" : "RFC 6455 ");
  comment.append(row.section).append(": ").append(row.text);
  line('=', std::string("fail ").append(row.name), comment);
}

// What our program did; its frames come after it. A Pong, and a Close frame that answers, are sent
// without it.
void Dump::sent(const ws::Event& event) {
  std::string text;
  switch (event.kind) {
    case ws::Event::Kind::message:
      text = event.opcode == Opcode::text ? "send text" : "send binary";
      put_shown(text, event.payload, shown_bytes_, event.opcode == Opcode::text);
      line('!', text);
      break;
    case ws::Event::Kind::ping:
      text = "ping";
      put_shown(text, event.payload, shown_bytes_, false);
      line('!', text);
      break;
    case ws::Event::Kind::close:
      if (peer_ended_) break;
      text = "close ";
      put_decimal(text, event.code);
      put_shown(text, as_bytes(event.reason), event.reason.size(), true);
      line('!', text);
      break;
    default:  // a Pong; the rest isn't what we send
      break;
  }
  flush_own();
}

void Dump::on_other_bytes(Side from, Bytes bytes, std::string_view why) {
  flush_own();
  std::string text;
  put_shown(text, bytes, shown_bytes_, false);
  line(kind_of(from), text.empty() ? text : text.substr(1), why);
}

}  // namespace sockeye::app::trace
