// An echo server over Boost.Beast, to race against.  beast PORT
//
// Settings, after Beast's own example "websocket/server/fast" ("should also be generally helpful
// for increased performance"): auto_fragment(false), a larger read_message_max, a buffer that is
// used again. One thread, so Asio is told that it needs no locks (Boost.Asio, "Concurrency Hints"),
// and no strands and no timers are used. Beast always checks that text is UTF-8.
//
// SPDX-License-Identifier: MIT
#include <boost/asio.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/websocket.hpp>
#include <cstdlib>
#include <memory>
#include <utility>

namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr std::size_t message_limit_bytes = 64 * 1024 * 1024;

class Session : public std::enable_shared_from_this<Session> {
 public:
  explicit Session(tcp::socket socket) : stream_(std::move(socket)) {
    stream_.next_layer().set_option(tcp::no_delay(true));
    stream_.auto_fragment(false);
    stream_.read_message_max(message_limit_bytes);
  }

  void start() {
    stream_.async_accept([self = shared_from_this()](error_code error) {
      if (!error) self->read();
    });
  }

 private:
  void read() {
    stream_.async_read(buffer_, [self = shared_from_this()](error_code error, std::size_t) {
      if (!error) self->write();
    });
  }

  void write() {
    stream_.text(stream_.got_text());
    stream_.async_write(buffer_.cdata(),
                        [self = shared_from_this()](error_code error, std::size_t) {
                          if (error) return;
                          self->buffer_.clear();
                          self->read();
                        });
  }

  beast::websocket::stream<tcp::socket> stream_;
  beast::flat_buffer buffer_;
};

void accept(tcp::acceptor& acceptor) {
  acceptor.async_accept([&acceptor](error_code error, tcp::socket socket) {
    if (!error) std::make_shared<Session>(std::move(socket))->start();
    accept(acceptor);
  });
}

}  // namespace

int main(int, char** arguments) {
  asio::io_context context{BOOST_ASIO_CONCURRENCY_HINT_UNSAFE};
  const auto port = static_cast<unsigned short>(std::atoi(arguments[1]));
  tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), port});
  accept(acceptor);
  context.run();
}
