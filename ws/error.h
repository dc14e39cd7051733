// Every way in which a peer, or the connection to it, can fail: the failure's name, the close code
// or HTTP status it is answered with, and the section that says so.
//
// A server that answers "1006, no reason" leaves its users guessing. Here each failure is one
// enumerator, and each enumerator one row of a table in error.cc; connections, logs and tests all
// read that table. Section numbers without an RFC mean RFC 6455.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string_view>

namespace sockeye::ws {

// Close codes, RFC 6455 §7.4.1.
namespace close_code {
inline constexpr std::uint16_t normal = 1000;
inline constexpr std::uint16_t going_away = 1001;
inline constexpr std::uint16_t protocol_error = 1002;
inline constexpr std::uint16_t unsupported_data = 1003;
inline constexpr std::uint16_t none_received = 1005;  // never on the wire
inline constexpr std::uint16_t abnormal = 1006;       // never on the wire
inline constexpr std::uint16_t invalid_payload = 1007;
inline constexpr std::uint16_t policy_violation = 1008;
inline constexpr std::uint16_t message_too_big = 1009;
inline constexpr std::uint16_t mandatory_extension = 1010;
inline constexpr std::uint16_t internal_error = 1011;
inline constexpr std::uint16_t try_again_later = 1013;
}  // namespace close_code

enum class Error : std::uint8_t {
  none,

  // Frames: answered with a Close frame.
  reserved_bit_set,
  reserved_opcode,
  frame_not_masked,
  frame_masked,
  length_not_minimal,
  length_top_bit_set,
  control_frame_too_long,
  control_frame_fragmented,
  continuation_without_message,
  message_interrupted,
  text_not_utf8,
  compressed_data_invalid,
  close_payload_of_one_byte,
  close_code_invalid,
  close_reason_not_utf8,
  message_too_big,
  too_many_fragments,
  out_of_memory,

  // The life of a connection.
  idle_timeout,
  message_timeout,
  lifetime_over,
  reads_too_slowly,
  close_timeout,
  connection_lost,
  server_stopping,

  // HTTP heads and bodies: answered with a status.
  request_line_malformed,
  request_line_too_long,
  request_target_malformed,
  version_malformed,
  version_unsupported,
  method_unknown,
  head_too_large,
  too_many_fields,
  line_feed_bare,
  carriage_return_bare,
  field_folded,
  field_name_malformed,
  field_space_before_colon,
  field_value_malformed,
  host_missing,
  host_repeated,
  host_malformed,
  content_length_malformed,
  content_length_repeated,
  transfer_encoding_with_length,
  transfer_encoding_malformed,
  transfer_encoding_unknown,
  transfer_encoding_in_http_1_0,
  chunk_malformed,
  chunk_extensions_too_long,
  body_too_large,
  expectation_unknown,
  request_timeout,
  not_found,
  method_not_allowed,
  upgrade_required,
  overloaded,
  address_overloaded,
  proxy_header_malformed,
  proxy_not_trusted,
  reply_malformed,

  // The opening handshake, as the server sees it.
  upgrade_method_not_get,
  upgrade_version_not_1_1,
  upgrade_not_websocket,
  upgrade_with_body,
  connection_lacks_upgrade,
  websocket_key_missing,
  websocket_key_repeated,
  websocket_key_malformed,
  websocket_version_missing,
  websocket_version_repeated,
  websocket_version_unsupported,
  websocket_protocol_malformed,
  websocket_protocol_repeated,
  websocket_extensions_malformed,
  origin_malformed,
  origin_not_allowed,
  host_not_allowed,

  // The opening handshake, as the client sees it.
  response_malformed,
  response_status_not_101,
  response_upgrade_missing,
  response_connection_missing,
  response_accept_missing,
  response_accept_repeated,
  response_accept_wrong,
  response_extensions_malformed,
  response_extension_not_offered,
  response_extension_repeated,
  response_parameter_unknown,
  response_parameter_repeated,
  response_parameter_invalid,
  response_parameter_missing,
  response_window_too_large,
  response_protocol_repeated,
  response_protocol_not_offered,
  connect_timeout,

  // What the client itself was asked to do.
  url_malformed,
  url_scheme_unknown,
  url_scheme_secure,
  url_with_fragment,
  field_reserved,

  count_,
};

struct ErrorInfo {
  Error error;
  std::string_view name;      // as in the enumeration, for logs and tests
  std::uint16_t close_code;   // after the handshake (1006: reported, never sent); else 0
  std::uint16_t http_status;  // for failures of a request; 0 elsewhere
  std::string_view section;   // where the rule stands: "§5.1", "RFC 9112 §3.2"
  std::string_view text;      // the rule, short enough for a Close frame's reason (123 bytes)
};

// The row of `error`. Error::none has one too, with close code 1000.
ErrorInfo info(Error error);

}  // namespace sockeye::ws
