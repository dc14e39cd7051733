"""Mixed load for as long as it is told: what a server must still be after it is what it was before.

Peers come and go all the time, some hundred at once: echoers of many sizes, readers that are slow,
peers that are idle or mute, floods of Pings and of fragments, HTTP requests, every broken rule, noise,
and connections cut off in every fashion. All that has an answer is compared with it.

After a warm-up everyone leaves, and descriptors and memory of the server are taken; after the rest
of the time they are taken again. It fails when they differ by more than a little, when an answer was
wrong or late, or when the server did not end in peace (a sanitizer that found something says so by
the exit status).

    soak.py SECONDS       SOCKEYE=path of the server, build/sockeye unless said

SPDX-License-Identifier: MIT
"""
import asyncio
import collections
import os
import random
import re
import socket
import struct
import sys
import time

# A build with AddressSanitizer holds back what is freed, to find who still uses it: here not for long.
os.environ.setdefault("ASAN_OPTIONS", "quarantine_size_mb=8")

from client import REQUEST, Server  # noqa: E402

PEERS = 100  # at once
ANSWER_DEADLINE_S = 10
LIFE_DEADLINE_S = 60
SETTLE_DEADLINE_S = 30
# The pool of each of two threads keeps up to 16 MiB for the next one, and the heap has gaps.
MEMORY_BOUND_BYTES = 36 * 1024 * 1024
SERVER_OPTIONS = ("--threads", "2", "--ping-interval", "2", "--idle-timeout", "20")

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
FIN, RSV1, MASKED = 0x80, 0x40, 0x80

tally = collections.Counter()  # connections, messages, bytes
codes = collections.Counter()  # of Close frames
statuses = collections.Counter()  # of HTTP responses
failures = []


# -------------------------------------------------------------------------------------------- peers


def header(first, size, masked=MASKED):
    """A frame's header (RFC 6455 §5.2) without the masking key; `first` is its first byte."""
    if size < 126:
        return struct.pack("!BB", first, masked | size)
    if size < 65536:
        return struct.pack("!BBH", first, masked | 126, size)
    return struct.pack("!BBQ", first, masked | 127, size)


def frame(opcode, payload=b"", bits=FIN):
    key = random.randbytes(4)
    size = len(payload)
    mask = int.from_bytes((key * (size // 4 + 1))[:size])
    return header(bits | opcode, size) + key + (int.from_bytes(payload) ^ mask).to_bytes(size)


def close_frame(code, reason=b""):
    return frame(CLOSE, struct.pack("!H", code) + reason)


class Peer:
    """A raw connection: `async with Peer(port) as peer`. What is sent waits without a bound."""

    def __init__(self, port):
        self.port = port

    async def __aenter__(self):
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        tally["connections"] += 1
        return self

    async def __aexit__(self, *_):
        self.writer.transport.abort()

    def send(self, data):
        self.writer.write(data)

    def reset(self):
        """RST in place of FIN: socket(7), SO_LINGER."""
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def status(self):
        """The status of an HTTP response, whose body is left unread."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        return int(head.split(b" ", 2)[1])

    async def open(self):
        self.send(REQUEST)
        expect(await self.status(), 101)

    async def any_frame(self):
        first, size = await self.reader.readexactly(2)
        if size >= 126:
            size = int.from_bytes(await self.reader.readexactly(2 if size == 126 else 8))
        return first & 15, await self.reader.readexactly(size)

    async def frame(self):
        """The next frame that isn't a Ping, as (opcode, payload). Pings are answered."""
        async with asyncio.timeout(ANSWER_DEADLINE_S):
            while (got := await self.any_frame())[0] == PING:
                self.send(frame(PONG, got[1]))
        return got

    async def echo_of(self, opcode, payload):
        got = await self.frame()
        if got != (opcode, payload):
            raise ValueError(f"no echo of {len(payload)} bytes: {got[0]}, {got[1][:60]!r}")
        tally["messages"] += 1
        tally["bytes"] += len(payload)

    async def closed(self, wanted):
        opcode, payload = await self.frame()
        expect((opcode, int.from_bytes(payload[:2])), (CLOSE, wanted))
        codes[wanted] += 1

    async def leave(self):
        self.send(close_frame(1000))
        await self.closed(1000)
        expect(await self.reader.read(1), b"")


def expect(got, wanted):
    if got != wanted:
        raise ValueError(f"{got!r} in place of {wanted!r}")


# ------------------------------------------------------------------- what peers do, one life each


def some_payload():
    largest = random.choice((0, 16, 125, 126, 4_000, 65_535, 65_536, 300_000, 1_500_000))
    return random.randbytes(random.randint(largest // 2, largest))


def in_fragments(opcode, payload, count):
    size = max(1, len(payload) // count)
    pieces = [payload[i : i + size] for i in range(0, len(payload), size)] or [b""]
    for i, piece in enumerate(pieces):
        yield frame(CONTINUATION if i else opcode, piece, FIN if i + 1 == len(pieces) else 0)


async def echoer(peer):
    await peer.open()
    for _ in range(random.randint(1, 20)):
        opcode, payload = random.choice(((BINARY, some_payload()), (TEXT, b"\xe2\x82\xac" * random.randint(0, 500))))
        for piece in in_fragments(opcode, payload, random.choice((1, 1, 3, 50))):
            peer.send(piece)
            if random.random() < 0.01:
                peer.send(frame(PONG, b"by the way"))
        await peer.echo_of(opcode, payload)
    await peer.leave()


async def slow_reader(peer):
    """Reads now and then. It is done long before the idle timeout, for Pings wait as well."""
    await peer.open()
    payloads = [random.randbytes(random.randint(0, 200_000)) for _ in range(10)]
    peer.send(b"".join(frame(BINARY, payload) for payload in payloads))
    for payload in payloads:
        await asyncio.sleep(random.random() / 5)
        await peer.echo_of(BINARY, payload)
    await peer.leave()


async def idler(peer):
    await peer.open()
    peer.send(frame(TEXT, b"in a while"))
    await peer.echo_of(TEXT, b"in a while")
    try:
        got = await asyncio.wait_for(peer.frame(), random.uniform(0, 9))
        raise ValueError(f"nobody asked for {got}")
    except asyncio.TimeoutError:
        await peer.leave()


async def mute(peer):
    """Answers no Ping, and is told why it has to go."""
    await peer.open()
    while (got := await peer.any_frame())[0] == PING:
        pass
    expect((got[0], got[1][:2]), (CLOSE, b"\x03\xf3"))
    codes[1011] += 1


async def pinger(peer):
    await peer.open()
    count = random.randint(1, 3000)
    peer.send(b"".join(frame(PING, b"%d" % i) for i in range(count)))
    latest = -1
    while latest < count - 1:  # some may be skipped (§5.5.3), but not the last
        opcode, payload = await peer.frame()
        expect((opcode, int(payload) > latest), (PONG, True))
        latest = int(payload)
    await peer.leave()


async def fragmenter(peer):
    await peer.open()
    payload = random.randbytes(random.randint(1, 5000))
    peer.send(b"".join(in_fragments(BINARY, payload, len(payload))))
    await peer.echo_of(BINARY, payload)
    await peer.leave()


REQUESTS = (
    (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 200),
    (b"HEAD /page.css HTTP/1.1\r\nHost: a\r\n\r\n", 200),
    (b"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n", 404),
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi", 405),
    (b"GET / HTTP/1.1\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
    (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"A: b\r\n" * 200 + b"\r\n", 431),
    (REQUEST.replace(b"Version: 13", b"Version: 12") + frame(TEXT, b"anyway"), 426),
    (REQUEST.replace(b"Host:", b"Origin: http://evil.example\r\nHost:"), 403),
)


async def requester(peer):
    request, wanted = random.choice(REQUESTS)
    peer.send(request)
    statuses[status := await peer.status()] += 1
    expect(status, wanted)


FRAGMENTS_TOO_MANY = b"".join((frame(BINARY, b"", 0), frame(CONTINUATION, b"", 0) * 131_073))
BROKEN_RULES = (
    (header(FIN | TEXT, 5, masked=0) + b"hello", 1002),
    (frame(TEXT, b"hello", FIN | RSV1), 1002),
    (frame(3), 1002),
    (frame(11), 1002),
    (struct.pack("!BBH", FIN | BINARY, MASKED | 126, 125), 1002),
    (struct.pack("!BBQ", FIN | BINARY, MASKED | 127, 1 << 63), 1002),
    (frame(PING, b"x" * 126), 1002),
    (frame(PING, b"x", 0), 1002),
    (frame(CONTINUATION, b"x"), 1002),
    (frame(TEXT, b"x", 0) + frame(TEXT, b"x"), 1002),
    (frame(CLOSE, b"x"), 1002),
    (close_frame(1005), 1002),
    (close_frame(1000, b"\xff"), 1007),
    (frame(TEXT, b"\xed\xa0\x80"), 1007),
    (frame(TEXT, b"\xe2\x82", 0) + frame(CONTINUATION), 1007),
    (header(FIN | BINARY, 1 << 40), 1009),
    (frame(BINARY, bytes(1 << 20), 0) + header(FIN, 16 << 20), 1009),
    (FRAGMENTS_TOO_MANY, 1008),
)


async def rule_breaker(peer):
    await peer.open()
    broken, wanted = random.choice(BROKEN_RULES)
    peer.send(broken)
    await peer.closed(wanted)


async def noise(peer):
    if random.random() < 0.8:
        await peer.open()
    peer.send(random.randbytes(random.randint(1, 3000)))
    if random.random() < 0.5:
        peer.writer.write_eof()
        await peer.reader.read()


async def deserter(peer):
    """Leaves where it is least expected."""
    where = random.choice(("at once", "handshake", "frame", "echo", "unread"))
    if where == "handshake":
        peer.send(REQUEST[: random.randint(1, len(REQUEST) - 1)])
    elif where != "at once":
        await peer.open()
        data = frame(BINARY, random.randbytes(2_000_000 if where == "unread" else 70_000))
        peer.send(data if where != "frame" else data[: random.randint(1, len(data) - 1)])
    if where == "echo":
        await peer.reader.readexactly(random.randint(1, 60_000))
    await asyncio.sleep(random.choice((0, 0.01, 0.1)))
    how = random.choice(("reset", "half-close", "close"))
    if how == "reset":
        peer.reset()
    elif how == "half-close" and where != "unread":
        peer.writer.write_eof()
        await peer.reader.read()


LIVES = {echoer: 30, slow_reader: 3, idler: 5, mute: 2, pinger: 5, fragmenter: 3, requester: 30,
         rule_breaker: 20, noise: 15, deserter: 60}


async def live(port):
    while len(failures) < 10:
        [behaviour] = random.choices(list(LIVES), LIVES.values())
        try:
            async with asyncio.timeout(LIFE_DEADLINE_S), Peer(port) as peer:
                await behaviour(peer)
        except (OSError, EOFError, ValueError) as error:  # TimeoutError is an OSError
            # Noise and deserters may be thrown out at any time; others have done nothing wrong.
            if behaviour not in (noise, deserter) or isinstance(error, TimeoutError):
                failures.append(f"{behaviour.__name__}: {error!r}")


# ------------------------------------------------------------------------------------- the server


class State(collections.namedtuple("State", "descriptors rss pss heap cpu")):
    @classmethod
    def of(cls, pid):
        with open(f"/proc/{pid}/smaps_rollup") as rollup:
            sizes = dict(re.findall(r"^(\w+): +(\d+) kB$", rollup.read(), re.M))
        with open(f"/proc/{pid}/stat") as stat:
            ticks = stat.read().rsplit(")", 1)[1].split()[11:13]
        memory = (int(sizes[name]) * 1024 for name in ("Rss", "Pss", "Anonymous"))
        cpu = sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")
        return cls(len(os.listdir(f"/proc/{pid}/fd")), *memory, cpu)


async def first_state(server):
    """Before anyone came. The signalfd is the last thing that a server opens for itself."""
    folder = f"/proc/{server.process.pid}/fd"
    while not any("signalfd" in os.readlink(f"{folder}/{fd}") for fd in os.listdir(folder)):
        await asyncio.sleep(0.01)
    return State.of(server.process.pid)


async def load(server, seconds, descriptors):
    """Load for so long; then the server's state, when it has let go of all peers or ought to have."""
    peers = [asyncio.create_task(live(server.port)) for _ in range(PEERS)]
    await asyncio.sleep(seconds)
    for peer in peers:
        peer.cancel()
    await asyncio.wait(peers)
    until = time.monotonic() + SETTLE_DEADLINE_S
    while (state := State.of(server.process.pid)).descriptors != descriptors and time.monotonic() < until:
        await asyncio.sleep(0.1)
    return state


def listed(counter):
    return ", ".join(f"{key}: {count}" for key, count in sorted(counter.items()))


async def soak(seconds):
    server = Server(*SERVER_OPTIONS)
    try:
        fresh = await first_state(server)
        warm_up = min(60, seconds / 2)
        before = await load(server, warm_up, fresh.descriptors)
        after = await load(server, seconds - warm_up, fresh.descriptors)
    except FileNotFoundError:  # of /proc
        failures.append(f"the server is gone, exit status {server.process.wait()}")
        return
    finally:
        if server.process.poll() is None:
            server.stop()
    kib = "{:>9.0f} KiB -> {:.0f} KiB".format
    for name, text in (
        ("seconds", f"{seconds:>9}"),
        ("connections", f"{tally['connections']:>9}"),
        ("messages echoed", f"{tally['messages']:>9}"),
        ("bytes echoed", f"{tally['bytes']:>9}"),
        ("Close codes", listed(codes)),
        ("HTTP statuses", listed(statuses)),
        ("descriptors", f"{before.descriptors:>9} -> {after.descriptors}"),
        ("RSS", kib(before.rss / 1024, after.rss / 1024)),
        ("PSS", kib(before.pss / 1024, after.pss / 1024)),
        ("anonymous memory", kib(before.heap / 1024, after.heap / 1024)),
        ("server's CPU time", f"{after.cpu:>9.1f} s"),
    ):
        print(f"{name:<18}{text}")
    for when, state in (("warm-up", before), ("end", after)):
        if state.descriptors != fresh.descriptors:
            failures.append(f"{state.descriptors} descriptors after the {when}, {fresh.descriptors} at first")
    if after.heap - before.heap > MEMORY_BOUND_BYTES:
        failures.append(f"memory grew by {after.heap - before.heap} bytes")
    if server.process.returncode != 0:
        failures.append(f"the server's exit status is {server.process.returncode}")


asyncio.run(soak(int(sys.argv[1])))
for failure in failures:
    print(f"FAILED: {failure}")
sys.exit(1 if failures else 0)
