"""Runs servers with build/bench/user_space.so, which answers their system calls from memory.

SPDX-License-Identifier: MIT
"""
import json
import os
import random
import subprocess
import sys

from client import connect, connect_when_ready, free_port

BUILD = os.environ.get("BUILD", "build")
DEADLINE_S = 120


def frame(first, payload):
    """A client's frame (RFC 6455 §5.2), masked with a random key (§5.3)."""
    size = len(payload)
    if size < 126:
        header = bytes([first, 0x80 | size])
    elif size < 65536:
        header = bytes([first, 0x80 | 126]) + size.to_bytes(2, "big")
    else:
        header = bytes([first, 0x80 | 127]) + size.to_bytes(8, "big")
    key = random.randbytes(4)
    pad = (key * (size // 4 + 1))[:size]
    masked = int.from_bytes(payload, "big") ^ int.from_bytes(pad, "big")
    return header + key + masked.to_bytes(size, "big")


def measure(command, count, batch, folder, fan_out=False):
    """Runs the server once; returns what user_space.so reports, or None where it can't measure.

    PORT in the command stands for the port, `batch` for the file with what a connection sends, or
    with `fan_out` the first one of them. The result is written to `folder`.
    """
    port = free_port()
    result = os.path.join(folder, "result")
    environment = {
        **os.environ,
        "LD_PRELOAD": os.path.abspath(f"{BUILD}/bench/user_space.so"),
        "USER_SPACE_CONNECTIONS": str(count),
        "USER_SPACE_BATCH": batch,
        "USER_SPACE_RESULT": result,
        **({"USER_SPACE_FAN_OUT": "1"} if fan_out else {}),
    }
    if os.path.exists(result):
        os.remove(result)
    last_core = max(os.sched_getaffinity(0))
    process = subprocess.Popen(
        [str(port) if part == "PORT" else part.replace("PORT", str(port)) for part in command],
        env=environment,
        stdout=subprocess.DEVNULL,
        preexec_fn=lambda: os.sched_setaffinity(0, {last_core}),
    )
    connections = []
    try:
        connections.append(connect_when_ready(port, process))
        connections += [connect(port) for _ in range(count - 1)]
        process.wait(DEADLINE_S)
        with open(result) as file:
            return json.load(file)
    except (OSError, EOFError, subprocess.TimeoutExpired) as error:
        print(f"user_space.py: {command[0]}: {error!r}", file=sys.stderr)
        return None
    finally:
        for connection in connections:
            connection.close()
        process.kill()
        process.wait()
