// All traffic as a capture that Wireshark opens.
//
// A program sees no packets, only the bytes of its connections. So the bytes, their order and their
// times are real (those of the system calls), and the TCP and IP around them are made up:
//
//   on_opened       SYN, SYN-ACK, ACK          by whose connect(2) it was
//   on_received     data from the peer         in segments of up to 32 KiB, with an ACK where
//   on_sent         data from us               much is not acknowledged
//   on_peer_ended   FIN from the peer, ACK     or the RST that came
//   on_ended        FIN from us, ACK
//   on_closed       the same, if our end was still open
//
// Addresses and ports are the connection's. A Unix socket has none, nor has a peer that was gone
// before it was asked for: such an end is 127.0.0.1, with port 80, which Wireshark takes for HTTP,
// where it listens, and otherwise with a port of its own, from 1024 on. The first SYN has a comment
// that says so. What a peer sends when we have closed the socket, such as its FIN, isn't seen.
//
// Any thread; a lock is held while a packet is written. A file that can't be written to any more,
// for lack of room, ends the capture: the log says so, and the server goes on. The file's last
// block may be cut off.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "app/trace/pcapng_blocks.h"
#include "net/address.h"
#include "net/bytes.h"
#include "net/error.h"
#include "net/fd.h"
#include "net/result.h"
#include "net/tap.h"

namespace sockeye::app::trace {

class PcapFile final : public net::Tap {
 public:
  // Makes the file, for its owner alone: it holds what users send. One that exists is overwritten
  // and keeps its mode. What is no file is an error, and whatever the system refuses.
  static Result<std::unique_ptr<PcapFile>, net::Error> open(const std::string& path);

  ~PcapFile();
  PcapFile(const PcapFile&) = delete;
  PcapFile& operator=(const PcapFile&) = delete;

  void on_opened(const net::Stream& stream, net::Opener opener) override;
  void on_received(const net::Stream& stream, Bytes bytes) override;
  void on_sent(const net::Stream& stream, Bytes bytes) override;
  void on_settled(const net::Stream&) override {}
  void on_peer_ended(const net::Stream& stream, int error) override;
  void on_ended(const net::Stream& stream) override;
  void on_closed(const net::Stream& stream) override;

 private:
  struct Conversation;

  PcapFile(net::Fd file, std::string path) : file_(std::move(file)), path_(std::move(path)) {}

  Conversation** find(const net::Stream& stream);
  void end_ours(Conversation& conversation);
  TcpEnd end_of(const net::Address& name, bool listens);
  void write(TcpEnd& from, TcpEnd& to, std::uint8_t control, Bytes payload = {},
             std::string_view comment = {});
  void write_data(TcpEnd& from, TcpEnd& to, Bytes bytes);
  void write_end(TcpEnd& from, TcpEnd& to);

  std::mutex mutex_;
  net::Fd file_;  // none when the capture has ended
  std::string path_;
  std::uint16_t last_made_up_port_ = 1023;

  // The open connections, in lists by the hash of their streams' addresses. Each event looks there;
  // with 10,000 of them a list has ten.
  std::array<Conversation*, 1024> conversations_{};
};

}  // namespace sockeye::app::trace
