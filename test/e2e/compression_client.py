# Python's websockets, with permessage-deflate in each of its forms, against the echo server whose URL
# is the first argument; the second says what it compresses as, shared or dedicated. Prints a line for
# each check: "ok NAME", or "failed NAME: WHY". compression_test.mjs reads them.
#
# SPDX-License-Identifier: MIT
import asyncio
import random
import sys

import websockets
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

DEADLINE_S = 20
URL, MODE = sys.argv[1:]


def text_of(size):
    unit = "Sockeye für Bäche – 紅鮭 🐟. "
    length = len(unit.encode())
    return unit * (size // length) + "x" * (size % length)


def messages():
    for size in [0, 1, 63, 64, 1000, 65_535, 65_536, 300_000]:
        yield text_of(size)
        yield random.Random(size).randbytes(size)
        yield bytes(size)


async def echoes(peer):
    for message in [*messages(), *messages()]:
        await peer.send(message)
        received = await peer.recv()
        assert type(received) is type(message), f"a {type(received).__name__} came back"
        assert received == message, f"{len(received)} other bytes came back"


async def by_default():
    async with websockets.connect(URL, compression="deflate", max_size=None) as peer:
        assert [extension.name for extension in peer.extensions] == ["permessage-deflate"]
        await echoes(peer)


async def fragments():
    text = text_of(10_000)
    async with websockets.connect(URL, compression="deflate", max_size=None) as peer:
        await peer.send(text[start : start + 700] for start in range(0, len(text), 700))
        assert await peer.recv() == text


# `remote` is the server: what it was asked for is what it has agreed on.
async def agreed(**wanted):
    factory = ClientPerMessageDeflateFactory(**wanted)
    options = {"compression": None, "extensions": [factory], "max_size": None}
    async with websockets.connect(URL, **options) as peer:
        (extension,) = peer.extensions
        shared = MODE == "shared"
        assert extension.remote_no_context_takeover == (
            shared or wanted.get("server_no_context_takeover", False)
        )
        assert extension.local_no_context_takeover == (
            shared or wanted.get("client_no_context_takeover", False)
        )
        assert extension.remote_max_window_bits == wanted.get("server_max_window_bits", 15)
        client_bits = wanted.get("client_max_window_bits", 15)
        assert extension.local_max_window_bits == (15 if client_bits is True else client_bits)
        await echoes(peer)


def checks():
    yield "by default", by_default()
    yield "a fragmented message", fragments()
    yield "no options", agreed()
    yield "server_no_context_takeover", agreed(server_no_context_takeover=True)
    yield "client_no_context_takeover", agreed(client_no_context_takeover=True)
    for bits in range(8, 16):
        yield f"server_max_window_bits={bits}", agreed(server_max_window_bits=bits)
    # (zlib, and so this client, can't compress with a window of 8 bits.)
    for bits in range(9, 16):
        yield f"client_max_window_bits={bits}", agreed(client_max_window_bits=bits)
    yield "all of them", agreed(
        server_no_context_takeover=True,
        client_no_context_takeover=True,
        server_max_window_bits=10,
        client_max_window_bits=9,
    )


async def main():
    for name, check in checks():
        try:
            await asyncio.wait_for(check, DEADLINE_S)
            print(f"ok {name}", flush=True)
        except Exception as error:
            print(f"failed {name}: {type(error).__name__}: {error}", flush=True)


asyncio.run(main())
