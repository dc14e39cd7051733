"""What epoll costs level-triggered, edge-triggered and one-shot: calls and CPU time of a message.

The servers are those of triggers.cc, and Sockeye as it is and level-triggered (triggers_calls.cc
sees to that). Each is started anew for each run, on one processor; what loads it is on another. CPU
time is that of the server's process, the median of rounds in which the servers took turns; calls
are counted in a run of its own. As root, all of it happens in a network namespace of its own, with
cubic as TCP's congestion control.

SPDX-License-Identifier: MIT
"""
import argparse
import contextlib
import dataclasses
import importlib.machinery
import importlib.util
import json
import mmap
import os
import random
import resource
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

import client
from race_servers import BUILD, ROOT, SOCKEYE, Server, own
from race_tables import reading

DEADLINE_S = 30
WARM_UP_S = 0.2
MIB = 1024 * 1024

VARIANTS = ("level", "level-drain", "level-always", "edge-drain", "edge", "one-shot")
CALLS = os.path.join(BUILD, "bench/triggers_calls.so")
COUNTS = ("waits", "events", "receives", "received_none", "received_bytes", "sends", "sent_short",
          "controls")  # as triggers_calls.cc has them, in 64 bits each


def servers():
    variants = [Server(name, "limit", [os.path.join(BUILD, "bench/triggers"), name, "PORT"])
                for name in VARIANTS]
    sockeye = own("Sockeye", "ours", "--head-timeout", "600")
    level = ["env", f"LD_PRELOAD={CALLS}", "TRIGGERS_LEVEL=1", *sockeye.command]
    return [*variants, dataclasses.replace(sockeye, name="Sockeye, level", command=level), sockeye]


def load_race():
    """The race is a program; what it has for starting servers serves here, too."""
    loader = importlib.machinery.SourceFileLoader("race", os.path.join(ROOT, "test/bench/race"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("race", loader))
    loader.exec_module(module)
    return module


race = load_race()


# ---------------------------------------------------------------------------------------- the loads

@dataclasses.dataclass
class Load:
    name: str
    message_bytes: int   # with its frame's header (RFC 6455 §5.2)
    arguments: str = ""  # of `sockeye bench`; where there are none, it is SlowReaders
    idle: int = 0        # further connections, on which nothing happens


SLOW = Load("1 MiB, read slowly", 14 + MIB)
LOADS = (
    Load("20 B", 26, "-c 100 -s 20"),
    Load("20 B, 16 outstanding", 26, "-c 100 -s 20 -p 16"),
    Load("20 B, 10 connections of 5,000", 26, "-c 10 -s 20", 4_990),
    SLOW,
)
OPENINGS_BYTES = 100_000  # more than all opening handshakes take


class Bench:
    """`sockeye bench`, for so many seconds after its warm-up."""

    def __init__(self, running, server, load, seconds):
        command = [SOCKEYE, "bench", f"ws://127.0.0.1:{running.port}/", "--json", "--pid",
                   str(running.process.pid), "--warm-up", str(WARM_UP_S), "-d", f"{seconds:.3f}"]
        command += ["--raw-echo"] if server.role == "limit" else []
        self.process = subprocess.Popen(command + load.arguments.split(), stdout=subprocess.PIPE)

    def go_on(self, seconds):
        time.sleep(seconds)

    def report(self):
        return reading(json.loads(self.process.communicate(timeout=DEADLINE_S)[0]))

    def close(self):
        self.process.kill()
        self.process.wait()


class SlowReaders:
    """Clients with room for a small part of what they have asked for, which they read in pieces."""

    def __init__(self, running):
        self.message = b"\x82\xff" + struct.pack("!Q", MIB) + bytes(4) + random.randbytes(MIB)
        self.connections = [client.connect(running.port) for _ in range(10)]
        for connection in self.connections:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32 * 1024)
            connection.setblocking(False)
        self.unsent = [b""] * len(self.connections)

    def go_on(self, seconds):
        """Returns how many bytes it has received."""
        received = 0
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for number, connection in enumerate(self.connections):
                rest = self.unsent[number] or memoryview(self.message)
                with contextlib.suppress(BlockingIOError):
                    self.unsent[number] = rest[connection.send(rest):]
                with contextlib.suppress(BlockingIOError):
                    received += len(connection.recv(4 * 1024))
        return received

    def close(self):
        for connection in self.connections:
            connection.close()


# ---------------------------------------------------------------------------------------- measuring

class Counter:
    """The counts of a server whose command has `prefix` before it."""

    def __init__(self):
        self.file = tempfile.NamedTemporaryFile()
        self.file.truncate(8 * len(COUNTS))
        self.map = mmap.mmap(self.file.fileno(), 0)
        self.prefix = ["env", f"LD_PRELOAD={CALLS}", f"TRIGGERS_COUNTS={self.file.name}"]

    def read(self):
        return dict(zip(COUNTS, struct.unpack(f"{len(COUNTS)}Q", self.map[:])))


@contextlib.contextmanager
def serving(server, load, prefix=()):
    """The server, while it runs and has the load's idle connections."""
    started = dataclasses.replace(server, command=[*prefix, *server.command])
    with race.Running(started, {PROCESSORS[0]}) as running, contextlib.ExitStack() as idle:
        wrong = running.await_start()
        if wrong:
            sys.exit(f"triggers: {server.name} {wrong}")
        for _ in range(load.idle):
            idle.enter_context(socket.create_connection(("127.0.0.1", running.port)))
        yield running


def process_ns(pid):
    """The CPU time of a process, from its clock (clock_getcpuclockid(3))."""
    return time.clock_gettime_ns(~pid << 3 | 2)


def cpu_ns(server, load, seconds):
    """For each message."""
    with serving(server, load) as running:
        if load is SLOW:
            with contextlib.closing(SlowReaders(running)) as readers:
                readers.go_on(WARM_UP_S)
                before_ns = process_ns(running.process.pid)
                messages = readers.go_on(seconds) / load.message_bytes
                return (process_ns(running.process.pid) - before_ns) / messages
        with contextlib.closing(Bench(running, server, load, seconds)) as bench:
            report = bench.report()
            if "error" in report:
                sys.exit(f"triggers: {server.name}, {load.name}: {report['error']}")
            return report["cpu_ns"]


def await_bytes(size, counter, generator):
    """Until the server has received so many."""
    deadline = time.monotonic() + DEADLINE_S
    while counter.read()["received_bytes"] < size:
        if time.monotonic() > deadline:
            sys.exit("triggers: a server receives no messages")
        generator.go_on(0.01)


def counts(server, load, seconds):
    """For each message."""
    counter = Counter()
    with serving(server, load, counter.prefix) as running:
        generator = SlowReaders(running) if load is SLOW else Bench(running, server, load, 600)
        with contextlib.closing(generator):
            await_bytes(OPENINGS_BYTES, counter, generator)
            generator.go_on(WARM_UP_S)
            before = counter.read()
            generator.go_on(seconds)
            await_bytes(before["received_bytes"] + 10 * load.message_bytes, counter, generator)
            after = counter.read()
    messages = (after["received_bytes"] - before["received_bytes"]) / load.message_bytes
    return {name: (after[name] - before[name]) / messages for name in COUNTS}


def measure(load, rounds, seconds):
    cpu = {server.name: [] for server in servers()}
    for number in range(rounds):
        order = servers()
        random.Random(f"{load.name} {number}").shuffle(order)
        for server in order:
            cpu[server.name].append(cpu_ns(server, load, seconds))
    for server in servers():
        show(load, server, counts(server, load, seconds), cpu[server.name])


def show(load, server, each, rounds_ns):
    cpu = ""
    if rounds_ns:
        us = [ns / 1000 for ns in (statistics.median(rounds_ns), min(rounds_ns), max(rounds_ns))]
        digits = 2 if max(us) < 100 else 0
        cpu = "{:,.{d}f} ({:,.{d}f}–{:,.{d}f})".format(*us, d=digits)
    calls = " | ".join(f"{each[name]:,.2f}" for name in COUNTS if name != "received_bytes")
    print(f"| {load.name} | {server.name} | {calls} | {cpu} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="of CPU time; 0: calls alone")
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--loads", help='only these: "20 B; 1 MiB, read slowly"')
    options = parser.parse_args()
    names = options.loads.split("; ") if options.loads else [load.name for load in LOADS]
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    os.sched_setaffinity(0, {PROCESSORS[-1]})  # and with it the generators
    race.own_network()
    print("| load | server | epoll_wait | events | recv | in vain | send | cut short | epoll_ctl "
          "| CPU, µs |\n|---|---|" + "---:|" * 8, flush=True)
    for load in LOADS:
        if load.name in names:
            measure(load, options.rounds, options.seconds)


PROCESSORS = sorted(os.sched_getaffinity(0))
signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what runs is ended
main()
