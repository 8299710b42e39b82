#!/usr/bin/env python3
"""rules.py: each rule file of Tests/Examples as a server for a client library that others wrote for the real service.

python-socketio, gql, ocpp, openai and Python websockets, all of PyPI; peers.sh installs them. The program is $WSCOPE, default
.build/release/wscope.
"""
import asyncio
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "Peers"))
sys.dont_write_bytecode = True
from checks import Checks, print_table  # noqa: E402
from processes import REPOSITORY, listen, peer, require_wscope, set_up_peers  # noqa: E402

DEADLINE = 60
checks = Checks()


async def socketio(port):
    import socketio as library
    client = library.AsyncClient(reconnection=False)
    echoed = asyncio.get_running_loop().create_future()
    client.on("news", lambda *values: echoed.done() or echoed.set_result(values))
    await client.connect(f"http://127.0.0.1:{port}", transports=["websocket"])
    checks.equal("socketio", "connected", client.connected, True)
    await client.emit("news", {"text": "hé \"quoted\"", "n": 7})
    checks.equal("socketio", "an event comes back", await echoed, ({"text": "hé \"quoted\"", "n": 7},))
    acknowledged = await client.call("ask", ["a", 1])
    checks.equal("socketio", "an acknowledgement", acknowledged, ("ask", ["a", 1]))
    await client.disconnect()
    second = library.AsyncClient(reconnection=False)
    await second.connect(f"http://127.0.0.1:{port}", transports=["websocket"], namespaces=["/chat"])
    checks.equal("socketio", "a namespace", list(second.namespaces), ["/chat"])
    await second.disconnect()


async def graphql_transport_ws(port):
    from gql import Client, gql
    from gql.transport.websockets import WebsocketsTransport
    from gql.transport.websockets_protocol import WebsocketsProtocolTransportBase
    transport = WebsocketsTransport(
        url=f"ws://127.0.0.1:{port}/graphql", subprotocols=[WebsocketsProtocolTransportBase.GRAPHQLWS_SUBPROTOCOL])
    async with Client(transport=transport) as session:
        for name in ("a subscription", "another on the same connection"):
            counts = [result["count"] async for result in session.subscribe(gql("subscription { count }"))]
            checks.equal("graphql-transport-ws", name, counts, [1, 2, 3])
    import websockets
    async with websockets.connect(f"ws://127.0.0.1:{port}/", subprotocols=["graphql-transport-ws"]) as raw:
        await raw.send('{"type":"connection_init"}')
        checks.equal("graphql-transport-ws", "acknowledged", json.loads(await raw.recv()), {"type": "connection_ack"})
        await raw.send('{"type":"connection_init"}')
        await raw.wait_closed()
        checks.equal("graphql-transport-ws", "a second connection_init", raw.close_code, 4429)


async def ocpp16(port):
    import websockets
    from ocpp.v16 import ChargePoint, call
    async with websockets.connect(f"ws://127.0.0.1:{port}/CP_1", subprotocols=["ocpp1.6"]) as connection:
        checks.equal("ocpp16", "subprotocol", connection.subprotocol, "ocpp1.6")
        point = ChargePoint("CP_1", connection)
        reading = asyncio.ensure_future(point.start())
        booted = await point.call(call.BootNotification(charge_point_model="m", charge_point_vendor="v"))
        checks.equal("ocpp16", "BootNotification", (booted.status, booted.interval), ("Accepted", 300))
        beat = await point.call(call.Heartbeat())
        checks.equal("ocpp16", "Heartbeat", beat.current_time[:2], "20")
        authorized = await point.call(call.Authorize(id_tag="tag"))
        checks.equal("ocpp16", "Authorize", authorized.id_tag_info["status"], "Accepted")
        started = await point.call(call.StartTransaction(
            connector_id=1, id_tag="tag", meter_start=0, timestamp="2026-11-30T00:00:00Z"))
        checks.equal("ocpp16", "StartTransaction", started.transaction_id, 1)
        stopped = await point.call(call.StopTransaction(
            meter_stop=9, timestamp="2026-11-30T00:00:00Z", transaction_id=1))
        checks.equal("ocpp16", "StopTransaction", stopped.id_tag_info["status"], "Accepted")
        reading.cancel()


async def json_rpc(port):
    import websockets
    async with websockets.connect(f"ws://127.0.0.1:{port}/") as connection:
        async def call(request):
            await connection.send(request if isinstance(request, str) else json.dumps(request))
            return json.loads(await connection.recv())
        hostile = {"text": "\"}, {\"jsonrpc\"", "list": [1, None, True]}
        reply = await call({"jsonrpc": "2.0", "id": "x", "method": "echo", "params": hostile})
        checks.equal("json-rpc", "echo", reply, {"jsonrpc": "2.0", "id": "x", "result": hostile})
        reply = await call({"jsonrpc": "2.0", "id": 2, "method": "nope"})
        checks.equal("json-rpc", "an unknown method", (reply["id"], reply["error"]["code"]), (2, -32601))
        reply = await call("{")
        checks.equal("json-rpc", "not JSON", (reply["id"], reply["error"]["code"]), (None, -32700))
        await connection.send('{"jsonrpc":"2.0","method":"log"}')
        reply = await call({"jsonrpc": "2.0", "id": 3, "method": "subscribe"})
        ticks = [json.loads(await connection.recv())["params"]["n"] for _ in range(2)]
        checks.equal("json-rpc", "notifications after a reply", (reply["result"], ticks), (True, [1, 2]))


async def openai_realtime(port):
    from openai import AsyncOpenAI
    client = AsyncOpenAI(api_key="none", websocket_base_url=f"ws://127.0.0.1:{port}/v1")
    async with client.realtime.connect(model="gpt-realtime") as connection:
        created = await connection.recv()
        checks.equal("openai-realtime", "created", created.type, "session.created")
        await connection.session.update(session={"type": "realtime", "output_modalities": ["text"]})
        updated = await connection.recv()
        checks.equal("openai-realtime", "updated", (updated.type, updated.session.output_modalities), ("session.updated", ["text"]))
        await connection.conversation.item.create(
            item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi \"there\""}]})
        added = await connection.recv()
        checks.equal("openai-realtime", "the item", added.item.content[0].text, "hi \"there\"")
        await connection.recv()
        await connection.response.create()
        text, types = "", []
        async for event in connection:
            types.append(event.type)
            if event.type == "response.output_text.delta":
                text += event.delta
            if event.type == "response.done":
                break
        checks.equal("openai-realtime", "the text", text, "Hello from wscope.")
        checks.equal("openai-realtime", "the events", types[0], "response.created")


CLIENTS = {
    "socketio": (socketio, []), "graphql-transport-ws": (graphql_transport_ws, ["-s", "graphql-transport-ws"]),
    "ocpp16": (ocpp16, ["-s", "ocpp1.6"]), "json-rpc": (json_rpc, []), "openai-realtime": (openai_realtime, []),
}


def main():
    require_wscope()
    set_up_peers()
    if sys.prefix != os.path.dirname(os.path.dirname(peer("python"))):
        os.execv(peer("python"), [peer("python"), os.path.abspath(__file__)])
    files = {name[:-6] for name in os.listdir(os.path.join(REPOSITORY, "Tests/Examples")) if name.endswith(".rules")}
    checks.equal("files", "each has a client", files, set(CLIENTS))
    for name, (client, options) in CLIENTS.items():
        rules = os.path.join(REPOSITORY, "Tests/Examples", name + ".rules")
        server, port = listen("--rules", rules, *options)
        try:
            asyncio.run(asyncio.wait_for(client(port), DEADLINE))
        except Exception as failure:  # a library may raise anything
            checks.record(name, "runs", f"{type(failure).__name__}: {failure}; {server.said()[-400:]}")
        finally:
            server.stop()
        missed = [line for line in server.said().splitlines() if "(no rule)" in line]
        checks.equal(name, "every message has a rule", missed, [])
    print_table(["rules", "checks"], [[name, checks.cell(name)] for name in CLIENTS])
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
