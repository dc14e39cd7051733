// An echo server over websocketpp, to race against.  websocketpp PORT
//
// Settings, after websocketpp/config/core.hpp and concurrency/none.hpp: one thread, so no locks
// ("disable all locking for endpoints used in purely single threaded programs"); no log; a read
// buffer of 64 KiB ("a larger value will result in fewer trips through the library and less CPU
// overhead"). Its messages may have 32 MB, and text is always checked to be UTF-8.
//
// SPDX-License-Identifier: MIT
#include <cstdint>
#include <cstdlib>
#include <websocketpp/concurrency/none.hpp>
#include <websocketpp/config/asio_no_tls.hpp>
#include <websocketpp/logger/stub.hpp>
#include <websocketpp/server.hpp>

namespace {

struct Config : websocketpp::config::asio {
  using concurrency_type = websocketpp::concurrency::none;
  using alog_type = websocketpp::log::stub;
  using elog_type = websocketpp::log::stub;
  static constexpr bool enable_multithreading = false;
  static constexpr std::size_t connection_read_buffer_size = 64 * 1024;

  struct transport_config : websocketpp::config::asio::transport_config {
    using concurrency_type = Config::concurrency_type;
    using alog_type = Config::alog_type;
    using elog_type = Config::elog_type;
    static constexpr bool enable_multithreading = false;
  };
  using transport_type = websocketpp::transport::asio::endpoint<transport_config>;
};

using Server = websocketpp::server<Config>;
using Connection = websocketpp::connection_hdl;

}  // namespace

int main(int, char** arguments) {
  Server server;
  server.init_asio();
  server.set_reuse_addr(true);
  server.set_tcp_pre_init_handler([&server](Connection connection) {
    server.get_con_from_hdl(connection)
        ->get_raw_socket()
        .set_option(boost::asio::ip::tcp::no_delay(true));
  });
  server.set_message_handler([&server](Connection connection, Server::message_ptr message) {
    websocketpp::lib::error_code error;  // a connection that has gone meanwhile
    server.send(connection, message, error);
  });
  server.listen(boost::asio::ip::address_v4::loopback(),
                static_cast<std::uint16_t>(std::atoi(arguments[1])));
  server.start_accept();
  server.run();
}
