"""echo_server.py [CERT KEY]: python websockets as an echo server on a free port of 127.0.0.1.

Says `ready PORT` on stdout. A text message `close CODE REASON` is answered by that close. With PEER_DEFAULTS in the environment
the limits and the compression are those of the library.
"""
import asyncio
import os
import ssl
import sys

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed


async def echo(connection):
    try:
        async for message in connection:
            if isinstance(message, str) and message.startswith("close "):
                _, code, *reason = message.split(" ", 2)
                await connection.close(int(code), "".join(reason))
            else:
                await connection.send(message)
    except ConnectionClosed:
        pass


async def main():
    tls = None
    if len(sys.argv) == 3:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(*sys.argv[1:])
    options = {} if os.environ.get("PEER_DEFAULTS") else {"max_size": 2**24, "compression": None, "ping_interval": None}
    async with serve(echo, "127.0.0.1", 0, ssl=tls, **options) as server:
        print("ready", server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()


asyncio.run(main())
