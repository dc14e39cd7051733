"""How many system calls a closed-loop echo makes: one connection, one message at a time.

Counts them with strace, from after the handshake to before the end, and prints them per message.

SPDX-License-Identifier: MIT
"""
import collections
import re
import sys
import tempfile

from client import Server, connect, echo

count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000

with tempfile.NamedTemporaryFile("r") as trace:
    server = Server(wrapper=("strace", "-f", "-o", trace.name))
    try:
        connection = connect(server.port)
        echo(connection, b"first")
        for i in range(count):
            echo(connection, b"message %d" % i)
        echo(connection, b"last")
        connection.close()
    finally:
        server.stop()
    text = trace.read()

# From the receive that brought "first" to the one that brought "last" (the key is zero, so both can
# be read in the trace): the send of "first", `count` messages, a wait and the receive of "last".
names = collections.Counter()
for call in text[text.index("first"):text.index("last")].splitlines()[1:]:
    names[re.match(r"\d+ +(\w+)\(", call).group(1)] += 1
names.subtract(["sendto", "epoll_wait", "recvfrom"])

after_accept = text[text.index(" accept4("):text.index("last")]
print("system calls per message: " +
      ", ".join(f"{name} {number / count:.3f}" for name, number in sorted(names.items())))
print(f"epoll_ctl calls after accept: {after_accept.count('epoll_ctl(')} (the registration)")
