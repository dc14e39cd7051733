// SPDX-License-Identifier: MIT
#include "ws/deflate/permessage_deflate.h"

#include <doctest/doctest.h>

#include <array>
#include <string>
#include <vector>

#include "test/ws/http/support.h"

namespace sockeye::ws::deflate {
namespace {

using http::ExtensionReader;

constexpr Parameters all = {};  // the largest windows, which stay

// "15 15": the windows' sizes, the server's first; "!" behind one that begins each message empty.
std::string describe(const Parameters& parameters) {
  const auto side = [](const Parameters::Side& one) {
    return std::to_string(one.window_bits) + (one.context_takeover ? "" : "!");
  };
  return side(parameters.server) + " " + side(parameters.client);
}

// "RESPONSE -> AGREED" for an offer that is taken, "" for one that is declined.
std::string answer(std::string_view offers, const Parameters& wanted = all) {
  net::Text<text_bytes> response;
  const auto agreed = accept_offer(ExtensionReader(offers), wanted, response);
  CHECK(!response.truncated());
  CHECK(response.view().empty() == !agreed);
  return agreed ? std::string(response.view()) + " -> " + describe(*agreed) : "";
}

std::string offer_of(const Parameters& wanted) {
  net::Text<text_bytes> offer;
  write_offer(wanted, offer);
  CHECK(!offer.truncated());
  return std::string(offer.view());
}

// What a client makes of a response: what was agreed, "declined", or the error's name.
std::string verdict(std::string_view response, const Parameters& wanted = all) {
  const auto agreed = read_response(ExtensionReader(response), wanted);
  if (!agreed) return std::string(info(agreed.error()).name);
  return *agreed ? describe(**agreed) : "declined";
}

// Every combination of windows' sizes and takeover: 256.
std::vector<Parameters> all_parameters() {
  std::vector<Parameters> list;
  for (int i = 0; i < 256; ++i) {
    const auto bits = [](int from) { return static_cast<std::uint8_t>(8 + from % 8); };
    list.push_back({.server = {.context_takeover = i % 2 == 0, .window_bits = bits(i / 4)},
                    .client = {.context_takeover = i / 2 % 2 == 0, .window_bits = bits(i / 32)}});
  }
  return list;
}

// Values that no window's size may have (RFC 7692 §7.1.2.1), as they stand after the name.
constexpr std::string_view bad_bits[] = {
    "=0",
    "=1",
    "=2",
    "=3",
    "=4",
    "=5",
    "=6",
    "=7",
    "=16",
    "=17",
    "=18",
    "=25",
    "=28",
    "=80",
    "=99",
    "=08",
    "=09",
    "=010",
    "=015",
    "=8.",
    "=8.0",
    "=+8",
    "=-8",
    "=+15",
    "=-15",
    "=1e1",
    "=0x8",
    "=0xf",
    "=f",
    "=eight",
    "=1a",
    "=a1",
    "=1-",
    "=15x",
    "=x15",
    "=1.5",
    "=100",
    "=150",
    "=115",
    "=256",
    "=264",
    "=271",
    "=271",
    "=65544",
    "=2147483656",
    "=4294967304",
    "=18446744073709551624",
    "=\"7\"",
    "=\"16\"",
    "=\"08\"",
    "=\"\\0\\8\"",
    "=\"1\\6\"",
    "=true",
    "=default",
    "=*",
};
constexpr std::string_view bad_flags[] = {
    "=0", "=1", "=true", "=false", "=8", "=15", "=\"\\1\"", "=server_no_context_takeover", "=*",
};
constexpr std::string_view unknown_names[] = {
    "unheard_of",
    "unheard_of=10",
    "x",
    "server_max_window_bit=10",
    "server_max_window_bitsx=10",
    "server_max_window_bits_=10",
    "Server_Max_Window_Bits=10",
    "server-max-window-bits=10",
    "max_window_bits=10",
    "no_context_takeover",
    "SERVER_NO_CONTEXT_TAKEOVER",
    "permessage-deflate",
    "level=9",
};

// ---- Server ----

TEST_CASE("RFC 7692 §7.1: each parameter of an offer, and its answer") {
  CHECK(answer("permessage-deflate") == "permessage-deflate -> 15 15");
  CHECK(answer("permessage-deflate; server_no_context_takeover") ==
        "permessage-deflate; server_no_context_takeover -> 15! 15");
  CHECK(answer("permessage-deflate; client_no_context_takeover") ==
        "permessage-deflate; client_no_context_takeover -> 15 15!");
  CHECK(answer("permessage-deflate; client_max_window_bits") == "permessage-deflate -> 15 15");
  for (int bits = 8; bits <= 15; ++bits) {
    const std::string number = std::to_string(bits);
    CAPTURE(number);
    CHECK(answer("permessage-deflate; server_max_window_bits=" + number) ==
          "permessage-deflate; server_max_window_bits=" + number + " -> " + number + " 15");
    CHECK(answer("permessage-deflate; client_max_window_bits=" + number) ==
          (bits < 15 ? "permessage-deflate; client_max_window_bits=" + number + " -> 15 " + number
                     : "permessage-deflate -> 15 15"));
  }
  CHECK(answer("permessage-deflate; client_max_window_bits=9; server_max_window_bits=8; "
               "client_no_context_takeover; server_no_context_takeover") ==
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
        "server_max_window_bits=8; client_max_window_bits=9 -> 8! 9!");
}

TEST_CASE("RFC 7692 §7.1: a value may be quoted, and have blanks around it") {
  CHECK(answer("permessage-deflate; server_max_window_bits=\"10\"") ==
        "permessage-deflate; server_max_window_bits=10 -> 10 15");
  CHECK(answer("permessage-deflate;client_max_window_bits = \"\\1\\0\"") ==
        "permessage-deflate; client_max_window_bits=10 -> 15 10");
  CHECK(answer("permessage-deflate ;\tserver_max_window_bits\t=\t8 ;client_max_window_bits") ==
        "permessage-deflate; server_max_window_bits=8 -> 8 15");
}

TEST_CASE("RFC 7692 §7: an offer with a value that the parameter can't have is declined") {
  for (const std::string_view value : bad_bits) {
    CAPTURE(value);
    CHECK(answer("permessage-deflate; server_max_window_bits" + std::string(value)) == "");
    CHECK(answer("permessage-deflate; client_max_window_bits" + std::string(value)) == "");
  }
  for (const std::string_view value : bad_flags) {
    CAPTURE(value);
    CHECK(answer("permessage-deflate; server_no_context_takeover" + std::string(value)) == "");
    CHECK(answer("permessage-deflate; client_no_context_takeover" + std::string(value)) == "");
  }
  // §7.1.2.1: this one can't go without.
  CHECK(answer("permessage-deflate; server_max_window_bits") == "");
}

TEST_CASE("RFC 7692 §7: every number from 0 to 999 as a window's size") {
  for (int bits = 0; bits < 1000; ++bits) {
    CAPTURE(bits);
    const bool right = bits >= 8 && bits <= 15;
    for (const std::string name : {"server_max_window_bits=", "client_max_window_bits="}) {
      const std::string text = "permessage-deflate; " + name + std::to_string(bits);
      CHECK(answer(text).empty() == !right);
      CHECK((verdict(text) == "response_parameter_invalid") == !right);
    }
  }
}

TEST_CASE("RFC 7692 §7: an offer with a parameter that isn't defined is declined") {
  for (const std::string_view name : unknown_names) {
    CAPTURE(name);
    CHECK(answer("permessage-deflate; " + std::string(name)) == "");
    CHECK(answer("permessage-deflate; client_max_window_bits; " + std::string(name)) == "");
    CHECK(answer("permessage-deflate; " + std::string(name) + "; client_max_window_bits") == "");
  }
  const std::string quoted = "x=\"" + std::string(1'000, 'y') + "\"";
  CHECK(answer("permessage-deflate; " + quoted) == "");
  CHECK(answer("permessage-deflate; " + quoted + ", permessage-deflate") ==
        "permessage-deflate -> 15 15");
}

TEST_CASE("RFC 7692 §7: an offer with the same parameter twice is declined") {
  for (const std::string parameter :
       {"server_no_context_takeover", "client_no_context_takeover", "client_max_window_bits",
        "client_max_window_bits=10", "server_max_window_bits=10"}) {
    CAPTURE(parameter);
    const std::string once = "permessage-deflate; " + parameter;
    CHECK(answer(once) != "");
    CHECK(answer(once + "; " + parameter) == "");
    const std::string between = parameter == "server_no_context_takeover"
                                    ? "; client_no_context_takeover"
                                    : "; server_no_context_takeover";
    CHECK(answer(once + between) != "");
    CHECK(answer(once + between + "; " + parameter) == "");
  }
  CHECK(answer("permessage-deflate; server_max_window_bits=10; server_max_window_bits=11") == "");
  CHECK(answer("permessage-deflate; client_max_window_bits; client_max_window_bits=11") == "");
}

TEST_CASE("RFC 7692 §5.1: the first offer that may be taken is") {
  CHECK(answer("permessage-deflate; server_max_window_bits=10, permessage-deflate") ==
        "permessage-deflate; server_max_window_bits=10 -> 10 15");
  CHECK(answer("permessage-deflate, permessage-deflate; server_max_window_bits=10") ==
        "permessage-deflate -> 15 15");
  CHECK(answer("permessage-deflate; server_max_window_bits=16, permessage-deflate; unheard_of, "
               "permessage-deflate; server_no_context_takeover=1, "
               "permessage-deflate; server_no_context_takeover, permessage-deflate") ==
        "permessage-deflate; server_no_context_takeover -> 15! 15");
}

TEST_CASE("RFC 7692 §5: other extensions are passed over") {
  CHECK(answer("x-other") == "");
  CHECK(answer("permessage-bzip2; server_max_window_bits=10, permessage-deflate") ==
        "permessage-deflate -> 15 15");
  CHECK(answer("permessage-deflate, permessage-bzip2; server_max_window_bits=10") ==
        "permessage-deflate -> 15 15");
  for (const std::string name :
       {"permessage-deflat", "permessage-deflatex", "PERMESSAGE-DEFLATE", "permessage_deflate",
        "x-webkit-deflate-frame", "deflate-frame", "perframe-deflate"}) {
    CAPTURE(name);
    CHECK(answer(name) == "");
    CHECK(answer(name + "; server_no_context_takeover, permessage-deflate") ==
          "permessage-deflate -> 15 15");
  }
}

TEST_CASE("RFC 6455 §9.1: nothing is taken of an offer that breaks the grammar") {
  for (const std::string_view offer :
       {"", "permessage-deflate;", "permessage-deflate; =10", "permessage-deflate x",
        "permessage-deflate; server_max_window_bits=", "permessage-deflate; x=\"1"}) {
    CAPTURE(offer);
    CHECK(answer(offer) == "");
  }
}

TEST_CASE("RFC 7692 §7.1: what the server wants itself stands in the response") {
  const std::string offer = "permessage-deflate; client_max_window_bits";
  CHECK(answer(offer, {.server = {.context_takeover = false}, .client = {}}) ==
        "permessage-deflate; server_no_context_takeover -> 15! 15");
  CHECK(answer(offer, {.server = {}, .client = {.context_takeover = false}}) ==
        "permessage-deflate; client_no_context_takeover -> 15 15!");
  CHECK(answer(offer, {.server = {.window_bits = 10}, .client = {}}) ==
        "permessage-deflate; server_max_window_bits=10 -> 10 15");
  CHECK(answer(offer, {.server = {}, .client = {.window_bits = 8}}) ==
        "permessage-deflate; client_max_window_bits=8 -> 15 8");
  // The smaller of what both say.
  const Parameters medium = {.server = {.window_bits = 11}, .client = {.window_bits = 12}};
  CHECK(
      answer("permessage-deflate; server_max_window_bits=10; client_max_window_bits=13", medium) ==
      "permessage-deflate; server_max_window_bits=10; client_max_window_bits=12 -> 10 12");
  CHECK(answer("permessage-deflate; server_max_window_bits=12; client_max_window_bits=9", medium) ==
        "permessage-deflate; server_max_window_bits=11; client_max_window_bits=9 -> 11 9");
}

TEST_CASE("RFC 7692 §7.1.2.2: a client that can't be told of a size keeps no window instead") {
  for (std::uint8_t bits = 8; bits < 15; ++bits) {
    const Parameters wanted = {.server = {}, .client = {.window_bits = bits}};
    CHECK(answer("permessage-deflate", wanted) ==
          "permessage-deflate; client_no_context_takeover -> 15 15!");
  }
}

// ---- Client ----

TEST_CASE("RFC 7692 §7.1: what a client offers") {
  CHECK(offer_of(all) == "permessage-deflate; client_max_window_bits");
  CHECK(offer_of({.server = {.context_takeover = false}, .client = {}}) ==
        "permessage-deflate; server_no_context_takeover; client_max_window_bits");
  CHECK(offer_of({.server = {}, .client = {.context_takeover = false}}) ==
        "permessage-deflate; client_no_context_takeover; client_max_window_bits");
  CHECK(offer_of({.server = {.window_bits = 8}, .client = {}}) ==
        "permessage-deflate; server_max_window_bits=8; client_max_window_bits");
  CHECK(offer_of({.server = {false, 14}, .client = {false, 10}}) ==
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
        "server_max_window_bits=14; client_max_window_bits=10");
}

TEST_CASE("RFC 7692 §7.1: each parameter of a response, and what it means") {
  CHECK(verdict("permessage-deflate") == "15 15");
  CHECK(verdict("permessage-deflate; server_no_context_takeover") == "15! 15");
  CHECK(verdict("permessage-deflate; client_no_context_takeover") == "15 15!");
  CHECK(verdict("permessage-deflate; server_max_window_bits=\"8\"") == "8 15");
  CHECK(verdict("permessage-deflate; client_max_window_bits=8") == "15 8");
  CHECK(verdict("permessage-deflate; client_max_window_bits=15; server_max_window_bits=15") ==
        "15 15");
  CHECK(verdict("permessage-deflate; client_max_window_bits=10; server_max_window_bits=9; "
                "server_no_context_takeover; client_no_context_takeover") == "9! 10!");
}

TEST_CASE("RFC 7692 §5: a server may decline, and choose nothing") {
  CHECK(verdict("x-other; server_max_window_bits=99") == "declined");
  const http::ParsedResponse none("HTTP/1.1 101 Switching Protocols\r\n\r\n");
  const auto agreed = read_response(ExtensionReader(static_cast<const http::Response&>(none)), all);
  REQUIRE(agreed);
  CHECK(!*agreed);
}

TEST_CASE("RFC 7692 §7: a response with a parameter that isn't defined fails") {
  for (const std::string_view name : unknown_names) {
    CAPTURE(name);
    CHECK(verdict("permessage-deflate; " + std::string(name)) == "response_parameter_unknown");
    CHECK(verdict("permessage-deflate; server_max_window_bits=10; " + std::string(name)) ==
          "response_parameter_unknown");
    CHECK(verdict("permessage-deflate; " + std::string(name) + "; server_max_window_bits=10") ==
          "response_parameter_unknown");
  }
}

TEST_CASE("RFC 7692 §7: a response with a value that the parameter can't have fails") {
  for (const std::string_view value : bad_bits) {
    CAPTURE(value);
    for (const std::string name : {"server_max_window_bits", "client_max_window_bits"}) {
      CHECK(verdict("permessage-deflate; " + name + std::string(value)) ==
            "response_parameter_invalid");
    }
  }
  for (const std::string_view value : bad_flags) {
    CAPTURE(value);
    for (const std::string name : {"server_no_context_takeover", "client_no_context_takeover"}) {
      CHECK(verdict("permessage-deflate; " + name + std::string(value)) ==
            "response_parameter_invalid");
    }
  }
  // §7.1.2.2: only an offer may have this one without a value.
  CHECK(verdict("permessage-deflate; client_max_window_bits") == "response_parameter_invalid");
  CHECK(verdict("permessage-deflate; server_max_window_bits") == "response_parameter_invalid");
}

TEST_CASE("RFC 7692 §7: a response with the same parameter twice fails") {
  for (const std::string parameter : {"server_no_context_takeover", "client_no_context_takeover",
                                      "client_max_window_bits=10", "server_max_window_bits=10"}) {
    CAPTURE(parameter);
    const std::string twice = "permessage-deflate; " + parameter + "; " + parameter;
    CHECK(verdict(twice) == "response_parameter_repeated");
  }
}

TEST_CASE("RFC 7692 §5: permessage-deflate twice in a response fails") {
  CHECK(verdict("permessage-deflate, permessage-deflate") == "response_extension_repeated");
  CHECK(verdict("permessage-deflate, x, permessage-deflate; server_max_window_bits=10") ==
        "response_extension_repeated");
  CHECK(verdict("permessage-deflate, x; server_max_window_bits=10") == "15 15");
}

TEST_CASE("RFC 7692 §7.1: a server that passes over what it was asked for fails") {
  const Parameters empty = {.server = {.context_takeover = false}, .client = {}};
  CHECK(verdict("permessage-deflate", empty) == "response_parameter_missing");
  CHECK(verdict("permessage-deflate; client_no_context_takeover", empty) ==
        "response_parameter_missing");
  CHECK(verdict("permessage-deflate; server_no_context_takeover", empty) == "15! 15");

  const Parameters small = {.server = {.window_bits = 10}, .client = {}};
  CHECK(verdict("permessage-deflate", small) == "response_parameter_missing");
  CHECK(verdict("permessage-deflate; client_max_window_bits=10", small) ==
        "response_parameter_missing");
  for (int bits = 8; bits <= 15; ++bits) {
    const std::string number = std::to_string(bits);
    CHECK(verdict("permessage-deflate; server_max_window_bits=" + number, small) ==
          (bits <= 10 ? number + " 15" : "response_window_too_large"));
  }
}

TEST_CASE("RFC 7692 §7.1.2.2: what a client said of itself holds, whatever the response says") {
  const Parameters wanted = {.server = {},
                             .client = {.context_takeover = false, .window_bits = 10}};
  CHECK(verdict("permessage-deflate", wanted) == "15 10!");
  CHECK(verdict("permessage-deflate; client_max_window_bits=12", wanted) == "15 10!");
  CHECK(verdict("permessage-deflate; client_max_window_bits=9", wanted) == "15 9!");
}

TEST_CASE("RFC 6455 §9.1: a response that breaks the grammar fails") {
  for (const std::string_view response : {"", "permessage-deflate;", "permessage-deflate x"}) {
    CHECK(verdict(response) == "response_extensions_malformed");
  }
}

// ---- Both ----

TEST_CASE("RFC 7692 §5: whatever two sides want, they agree on it, and within it") {
  for (const Parameters& client : all_parameters()) {
    for (const Parameters& server : all_parameters()) {
      net::Text<text_bytes> response;
      const auto taken = accept_offer(ExtensionReader(offer_of(client)), server, response);
      const auto read = read_response(ExtensionReader(response.view()), client);
      const auto within = [](const Parameters::Side& one, const Parameters::Side& other) {
        return one.window_bits <= other.window_bits &&
               (other.context_takeover || !one.context_takeover);
      };
      const bool right =
          taken && read && *read && **read == *taken && !response.truncated() &&
          within(taken->server, client.server) && within(taken->server, server.server) &&
          within(taken->client, client.client) && within(taken->client, server.client);
      CAPTURE(describe(client));
      CAPTURE(describe(server));
      if (!right) FAIL_CHECK(std::string(response.view()));
    }
  }
}

TEST_CASE("a window's size that can't be said is seen") {
  for (int bits = 0; bits < 256; ++bits) {
    const auto size = static_cast<std::uint8_t>(bits);
    const bool right = bits >= 8 && bits <= 15;
    CHECK(are_valid({.server = {.window_bits = size}, .client = {}}) == right);
    CHECK(are_valid({.server = {}, .client = {.window_bits = size}}) == right);
  }
}

}  // namespace
}  // namespace sockeye::ws::deflate
