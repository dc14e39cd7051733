"""What an idle connection costs the server: resident memory before and after, divided.

Prints it after the handshake, and again after three messages on each connection.

SPDX-License-Identifier: MIT
"""
import resource
import sys

from client import Server, connect, echo

count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000

hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
if hard < count + 100:
    sys.exit(f"{count} connections need {count + 100} descriptors; `ulimit -Hn` says {hard}")

server = Server()
try:
    # The first connection brings in what all of them share: pages of the program, buffers.
    warm = connect(server.port)
    for _ in range(3):
        echo(warm, b"x" * 100)
    before = server.resident_bytes()
    connections = [connect(server.port) for _ in range(count)]
    fresh = server.resident_bytes()
    for connection in connections:
        for _ in range(3):
            echo(connection, b"x" * 100)
    used = server.resident_bytes()
    print(f"{count} idle connections: {(fresh - before) / count:.0f} bytes each, "
          f"{(used - before) / count:.0f} after three messages each")
finally:
    server.stop()
