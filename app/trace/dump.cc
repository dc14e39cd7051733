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

std::string Dump::line(char kind, std::string_view text, std::string_view comment) const {
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
  std::string out;
  if (kind != 0) out += kind;
  if (kind != 0 && !text.empty()) out += ' ';
  out += text;
  if (!comment.empty()) {
    const std::size_t width = out.size();
    out.append(width < comment_column ? comment_column - width : 2, ' ');
    if (in_colour_) out += "\x1b[0;2m";
    out.append("# ").append(comment);
  }
  if (in_colour_) out = std::string(colour).append(out).append("\x1b[0m");
  return out += '\n';
}

void Dump::begin(std::string_view title, std::string_view directives) {
  std::string text = "case ";
  out_.append("\n").append(line(0, text.append(title)));
  out_ += line(0, us_ == Side::server ? "role server" : "role client");
  out_ += line(0, "begin handshake");
  out_ += directives;
}

void Dump::note(std::string_view text) {
  settle();
  out_ += line('#', text);
}

void Dump::note_of_peer(std::string_view text) {
  came({line('#', text)});
}

void Dump::finish() {
  settle();
  out_ += line('<', "fin", "the end of what we send: TCP's FIN   RFC 6455 §7.1.1");
}

// ── Order ────────────────────────────────────────────────────────────────────────────────────

void Dump::came(Lines lines) {
  lines.text.insert(0, std::exchange(coming_, {}));
  came_.push_back(std::move(lines));
}

void Dump::went(Lines lines) {
  lines.text += std::exchange(going_, {});
  went_.push_back(std::move(lines));
}

// All that one read brings is known before the first of it is dealt with, and what that leads to is
// mostly sent at once. Here each answer goes behind what it answers. What our program sent before
// an answer, it sent before that came to pass.
void Dump::settle() {
  if (!going_.empty()) went({{}, Cue::request});
  std::string program;
  auto next = came_.begin();
  for (const Lines& lines : went_) {
    const auto cue = std::find_if(next, came_.end(),
                                  [&lines](const Lines& one) { return one.cue == lines.cue; });
    if (lines.cue == Cue::none || cue == came_.end()) {
      program += lines.text;
      continue;
    }
    for (; next != cue; ++next) out_ += next->text;
    out_.append(std::exchange(program, {})).append(cue->text).append(lines.text);
    next = cue + 1;
  }
  for (; next != came_.end(); ++next) out_ += next->text;
  out_.append(program).append(std::exchange(coming_, {}));
  came_.clear();
  went_.clear();
}

// ── HTTP ─────────────────────────────────────────────────────────────────────────────────────

std::string Dump::head_lines(Side from, std::string_view head) const {
  std::string lines;
  while (!head.empty()) {
    const std::size_t end = head.find('\n');
    const std::string_view one = head.substr(0, end == head.npos ? end : end + 1);
    std::string text;
    put_quoted(text, as_bytes(one));
    lines += line(kind_of(from), text);
    head.remove_prefix(one.size());
  }
  return lines;
}

std::string Dump::client_directives(const ws::http::Request& request) const {
  std::string text("url ws://");
  std::string lines = line(0, text.append(request.authority()).append(request.target()));
  std::array<std::uint8_t, 18> nonce;
  const auto size =
      crypto::base64_decode(request.field("sec-websocket-key").value_or(std::string_view()), nonce);
  text = "nonce ";
  put_hex(text, {nonce.data(), size.value_or(0)});
  lines += line(0, text);
  if (const auto origin = request.field("origin")) {
    text = "origin ";
    put_quoted(text, as_bytes(*origin));
    lines += line(0, text);
  }
  return lines;
}

void Dump::on_request(const ws::http::Request& request, std::string_view head) {
  const std::string lines = head_lines(Side::client, head);
  if (us_ == Side::client) return went({client_directives(request) + lines});
  std::string event;
  if (!ws::http::wants_upgrade(request)) {
    std::string text("request ");
    event = line('=', text.append(request.method()).append(" ").append(request.target()));
  }
  came({lines + event, Cue::request});
}

void Dump::on_response(const ws::http::Response&, std::string_view head) {
  (us_ == Side::client ? coming_ : going_) += head_lines(Side::server, head);
}

void Dump::on_upgrade(const Proof& proof, std::string_view subprotocol, ws::Error error) {
  std::string lines =
      line('#', "Sec-WebSocket-Accept is made of Sec-WebSocket-Key   RFC 6455 §4.2.2 item 5.4");
  std::string text("  key and GUID   ");
  lines += line('#', text.append(proof.key).append(ws::http::guid));
  text = "  SHA-1 of them  ";
  put_hex(text, proof.digest);
  lines += line('#', text);
  text = "  its Base64     ";
  lines += line('#', text.append(proof.accept));
  text = "open";
  put_shown(text, as_bytes(subprotocol), subprotocol.size(), true);
  lines += error != ws::Error::none ? failure(error) : line('=', text);
  us_ == Side::client ? came({lines}) : went({lines, Cue::request});
}

void Dump::on_body(Side from, Bytes bytes) {
  std::string text;
  put_shown(text, bytes, shown_bytes_, true);
  (from == us_ ? going_ : coming_) += line(kind_of(from), text.substr(1), "the body");
}

// ── Frames ───────────────────────────────────────────────────────────────────────────────────

std::string Dump::payload_lines(char kind, const FrameBytes& frame) const {
  std::string lines;
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
    lines += line(kind, text, std::exchange(comment, {}));
  }
  if (frame.came > frame.payload.size()) {
    std::string text("... and ");
    put_decimal(text, frame.came - frame.payload.size());
    lines += line('#', text.append(" bytes more"));
  }
  if (frame.came < frame.header.payload_size) {
    std::string text("the frame lacks ");
    put_decimal(text, frame.header.payload_size - frame.came);
    lines += line('#', text.append(" bytes"));
  }
  return lines;
}

std::string Dump::frame_lines(Side from, const FrameBytes& frame) const {
  std::string lines;
  const bool has_key = frame.header.masked && frame.head.size() >= 6;  // or it was cut off
  if (from == us_ && has_key) {
    std::string text("keys ");
    put_hex(text, frame.head.last(4));
    lines += line(0, text);
  }
  std::string text;
  put_hex(text, frame.head);
  lines += line(kind_of(from), text, bits_of(frame));
  return lines += payload_lines(kind_of(from), frame);
}

void Dump::on_frame(Side from, const FrameBytes& frame) {
  (from == us_ ? going_ : coming_) += frame_lines(from, frame);
}

void Dump::on_event(Side from, const ws::Event& event) {
  from == us_ ? went(sent(event)) : came(received(event));
}

// What our program is told.
Dump::Lines Dump::received(const ws::Event& event) {
  std::string text;
  switch (event.kind) {
    case ws::Event::Kind::none:
    case ws::Event::Kind::chunk:
      return {};
    case ws::Event::Kind::message:
      text = event.opcode == Opcode::text ? "text" : "binary";
      put_shown(text, event.payload, shown_bytes_, event.opcode == Opcode::text);
      return {line('=', text)};
    case ws::Event::Kind::ping:
    case ws::Event::Kind::pong:
      text = event.kind == ws::Event::Kind::ping ? "ping" : "pong";
      put_shown(text, event.payload, shown_bytes_, false);
      return {line('=', text), event.kind == ws::Event::Kind::ping ? Cue::ping : Cue::none};
    case ws::Event::Kind::close:
      peer_ended_ = true;
      text = "close ";
      put_decimal(text, event.code);
      put_shown(text, as_bytes(event.reason), event.reason.size(), true);
      return {line('=', text), Cue::end};
    case ws::Event::Kind::failed:
      peer_ended_ = true;
      return {failure(event.error), Cue::end};
  }
  return {};
}

std::string Dump::failure(ws::Error error) const {
  const ws::ErrorInfo row = ws::info(error);
  std::string comment(row.section.starts_with("RFC") ? "" : "RFC 6455 ");
  comment.append(row.section).append(": ").append(row.text);
  return line('=', std::string("fail ").append(row.name), comment);
}

// What our program did, ahead of its frames. A Pong, and a Close frame that answers, aren't its
// doing.
Dump::Lines Dump::sent(const ws::Event& event) const {
  std::string text;
  switch (event.kind) {
    case ws::Event::Kind::message:
      text = event.opcode == Opcode::text ? "send text" : "send binary";
      put_shown(text, event.payload, shown_bytes_, event.opcode == Opcode::text);
      return {line('!', text)};
    case ws::Event::Kind::ping:
      text = "ping";
      put_shown(text, event.payload, shown_bytes_, false);
      return {line('!', text)};
    case ws::Event::Kind::pong:
      return {{}, Cue::ping};
    case ws::Event::Kind::close:
      if (peer_ended_) return {{}, Cue::end};
      text = "close ";
      put_decimal(text, event.code);
      put_shown(text, as_bytes(event.reason), event.reason.size(), true);
      return {line('!', text)};
    case ws::Event::Kind::none:
    case ws::Event::Kind::chunk:
    case ws::Event::Kind::failed:
      break;  // nothing that we send
  }
  return {};
}

void Dump::on_other_bytes(Side from, Bytes bytes, std::string_view why) {
  std::string text;
  put_shown(text, bytes, shown_bytes_, false);
  const std::string lines = line(kind_of(from), text.empty() ? text : text.substr(1), why);
  from == us_ ? went({lines}) : came({lines});
}

}  // namespace sockeye::app::trace
