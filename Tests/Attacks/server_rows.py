"""The table of attacks on servers (14 rows)."""
import time
import zlib

from rows import Between, Has, Row, Seen, mib
from server_targets import bound_without_a_host
from wire import (BINARY, CONTINUATION, NO_MASK, PING, TEXT, Client, Memory, connect, cpu_milliseconds, frame, listeners, request)

PATIENCE = {"seconds": 70}  # how long the silent rows wait for a server to act; attacks.py shortens it where only wscope is asked
LIMIT = 16 << 20  # of a message for `listen`


def half_a_request(server):
    with Client(server.port) as client:
        client.send(request(server.port)[:40])
        began = time.monotonic()
        head = client.head(PATIENCE["seconds"])
        while not client.ended and client._more(began + PATIENCE["seconds"]):
            pass
        after = time.monotonic() - began
    status = head[9:12] if head.startswith("HTTP/") else ""
    cell = f"open at {PATIENCE['seconds']} s" if not client.ended else f"{status + ', ' if status else ''}closed at {after:.1f} s"
    return Seen(cell, status=status, ended=client.ended, seconds=after)


def endless_headers(server):
    def flood():
        with Client(server.port) as client:
            client.send(request(server.port)[:-2])
            lines = b"".join(b"X-%06d: some value of no interest\r\n" % i for i in range(2000))
            return *client.flood(lines, 64 << 20, reads=True), client.head(2)
    flood()  # the first refusal loads what every later one uses
    memory = Memory(server.pid)
    sent, how, head = flood()
    grown = memory.growth()
    status = head[9:12] if head.startswith("HTTP/") else "no reply"
    what = {"all": "takes all", "cut": f"{status}, cut after {sent / 2**20:.1f} MiB"}.get(how, f"{how} after {sent / 2**20:.1f} MiB")
    return Seen(f"{what}, {mib(grown)}", how=how, status=status, grown=grown)


def origins(server):
    asked = [dict(fields=["Origin: http://evil.example"]), dict(fields=["Origin: null"]), dict(host="evil.example")]
    statuses = []
    for options in asked:
        with Client(server.port) as client:
            statuses.append(client.handshake(**options)[9:12] or "cut")
    return Seen(" / ".join(statuses), statuses=statuses)


def default_bind(server):
    child = bound_without_a_host(server.name)
    if child is None:
        return Seen("n/a")
    time.sleep(0.5)  # the second address may be bound after the first
    addresses = listeners(child.pid)
    child.stop()
    everything = {"0.0.0.0", "::"} & set(addresses)
    return Seen("all" if everything else ", ".join(addresses), addresses=addresses)


def endings(server, attacks, seconds=3):
    """How each attack of (name, bytes) ends: `Close CODE reason`, `EOF`, `open`."""
    found = {}
    for name, data in attacks:
        try:
            with connect(server.port) as client:
                client.send(data)
                found[name] = client.ending(seconds)
        except OSError as error:
            found[name] = f"no connection ({error})"
    return found


def brief_endings(found):
    grouped = {}
    for name, ending in found.items():
        reason = getattr(ending, "reason", "")
        grouped.setdefault(f"{getattr(ending, 'brief', ending)}{' + reason' if reason else ''}", []).append(name)
    if len(grouped) == 1:
        return ("all " if len(found) > 1 else "") + next(iter(grouped))
    return "; ".join(f"{', '.join(names)}: {ending}" for ending, names in grouped.items())


def lengths(server):
    memory = Memory(server.pid)
    found = endings(server, [(f"2^{power}{'-1' * minus}", frame(BINARY, length=2**power - minus, form=8))
                             for power, minus in ((63, 0), (63, 1), (40, 0))])
    return Seen(f"{brief_endings(found)}, {mib(memory.growth())}", grown=memory.growth(),
                **{name: str(ending) for name, ending in found.items()})


VIOLATIONS = {  # name: the bytes of a client, what `listen` closes with
    "bad mask": (frame(TEXT, b"x", key=NO_MASK), "Close 1002 a frame from a client must be masked"),
    "RSV": (frame(TEXT, b"x", rsv=2), "Close 1002 reserved bits set without an extension: RSV2"),
    "opcode 3": (frame(3, b"x"), "Close 1002 reserved opcode 3"),
    "126-byte ping": (frame(PING, b"x" * 126), "Close 1002 control frame of 126 bytes (at most 125)"),
    "frag. ping": (frame(PING, b"x", fin=False), "Close 1002 fragmented control frame (opcode 9)"),
    "stray cont.": (frame(CONTINUATION, b"x"), "Close 1002 continuation frame without a message to continue"),
    "interleaved": (frame(TEXT, b"x", fin=False) + frame(TEXT, b"y"), "Close 1002 new message (opcode 1) inside a fragmented one"),
}


def violations(server):
    found = endings(server, [(name, data) for name, (data, _) in VIOLATIONS.items()])
    return Seen(brief_endings(found), **{name: str(ending) for name, ending in found.items()})


def one(data):
    def attack(server):
        with connect(server.port) as client:
            client.send(data)
            first = client.next(3)
            if first and first[0] & 15 in (TEXT, BINARY):
                return Seen("echoed back", ending=f"echo {first[1]!r}")
            if first:
                client.buffer = bytes([first[0], len(first[1])]) + first[1] + client.buffer
            ending = client.ending(0.5 if first else 0)
        words = "waits" if ending.kind == "open" else f"{ending.brief}{' + reason' if ending.reason else ''}"
        return Seen(words, ending=str(ending))
    return attack


def fragments(payload):
    def attack(server):
        memory = Memory(server.pid)
        piece = frame(CONTINUATION, payload, fin=False)
        with connect(server.port) as client:
            client.send(frame(TEXT, payload, fin=False))
            sent, how = client.flood(piece * 10_000, 3_000_000 * len(piece), reads=True, seconds=60)
            if how == "all":
                client.send(frame(PING))
                answered = client.next(20)
                how = "taken" if answered and answered[0] & 15 == 10 else how
                ending = None
                if answered and answered[0] & 15 == 8:
                    client.buffer = bytes([answered[0], len(answered[1])]) + answered[1]
                    ending, how = client.ending(0), "cut"
            if how == "cut":
                ending = client.ending(2)
        grown = memory.growth()
        if how == "taken":
            cell, last = "all taken", "all taken"
        elif how == "cut":
            cell, last = f"{ending} (after {sent / len(piece) / 1e6:.2f} M sent)", str(ending)
        else:
            cell = last = f"{how} after {sent / len(piece) / 1e6:.2f} M"
        return Seen(f"{cell}, {mib(grown)}", ending=last, grown=grown)
    return attack


def never_reads(kind):
    data = frame(kind, b"x" * 65536) if kind == BINARY else frame(kind, b"x" * 125) * 500

    def attack(server):
        memory = Memory(server.pid)
        opcode_data = data if kind != BINARY or server.name not in ("websocketd", "websocat") else frame(TEXT, b"x" * 65535 + b"\n")
        with connect(server.port, receive_buffer=65536) as client:
            sent, how = client.flood(opcode_data, 400 << 20, reads=False, seconds=45)
            time.sleep(0.3)
            grown = memory.growth()
        words = {"all": "takes all 400 MiB", "blocked": "backpressure", "cut": f"drops client after {sent >> 20} MiB"}.get(
            how, f"{sent >> 20} MiB in 45 s")
        return Seen(f"{words}, {mib(grown)}", how=how, grown=grown)
    return attack


def deflated_zeros(size):
    """A raw deflate stream of `size` MiB of zeros, as permessage-deflate carries it: without the empty block at its end."""
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = bytes(1 << 20)
    first = deflater.compress(block) + deflater.flush(zlib.Z_SYNC_FLUSH)
    again = deflater.compress(block) + deflater.flush(zlib.Z_SYNC_FLUSH)  # it ends where it began: it can be repeated
    return (first + again * (size - 1))[:-4]


def offer():
    return {"fields": ["Sec-WebSocket-Extensions: permessage-deflate"]}


def bomb(server):
    data = frame(BINARY, deflated_zeros(512), rsv=4)
    memory = Memory(server.pid)
    with Client(server.port) as client:
        head = client.handshake(**offer())
        if "permessage-deflate" not in head:
            return Seen("no PMD")
        began, before = time.monotonic(), cpu_milliseconds(server.pid)
        try:
            client.send(data)
        except OSError:
            pass
        ending = client.ending(15)
        seconds, took = time.monotonic() - began, cpu_milliseconds(server.pid) - before
    grown = memory.growth()
    return Seen(f"{ending} in {seconds:.1f} s, {mib(grown)}", ending=str(ending), took=took, grown=grown)


OVER = f"is over the limit of {LIMIT} (--max-message)"
CLOSED_1002 = {name: ending for name, (_, ending) in VIOLATIONS.items()}

ROWS = [
    Row("Half a request, then silence", half_a_request,
        dict(status="408", ended="EOF", seconds=Between(9.5, 10.5)), waits=True),
    Row("Endless small headers, 64 MiB", endless_headers, dict(how="cut", status="431", grown=Between(-99, 1))),
    Row("`Origin: http://evil.example` / `null` / evil Host", origins, dict(statuses=["403", "403", "403"])),
    Row("Default bind", default_bind, dict(addresses=["127.0.0.1", "::1"])),
    Row("Length 2^63, 2^63-1, 2^40", lengths,
        {"2^63": "Close 1002 the top bit of a 64-bit length must be 0", "2^63-1": f"Close 1009 message of {2**63 - 1} bytes {OVER}",
         "2^40": f"Close 1009 message of {2**40} bytes {OVER}", "grown": Between(-99, 1)}),
    Row("Bad mask, RSV, opcode 3, 126-byte ping, frag. ping, stray continuation, interleaved text", violations, CLOSED_1002),
    Row("Invalid UTF-8 text", one(frame(TEXT, b"a\xff\n")), dict(ending="Close 1007 text is not valid UTF-8")),
    Row("Truncated-invalid UTF-8 in first fragment", one(frame(TEXT, b"\xce\xba\xf4\x90", fin=False)),
        dict(ending="Close 1007 text is not valid UTF-8")),
    Row("Non-minimal length", one(frame(TEXT, b"hi\n", form=8)), dict(ending="echo b'hi\\n'")),
    Row("3 M empty continuations", fragments(b""), dict(ending="Close 1009 too many fragments", grown=Between(-99, 4))),
    Row("3 M one-byte fragments", fragments(b"x"), dict(ending="Close 1009 too many fragments", grown=Between(-99, 4))),
    Row("Client never reads, server echoes", never_reads(BINARY), dict(how="blocked", grown=Between(-99, 20))),
    Row("Client never reads, ping flood 400 MiB", never_reads(PING), dict(how="blocked", grown=Between(-99, 20))),
    Row("Deflate bomb 512 MiB from 509 KiB", bomb,
        dict(ending=Has("Close 1009", f"limit of {LIMIT} (--max-message)"), took=Between(0, 500), grown=Between(-99, LIMIT / 2**20 + 8))),
]
