"""What an idle connection costs the server: resident memory before and after, divided.

Prints it after the handshake, and again after three messages on each connection; first for sockeye,
then for build/bench/raw_echo, which keeps nothing but what it must to answer at all.

SPDX-License-Identifier: MIT
"""
import os
import resource
import sys

from client import Server, connect, echo

BUILD = os.environ.get("BUILD", "build")


def measure(name, server, count, raw):
    try:
        # The first connection brings in what all of them share: pages of the program, buffers.
        warm = connect(server.port)
        for _ in range(3):
            echo(warm, b"x" * 100, raw)
        before = server.resident_bytes()
        connections = [connect(server.port) for _ in range(count)]
        fresh = server.resident_bytes()
        for connection in connections:
            for _ in range(3):
                echo(connection, b"x" * 100, raw)
        used = server.resident_bytes()
    finally:
        server.stop()
    print(f"{name}: {count} idle connections: {(fresh - before) / count:.0f} bytes each, "
          f"{(used - before) / count:.0f} after three messages each")


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard < count + 100:
        sys.exit(f"{count} connections need {count + 100} descriptors; `ulimit -Hn` says {hard}")
    measure("sockeye", Server(), count, raw=False)
    measure("raw echo", Server(program=f"{BUILD}/bench/raw_echo"), count, raw=True)


main()
