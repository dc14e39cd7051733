"""What it costs to publish to many: beside a program that sends ready-made frames one by one, in user
space alone, among many other topics, and in memory.

The server is fan_out.cc, on one processor; what publishes and receives is fan_out_load.cc, on
another; the program beside it is raw_fan_out.cc. For what is said of user space, user_space.cc
answers the servers' system calls from memory. Each round takes all of a table's rows once, and a
ratio is that of one round: what is printed are the medians of all rounds, and the lowest and
highest. ROUNDS (3) says how many, SECONDS (2) how long a server is loaded.

SPDX-License-Identifier: MIT
"""
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile

from client import Server, connect, receive
from user_space import BUILD, frame, measure

ROUNDS = int(os.environ.get("ROUNDS", "3"))
SECONDS = os.environ.get("SECONDS", "2")
PROCESSORS = sorted(os.sched_getaffinity(0))

BINARY = 0x82
PAYLOAD = b"x" * 64
SUBSCRIBERS = 1000
BURST = 16

FAN_OUT = f"{BUILD}/bench/fan_out"
RAW = f"{BUILD}/bench/raw_fan_out"
LOAD = f"{BUILD}/bench/fan_out_load"


def spread(figures, digits, unit=""):
    middle, low, high = (f"{figure:,.{digits}f}"
                         for figure in (statistics.median(figures), min(figures), max(figures)))
    return f"{middle}{unit} ({low}–{high})"


def show(name, figure, note=""):
    print(f"  {name:34}{figure:26}{note}".rstrip(), flush=True)


def rounds(rows, one):
    """What `one` gave for each of the rows, a mapping to its arguments, in each round."""
    figures = {name: [] for name in rows}
    for _ in range(ROUNDS):
        for name, arguments in rows.items():
            figures[name].append(one(*arguments))
    return figures


def ratios(figures, name, other):
    return [ours / theirs for ours, theirs in zip(figures[name], figures[other])]


# ---------------------------------------------------------------------------------------- deliveries

def deliveries_per_ms(program, burst):
    """Of the server's CPU time."""
    server = Server(program=program, wrapper=("taskset", "-c", str(PROCESSORS[-1])))
    try:
        load = subprocess.run(
            ["taskset", "-c", str(PROCESSORS[0]), LOAD, str(server.port), str(server.process.pid),
             str(SUBSCRIBERS), str(burst), SECONDS],
            stdout=subprocess.PIPE, check=True, timeout=60 + 2 * float(SECONDS))
    finally:
        server.process.kill()
        server.process.wait()
    report = json.loads(load.stdout)
    return report["deliveries"] / report["cpu_ns"] * 1e6


def show_deliveries():
    print(f"deliveries per ms of the server's CPU time, {len(PAYLOAD)} bytes to {SUBSCRIBERS:,} "
          "subscribers")
    figures = rounds({"raw": (RAW, 1), "sockeye": (FAN_OUT, 1),
                      f"raw, {BURST} at once": (RAW, BURST),
                      f"sockeye, {BURST} at once": (FAN_OUT, BURST)}, deliveries_per_ms)
    bars = {"sockeye": ("raw", 0.95), f"sockeye, {BURST} at once": (f"raw, {BURST} at once", 5)}
    for name in figures:
        note = ""
        if name in bars:
            raw, bar = bars[name]
            note = f"{spread(ratios(figures, name, raw), 2)} x raw; at least {bar}"
        show(name, spread(figures[name], 0), note)


# ---------------------------------------------------------------------------------------- user space

def user_space_ns(program, connections, burst, *arguments):
    with tempfile.TemporaryDirectory() as folder:
        batch = os.path.join(folder, "batch")
        with open(batch, "wb") as file:
            file.write(b"".join(frame(BINARY, PAYLOAD) for _ in range(burst)))
        figures = measure([program, "PORT", *arguments], connections, batch, folder, fan_out=True)
    if figures is None:
        sys.exit("fan_out.py: can't measure in user space")
    return figures["ns"]


def show_user_space():
    print(f"\nuser-space ns per delivery to {SUBSCRIBERS:,} subscribers")
    figures = rounds({"raw": (RAW, SUBSCRIBERS, 1), "sockeye": (FAN_OUT, SUBSCRIBERS, 1),
                      f"raw, {BURST} at once": (RAW, SUBSCRIBERS, BURST),
                      f"sockeye, {BURST} at once": (FAN_OUT, SUBSCRIBERS, BURST)}, user_space_ns)
    bars = {"sockeye": 25, f"sockeye, {BURST} at once": 12}
    for name in figures:
        show(name, spread(figures[name], 1), f"at most {bars[name]}" if name in bars else "")


def show_topics():
    subscribers = 10
    print(f"\nuser-space ns per delivery to {subscribers} subscribers, among other topics")
    rows = {f"{subscribers * each:,} others": (FAN_OUT, subscribers, 1, str(each), "own")
            for each in (1, 10, 100, 1_000, 10_000)}
    figures = rounds(rows, user_space_ns)
    first = next(iter(rows))
    for name in rows:
        show(name, spread(figures[name], 1),
             "" if name == first else f"{spread(ratios(figures, name, first), 2)} x the first")


# -------------------------------------------------------------------------------------------- memory

def resident_bytes(connections, *arguments):
    """Of the server, when so many connections have subscribed, and a message has gone to all."""
    server = Server("0", *arguments, program=FAN_OUT)
    opened = []
    try:
        opened += [connect(server.port) for _ in range(connections)]
        opened[-1].sendall(frame(BINARY, PAYLOAD))
        for connection in opened:
            receive(connection, 2 + len(PAYLOAD))
        return server.resident_bytes()
    finally:
        # The server's end first: who closes first keeps a port for a minute (TIME-WAIT).
        server.process.kill()
        server.process.wait()
        for connection in opened:
            connection.close()


def bytes_each(connections, topics, *arguments):
    """Beyond the one subscription that each connection has in any case."""
    with_topics = resident_bytes(connections, str(topics), *arguments)
    return (with_topics - resident_bytes(connections, "0")) / (connections * topics)


def show_memory():
    print("\nresident bytes of a subscription, of 100,000")
    shared = "100 topics of 1,000 subscribers"
    figures = rounds({shared: (1000, 100), "10 topics of 10,000": (10_000, 10),
                      "100,000 topics of one": (10, 10_000, "own")}, bytes_each)
    for name in figures:
        show(name, spread(figures[name], 0),
             "with the topics" if name.startswith("100,000") else "at most 64")


def main():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    show_deliveries()
    show_user_space()
    show_topics()
    show_memory()


main()
