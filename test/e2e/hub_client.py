# Subscribes with Python's websockets to the URL that is the first argument, says "open", and prints as
# many messages as the second says, each as a line of JSON: {"text": ...} or {"bytes": ...} in hex.
#
# SPDX-License-Identifier: MIT
import asyncio
import json
import sys

import websockets


async def main():
    async with websockets.connect(sys.argv[1], max_size=None) as peer:
        print("open", flush=True)
        for _ in range(int(sys.argv[2])):
            message = await asyncio.wait_for(peer.recv(), 20)
            line = {"text": message} if isinstance(message, str) else {"bytes": message.hex()}
            print(json.dumps(line), flush=True)


asyncio.run(main())
