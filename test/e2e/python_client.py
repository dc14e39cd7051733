# Python's websockets against the echo server whose URL is the one argument. Prints a line for each
# check: "ok NAME", or "failed NAME: WHY". python_test.mjs reads them.
#
# SPDX-License-Identifier: MIT
import asyncio
import sys

import websockets

SIZES = [0, 1, 125, 126, 65_535, 65_536, 1024 * 1024, 16 * 1024 * 1024]
DEADLINE_S = 20
URL = sys.argv[1]


def connect(**options):
    return websockets.connect(URL, max_size=None, **options)


def bytes_of(size):
    return (bytes(range(251)) * (size // 251 + 1))[:size]


def text_of(size):
    unit = "Sockeye für Bäche – 紅鮭 🐟. "
    length = len(unit.encode())
    return unit * (size // length) + "x" * (size % length)


async def same(message):
    async with connect() as peer:
        await peer.send(message)
        received = await peer.recv()
        assert type(received) is type(message), f"a {type(received).__name__} came back"
        assert received == message, f"{len(received)} other bytes came back"


async def fragments(message, cuts):
    async def pieces():
        for start, end in zip(cuts, cuts[1:]):
            yield message[start:end]

    async with connect() as peer:
        await peer.send(pieces())
        assert await peer.recv() == message


async def ping():
    async with connect() as peer:
        await (await peer.ping(b"are you there?"))


async def close(code, reason):
    peer = await connect()
    await peer.close(code, reason)
    assert peer.close_code == code, f"closed with {peer.close_code}"


async def subprotocol():
    async with connect(subprotocols=["soap", "chat"]) as peer:
        assert peer.subprotocol == "chat", f"subprotocol {peer.subprotocol}"


def checks():
    for size in SIZES:
        yield f"{size} bytes of text", same(text_of(size))
        yield f"{size} bytes of binary", same(bytes_of(size))
    yield "a fragmented text message", fragments(text_of(10_000), [0, 1, 2, 5_000, 20_000])
    yield "a fragmented binary message", fragments(bytes_of(300_000), [0, 0, 1, 126, 70_000, 300_000])
    yield "a ping is answered", ping()
    for code, reason in [(1000, ""), (1000, "that is all"), (3000, "für heute"), (4999, "x" * 123)]:
        yield f"closing with {code} and {len(reason)} characters", close(code, reason)
    yield "the subprotocol chat is agreed on", subprotocol()


async def main():
    for name, check in checks():
        try:
            await asyncio.wait_for(check, DEADLINE_S)
            print(f"ok {name}", flush=True)
        except Exception as error:
            print(f"failed {name}: {type(error).__name__}: {error}", flush=True)


asyncio.run(main())
