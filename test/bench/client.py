"""A raw WebSocket client and a server process, for the benchmarks beside this file.

SPDX-License-Identifier: MIT
"""
import os
import re
import signal
import socket
import struct
import subprocess
import time
import zlib

REQUEST = (
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
COMPRESSION = b"Sec-WebSocket-Extensions: permessage-deflate\r\n"
DEADLINE_S = 60


class Server:
    """build/sockeye echo on a free port; `wrapper` is a command that runs it, such as strace.

    Or in its place another `program` which takes a free port and says which one.
    """

    def __init__(self, *options, wrapper=(), program=None):
        command = [program or os.environ.get("SOCKEYE", "build/sockeye"), *options]
        if program is None:
            command[1:1] = ["echo", "--listen", "127.0.0.1:0", "--quiet"]
        self.process = subprocess.Popen([*wrapper, *command], stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        self.port = int(re.search(r"127\.0\.0\.1:(\d+)", line).group(1))

    def resident_bytes(self):
        with open(f"/proc/{self.process.pid}/smaps_rollup") as rollup:
            return 1024 * int(re.search(r"^Rss:\s+(\d+)", rollup.read(), re.M).group(1))

    def stop(self):
        # With a wrapper, the server is the child of the process that was started.
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children") as children:
            pids = children.read().split()
        os.kill(int(pids[0]) if pids else self.process.pid, signal.SIGTERM)
        self.process.wait(DEADLINE_S)


def receive(connection, size):
    data = b""
    while len(data) < size:
        piece = connection.recv(size - len(data))
        if not piece:
            raise EOFError("the server ended the connection")
        data += piece
    return data


def connect(port, source="127.0.0.1", fields=b""):
    """A connection after its opening handshake."""
    connection = socket.create_connection(("127.0.0.1", port), DEADLINE_S, (source, 0))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.sendall(REQUEST[:-2] + fields + b"\r\n")
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += receive(connection, 1)
    if not head.startswith(b"HTTP/1.1 101 "):
        raise EOFError(head.decode())
    return connection


def echo(connection, text, raw=False):
    """Sends one text message of up to 125 bytes and waits for its echo; a raw one is masked still."""
    frame = bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text
    connection.sendall(frame)
    expected = frame if raw else bytes([0x81, len(text)]) + text
    answer = receive(connection, len(expected))
    if answer != expected:
        raise ValueError(answer)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def connect_when_ready(port, process):
    deadline = time.monotonic() + DEADLINE_S
    while True:
        try:
            return connect(port)
        except ConnectionRefusedError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def deflated(text):
    """What is sent for `text` (RFC 7692 §7.2.1); it refers to nothing before."""
    deflate = zlib.compressobj(wbits=-15)
    return (deflate.compress(text) + deflate.flush(zlib.Z_SYNC_FLUSH))[:-4]


def echo_compressed(connection, text):
    """The same for a text of 200 to some 100,000 bytes: ours is compressed, and so is the echo."""
    payload = deflated(text)
    size = struct.pack("!BH", 0xfe, len(payload)) if len(payload) > 125 else bytes([0x80 | len(payload)])
    connection.sendall(b"\xc1" + size + bytes(4) + payload)
    first, size = receive(connection, 2)
    if size >= 126:
        size = int.from_bytes(receive(connection, 2 if size == 126 else 8), "big")
    receive(connection, size)
    if first != 0xc1:
        raise ValueError(f"a frame of type {first:#x}, where a compressed text was to come")
