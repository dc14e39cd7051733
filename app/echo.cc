// SPDX-License-Identifier: MIT
#include "app/echo.h"

#include <memory>

#include "app/flags.h"
#include "app/inspector.h"
#include "app/metrics.h"
#include "app/page/files.h"
#include "app/serve.h"
#include "app/server_flags.h"
#include "app/static_files.h"

namespace sockeye::app {

namespace {

constexpr page::File files[] = {
    {"/", page::html, page::index_html},
    {"/page.css", page::css, page::page_css},
    {"/page.js", page::javascript, page::page_js},
    {"/wire.js", page::javascript, page::wire_js},
    {"/handshake.js", page::javascript, page::handshake_js},
    {"/frame.js", page::javascript, page::frame_js},
    {"/parts.js", page::javascript, page::parts_js},
};

}  // namespace

void Echo::on_request(const Request& request, Reply& reply) {
  if (facilities_.metrics != nullptr && facilities_.metrics->serve(request, reply)) return;
  if (request.method() != "GET" && request.method() != "HEAD") {
    return reply.refuse(ws::Error::method_not_allowed);
  }
  if (facilities_.files != nullptr && facilities_.files->serve(request, reply)) return;
  if (!page::send(files, request.path(), reply)) reply.refuse(ws::Error::not_found);
}

void Echo::on_upgrade(Upgrade& upgrade) {
  if (facilities_.inspector == nullptr || upgrade.subprotocol() != Inspector::subprotocol) return;
  if (!facilities_.inspector->admits(upgrade))
    upgrade.refuse(403, "shown on this machine only: see --inspect\n");
}

void Echo::on_open(Connection& connection) {
  if (facilities_.inspector == nullptr || connection.subprotocol() != Inspector::subprotocol)
    return;
  connection.set_data(facilities_.inspector);
  facilities_.inspector->on_open(connection);
}

void Echo::on_close(Connection& connection, Closed) {
  if (connection.data<Inspector>() != nullptr) facilities_.inspector->on_close(connection);
}

// A peer that sends and doesn't read would fill our memory with its echoes. So while some wait to
// be read, no more of its messages are taken.
void Echo::on_message(Connection& connection, Message message) {
  if (connection.data<Inspector>() != nullptr)
    return facilities_.inspector->on_message(connection, message);
  if (connection.send(message) == ws::SendResult::queued) connection.pause();
}

void Echo::on_drain(Connection& connection) {
  connection.resume();
}

namespace {

Flags make_flags(ServerSettings& settings) {
  Flags flags("echo [OPTIONS]",
              "Sends every WebSocket message back to whom it came from. At / it serves a page that "
              "tries this in a browser.");
  add_server_flags(flags, settings);
  return flags;
}

}  // namespace

std::string echo_help() {
  ServerSettings settings;
  return make_flags(settings).help();
}

int run_echo(std::span<char* const> arguments) {
  ServerSettings settings;
  if (!make_flags(settings).parse(arguments)) return exit_usage;
  return serve(settings,
               {.make_handler = [](const Facilities& facilities) -> std::unique_ptr<ws::Handler> {
                  return std::make_unique<Echo>(facilities);
                },
                .has_page = page::is_embedded});
}

}  // namespace sockeye::app
