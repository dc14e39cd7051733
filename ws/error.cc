// The table of failures: one row per enumerator of ws::Error, in the enumeration's order.
//
// SPDX-License-Identifier: MIT
#include "ws/error.h"

#include <cstddef>

namespace sockeye::ws {
namespace {

using enum Error;

// ErrorInfo with its texts as pointers, which take half the room.
struct Row {
  Error error;
  std::uint16_t close_code;
  std::uint16_t http_status;
  const char* name;
  const char* section;
  const char* text;
};

constexpr Row table[] = {
    {none, 1000, 0, "none", "§7.4.1", "normal closure"},

    // Frames.
    {reserved_bit_set, 1002, 0, "reserved_bit_set", "§5.2",
     "a reserved bit is set that no negotiated extension defines"},
    {reserved_opcode, 1002, 0, "reserved_opcode", "§5.2", "the opcode is reserved"},
    {frame_not_masked, 1002, 0, "frame_not_masked", "§5.1", "a frame from a client must be masked"},
    {frame_masked, 1002, 0, "frame_masked", "§5.1", "a frame from a server must not be masked"},
    {length_not_minimal, 1002, 0, "length_not_minimal", "§5.2",
     "a payload length must be written in the fewest bytes"},
    {length_top_bit_set, 1002, 0, "length_top_bit_set", "§5.2",
     "the top bit of a 64-bit payload length must be 0"},
    {control_frame_too_long, 1002, 0, "control_frame_too_long", "§5.5",
     "a control frame carries at most 125 bytes"},
    {control_frame_fragmented, 1002, 0, "control_frame_fragmented", "§5.5",
     "a control frame must not be fragmented"},
    {continuation_without_message, 1002, 0, "continuation_without_message", "§5.4",
     "a continuation frame needs a message to continue"},
    {message_interrupted, 1002, 0, "message_interrupted", "§5.4",
     "a new message began before the last one ended"},
    {text_not_utf8, 1007, 0, "text_not_utf8", "§8.1", "a text message must be valid UTF-8"},
    {compressed_data_invalid, 1007, 0, "compressed_data_invalid", "RFC 7692 §7.2.2",
     "a compressed message must be valid DEFLATE data (RFC 1951)"},
    {close_payload_of_one_byte, 1002, 0, "close_payload_of_one_byte", "§5.5.1",
     "a Close frame's payload is empty or begins with a 2-byte code"},
    {close_code_invalid, 1002, 0, "close_code_invalid", "§7.4", "the close code must not be sent"},
    {close_reason_not_utf8, 1007, 0, "close_reason_not_utf8", "§5.5.1",
     "a Close frame's reason must be valid UTF-8"},
    {message_too_big, 1009, 0, "message_too_big", "§10.4",
     "the message is larger than is accepted"},
    {too_many_fragments, 1008, 0, "too_many_fragments", "§10.4",
     "the message has more fragments than are accepted"},
    {out_of_memory, 1011, 503, "out_of_memory", "§7.4.1", "no memory is left for this"},

    // The life of a connection.
    {idle_timeout, 1011, 0, "idle_timeout", "§5.5.2",
     "nothing came from the peer, not even a Pong"},
    {message_timeout, 1008, 0, "message_timeout", "§10.4", "the message took too long to arrive"},
    {lifetime_over, 1001, 0, "lifetime_over", "§7.4.1",
     "the connection has lasted as long as it may"},
    {reads_too_slowly, 1013, 0, "reads_too_slowly", "§7.4.2",
     "the peer reads more slowly than its topics are published to"},
    {close_timeout, 1006, 0, "close_timeout", "§7.1.1", "the peer did not answer the Close frame"},
    {connection_lost, 1006, 0, "connection_lost", "§7.1.5",
     "the connection ended without a Close frame"},
    {server_stopping, 1001, 503, "server_stopping", "§7.4.1", "the server is going away"},

    // HTTP heads and bodies.
    {request_line_malformed, 0, 400, "request_line_malformed", "RFC 9112 §3",
     "a request line is: method, space, target, space, version"},
    {request_line_too_long, 0, 414, "request_line_too_long", "RFC 9112 §3",
     "the request line is longer than is accepted"},
    {request_target_malformed, 0, 400, "request_target_malformed", "RFC 9112 §3.2",
     "the request target is not a path, a URL, or * for OPTIONS"},
    {version_malformed, 0, 400, "version_malformed", "RFC 9112 §2.3",
     "a version is: HTTP/, digit, dot, digit"},
    {version_unsupported, 0, 505, "version_unsupported", "RFC 9110 §15.6.6",
     "only HTTP/1.1 and HTTP/1.0 are spoken here"},
    {method_unknown, 0, 501, "method_unknown", "RFC 9110 §9.1", "the method is not implemented"},
    {head_too_large, 0, 431, "head_too_large", "RFC 6585 §5",
     "the head is larger than is accepted"},
    {too_many_fields, 0, 431, "too_many_fields", "RFC 6585 §5",
     "the head has more fields than are accepted"},
    {line_feed_bare, 0, 400, "line_feed_bare", "RFC 9112 §2.2",
     "a line ends with CR and LF, not with LF alone"},
    {carriage_return_bare, 0, 400, "carriage_return_bare", "RFC 9112 §2.2",
     "a CR must be followed by LF"},
    {field_folded, 0, 400, "field_folded", "RFC 9112 §5.2",
     "a field must not go on in a second line"},
    {field_name_malformed, 0, 400, "field_name_malformed", "RFC 9110 §5.1",
     "a field is: name, colon, value; its name is a token"},
    {field_space_before_colon, 0, 400, "field_space_before_colon", "RFC 9112 §5.1",
     "no space may stand between a field's name and the colon"},
    {field_value_malformed, 0, 400, "field_value_malformed", "RFC 9110 §5.5",
     "a field's value must not hold control characters"},
    {host_missing, 0, 400, "host_missing", "RFC 9112 §3.2", "an HTTP/1.1 request needs Host"},
    {host_repeated, 0, 400, "host_repeated", "RFC 9112 §3.2", "Host must appear only once"},
    {host_malformed, 0, 400, "host_malformed", "RFC 9112 §3.2",
     "Host must be a host, or host:port"},
    {content_length_malformed, 0, 400, "content_length_malformed", "RFC 9112 §6.3",
     "Content-Length must be one decimal number"},
    {content_length_repeated, 0, 400, "content_length_repeated", "RFC 9112 §6.3",
     "Content-Length must appear only once"},
    {transfer_encoding_with_length, 0, 400, "transfer_encoding_with_length", "RFC 9112 §6.3",
     "Transfer-Encoding and Content-Length must not come together"},
    {transfer_encoding_malformed, 0, 400, "transfer_encoding_malformed", "RFC 9112 §6.3",
     "chunked must be the last transfer coding, and applied once"},
    {transfer_encoding_unknown, 0, 501, "transfer_encoding_unknown", "RFC 9112 §6.1",
     "chunked is the only transfer coding known here"},
    {transfer_encoding_in_http_1_0, 0, 400, "transfer_encoding_in_http_1_0", "RFC 9112 §6.1",
     "HTTP/1.0 has no Transfer-Encoding"},
    {chunk_malformed, 0, 400, "chunk_malformed", "RFC 9112 §7.1",
     "a chunk is: size in hexadecimal, CRLF, data, CRLF"},
    {chunk_extensions_too_long, 0, 400, "chunk_extensions_too_long", "RFC 9112 §7.1.1",
     "the chunk extensions are longer than is accepted"},
    {body_too_large, 0, 413, "body_too_large", "RFC 9110 §15.5.14",
     "the request's body is larger than is accepted"},
    {expectation_unknown, 0, 417, "expectation_unknown", "RFC 9110 §10.1.1",
     "100-continue is the only expectation known here"},
    {request_timeout, 0, 408, "request_timeout", "RFC 9110 §15.5.9",
     "the request took too long to arrive"},
    {not_found, 0, 404, "not_found", "RFC 9110 §15.5.5", "there is nothing here under that name"},
    {method_not_allowed, 0, 405, "method_not_allowed", "RFC 9110 §15.5.6",
     "only GET and HEAD are allowed here"},
    {upgrade_required, 0, 426, "upgrade_required", "RFC 9110 §15.5.22",
     "only WebSocket connections are served here"},
    {overloaded, 0, 503, "overloaded", "RFC 9110 §15.6.4",
     "the server has as many connections as it accepts"},
    {address_overloaded, 0, 429, "address_overloaded", "RFC 6585 §4",
     "too many connections from one address"},
    {proxy_header_malformed, 0, 400, "proxy_header_malformed", "PROXY protocol §2",
     "the connection must begin with a header of the PROXY protocol"},
    {proxy_not_trusted, 0, 403, "proxy_not_trusted", "PROXY protocol §2",
     "this server answers to its proxy alone"},
    {reply_malformed, 0, 500, "reply_malformed", "RFC 9110 §15.6.1",
     "the program behind this server made a field that can't be sent"},

    // The opening handshake, as the server sees it.
    {upgrade_method_not_get, 0, 405, "upgrade_method_not_get", "§4.2.1",
     "the handshake's method must be GET"},
    {upgrade_version_not_1_1, 0, 400, "upgrade_version_not_1_1", "§4.2.1",
     "the handshake needs HTTP/1.1 or higher"},
    {upgrade_not_websocket, 0, 400, "upgrade_not_websocket", "§4.2.1",
     "Upgrade must name websocket (a proxy may have dropped it)"},
    {upgrade_with_body, 0, 400, "upgrade_with_body", "RFC 9110 §9.3.1",
     "the handshake must not have a body"},
    {connection_lacks_upgrade, 0, 400, "connection_lacks_upgrade", "§4.2.1",
     "Connection must name Upgrade (a proxy may have dropped it)"},
    {websocket_key_missing, 0, 400, "websocket_key_missing", "§4.2.1",
     "Sec-WebSocket-Key is missing"},
    {websocket_key_repeated, 0, 400, "websocket_key_repeated", "§11.3.1",
     "Sec-WebSocket-Key must appear only once"},
    {websocket_key_malformed, 0, 400, "websocket_key_malformed", "§4.2.1",
     "Sec-WebSocket-Key must be 16 bytes in Base64"},
    {websocket_version_missing, 0, 426, "websocket_version_missing", "§4.2.1",
     "Sec-WebSocket-Version is missing; it must be 13"},
    {websocket_version_repeated, 0, 426, "websocket_version_repeated", "§11.3.5",
     "Sec-WebSocket-Version must appear only once"},
    {websocket_version_unsupported, 0, 426, "websocket_version_unsupported", "§4.4",
     "Sec-WebSocket-Version must be 13"},
    {websocket_protocol_malformed, 0, 400, "websocket_protocol_malformed", "§4.1",
     "Sec-WebSocket-Protocol must be a list of tokens"},
    {websocket_protocol_repeated, 0, 400, "websocket_protocol_repeated", "§4.1",
     "each subprotocol must be offered only once"},
    {websocket_extensions_malformed, 0, 400, "websocket_extensions_malformed", "§9.1",
     "Sec-WebSocket-Extensions does not follow its grammar"},
    {origin_malformed, 0, 403, "origin_malformed", "RFC 6454 §7",
     "Origin must be one scheme://host or scheme://host:port"},
    {origin_not_allowed, 0, 403, "origin_not_allowed", "§10.2",
     "pages of this Origin may not connect here"},
    {host_not_allowed, 0, 403, "host_not_allowed", "§10.2",
     "this server does not answer to that Host"},

    // The opening handshake, as the client sees it.
    {response_malformed, 0, 0, "response_malformed", "RFC 9112 §4",
     "a status line is: version, space, three digits, space, reason"},
    {response_status_not_101, 0, 0, "response_status_not_101", "§4.1",
     "the server did not switch protocols"},
    {response_upgrade_missing, 0, 0, "response_upgrade_missing", "§4.1",
     "the response's Upgrade must be websocket"},
    {response_connection_missing, 0, 0, "response_connection_missing", "§4.1",
     "the response's Connection must name Upgrade"},
    {response_accept_missing, 0, 0, "response_accept_missing", "§4.1",
     "the response has no Sec-WebSocket-Accept"},
    {response_accept_repeated, 0, 0, "response_accept_repeated", "§11.3.3",
     "Sec-WebSocket-Accept must appear only once"},
    {response_accept_wrong, 0, 0, "response_accept_wrong", "§4.1",
     "Sec-WebSocket-Accept does not belong to the key that was sent"},
    {response_extensions_malformed, 0, 0, "response_extensions_malformed", "§9.1",
     "the response's Sec-WebSocket-Extensions does not follow its grammar"},
    {response_extension_not_offered, 0, 0, "response_extension_not_offered", "§4.1",
     "the server chose an extension that was not offered"},
    {response_extension_repeated, 0, 0, "response_extension_repeated", "RFC 7692 §5",
     "the server chose permessage-deflate more than once"},
    {response_parameter_unknown, 0, 0, "response_parameter_unknown", "RFC 7692 §7",
     "the server gave permessage-deflate a parameter that it does not have"},
    {response_parameter_repeated, 0, 0, "response_parameter_repeated", "RFC 7692 §7",
     "the server gave a parameter of permessage-deflate more than once"},
    {response_parameter_invalid, 0, 0, "response_parameter_invalid", "RFC 7692 §7.1",
     "the server gave a parameter of permessage-deflate a value that it can't have"},
    {response_parameter_missing, 0, 0, "response_parameter_missing", "RFC 7692 §7.1",
     "the server chose permessage-deflate without a parameter that was asked for"},
    {response_window_too_large, 0, 0, "response_window_too_large", "RFC 7692 §7.1.2.1",
     "the server chose a larger window than it was asked for"},
    {response_protocol_repeated, 0, 0, "response_protocol_repeated", "§11.3.4",
     "the server chose more than one subprotocol"},
    {response_protocol_not_offered, 0, 0, "response_protocol_not_offered", "§4.1",
     "the server chose a subprotocol that was not offered"},
    {connect_timeout, 0, 0, "connect_timeout", "§4.1", "the server took too long to answer"},

    // What the client itself was asked to do.
    {url_malformed, 0, 0, "url_malformed", "§3", "a URL is: ws://host:port/path?query"},
    {url_scheme_unknown, 0, 0, "url_scheme_unknown", "§3", "the URL must begin with ws://"},
    {url_scheme_secure, 0, 0, "url_scheme_secure", "§3",
     "wss:// needs TLS, which is not built in: put a TLS proxy in between"},
    {url_with_fragment, 0, 0, "url_with_fragment", "§3", "the URL must not have a #fragment"},
    {field_reserved, 0, 0, "field_reserved", "§4.1", "the handshake writes this field by itself"},
};

constexpr bool in_order() {
  std::size_t i = 0;
  for (const Row& row : table) {
    if (static_cast<std::size_t>(row.error) != i++) return false;
  }
  return i == static_cast<std::size_t>(Error::count_);
}
static_assert(in_order(), "one row per enumerator, in the enumeration's order");

}  // namespace

ErrorInfo info(Error error) {
  const Row& row = table[static_cast<std::size_t>(error)];
  return {row.error, row.name, row.close_code, row.http_status, row.section, row.text};
}

}  // namespace sockeye::ws
