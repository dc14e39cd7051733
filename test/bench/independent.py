#!/usr/bin/env python3
"""Whether `sockeye bench` tells the truth: beside Debian's tsung, against a server of known pace.

The server sends one echo every PACE_S, in the order of arrival. A closed loop of CONNECTIONS, each
with one message outstanding, therefore gets 1 / PACE_S messages a second, and an echo takes
CONNECTIONS * PACE_S on average (Little's law). Both generators, in turn, should tell that.

  independent.py ROUNDS

SOCKEYE is the program that measures. The server runs on one processor, the generators on another.

SPDX-License-Identifier: MIT
"""
import asyncio
import glob
import json
import multiprocessing
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile

import websockets

CONNECTIONS = 20
PACE_S = 0.001
IDLE_S = 0.1
PAYLOAD = "abcdefghijklmnopqrst"
SECONDS = 10  # the interval of tsung's log
DEADLINE_S = 60

TSUNG_PLAN = """<?xml version="1.0"?>
<!DOCTYPE tsung SYSTEM "/usr/share/tsung/tsung-1.0.dtd">
<tsung loglevel="notice">
  <clients><client host="localhost" use_controller_vm="true" maxusers="1000"/></clients>
  <servers><server host="127.0.0.1" port="{port}" type="tcp"/></servers>
  <load duration="{duration}" unit="second">
    <arrivalphase phase="1" duration="{duration}" unit="second">
      <users maxnumber="{connections}" arrivalrate="100" unit="second"/>
    </arrivalphase>
  </load>
  <sessions><session name="echo" probability="100" type="ts_websocket">
    <request><websocket type="connect" path="/"/></request>
    <for var="i" from="1" to="1000000000">
      <request><websocket type="message" ack="parse" frame="binary">{payload}</websocket></request>
    </for>
  </session></sessions>
</tsung>
"""
# A line of tsung.log: count, mean in ms, ... of what ended since the line of this kind before.
TSUNG_REQUESTS = re.compile(r"^stats: request (\d+) ([\d.e+-]+) ", re.MULTILINE)


async def serve(listener):
    """Echoes at the pace, until it is ended."""
    clock = asyncio.get_running_loop().time
    waiting = asyncio.Queue()

    async def take_messages(connection):
        try:
            async for message in connection:
                waiting.put_nowait((connection, message))
        except websockets.ConnectionClosed:
            pass  # without a Close frame: so tsung ends

    async with websockets.serve(take_messages, sock=listener, compression=None, ping_interval=None):
        due = clock()
        while True:
            asked = clock()
            connection, message = await waiting.get()
            # After the one before, not after now: a late timer doesn't lower the pace. But what was
            # idle, between two generators, isn't made up for.
            due = clock() if clock() - asked > IDLE_S else due + PACE_S
            await asyncio.sleep(due - clock())
            try:
                await connection.send(message)
            except websockets.ConnectionClosed:
                pass  # the generator has left


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run_sockeye(port):
    """Returns messages per second, and the mean latency in ms."""
    command = [os.environ["SOCKEYE"], "bench", "--json", "-c", str(CONNECTIONS), "-d", str(SECONDS),
               "-s", str(len(PAYLOAD)), f"ws://127.0.0.1:{port}/"]
    result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True,
                                       timeout=DEADLINE_S).stdout)
    return result["messages_per_second"], result["latency_us"]["mean"] / 1000


def run_tsung(port):
    """Returns the same. Of the log's intervals, the first holds the start: the second is told."""
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/plan.xml", "w") as plan:
            plan.write(TSUNG_PLAN.format(port=port, duration=2 * SECONDS + 2, payload=PAYLOAD,
                                         connections=CONNECTIONS))
        # Erlang's nodes find each other by epmd, which would be left behind: so it is ours, too.
        environment = dict(
            os.environ, HOME=folder, ERL_EPMD_PORT=str(free_port()), ERL_EPMD_ADDRESS="127.0.0.1",
            ERL_FLAGS="-kernel inet_dist_use_interface {127,0,0,1}")
        names = subprocess.Popen(["epmd"], env=environment)
        try:
            subprocess.run(["tsung", "-n", "-f", f"{folder}/plan.xml", "-l", f"{folder}/log",
                            "start"], env=environment, check=True, capture_output=True,
                           cwd=folder, timeout=DEADLINE_S)
        finally:
            names.terminate()
            names.wait()
        with open(glob.glob(f"{folder}/log/*/tsung.log")[0]) as log:
            count, mean_ms = TSUNG_REQUESTS.findall(log.read())[1]
    return int(count) / SECONDS, float(mean_ms)


def tell(name, figures, unit):
    print(f"  {name:14} {statistics.median(figures):8.2f} {unit}, "
          f"of {min(figures):.2f} to {max(figures):.2f}")


def compare(port, rounds):
    figures = {"sockeye bench": [], "tsung": []}
    for _ in range(rounds):
        figures["sockeye bench"].append(run_sockeye(port))
        figures["tsung"].append(run_tsung(port))
    print(f"{CONNECTIONS} connections, {len(PAYLOAD)} bytes, closed loop, medians of {rounds}")
    print(f"messages per second: {1 / PACE_S:.2f} is what the server does")
    for name, of_rounds in figures.items():
        tell(name, [rate for rate, _ in of_rounds], "per second")
    print(f"mean latency: {CONNECTIONS * PACE_S * 1000:.2f} ms follows from that")
    for name, of_rounds in figures.items():
        tell(name, [mean_ms for _, mean_ms in of_rounds], "ms")


def run_server(listener, processors):
    os.sched_setaffinity(0, processors)
    asyncio.run(serve(listener))


def main():
    processors = sorted(os.sched_getaffinity(0))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = multiprocessing.Process(target=run_server, args=(listener, processors[:1]))
        server.start()
        try:
            os.sched_setaffinity(0, processors[-1:])
            compare(listener.getsockname()[1], int(sys.argv[1]))
        finally:
            server.terminate()
            server.join()


main()
