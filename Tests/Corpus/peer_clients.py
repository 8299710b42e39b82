"""peer_clients.py URL COUNT LIST: python websockets as the client of URL0, URL1, ..., as peer_clients.cjs does it with Node."""
import asyncio
import json
import logging
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

logging.disable(logging.CRITICAL)


async def one(index, base, subprotocols, gate):
    async with gate:
        verdict = "refused"
        try:
            async with connect(base + str(index), subprotocols=subprotocols, open_timeout=8, close_timeout=2, proxy=None) as connection:
                verdict = "open"
                try:
                    message = await asyncio.wait_for(connection.recv(), 0.05)
                    verdict = f"open {message}"
                except (ConnectionClosed, asyncio.TimeoutError):
                    pass
        except Exception as error:  # whatever it raises is its verdict
            if verdict == "refused":
                verdict = f"refused {type(error).__name__}: {str(error)[:100]}"
        print(json.dumps([index, verdict]), flush=True)


async def main():
    gate = asyncio.Semaphore(4)
    base, count, offering = sys.argv[1], int(sys.argv[2]), set(map(int, sys.argv[3].split(",")))
    await asyncio.gather(*(one(index, base, ["chat", "superchat"] if index in offering else None, gate) for index in range(count)))


asyncio.run(main())
