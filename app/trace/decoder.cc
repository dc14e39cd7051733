// SPDX-License-Identifier: MIT
#include "app/trace/decoder.h"

#include <algorithm>
#include <utility>

#include "crypto/base64.h"
#include "ws/deflate/is_built.h"
#include "ws/deflate/message_codec.h"
#include "ws/deflate/permessage_deflate.h"
#include "ws/http/extension.h"
#include "ws/http/handshake.h"
#include "ws/http/list.h"

namespace sockeye::app::trace {

using ws::frame::Role;

namespace {

// What a client may send before its handshake is answered, and how many requests.
constexpr std::size_t most_waiting_bytes = 64 * 1024;
constexpr std::size_t most_asked = 1000;

}  // namespace

// Frames of one direction, twice: their bits, and what ws::Protocol, which the receiver has as
// well, makes of them.
struct Decoder::FrameReader {
  FrameReader(Pool& pool, const Decoder::Settings& wanted, Side from)
      : settings{.role = from == Side::client ? Role::server : Role::client,
                 .pool = pool,
                 .limits = wanted.limits,
                 .kernels = wanted.kernels} {}

  // The frame that is coming in. None: head_size is 0.
  std::array<std::uint8_t, ws::frame::max_header_size> head;
  std::size_t head_size = 0;
  bool head_complete = false;
  ws::frame::Header header;
  std::uint64_t came = 0;
  std::vector<std::uint8_t> payload;  // the first of it
  bool compressed = false;            // the message that the frame belongs to

  std::unique_ptr<ws::deflate::MessageCodec> codec;  // if permessage-deflate was agreed on
  ws::Settings settings;
  ws::Protocol protocol{settings};
  bool ended = false;  // by a Close frame, or by an error

  bool agree_on(const ws::deflate::Parameters& agreed);
  void take_head(Bytes& bytes);
  void take_payload(Bytes& bytes, std::size_t shown_bytes);
  bool complete() const { return head_complete && came == header.payload_size; }
  void hand_on(Reader& reader, Side from);
};

bool Decoder::FrameReader::agree_on(const ws::deflate::Parameters& agreed) {
  codec = std::make_unique<ws::deflate::MessageCodec>(settings.pool, ws::deflate::Level::fast);
  settings.codec = codec.get();
  return protocol.agree_on(agreed);
}

void Decoder::FrameReader::take_head(Bytes& bytes) {
  while (!head_complete && !bytes.empty()) {
    head[head_size++] = bytes.front();
    bytes = bytes.subspan(1);
    if (head_size < 2 || head_size < ws::frame::header_size(head[1])) continue;
    head_complete = true;
    header = ws::frame::decode(head.data());
    // RFC 7692 §6.1: the first frame of a message says whether it is compressed.
    const bool begins = header.opcode == ws::Opcode::text || header.opcode == ws::Opcode::binary;
    if (begins) compressed = codec != nullptr && (header.rsv & ws::frame::rsv1) != 0;
  }
}

void Decoder::FrameReader::take_payload(Bytes& bytes, std::size_t shown_bytes) {
  const auto size =
      static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), header.payload_size - came));
  const std::size_t shown = std::min(size, shown_bytes - payload.size());
  payload.insert(payload.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(shown));
  came += size;
  bytes = bytes.subspan(size);
}

void Decoder::FrameReader::hand_on(Reader& reader, Side from) {
  std::vector<std::uint8_t> unmasked(payload.size());
  settings.kernels.mask(unmasked.data(), payload.data(), payload.size(), header.masking_key);
  if (!head_complete) {  // as far as it came
    std::fill(head.begin() + static_cast<std::ptrdiff_t>(head_size), head.end(), std::uint8_t{0});
    header = ws::frame::decode(head.data());
  }
  const bool is_compressed = compressed && !ws::frame::is_control(header.opcode);
  reader.on_frame(from, {header, {head.data(), head_size}, payload, unmasked, came, is_compressed});
  head_size = 0;
  head_complete = false;
  came = 0;
  payload.clear();
}

Result<Decoder::Settings, net::Error> decoder_settings(const ws::Options& options,
                                                       std::size_t shown_bytes) {
  return Decoder::Settings{
      .kernels = TRY(ws::system_kernels()),
      .limits = options.limits,
      .proxy_protocol = options.proxies.tell == ws::Proxies::Tell::proxy_protocol,
      .shown_bytes = shown_bytes};
}

Decoder::Decoder(Reader& reader, const Settings& settings)
    : reader_(reader),
      settings_(settings),
      requests_(pool_, settings.limits),
      responses_(pool_, settings.limits) {
  pool_.draw_on(settings.memory);
  if (settings.proxy_protocol) direction(Side::client).phase = Phase::proxy_header;
}

Decoder::~Decoder() {
  for (Direction& one : directions_) one.frames.reset();  // whose memory is the pool's
}

void Decoder::feed(Side from, Bytes bytes) {
  Direction& one = direction(from);
  while (!bytes.empty()) {
    switch (one.phase) {
      case Phase::proxy_header:
        feed_proxy_header(bytes);
        break;
      case Phase::http:
        from == Side::client ? feed_requests(bytes) : feed_responses(bytes);
        break;
      case Phase::upgrading:
        if (bytes.size() > most_waiting_bytes - one.waiting.size()) {
          reader_.on_other_bytes(from, bytes, "too much for a handshake that has no answer yet");
          return;
        }
        one.waiting.insert(one.waiting.end(), bytes.begin(), bytes.end());
        return;
      case Phase::frames:
        feed_frames(from, bytes);
        break;
      case Phase::unknown:
        return reader_.on_other_bytes(from, bytes, "not read any further");
    }
  }
}

void Decoder::end(Side from) {
  Direction& one = direction(from);
  if (one.frames != nullptr && one.frames->head_size > 0) one.frames->hand_on(reader_, from);
  if (!one.head.empty()) give_up(from, {}, "the head ends here");
  if (!one.waiting.empty()) {
    const auto waiting = std::exchange(one.waiting, {});
    reader_.on_other_bytes(from, waiting, "nobody reads this: there was no answer before it");
  }
}

// What is left can't be told apart into what it consists of.
void Decoder::give_up(Side from, Bytes bytes, std::string_view why) {
  Direction& one = direction(from);
  one.phase = Phase::unknown;
  one.head += as_text(bytes);
  const std::string all = std::exchange(one.head, {});
  if (!all.empty()) reader_.on_other_bytes(from, as_bytes(all), why);
}

// ── HTTP ─────────────────────────────────────────────────────────────────────────────────────

void Decoder::feed_proxy_header(Bytes& bytes) {
  Direction& client = direction(Side::client);
  Bytes left = bytes;
  const ws::ProxyHeader::Status status = proxy_header_.read(left);
  client.head += as_text(bytes.first(bytes.size() - left.size()));
  bytes = left;
  if (status == ws::ProxyHeader::Status::need_more) return;
  if (status == ws::ProxyHeader::Status::malformed) {
    give_up(Side::client, std::exchange(bytes, {}), "this is no header of the PROXY protocol");
    return;
  }
  const std::string header = std::exchange(client.head, {});
  reader_.on_other_bytes(Side::client, as_bytes(header), "the PROXY protocol's header");
  client.phase = Phase::http;
}

void Decoder::feed_requests(Bytes& bytes) {
  using Status = ws::http::RequestReader::Status;
  Direction& client = direction(Side::client);
  const bool in_body = client.head.empty() && requests_.started();
  Bytes left = bytes;
  const Status status = requests_.read(left);
  const Bytes taken = bytes.first(bytes.size() - left.size());
  bytes = left;
  if (in_body) {
    if (!taken.empty()) reader_.on_body(Side::client, taken);
  } else {
    client.head += as_text(taken);
  }
  switch (status) {
    case Status::need_more:
      return;
    case Status::head:
      return on_request_head();
    case Status::complete:
      return requests_.reset();
    case Status::failed: {
      const Bytes rest = std::exchange(bytes, {});
      return give_up(Side::client, rest, ws::info(requests_.error()).text);
    }
  }
}

void Decoder::on_request_head() {
  const ws::http::Request& request = requests_.request();
  Direction& client = direction(Side::client);
  const std::string head = std::exchange(client.head, {});
  const auto field = [&request](std::string_view name) {
    return std::string(request.field(name).value_or(std::string_view()));
  };
  Asked asked{.head_only = request.method() == "HEAD",
              .wants_upgrade = ws::http::wants_upgrade(request)};
  if (asked.wants_upgrade) {
    asked.key = field("sec-websocket-key");
    asked.subprotocols = field("sec-websocket-protocol");
    asked.extensions = field("sec-websocket-extensions");
  }
  const bool wants_upgrade = asked.wants_upgrade;
  asked_.push_back(std::move(asked));
  reader_.on_request(request, head);
  if (asked_.size() > most_asked) return give_up(Side::client, {}, "");
  if (wants_upgrade) {
    client.phase = Phase::upgrading;
    requests_.reset();
    return;
  }
  // A request without a body is complete with its head; the reader says so when asked.
  Bytes nothing;
  if (requests_.read(nothing) == ws::http::RequestReader::Status::complete) requests_.reset();
}

void Decoder::feed_responses(Bytes& bytes) {
  using Status = ws::http::HeadParser::Status;
  Direction& server = direction(Side::server);
  if (server.body_left > 0) {
    const Bytes body = bytes.first(
        static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), server.body_left)));
    server.body_left -= body.size();
    bytes = bytes.subspan(body.size());
    return reader_.on_body(Side::server, body);
  }
  Bytes left = bytes;
  const Status status = responses_.parse(left);
  server.head += as_text(bytes.first(bytes.size() - left.size()));
  bytes = left;
  switch (status) {
    case Status::need_more:
      return;
    case Status::complete:
      on_response_head();
      return;
    case Status::failed: {
      const Bytes rest = std::exchange(bytes, {});
      return give_up(Side::server, rest, ws::info(responses_.error()).text);
    }
  }
}

void Decoder::on_response_head() {
  const ws::http::Response& response = responses_.response();
  Direction& server = direction(Side::server);
  const std::string head = std::exchange(server.head, {});
  reader_.on_response(response, head);
  const std::uint16_t status = response.status();
  // RFC 9110 §15.2: others of this class come before the response.
  if (status < 200 && status != 101) return responses_.reset();
  Asked asked;
  if (!asked_.empty()) {
    asked = std::move(asked_.front());
    asked_.erase(asked_.begin());
  }
  if (status == 101 && asked.wants_upgrade) {
    begin_frames(asked, response);
  } else if (asked.wants_upgrade) {
    refuse_upgrade();
  }
  if (status >= 200 && status != 204 && status != 304 && !asked.head_only) {
    // Without this field the body lasts until TCP's end (RFC 9112 §6.3).
    std::uint64_t size = 0;
    const auto length = response.field("content-length");
    if (!length) size = UINT64_MAX;
    for (const char digit : length.value_or(std::string_view())) {
      if (digit < '0' || digit > '9' || size > UINT64_MAX / 16) break;
      size = 10 * size + static_cast<std::uint64_t>(digit - '0');
    }
    server.body_left = size;
  }
  responses_.reset();
}

// What follows a refused handshake is nobody's frames, and not known to be a request.
void Decoder::refuse_upgrade() {
  Direction& client = direction(Side::client);
  client.phase = Phase::unknown;
  const auto waiting = std::exchange(client.waiting, {});
  if (!waiting.empty()) feed(Side::client, waiting);
}

// ── Frames ───────────────────────────────────────────────────────────────────────────────────

// §4.1: what the client that asked so thinks of the response.
ws::Error Decoder::check(const Asked& asked, const ws::http::Response& response) const {
  std::array<std::uint8_t, 18> nonce;
  const auto size = crypto::base64_decode(asked.key, nonce);
  if (size != 16) return ws::Error::none;  // no key, no proof: the server's business
  std::vector<std::string_view> subprotocols;
  ws::http::ListReader offered(ws::http::FieldValues(asked.subprotocols));
  while (const auto name = offered.next()) subprotocols.push_back(*name);
  ws::http::Offer offer{.url = {},
                        .nonce = {},
                        .subprotocols = subprotocols,
                        .extensions = asked.extensions,
                        .origin = {},
                        .extra_fields = {}};
  std::copy_n(nonce.begin(), offer.nonce.size(), offer.nonce.begin());
  return ws::http::check_response(response, offer, settings_.kernels.sha1);
}

void Decoder::begin_frames(const Asked& asked, const ws::http::Response& response) {
  Proof proof{.key = asked.key, .digest = {}, .accept = {}};
  crypto::Sha1 hash(settings_.kernels.sha1);
  hash.update(as_bytes(asked.key));
  hash.update(as_bytes(ws::http::guid));
  proof.digest = hash.digest();
  std::array<char, crypto::base64_encoded_size(20)> accept;
  proof.accept = crypto::base64_encode(proof.digest, accept);
  const ws::Error error = check(asked, response);
  reader_.on_upgrade(proof, response.field("sec-websocket-protocol").value_or(std::string_view()),
                     error);
  if (error != ws::Error::none) {
    direction(Side::server).phase = Phase::unknown;
    return refuse_upgrade();
  }

  for (const Side side : {Side::client, Side::server}) {
    Direction& one = direction(side);
    one.phase = Phase::frames;
    one.frames = std::make_unique<FrameReader>(pool_, settings_, side);
    if constexpr (!ws::deflate::is_built) continue;
    const auto agreed = ws::deflate::read_response(ws::http::ExtensionReader(response), {});
    if (agreed && *agreed && !one.frames->agree_on(**agreed)) {
      one.phase = Phase::unknown;  // there is no memory for it
    }
  }
  const auto waiting = std::exchange(direction(Side::client).waiting, {});
  feed(Side::client, waiting);
}

void Decoder::feed_frames(Side from, Bytes& bytes) {
  FrameReader& frames = *direction(from).frames;
  if (frames.ended) {
    return reader_.on_other_bytes(from, std::exchange(bytes, {}),
                                  "ignored, as all that follows the end (§5.5.1, §7.1.7)");
  }
  const Bytes before = bytes;
  frames.take_head(bytes);
  if (frames.head_complete) frames.take_payload(bytes, settings_.shown_bytes);
  if (frames.complete()) frames.hand_on(reader_, from);
  interpret(from, before.first(before.size() - bytes.size()));
}

// `bytes`: of one frame.
void Decoder::interpret(Side from, Bytes bytes) {
  FrameReader& frames = *direction(from).frames;
  std::vector<std::uint8_t> copy(bytes.begin(), bytes.end());  // it is unmasked in place
  MutableBytes input(copy);
  while (!frames.ended) {
    const ws::Event event = frames.protocol.read(input);
    if (event.kind == ws::Event::Kind::none) return;
    // What the receiver had memory for we may not have.
    if (event.error == ws::Error::out_of_memory) {
      if (frames.head_size > 0) frames.hand_on(reader_, from);
      direction(from).phase = Phase::unknown;
      return;
    }
    frames.ended = event.kind == ws::Event::Kind::close || event.kind == ws::Event::Kind::failed;
    // A rule may be broken before the frame is whole.
    if (frames.ended && frames.head_size > 0) frames.hand_on(reader_, from);
    reader_.on_event(from, event);
    frames.protocol.release();
  }
}

}  // namespace sockeye::app::trace
