"""What a message costs a server in user space: nanoseconds and allocations, without the kernel.

Real clients connect and upgrade; then build/bench/user_space.so, loaded into the server, answers its
epoll_wait, recv and send from memory (test/bench/user_space.cc tells how). The raw echo's column is
what that costs by itself: the call of three functions, and copying what is received.

Beside sockeye and the raw echo, PEERS names other servers: "name=command with PORT; name=...". They
have to be linked dynamically, have one thread, and wait with epoll. ROUNDS (3) says how often each
is measured; a round takes each server once for each kind of message. With --markdown it prints a
table for the README.

SPDX-License-Identifier: MIT
"""
import os
import random
import statistics
import sys
import tempfile

from user_space import frame, measure

ROUNDS = int(os.environ.get("ROUNDS", "3"))
BUILD = os.environ.get("BUILD", "build")

TEXT, BINARY = 0x81, 0x82
MIXED = "Grüße, Γειά σου, Привет, こんにちは, 你好, नमस्ते, 😀👍 and plain words too. "
ASCII = "The quick brown fox jumps over the lazy dog. "
MIB = 1024 * 1024


def text_of(sample, size):
    """`size` bytes of UTF-8: the sample over and over, and what a character can't fill as dots."""
    data = (sample * (size // len(sample) + 1)).encode()[:size]
    data = data.decode(errors="ignore").encode()
    return data + b"." * (size - len(data))


# Name, connections, messages outstanding on each, first byte of a frame, payload.
LOADS = [
    ("20 B", 100, 1, BINARY, random.randbytes(20)),
    ("20 B, 16 outstanding", 100, 16, BINARY, random.randbytes(20)),
    ("1 KiB", 100, 1, BINARY, random.randbytes(1024)),
    ("16 KiB", 100, 1, BINARY, random.randbytes(16 * 1024)),
    ("1 MiB, 10 connections", 10, 1, BINARY, random.randbytes(MIB)),
    ("64 KiB ASCII text", 100, 1, TEXT, text_of(ASCII, 64 * 1024)),
    ("64 KiB text of mixed scripts", 100, 1, TEXT, text_of(MIXED, 64 * 1024)),
]


def servers():
    """Name and command of each; PORT in it stands for the port."""
    found = {"raw echo": [f"{BUILD}/bench/raw_echo", "PORT"]}
    # What is preloaded writes a file at the end, which no sandboxed server may.
    found["sockeye"] = [f"{BUILD}/sockeye", "echo", "--quiet", "--no-sandbox", "--port", "PORT"]
    for peer in filter(str.strip, os.environ.get("PEERS", "").split(";")):
        name, equals, command = peer.partition("=")
        if not equals or "PORT" not in command:
            sys.exit(f'user.py: PEERS: "{peer.strip()}" is not "name=command with PORT"')
        found[name.strip()] = command.split()
    return found


def main():
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(ROUNDS):
            for name, count, outstanding, first, payload in LOADS:
                batch = os.path.join(folder, "batch")
                with open(batch, "wb") as file:
                    for _ in range(outstanding):
                        file.write(frame(first, payload))
                for server, command in servers().items():
                    figures = measure(command, count, batch, folder)
                    if figures is not None:
                        results.setdefault((name, server), []).append(figures)
    (show_markdown if "--markdown" in sys.argv[1:] else show)(results)


def medians(results, load, server):
    """The figure and its spread as text, and the other figures; None where not measured."""
    rounds = results.get((load, server))
    if not rounds:
        return None
    ns = [figures["ns"] for figures in rounds]
    digits = 1 if max(ns) < 1000 else 0
    worst = {**rounds[0], "allocations": max(figures["allocations"] for figures in rounds)}
    text = f"{statistics.median(ns):,.{digits}f} ({min(ns):,.{digits}f}–{max(ns):,.{digits}f})"
    return text, worst


def show_markdown(results):
    names = list(servers())
    print("| user-space ns per message | " + " | ".join(names) + " |")
    print("|---|" + "---|" * len(names))
    for load, *_ in LOADS:
        cells = [medians(results, load, name) for name in names]
        print(f"| {load} | " + " | ".join(cell[0] if cell else "–" for cell in cells) + " |")


def show(results):
    names = list(servers())
    print(f"user-space ns per message, the median and the spread of {ROUNDS} rounds\n")
    print(f"{'':30}" + "".join(f"{name:>26}" for name in names))
    for load, *_ in LOADS:
        cells = [medians(results, load, name) for name in names]
        print(f"{load:30}" + "".join(f"{cell[0] if cell else '–':>26}" for cell in cells))
    print("\nheap allocations per message; calls of recv, send and epoll_wait per message\n")
    for load, *_ in LOADS:
        for name in names:
            cell = medians(results, load, name)
            if cell is None:
                continue
            calls = " ".join(f"{cell[1][call]:.3f}" for call in ("receives", "sends", "waits"))
            print(f"{load:30}{name:>20}  {cell[1]['allocations']:.6f}   {calls}")


main()
