"""What compression costs a whole server: CPU time for each echo, and the size of the reply.

JSON messages of 1 KiB on 100 connections, sockeye in each mode; other servers by
PEERS="name=command with PORT; ...". The servers take turns, ROUNDS times, with a processor for each
of server and generator; printed are medians. The generator lets the server choose the contexts.

SPDX-License-Identifier: MIT
"""
import json
import os
import statistics
import struct
import subprocess

from client import connect, connect_when_ready, deflated, free_port, receive
from race_servers import SOCKEYE, command_of, from_variable, own

PLAIN = own("sockeye", "ours")
SERVERS = [
    PLAIN,
    own("sockeye, shared", "ours", "--compress", "shared"),
    own("sockeye, shared, small", "ours", "--compress", "shared", "--compress-level", "small"),
    own("sockeye, dedicated", "ours", "--compress", "dedicated"),
    own("sockeye, dedicated, small", "ours", "--compress", "dedicated", "--compress-level", "small"),
]


def records(number):
    """A message of some 1,000 bytes, as programs send them."""
    rows = [{"id": number * 7919 % 99_991 + row * 104_729 % 7_001,
             "name": f"user{row * row + number % 97}",
             "email": f"u{number * row % 1_009}@example.com",
             "active": (number + row) % 3 == 0,
             "balance": number * (row + 1) * 37 % 100_000 / 100} for row in range(10)]
    return json.dumps({"type": "update", "seq": number, "items": rows}).encode()


def reply_bytes(port, compressed):
    """The mean payload of a hundred echoes, each of another message."""
    connection = connect(port, fields=b"Sec-WebSocket-Extensions: permessage-deflate\r\n")
    total = 0
    for number in range(100):
        payload = deflated(records(number)) if compressed else records(number)
        connection.sendall((b"\xc1\xfe" if compressed else b"\x81\xfe") +
                           struct.pack("!H", len(payload)) + bytes(4) + payload)
        size = receive(connection, 2)[1]
        size = size if size < 126 else struct.unpack("!H", receive(connection, 2))[0]
        receive(connection, size)
        total += size
    connection.close()
    return total / 100


def measure(server):
    port = free_port()
    process = subprocess.Popen(["taskset", "-c", "0", *command_of(server, port)],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        connect_when_ready(port, process).close()
        size = reply_bytes(port, server is not PLAIN)
        report = json.loads(subprocess.run(
            ["taskset", "-c", "1", SOCKEYE, "bench", "--compress", "--text", "json", "-s", "1024",
             "-d", "2", "--pid", str(process.pid), "--json", f"ws://127.0.0.1:{port}/"],
            check=True, stdout=subprocess.PIPE).stdout)
    finally:
        process.terminate()
        process.wait(10)
    cost = report["server"]
    return cost["user_ns_per_message"] / 1000, cost["system_ns_per_message"] / 1000, size


def main():
    servers = SERVERS + from_variable(os.environ.get("PEERS", ""))
    found = {server.name: [] for server in servers}
    for _ in range(int(os.environ.get("ROUNDS", 3))):
        for server in servers:
            found[server.name].append(measure(server))
    print(f"{'CPU for an echo of 1 KiB of JSON':34} {'all':>8} {'user':>8}   reply")
    for name, rounds in found.items():
        both = statistics.median(user + system for user, system, _ in rounds)
        user = statistics.median(user for user, _, _ in rounds)
        print(f"{name:34} {both:5.1f} us {user:5.1f} us  {rounds[0][2]:5.0f} bytes")


main()
