"""client.py URL [wait]: python websockets as the client; see client.mjs."""
import asyncio
import json
import os
import ssl
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

MESSAGES = [
    ("text", 'grüße 👋 "quoted"\nsecond line'),
    ("empty text", ""),
    ("binary 0..255", bytes(range(256))),
    ("1 MiB text", "0123456789abcdeé" * ((1 << 20) // 17) + "x" * ((1 << 20) % 17)),
    ("1 MiB binary", bytes((i * 31 + (i >> 8)) & 255 for i in range(1 << 20))),
]


def say(value):
    print(json.dumps(value), flush=True)


async def main():
    url, *mode = sys.argv[1:]
    tls = ssl.create_default_context(cafile=os.environ["CA"]) if url.startswith("wss:") else None
    async with connect(url, ssl=tls, max_size=2**24) as connection:
        if mode:
            say("open")
            try:
                await connection.recv()
            except ConnectionClosed:
                say({"closed": connection.close_code})
            return
        for check, sent in MESSAGES:
            await connection.send(sent)
            got = await connection.recv()
            say({"check": check, "problem": None if got == sent else f"the echo differs: {type(got).__name__} of {len(got)}"})
        await connection.close(4001, "done")
        code = connection.close_code
        say({"check": "close 4001", "problem": None if code == 4001 else f"closed with {code}"})


asyncio.run(main())
