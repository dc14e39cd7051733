"""An echo server over websockets for Python, to race against.  python_websockets.py PORT

Settings, after the documentation's "Performance" and "Memory and buffers": uvloop, and no
compression; no keep-alive pings, as the others don't send any within seconds either; messages of up
to 64 MiB. Text is decoded, and so checked. Debian packages the source of the C extension that
unmasks, but not the extension: the race compiles it.

SPDX-License-Identifier: MIT
"""
import asyncio
import importlib.util
import os
import sys

import uvloop

# Before websockets is imported, which looks for it.
SPEEDUPS = importlib.util.spec_from_file_location(
    "websockets.speedups", os.path.join(os.environ["PEERS_FOLDER"], "speedups.so"))
sys.modules[SPEEDUPS.name] = importlib.util.module_from_spec(SPEEDUPS)

import websockets

MESSAGE_LIMIT_BYTES = 64 * 1024 * 1024


async def echo(connection):
    async for message in connection:
        await connection.send(message)


async def main():
    async with websockets.serve(echo, "127.0.0.1", int(sys.argv[1]), compression=None,
                                max_size=MESSAGE_LIMIT_BYTES, ping_interval=None):
        await asyncio.Future()  # until it is ended


uvloop.install()
asyncio.run(main())
