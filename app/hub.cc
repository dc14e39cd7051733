// SPDX-License-Identifier: MIT
#include "app/hub.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "app/flags.h"
#include "app/hub/hub.h"
#include "app/page/embedded.h"
#include "app/serve.h"
#include "app/server_flags.h"

namespace sockeye::app {

namespace {

// Of each topic, where the time alone is limited.
constexpr std::size_t default_kept_messages = 1000;

// Of a WebSocket, and as much of what a POST brings.
constexpr std::uint64_t default_message_bytes = 1024 * 1024;

struct Settings {
  Settings() { server.options.limits.message_bytes = default_message_bytes; }

  ServerSettings server;
  hub::HubSettings hub;
  std::optional<ws::SlowSubscribers> slow;
};

void add_publishing_flags(Flags& flags, Settings& settings) {
  hub::RoomLimits& limits = settings.hub.limits;
  flags.toggle("--receive-only", "who connects by WebSocket may only listen",
               [&settings] { settings.hub.receive_only = true; });
  flags.value("--publish-token", "FILE",
              "publishing takes one of this file's lines: as Authorization: Bearer, or ?token=",
              [&settings](std::string_view file) -> std::string {
                auto tokens = hub::Tokens::read(std::string(file));
                if (!tokens) return tokens.error().message;
                settings.hub.publishers = std::move(*tokens);
                return {};
              });
  flags.value("--subscribe-token", "FILE", "listening takes one of this file's lines",
              [&settings](std::string_view file) -> std::string {
                auto tokens = hub::Tokens::read(std::string(file));
                if (!tokens) return tokens.error().message;
                settings.hub.subscribers = std::move(*tokens);
                return {};
              });
  flags.number("--publish-rate", "N",
               "let one IPv4 address or IPv6 /64 publish so often in a second; 0: as it likes "
               "(default: 0)",
               0, 1'000'000, [&limits](std::uint64_t count) {
                 limits.publishes = static_cast<std::uint32_t>(count);
               });
}

void add_history_flags(Flags& flags, Settings& settings) {
  hub::RoomLimits& limits = settings.hub.limits;
  flags.number("--history", "N",
               "keep the last N messages of each topic, for those who come later or come back "
               "(default: 0)",
               0, 1'000'000, [&limits](std::uint64_t count) {
                 limits.kept_messages = static_cast<std::size_t>(count);
               });
  flags.number("--history-seconds", "SECONDS",
               "keep messages for so long; without --history, the last 1000 of each topic", 1,
               4'000'000, [&limits](std::uint64_t seconds) {
                 limits.kept_ms = static_cast<std::uint32_t>(seconds * 1000);
               });
  flags.number(
      "--history-bytes", "BYTES", "keep so much for all topics together, at most", 1,
      std::uint64_t{1} << 40,
      [&limits](std::uint64_t bytes) {
        limits.kept_bytes = static_cast<std::size_t>(
            std::min<std::uint64_t>(bytes, std::numeric_limits<std::size_t>::max()));
      },
      limits.kept_bytes);
}

void add_topic_flags(Flags& flags, Settings& settings) {
  hub::RoomLimits& limits = settings.hub.limits;
  flags.number(
      "--max-topics", "N", "answer requests for further ones with 503", 1, 100'000'000,
      [&limits](std::uint64_t count) { limits.topics = static_cast<std::size_t>(count); },
      limits.topics);
  flags.number(
      "--max-topics-per-connection", "N", "answer requests for more at once with 400", 1, 1000,
      [&settings](std::uint64_t count) {
        settings.hub.topics_per_connection = static_cast<std::size_t>(count);
      },
      settings.hub.topics_per_connection);
  flags.number(
      "--max-subscribers", "N",
      "answer further ones of the same topic with 503; 0: no limit (default: 0)", 0, 1'000'000'000,
      [&limits](std::uint64_t count) { limits.subscribers = static_cast<std::size_t>(count); });
}

void add_slowness_flags(Flags& flags, Settings& settings) {
  ws::Options& options = settings.server.options;
  flags.value("--slow", "WHAT",
              "whoever reads too slowly: drop (misses the newest messages), or close (with code "
              "1013, to come back for them) (default: drop; with --history, close)",
              [&settings](std::string_view text) -> std::string {
                if (text != "drop" && text != "close") return "must be drop or close";
                settings.slow =
                    text == "drop" ? ws::SlowSubscribers::drop : ws::SlowSubscribers::close;
                return {};
              });
  flags.number(
      "--max-behind", "BYTES", "so much may wait for one that reads slowly", 1,
      std::uint64_t{1} << 40,
      [&options](std::uint64_t bytes) {
        options.limits.subscriber_bytes = static_cast<std::size_t>(
            std::min<std::uint64_t>(bytes, std::numeric_limits<std::size_t>::max()));
      },
      options.limits.subscriber_bytes);
}

Flags make_flags(Settings& settings) {
  Flags flags("hub [OPTIONS]",
              "What is published to a topic reaches all who listen to it: a WebSocket at /room "
              "listens to the topic \"room\", and what it sends is published there; so is the body "
              "of a POST to /room. A GET of /room that accepts text/event-stream listens by "
              "Server-Sent Events. At / there is a chat room for browsers.");
  add_publishing_flags(flags, settings);
  add_history_flags(flags, settings);
  add_topic_flags(flags, settings);
  add_slowness_flags(flags, settings);
  add_server_flags(flags, settings.server);
  return flags;
}

}  // namespace

std::string hub_help() {
  Settings settings;
  return make_flags(settings).help();
}

int run_hub(std::span<char* const> arguments) {
  Settings settings;
  if (!make_flags(settings).parse(arguments)) return exit_usage;
  hub::RoomLimits& limits = settings.hub.limits;
  if (limits.kept_messages == 0 && limits.kept_ms > 0) limits.kept_messages = default_kept_messages;
  ws::Limits& server_limits = settings.server.options.limits;
  server_limits.request_body_bytes = static_cast<std::size_t>(std::min<std::uint64_t>(
      server_limits.message_bytes, std::numeric_limits<std::size_t>::max()));
  // Whoever comes back gets what is kept, and who missed something unawares doesn't know to ask.
  const auto usual =
      limits.kept_messages > 0 ? ws::SlowSubscribers::close : ws::SlowSubscribers::drop;
  settings.server.options.slow_subscribers = settings.slow.value_or(usual);

  hub::Rooms rooms(limits);
  return serve(settings.server,
               {.make_handler = [&](const Facilities& facilities) -> std::unique_ptr<ws::Handler> {
                  return std::make_unique<hub::Hub>(settings.hub, rooms, facilities);
                },
                .has_page = page::is_embedded,
                .path = "lobby",  // where the page is at first
                .make_companion = [&](ws::ServerGroup& group) -> std::unique_ptr<Companion> {
                  return std::make_unique<hub::Housekeeper>(rooms, group.first());
                }});
}

}  // namespace sockeye::app
