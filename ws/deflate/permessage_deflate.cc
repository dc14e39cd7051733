// SPDX-License-Identifier: MIT
#include "ws/deflate/permessage_deflate.h"

#include <algorithm>
#include <iterator>

#include "ws/deflate/is_built.h"
#include "ws/frame/frame.h"

namespace sockeye::ws::deflate {
namespace {

using frame::Role;
using Part = http::ExtensionReader::Part;

enum class Name : std::uint8_t {
  server_no_context_takeover,
  client_no_context_takeover,
  server_max_window_bits,
  client_max_window_bits,
};

constexpr std::string_view names[] = {
    "server_no_context_takeover",
    "client_no_context_takeover",
    "server_max_window_bits",
    "client_max_window_bits",
};

// §7.1.2.1, §7.1.2.2: "a decimal integer value without leading zeroes between 8 to 15".
std::optional<std::uint8_t> window_bits(std::string_view text) {
  const bool one_digit = text == "8" || text == "9";
  const bool two_digits = text.size() == 2 && text[0] == '1' && text[1] >= '0' && text[1] <= '5';
  if (!one_digit && !two_digits) return std::nullopt;
  return static_cast<std::uint8_t>((two_digits ? 10 : 0) + text.back() - '0');
}

// The parameters of one offer, or of a response.
class Given {
 public:
  explicit Given(Role sender) : sender_(sender) {}

  // Reads them all, and returns what comes after them.
  Part read(http::ExtensionReader& reader) {
    Part part;
    while ((part = reader.next()) == Part::parameter) {
      if (error_ == Error::none) error_ = take(reader.name(), reader.value());
    }
    return part;
  }

  // The first rule that was broken. The names are those of a response, for there it is told.
  Error error() const { return error_; }

  bool has(Name name) const { return (seen_ & bit(name)) != 0; }

  // What the parameters say. §7.1.2: a window whose size isn't given has 2^15 bytes at most.
  Parameters meaning() const {
    return {.server = {.context_takeover = !has(Name::server_no_context_takeover),
                       .window_bits = server_window_bits_},
            .client = {.context_takeover = !has(Name::client_no_context_takeover),
                       .window_bits = client_window_bits_}};
  }

 private:
  static std::uint8_t bit(Name name) {
    return static_cast<std::uint8_t>(1u << static_cast<unsigned>(name));
  }

  // §7: no parameter that isn't defined, none twice, and none with a value that it can't have.
  Error take(std::string_view text, const std::optional<std::string_view>& value) {
    const auto found = std::ranges::find(names, text);
    if (found == std::end(names)) return Error::response_parameter_unknown;
    const auto name = static_cast<Name>(found - std::begin(names));
    if (has(name)) return Error::response_parameter_repeated;
    seen_ = static_cast<std::uint8_t>(seen_ | bit(name));
    return take_value(name, value) ? Error::none : Error::response_parameter_invalid;
  }

  bool take_value(Name name, const std::optional<std::string_view>& value) {
    switch (name) {
      case Name::server_no_context_takeover:
      case Name::client_no_context_takeover:
        return !value;  // §7.1.1.1, §7.1.1.2: "This parameter has no value."
      case Name::server_max_window_bits:
        return take_bits(value, server_window_bits_);
      case Name::client_max_window_bits:
        // §7.1.2.2: in an offer "this parameter may have a value"; in a response it has one.
        if (!value) return sender_ == Role::client;
        return take_bits(value, client_window_bits_);
    }
    return false;
  }

  static bool take_bits(const std::optional<std::string_view>& value, std::uint8_t& bits) {
    const std::optional<std::uint8_t> given = window_bits(value.value_or(std::string_view()));
    bits = given.value_or(bits);
    return given.has_value();
  }

  Role sender_;
  Error error_ = Error::none;
  std::uint8_t seen_ = 0;  // a bit for each name
  std::uint8_t server_window_bits_ = max_window_bits;
  std::uint8_t client_window_bits_ = max_window_bits;
};

// What two sides allow, both.
Parameters::Side within(const Parameters::Side& one, const Parameters::Side& other) {
  return {.context_takeover = one.context_takeover && other.context_takeover,
          .window_bits = std::min(one.window_bits, other.window_bits)};
}

std::string_view text_of(Name name) {
  return names[static_cast<std::size_t>(name)];
}

void put_flag(net::TextWriter& out, Name name) {
  out.put("; ").put(text_of(name));
}

void put_bits(net::TextWriter& out, Name name, std::uint8_t bits) {
  out.put("; ").put(text_of(name)).put("=").put_decimal(bits);
}

// What offers and responses say alike.
void put_start(net::TextWriter& out, const Parameters& parameters) {
  out.put(extension_name);
  if (!parameters.server.context_takeover) put_flag(out, Name::server_no_context_takeover);
  if (!parameters.client.context_takeover) put_flag(out, Name::client_no_context_takeover);
}

// What this server and the client of that offer can agree on.
Parameters agree(const Given& offer, const Parameters& wanted) {
  // §7.1.1.1, §7.1.2.1: what the client asks of the server is done. §7.1.1.2, §7.1.2.2: what it
  // says of itself saves memory here, and so is taken as a promise.
  const Parameters offered = offer.meaning();
  Parameters agreed = {.server = within(wanted.server, offered.server),
                       .client = within(wanted.client, offered.client)};
  if (!offer.has(Name::client_max_window_bits) && agreed.client.window_bits < max_window_bits) {
    // §7.1.2.2: it can't be told of a size. But every client can be told to begin with an empty
    // window (§7.1.1.2), and then none of any size has to be kept for it.
    agreed.client = {.context_takeover = false, .window_bits = max_window_bits};
  }
  return agreed;
}

// §5: the server chooses the extension by its name, with what was agreed.
void write_response(const Given& offer, const Parameters& agreed, net::TextWriter& response) {
  put_start(response, agreed);
  // §7.1.2.1: the answer to a client that asks for it; any other may be told, too.
  if (offer.has(Name::server_max_window_bits) || agreed.server.window_bits < max_window_bits) {
    put_bits(response, Name::server_max_window_bits, agreed.server.window_bits);
  }
  // §7.1.2.2: never told but to a client that offered to be (see agree()).
  if (agreed.client.window_bits < max_window_bits) {
    put_bits(response, Name::client_max_window_bits, agreed.client.window_bits);
  }
}

// What §7 and §7.1 demand of the response to an offer that said what is `wanted`.
Error check(const Given& response, const Parameters& wanted) {
  if (response.error() != Error::none) return response.error();
  const Parameters::Side server = response.meaning().server;
  // §7.1.1.1, §7.1.2.1: the server accepts what it was asked for by saying so.
  const bool asked_for_bits = wanted.server.window_bits < max_window_bits;
  if ((!wanted.server.context_takeover && server.context_takeover) ||
      (asked_for_bits && !response.has(Name::server_max_window_bits))) {
    return Error::response_parameter_missing;
  }
  // §7.1.2.1: "with the same or smaller value as the offer".
  const bool too_large = server.window_bits > wanted.server.window_bits;
  return too_large ? Error::response_window_too_large : Error::none;
}

bool is_valid(const Parameters::Side& side) {
  return side.window_bits >= min_window_bits && side.window_bits <= max_window_bits;
}

}  // namespace

bool are_valid(const Parameters& wanted) {
  return is_valid(wanted.server) && is_valid(wanted.client);
}

// §5: what is chosen can be done. §5.1: offers come in the client's order of preference. §7: one
// that breaks a rule is declined; the next may be right.
std::optional<Parameters> accept_offer(http::ExtensionReader offers, const Parameters& wanted,
                                       net::TextWriter& response) {
  if (!is_built) return {};
  Part part = offers.next();
  while (part == Part::extension) {
    const bool ours = offers.name() == extension_name;
    Given offer(Role::client);
    part = offer.read(offers);
    if (!ours || offer.error() != Error::none || part == Part::malformed) continue;
    const Parameters agreed = agree(offer, wanted);
    write_response(offer, agreed, response);
    return agreed;
  }
  return std::nullopt;
}

// §5: the client offers the extension by its name, with what it asks of the server.
void write_offer(const Parameters& wanted, net::TextWriter& offer) {
  if (!is_built) return;
  put_start(offer, wanted);
  // §7.1.2.1.
  if (wanted.server.window_bits < max_window_bits) {
    put_bits(offer, Name::server_max_window_bits, wanted.server.window_bits);
  }
  // §7.1.2.2: that it can be told of a window's size, and which it won't exceed.
  if (wanted.client.window_bits < max_window_bits) {
    put_bits(offer, Name::client_max_window_bits, wanted.client.window_bits);
  } else {
    put_flag(offer, Name::client_max_window_bits);
  }
}

Result<std::optional<Parameters>, Error> read_response(http::ExtensionReader chosen,
                                                       const Parameters& wanted) {
  std::optional<Parameters> agreed;
  if (!is_built) return agreed;
  Part part = chosen.next();
  while (part == Part::extension) {
    const bool ours = chosen.name() == extension_name;
    Given response(Role::server);
    part = response.read(chosen);
    if (!ours) continue;
    // §5: an extension must not be chosen beside one that uses RSV1 too; and this one does.
    if (agreed) return Error::response_extension_repeated;
    if (const Error error = check(response, wanted); error != Error::none) return error;
    // §7.1.1.2, §7.1.2.2: what the offer said of the client holds, whatever the response says.
    agreed = response.meaning();
    agreed->client = within(agreed->client, wanted.client);
  }
  if (part == Part::malformed) return Error::response_extensions_malformed;
  return agreed;
}

}  // namespace sockeye::ws::deflate
