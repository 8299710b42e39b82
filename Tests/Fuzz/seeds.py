#!/usr/bin/env python3
"""seeds.py: writes the hand-made seeds of the fuzz targets to Tests/Fuzz/Seeds. What the fuzzer finds beside them is put there by
`fuzz.sh minimise`. An input is: a byte of options, the number of cuts, two bytes a cut, the data (FuzzInput.swift)."""
import base64, hashlib, json, pathlib, struct, zlib

root = pathlib.Path(__file__).parent / "Seeds"


def seed(target, name, data, options=0, cuts=()):
    folder = root / target
    folder.mkdir(parents=True, exist_ok=True)
    head = bytes([options, len(cuts)]) + b"".join(struct.pack("<H", cut) for cut in cuts)
    (folder / name).write_bytes(head + data)


def text(target, name, data):
    folder = root / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())


def frame(opcode, payload=b"", key=None, first=0x80, form=None):
    form = form if form is not None else (0 if len(payload) < 126 else 2 if len(payload) < 65536 else 8)
    mask = 0 if key is None else 0x80
    length = bytes([mask | len(payload)]) if form == 0 else bytes([mask | 126]) if form == 2 else bytes([mask | 127])
    if form:
        length += len(payload).to_bytes(form, "big")
    if key is not None:
        payload = bytes(byte ^ key[index % 4] for index, byte in enumerate(payload))
    return bytes([first | opcode]) + length + (key or b"") + payload


def deflated(payload, bits=15, final=False):
    stream = zlib.compressobj(9, zlib.DEFLATED, -bits)
    out = stream.compress(payload) + stream.flush(zlib.Z_FINISH if final else zlib.Z_SYNC_FLUSH)
    return out if final else out[:-4]


conversations = {
    "text": [(1, "héllo €".encode(), 0x80)],
    "empty": [(1, b"", 0x80), (2, b"", 0x80)],
    "fragments": [(1, b"Hel", 0), (0, b"l", 0), (9, b"between", 0x80), (0, b"o", 0x80)],
    "pings": [(9, b"1", 0x80), (9, b"x" * 125, 0x80), (10, b"late", 0x80)],
    "close": [(2, b"\x00\xff", 0x80), (8, struct.pack(">H", 1001) + b"going", 0x80), (1, b"behind", 0x80)],
    "bare-close": [(8, b"", 0x80)],
    "close-in-message": [(1, b"half", 0), (8, struct.pack(">H", 4000), 0x80)],
    "medium": [(2, b"m" * 300, 0x80)],
    "large": [(2, b"l" * 65536, 0x80)],
    "bad-text": [(1, b"\xce\xba\xe1\xbd\xb9\xcf\x83\xed\xa0\x80", 0x80)],
    "bad-opcode": [(3, b"?", 0x80)],
    "bad-bits": [(1, b"?", 0xA0)],
    "long-ping": [(9, b"p" * 126, 0x80)],
    "cut-ping": [(9, b"p", 0)],
    "stray": [(0, b"alone", 0x80)],
    "interleaved": [(1, b"one", 0), (1, b"two", 0x80)],
    "close-code": [(8, struct.pack(">H", 1005), 0x80)],
    "close-byte": [(8, b"\x03", 0x80)],
    "many-fragments": [(2, b"", 0)] + [(0, b"", 0)] * 70,
}
for name, frames in conversations.items():
    for target, key in (("client-frames", b"\x12\x34\x56\x78"), ("server-frames", None)):
        wire = b"".join(frame(opcode, payload, key, first) for opcode, payload, first in frames)
        if len(wire) > 4096:
            wire = wire[:4096]
        seed(target, name, wire, 0x10, (1, 5, 9))
        seed(target, f"{name}-tight", wire, 0x08, (2, 3))
for target, key, wrong in (("client-frames", b"\x01\x02\x03\x04", None), ("server-frames", None, b"\x01\x02\x03\x04")):
    seed(target, "wrong-mask", frame(1, b"m", wrong))
    seed(target, "forms", frame(1, b"short", key, form=2) + frame(2, b"short", key, form=8))
    seed(target, "top-bit", bytes([0x82, (0x80 if key else 0) | 127]) + b"\xff" * 8 + (key or b""))
    squeezed = [(deflated(b"Hello Hello Hello"), 0xC0), (deflated(b"Hello again, Hello"), 0xC0)]
    seed(target, "deflate", b"".join(frame(1, p, key, f) for p, f in squeezed[:1] * 2), 0x11, (3, 7))
    seed(target, "deflate-forgets", b"".join(frame(1, p, key, f) for p, f in squeezed), 0x17, (4,))
    parts = deflated(b"in two frames " * 9)
    seed(target, "deflate-fragments", frame(2, parts[:9], key, 0x40) + frame(0, parts[9:], key), 0x11)
    seed(target, "deflate-bomb", frame(2, deflated(b"\0" * 200000), key, 0xC0), 0x01)
    seed(target, "deflate-garbage", frame(2, deflated(b"x") + b"\xff\xff\xff", key, 0xC0), 0x01)
    seed(target, "our-close", frame(1, b"late", key) + frame(8, b"\x03\xe8", key), 0x30)
    seed(target, "blocked", b"".join(frame(9, bytes([n]), key) for n in range(5)) + frame(1, b"m", key), 0x50, (3, 9))

for name, payload in {
    "hello": b"Hello", "empty": b"", "zeros": b"\0" * 5000, "text": bytes(range(256)) * 3, "random": hashlib.sha512(b"r").digest() * 2,
}.items():
    seed("deflate", name, deflated(payload), 0, (1, 4))
    seed("deflate", f"{name}-twice", deflated(payload), 0x02, (2,))
    seed("deflate", f"{name}-final", deflated(payload, final=True), 0, (3,))
    seed("deflate", f"{name}-trip", payload, 0x04 | 7 << 3, (1, 2, 3))
    seed("deflate", f"{name}-small-window", payload, 0x04 | 1 << 3, (1, 2, 3))
seed("deflate", "bomb", deflated(b"\0" * 3_000_000))
seed("deflate", "stored", b"\x00\x05\x00\xfa\xffHello\x00")
seed("deflate", "bad-block", b"\x07\xff\xff")
seed("deflate", "bad-distance", b"\xf2\x48\xcd\xc9\xc9\x07\x11\x11\xff")

key = "AAAAAAAAAAAAAAAAAAAAAA=="
accept = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
masked = frame(1, b"hi", b"\x12\x34\x56\x78")


def request(line="GET /chat HTTP/1.1", drop=(), more=(), behind=b""):
    fields = {"Host": "localhost", "Upgrade": "websocket", "Connection": "keep-alive, Upgrade", "Sec-WebSocket-Key": key,
              "Sec-WebSocket-Version": "13"}
    lines = [line] + [f"{name}: {value}" for name, value in fields.items() if name not in drop] + list(more)
    return "".join(part + "\r\n" for part in lines).encode() + b"\r\n" + behind


requests = {
    "plain": request(), "frames": request(behind=masked * 2 + frame(8, b"\x03\xe8", b"\0\0\0\0")), "page": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 2,
    "protocols": request(more=["Sec-WebSocket-Protocol: chat, superchat", "Origin: http://localhost"]),
    "deflate": request(more=['Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits; server_max_window_bits="10", x-foo; a=b'],
                       behind=frame(1, deflated(b"Hello"), b"\x01\x02\x03\x04", 0xC0)),
    "no-host": request(drop=["Host"]), "two-hosts": request(more=["Host: b"]), "version-8": request(drop=["Sec-WebSocket-Version"],
                                                                                                more=["Sec-WebSocket-Version: 8"]),
    "post": request("POST / HTTP/1.1", more=["Content-Length: 3"], behind=b"abc"), "http-1.0": request("GET / HTTP/1.0"),
    "chunked": request(more=["Transfer-Encoding: chunked"], behind=b"0\r\n\r\n"), "fold": request(more=["X: a\r\n b"]),
    "bare-lf": request().replace(b"\r\n", b"\n"), "space-colon": request(more=["X : a"]), "nul": request(more=["X: a\0b"]),
    "bad-key": request(drop=["Sec-WebSocket-Key"], more=["Sec-WebSocket-Key: short"]), "many": request(more=[f"X-{n}: {n}" for n in range(101)]),
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "h2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "garbage": b"\xff\xfe\r\n\r\n",
    "head": b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", "connect": b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n",
}
for name, data in requests.items():
    seed("request-head", name, data, 3, (7, 30, 90))


def reply(line="HTTP/1.1 101 Switching Protocols", drop=(), more=(), behind=b""):
    fields = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": accept}
    lines = [line] + [f"{name}: {value}" for name, value in fields.items() if name not in drop] + list(more)
    return "".join(part + "\r\n" for part in lines).encode() + b"\r\n" + behind


replies = {
    "plain": reply(), "frames": reply(behind=frame(1, b"hi") + frame(9, b"p") + frame(8, b"\x03\xe8bye")),
    "deflate": reply(more=["Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_max_window_bits=12"],
                     behind=frame(1, deflated(b"Hello"), None, 0xC0)),
    "protocol": reply(more=["Sec-WebSocket-Protocol: chat"]), "two-protocols": reply(more=["Sec-WebSocket-Protocol: chat"] * 2),
    "unasked": reply(more=["Sec-WebSocket-Extensions: x-foo"]), "no-accept": reply(drop=["Sec-WebSocket-Accept"]),
    "wrong-accept": reply(drop=["Sec-WebSocket-Accept"], more=["Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA="]),
    "no-upgrade": reply(drop=["Upgrade"]), "interim": b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" * 2 + reply(),
    "interims": b"HTTP/1.1 100 Continue\r\n\r\n" * 7 + reply(), "refused": b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 5\r\n\r\nnever",
    "refused-chunked": b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "refused-endless": b"HTTP/1.1 500 No\r\n\r\n" + b"x" * 3000, "http-1.0": reply("HTTP/1.0 101 Yes"), "not-http": b"SSH-2.0-OpenSSH_9\r\n",
    "length": reply(more=["Content-Length: 3"], behind=b"abc"), "204": b"HTTP/1.1 204 No Content\r\n\r\n", "bare-lf": reply().replace(b"\r\n", b"\n"),
}
for name, data in replies.items():
    seed("response-head", name, data, 7, (9, 33, 120))

for number, line in enumerate([
    "plain", "tab\tand\nnewline", "\x1b[2J\x1b]0;title\x07", "\x1b]52;c;cm0gLXJm\x07", "c1 \u0085 \u009b31m", "bidi \u202e \u2066 \u061c", "\u2028\u2029",
    "tags \U000e0041\U000e007f", "emoji 👩‍👩‍👧 e\u0301", "é" * 40, b"\xff\xfe\xc0\x80\xed\xa0\x80\xf4\x90\x80\x80\xe2\x82", b"\x7f\x00\x1f",
]):
    text("sanitiser", f"{number:02}", line)
for number, line in enumerate([
    "ws://localhost:8080/chat?a=b", "wss://user:secret@example.com/", ":3000/x", "example.com", "[::1]:80/", "ws://[fe80::1%25eth0]/", "ws+unix:/tmp/s:/uri",
    "http://127.0.0.1?q", "ws://bücher.example/ü", "ftp://x", "ws://host:99999/", "ws://host/#f", "ws://a@b@c/", "wss+unix://x", "ws://[::1", "ws://x:/",
    "ws://EXAMPLE.com:443/%2e", "a:b:c", "//x", "?",
]):
    text("url", f"{number:02}", line)
for number, line in enumerate([
    '{"v":1,"t":0.05,"conn":1,"event":"message","dir":"in","type":"text","size":5,"wire":9,"text":"hello"}',
    '{"v":1,"event":"message","type":"binary","base64":"AP8BCoA="}', '{"event":"open","status":101}', '{"event":"message"}', "[]", "{}", "nul",
    '{"event":"message","text":"\\ud83d\\ude00\\u0000\\n"}', '{"event":"message","text":"\\ud83d"}', '{"a":' * 30, '[' * 600,
    '{"event":"message","base64":"AP8"}', '{"event":"message","text":1e999}', '{"event":"message","event":"x","text":"two"}', '{"n":-0.1E+5,"t":true}',
]):
    text("session-line", f"{number:02}", line)
recording = [
    {"v": 1, "t": 0, "conn": 1, "event": "record"}, {"v": 1, "t": 0.05, "conn": 1, "event": "message", "dir": "in", "type": "text", "text": "hello"},
    {"v": 1, "t": 0.06, "conn": 1, "event": "message", "dir": "out", "type": "binary", "base64": "AP8BCoA="},
    {"v": 1, "t": 1.2, "conn": 1, "event": "close", "dir": "in", "code": 1008, "reason": "nope", "clean": True},
]
text("session-line", "recording", "\n".join(json.dumps(line) for line in recording))

for path in sorted((pathlib.Path(__file__).parent.parent / "Examples").glob("*.wscope")):
    text("script", path.stem, path.read_bytes())
text("script", "templates", "<json .a == $X -> Y\n<~ ^$Y$\n> ${Y}$$\r\nclose 4000 $Y\n@a connect $X\n@a >@ $Y\n")
text("script", "mistakes", "> a\n@b < c\n")
text("script", "rules", '< ping => > pong\n<json .op == "a" -> ID => > {"id":${.id},"m":"$MESSAGE"}\n=> wait 1s\n=> @b ping\n@a connect\n@b connect\n@a > $ID\n@b < x\n')
for name, rules in {
    "chat": 'open => > {"type":"welcome","you":$CONN}\n< ping => > pong\n<~ ^hello (\\w+) => > hi $1\n@/chat <* => @others > $MESSAGE\n',
    "times": "every 30s => ping\nupgrade 1-3 => status 503 busy\nupgrade 4- => wait 2s\nclosed => @all > gone\n",
    "once": "once < login => > denied\n=> close 4401 no\n<b 00ff => reset\n<e a \\u{3d}> b => stall\n",
    "values": '<json .op -> OP => > {"q":"${?name}","at":"$NOW","n":$N,"$$":[${.a.b[0]}]}\r\n=> @/room/* > $UUID $MS $PATH\n',
    "mistakes": "< a => b\nopne => > a\n=> > b\n@up < x => nothing\n",
}.items():
    text("rules", name, rules)
opened = '{"v":1,"t":0.0,"conn":1,"event":"open","status":101,"subprotocol":null,"extensions":[]}\n'
for name, line in {
    "in": '"event":"message","dir":"in","type":"text","size":1,"text":"a"', "out": '"event":"message","dir":"out","type":"binary","size":1,"base64":"AA=="',
    "ping": '"event":"ping","dir":"out","size":0,"base64":""', "close": '"event":"close","dir":"in","code":1006,"name":"","reason":"","clean":false',
    "odd": '"event":"close","dir":"out","code":-1.5e300', "odd-times": '"event":"open"',
}.items():
    text("recording", name, opened + '{"v":1,"t":1e400,"conn":1e99,' + line + "}\n")

# stored results of bench, each with other parts filled in
hdr = "HISTFAAAADR4nJNpmSzMwMAgxAABzFCaEch0M9ixgMH+A0SAiemnPBPH22mMLHd3MzIdnc7IBADT7goF"  # 11 samples
sent = {name: 11 for name in ("planned", "sent", "answered", "answered_in_window")}
result = {
    "schema": "bench/1", "tool": {"name": "wscope", "version": "1", "commit": None, "build": "release"},
    "run": {"id": "r1", "started": "2026-11-23T08:15:00.250Z", "seed": "18446744073709551615", "argv": ["wscope", "bench"], "tags": {"a": "1"},
            "shard": [0, 4], "ended": "completed", "cut_short": None},
    "target": {"url": "ws://h/", "ips": ["::1"], "tls": {"version": "TLSv1.3", "cipher": None}, "extensions": [], "subprotocol": "v1", "server": None},
    "config": {"mode": "echo", "model": "open", "rate": 0.5, "arrival": "poisson", "connections": 4, "duration_ns": 5, "content": "generated", "size": 64,
               "type": "text", "match": "seq", "connect_rate": 500.0, "min_open": 1, "warmup_ns": 0, "timeout_ns": 5, "max_inflight": 1024, "threads": 1},
    "phases": [{"name": "measure", "start_ns": 0, "dur_ns": 5}],
    "verdict": {"state": "valid", "reasons": []},
    "connections": {"asked": 4, "opened": 4, "failed": 0, "lost": 0, "open_share": 1},
    "messages": {**sent, **dict.fromkeys(("unanswered", "failed", "in_flight_at_end", "unsent", "no_connection", "dropped", "late_replies",
                 "double_replies", "unknown", "unmatched", "difference"), 0), "warmup": dict.fromkeys(("sent", "answered", "failed", "dropped"), 0)},
    "metrics": {"rtt": {"unit": "ns", "count": 11, "censored": 0, "min": 0, "max": 3600000000000,
                        "percentiles": {"50": {"v": 2048}, "99.9": {"v": 3600000000000, "needs_samples": 10000}}, "hdr": hdr}},
    "rates": {"target": None, "sent": 1e3, "answered": 0}, "bytes": {"payload": {"sent": 1, "received": 2}, "wire": {"sent": 3, "received": 4}},
    "errors": [], "closes": [{"code": 1000, "by": "ours", "count": 4}],
    "intervals": [{"t": 0, "dur": 5, "sent": 11, "recv": 11, "open": 4, "p50": 1, "p90": None, "p99": 2, "max": 3, "err": 0, "unanswered": 0,
                   "waiting": 0, "cpu": 0.5, "lag_p99": None, "censored": ["p99"], "heat": [-92, 3, 17, -2, 5]}],
    "heat_metric": "rtt", "self": {"cpu_awake": 0, "fds_used": 3, "fds_limit": 9, "latency_drift": 0, "throughput_drift": -0.5},
    "env": {"os": "Linux", "cores": 4, "ports": [32768, 60999]},
}
censored = {"unit": "ns", "count": 0, "censored": 3, "min": None, "max": 9, "max_censored": True, "max_answered": None, "censored_floor": 5,
            "censored_ceiling": 9, "percentiles": {"50": {"v": 5, "at_least": 5, "censored": True}}}
reasons = [{"state": "invalid", "check": "late", "value": 9, "rtt_p50": None}, {"state": "suspect", "check": "target", "value": 0.9, "no_connection": 1, "dropped": 2}]
for name, parts in {
    "open": {}, "closed": {"config": {**result["config"], "model": "closed", "inflight": 2, "messages": 9}}, "censored": {"metrics": {"late": censored}},
    "verdict": {"verdict": {"state": "invalid", "reasons": reasons}},
    "errors": {"errors": [{"phase": "upgrade", "class": "http-503", "code": 503, "count": 1, "in_window": 0, "first_ns": 5, "sample": "\x1b"}]},
    "cut": {"run": {**result["run"], "shard": None, "cut_short": {"cause": "all_lost", "measured_ns": 3}}},
    "later": {"later": [1, {}], "bytes": {**result["bytes"], "compression": dict.fromkeys(("sent_from", "sent_to", "received_from", "received_to"), 1)}},
    "other": {"schema": "bench/2"},
}.items():
    text("result", name, json.dumps({**result, **parts}))

# counts of a histogram: ZigZag LEB128, runs of empty buckets negative
for name, counts in {"empty": b"", "one": b"\x02", "gap": b"\x02\x05\x04\x00\x02", "large": b"\xfe" + b"\xff" * 7 + b"\x7f", "cut": b"\x80",
                     "beyond": b"\xff\xff\x7f\x02", "last": b"\xfd\x8f\x04\x02"}.items():
    text("histogram", name, counts)
