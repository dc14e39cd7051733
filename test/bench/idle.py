"""What an idle connection costs the server: resident memory before and after, divided.

Prints it after the handshake, and again after three messages on each connection: for sockeye, and
for build/bench/raw_echo, which keeps nothing but what it must to answer at all. Then for a tenth as
many connections with permessage-deflate, after messages of 1 KiB and of 64 KiB.

SPDX-License-Identifier: MIT
"""
import os
import resource
import sys

from client import COMPRESSION, Server, connect, echo, echo_compressed

BUILD = os.environ.get("BUILD", "build")


def words(size):
    """A text in which there is something to refer to."""
    return "".join(f"{i * i * 7919 % 100_003}," for i in range(size))[:size].encode()


def measure(name, server, count, steps, fields=b""):
    """Each of `steps`: what it is called, and what is done with every connection."""
    try:
        # The first connection brings in what all of them share: pages of the program, buffers.
        warm = connect(server.port, fields=fields)
        for _, step in steps:
            step(warm)
        before = server.resident_bytes()
        connections = [connect(server.port, fields=fields) for _ in range(count)]
        figures = [f"{(server.resident_bytes() - before) / count:.0f} bytes each"]
        for step_name, step in steps:
            for connection in connections:
                step(connection)
            figures.append(f"{(server.resident_bytes() - before) / count:.0f} after {step_name}")
    finally:
        server.stop()
    print(f"{name}: {count} idle connections: " + ", ".join(figures), flush=True)


def three(raw):
    def step(connection):
        for _ in range(3):
            echo(connection, b"x" * 100, raw)
    return [("three messages each", step)]


SHORT = words(1024)
LONG = words(65536)
COMPRESSED = [
    ("three messages of 1 KiB each", lambda it: [echo_compressed(it, SHORT) for _ in range(3)]),
    ("one of 64 KiB each", lambda it: echo_compressed(it, LONG)),
]


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard < count + 100:
        sys.exit(f"{count} connections need {count + 100} descriptors; `ulimit -Hn` says {hard}")
    measure("sockeye", Server(), count, three(raw=False))
    measure("raw echo", Server(program=f"{BUILD}/bench/raw_echo"), count, three(raw=True))
    for options in (["shared"], ["dedicated"], ["dedicated", "--compress-level", "small"]):
        name = " ".join(["sockeye --compress", *options])
        memory = [] if options == ["shared"] else ["--compress-memory", "1000000000"]
        server = Server("--compress", *options, *memory, "--ping-interval", "0")
        measure(name, server, count // 10, COMPRESSED, COMPRESSION)


main()
