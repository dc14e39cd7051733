"""A million open WebSocket connections to sockeye on one machine, each of which answers a Ping.

    CONNECTIONS=1000000   how many    SOCKEYE=build/sockeye   the program: server and generator

A process has 20,000 descriptors on many systems, so there are some fifty servers, which share one
port (SO_REUSEPORT: the kernel spreads the connections over them), and some fifty of `sockeye bench
--idle`, each with an address of its own in 127.0.0.0/8, and so with ports of its own. All of it runs
in a network and a process namespace that go with this program, however it ends.

The servers' keep-alive is off: by default (`--ping-interval 30`) they would send 33,333 Pings per
second to a million silent peers, which is not what a connection costs, but what that option does.

What is told, and how it is measured, once all are open and all processes have come to rest:
- user space: the private memory of all servers (smaps_rollup) less that of the same servers before,
  so with each process's own buffers in it; and of the generators, which hold the other ends;
- kernel: the memory that is neither free nor page cache nor any process's (MemFree, Buffers, Cached,
  AnonPages; and what zoneinfo has at hand for each processor, which counts as none of these), and of
  it what is in slabs, less both before. They are for a pair: this machine has both ends of each
  connection. (MemAvailable would say a third less: it takes the inodes of open sockets for memory to
  be had back.)

SPDX-License-Identifier: MIT
"""
import ctypes
import fcntl
import functools
import json
import math
import os
import re
import resource
import signal
import socket
import struct
import subprocess
import sys
import time

COUNT = int(os.environ.get("CONNECTIONS", 1_000_000))
PROGRAM = os.environ.get("SOCKEYE", "build/sockeye")
SERVER_OPTIONS = ("--ping-interval", "0", "--idle-timeout", "0")
# Until SIGINT, but not for ever. An answer may take long where a million are asked at once.
GENERATOR_OPTIONS = ("--json", "-d", "3600", "--timeout", "120")

DESCRIPTORS = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 20_000)
DESCRIPTORS_BESIDE = 50  # of a process, for what isn't a connection
PAIR_BYTES = 13_000  # of memory, user space and kernel, to be on the safe side
PROCESS_BYTES = 4_000_000
SPARE_BYTES = 1_000_000_000
DEADLINE_S = 600

PR_SET_PDEATHSIG = 1  # prctl(2)
SIOCSIFFLAGS = 0x8914  # netdevice(7)
IFF_UP = 1


def split(count, parts):
    return [count // parts + (i < count % parts) for i in range(parts)]


def generator_count():
    return math.ceil(COUNT / (DESCRIPTORS - DESCRIPTORS_BESIDE))


def server_count():
    """So many that a server gets too many connections at the odds of six standard deviations."""
    room = DESCRIPTORS - DESCRIPTORS_BESIDE
    return math.ceil(COUNT / (room - 6 * math.sqrt(room)))


def read(path):
    with open(path) as file:
        return file.read()


def meminfo_bytes(name):
    return 1024 * int(re.search(rf"^{name}:\s+(\d+)", read("/proc/meminfo"), re.M).group(1))


def kernel_bytes():
    others = ("MemFree", "Buffers", "Cached", "AnonPages")
    at_hand_pages = sum(map(int, re.findall(r"^\s+count:\s+(\d+)", read("/proc/zoneinfo"), re.M)))
    return (meminfo_bytes("MemTotal") - sum(map(meminfo_bytes, others))
            - at_hand_pages * resource.getpagesize())


def private_bytes(processes):
    rollups = (read(f"/proc/{process.pid}/smaps_rollup") for process in processes)
    return sum(1024 * int(kib) for rollup in rollups
               for kib in re.findall(r"^Private_(?:Clean|Dirty):\s+(\d+)", rollup, re.M))


def cpu_ticks(processes):
    stats = (read(f"/proc/{process.pid}/stat").rsplit(") ", 1)[1].split() for process in processes)
    return sum(int(stat[11]) + int(stat[12]) for stat in stats)


def open_sockets():
    return int(re.search(r"^TCP: inuse (\d+)", read("/proc/net/sockstat"), re.M).group(1))


def wait_until(done, what, interval_s=0.1):
    deadline = time.monotonic() + DEADLINE_S
    while not done():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {DEADLINE_S} s")
        time.sleep(interval_s)


def wait_for_rest(processes):
    """Until none of them has used the processor for a second."""
    ticks = [None]

    def rests():
        ticks.append(cpu_ticks(processes))
        return ticks[-1] == ticks[-2]

    wait_until(rests, "rest", interval_s=1)


def check_machine():
    """What would otherwise fail halfway, or take the memory from others."""
    processes = generator_count() + server_count()
    needed = COUNT * PAIR_BYTES + processes * PROCESS_BYTES + SPARE_BYTES
    available = meminfo_bytes("MemAvailable")
    if available < needed:
        sys.exit(f"{COUNT:,} connections need {needed / 1e9:.1f} GB of memory; "
                 f"{available / 1e9:.1f} GB are available (fewer: CONNECTIONS=100000)")
    allocated, _, most = map(int, read("/proc/sys/fs/file-nr").split())
    if most - allocated < 2 * COUNT + 100 * processes:
        sys.exit(f"{COUNT:,} connections need twice as many files; /proc/sys/fs/file-max is {most:,}")


def run_in_namespaces():
    """Runs this program again, with a network and process ids of its own.

    However one of us ends, the next is killed: we, unshare, its child, and with that one, the first
    process of its namespace, all others there.
    """
    die_with_parent = functools.partial(ctypes.CDLL(None).prctl, PR_SET_PDEATHSIG, signal.SIGKILL)
    user = () if os.geteuid() == 0 else ("--map-root-user",)
    return subprocess.run(["unshare", *user, "--net", "--pid", "--fork", "--kill-child",
                           "--mount-proc", sys.executable, "-B", __file__, "inside"],
                          preexec_fn=die_with_parent, check=False).returncode


def prepare_network():
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP))
    for name, value in (("ipv4/ip_local_port_range", "1024 65535"), ("core/somaxconn", "65535")):
        with open(f"/proc/sys/net/{name}", "w") as file:
            file.write(value)


def listen(port):
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(65535)
    return listener


def start_servers():
    """The servers, and the port they share."""
    servers, port = [], 0
    for _ in range(server_count()):
        with listen(port) as listener:
            port = listener.getsockname()[1]
            servers.append(subprocess.Popen(
                [PROGRAM, "echo", "--quiet", "--listen", f"fd:{listener.fileno()}", *SERVER_OPTIONS],
                pass_fds=[listener.fileno()], stdout=subprocess.PIPE, text=True))
    for server in servers:
        if "listening" not in server.stdout.readline():
            raise ChildProcessError("a server did not start")
    return servers, port


def start_generators(port):
    shares = split(COUNT, generator_count())
    return [subprocess.Popen(
        [PROGRAM, "bench", f"ws://127.0.0.1:{port}/", "--idle", str(share),
         "--source", f"127.0.{1 + i // 250}.{1 + i % 250}", *GENERATOR_OPTIONS],
        stdout=subprocess.PIPE, text=True) for i, share in enumerate(shares)]


def open_all(generators, servers):
    """Waits until all are open; the sockets that listen are open, too."""
    wanted = 2 * COUNT + len(servers)
    steps = iter(range(10, 100, 10))
    step = [next(steps)]

    def are_open():
        for generator in generators:
            if generator.poll() is not None:
                raise ChildProcessError(f"a generator ended: {generator.stdout.read()}")
        now = open_sockets()
        while step[0] and now * 100 >= wanted * step[0]:
            print(f"  {step[0]} % open", file=sys.stderr, flush=True)
            step[0] = next(steps, None)
        return now >= wanted

    wait_until(are_open, "opening")


def ask_all(generators):
    """Has each generator send its Pings; returns their reports."""
    for generator in generators:
        generator.send_signal(signal.SIGINT)
    return [json.loads(generator.communicate(timeout=DEADLINE_S)[0]) for generator in generators]


def measure():
    started = time.monotonic()
    servers, port = start_servers()
    wait_for_rest(servers)
    before = (private_bytes(servers), kernel_bytes(), meminfo_bytes("Slab"))

    print(f"{COUNT:,} connections to one port of {len(servers)} processes: sockeye echo "
          f"{' '.join(SERVER_OPTIONS)}", flush=True)
    opening = time.monotonic()
    generators = start_generators(port)
    open_all(generators, servers)
    seconds = time.monotonic() - opening
    print(f"  opened      in {seconds:.1f} s, {COUNT / seconds:,.0f} per second, by "
          f"{len(generators)} processes on the same {os.cpu_count()} cores", flush=True)

    wait_for_rest(servers + generators)
    clients = private_bytes(generators)
    user = private_bytes(servers) - before[0]
    kernel = kernel_bytes() - before[1]
    slab = meminfo_bytes("Slab") - before[2]
    print(f"  user space  {user / COUNT:,.0f} bytes each in the servers, "
          f"{clients / COUNT:,.0f} in the generators")
    print(f"  kernel      {kernel / COUNT:,.0f} bytes for each pair of ends, of these "
          f"{slab / COUNT:,.0f} in slabs", flush=True)

    asking = time.monotonic()
    reports = ask_all(generators)
    answered = sum(report["messages"] for report in reports)
    print(f"  answered    {answered:,} of {COUNT:,} Pings; all closed after "
          f"{time.monotonic() - asking:.1f} s")
    errors = {kind: count for report in reports for kind, count in report["errors"].items()
              if count > 0}
    for kind, count in errors.items():
        print(f"  error       {kind}: {count}")
    print(f"  in all      {time.monotonic() - started:.1f} s")
    return 0 if answered == COUNT and not errors else 1


def main():
    if sys.argv[1:] == ["inside"]:
        prepare_network()
        return measure()
    check_machine()
    return run_in_namespaces()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
