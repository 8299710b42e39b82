"""The table of attacks on clients (12 rows)."""
import re
import subprocess
import time

from hostile import Hostile
from rows import Between, Has, Row, Seen, mib
from wire import frame

PATIENCE = {"seconds": 40}  # how long a client that hangs is waited for; attacks.py shortens it where only wscope is asked
CLOSE_1000 = b"\x88\x02\x03\xe8"
TERMINAL_ATTACKS = {  # each with a mark, so that what a client says by itself is not taken for it
    "ESC[2J": b"\x1b[2JMARK", "OSC 0": b"\x1b]0;MARK\x07", "OSC 52": b"\x1b]52;c;TUFSSw==\x07", "C1 CSI": b"\xc2\x9b31mMARK",
}


def text(payload):
    return frame(1, payload, key=None)


def shown(output):
    raw = [name for name, data in TERMINAL_ATTACKS.items() if data[:6] in output]
    if raw:
        return "RAW" if len(raw) == len(TERMINAL_ATTACKS) else f"RAW: {', '.join(raw)}"
    escaped = re.sub(rb"\x1b\[[0-9;?]*[a-zA-Z]", b"", output)  # reverse video around an escape is ours
    return "ESCAPED `\\x1b`" if rb"\x1b" in escaped else "not printed"


def terminal_text(client):
    def behave(guest):
        guest.accept()
        time.sleep(0.4)
        guest.send(b"".join(text(data) for data in TERMINAL_ATTACKS.values()) + text(b"LAST"))
        time.sleep(0.4)
        guest.send(CLOSE_1000)
        guest.read_over(3)
    with Hostile(behave) as server:
        run = client.run(server.url, seconds=4, tty=True)
    return Seen(shown(run.output), shown=shown(run.output), last=b"LAST" in run.output)


def terminal_body(client):
    body = b" ".join(TERMINAL_ATTACKS.values())

    def behave(guest):
        guest.read_request()
        guest.send(b"HTTP/1.1 403 Forbid\x1b[2JMARKden\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        guest.read_over(3)

    def plain(guest):
        guest.read_request()
        guest.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        guest.read_over(3)
    with Hostile(plain) as server:
        run = client.run(server.url, seconds=4, tty=True)
    with Hostile(behave) as server:
        reason = client.run(server.url, seconds=4, tty=True)
    return Seen(shown(run.output), shown=shown(run.output), code=run.code, reason="RAW" if b"\x1b[2JMARK" in reason.output else "safe")


def no_reply(client):
    with Hostile(lambda guest: guest.read_over(PATIENCE["seconds"] + 5)) as server:
        run = client.run(server.url, seconds=PATIENCE["seconds"])
    cell = f"hangs (> {PATIENCE['seconds']} s)" if run.code is None else f"{run.seconds:.1f} s, exit {run.code}"
    return Seen(cell, code=run.code, seconds=run.seconds, said=run.said)


def endless_headers(client):
    sent = []

    def behave(guest):
        guest.read_request()
        guest.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n")
        line = b"".join(b"X-%06d: some value of no interest\r\n" % i for i in range(2000))
        while sum(sent) < 48 << 20 and guest.send(line):
            sent.append(len(line))
        guest.send(b"\r\n")
        guest.read_over(2)
    client.plain_peak()
    with Hostile(behave) as server:
        run = client.run(server.url, seconds=15)
    grown, took = run.peak - client.plain_peak(), sum(sent) >= 48 << 20
    cell = (f"reads all 48 MiB, {mib(grown)}" if took else f"exit {run.code} after {sum(sent) / 2**20:.1f} MiB, {mib(grown)}"
            if run.code is not None else f"> 15 s, {mib(grown)}")
    return Seen(cell, took=took, code=run.code, grown=grown, said=run.said)


def judged(run):
    return "ACCEPTS" if b"MARK" in run.output else "rejects" if run.code is not None else "hangs"


def wrong_reply(client, *fields, accept=None):
    """A 101 that breaks the rules, and a message that only a client who believes in it shows."""
    def behave(guest):
        guest.read_request()
        guest.send(guest.reply_101(*fields, accept=accept) + text(b"MARK"))
        time.sleep(0.3)
        guest.send(CLOSE_1000)
        guest.read_over(2)
    with Hostile(behave) as server:
        return client.run(server.url, seconds=5)


def wrong_accept(client):
    run = wrong_reply(client, accept="AAAAAAAAAAAAAAAAAAAAAAAAAAA=")
    return Seen(judged(run), judged=judged(run), code=run.code, said=run.said)


def never_asked(client):
    subprotocol = wrong_reply(client, "Sec-WebSocket-Protocol: chat")
    extension = wrong_reply(client, "Sec-WebSocket-Extensions: x-unknown")
    both = [judged(run) for run in (subprotocol, extension)]
    cell = f"{both[0]} both" if both[0] == both[1] else f"subprotocol {both[0]}, extension {both[1]}"
    return Seen(cell, judged=both, codes=[subprotocol.code, extension.code], subprotocol=subprotocol.said, extension=extension.said)


def behind_the_handshake(client, data, *, reset=False, seconds=6, closes_input=False):
    """`data` behind a good handshake; the run, and the Close that the client sent."""
    def behave(guest):
        guest.accept()
        time.sleep(0.2)
        guest.send(data)
        if reset:
            time.sleep(0.2)
            guest.reset()
            return None
        return guest.ending(3)
    with Hostile(behave) as server:
        run = client.run(server.url, seconds=seconds, closes_input=closes_input)
        ending = server.answer()
    return run, str(ending)


def masked_frame(client):
    run, ending = behind_the_handshake(client, frame(1, b"MARK", key=b"abcd") + CLOSE_1000)
    return Seen(judged(run), judged=judged(run), code=run.code, ending=ending, said=run.said)


def exit_codes(client):
    runs = [behind_the_handshake(client, b"\x88\x06" + (1011).to_bytes(2, "big") + b"oops"),
            behind_the_handshake(client, b"", reset=True), behind_the_handshake(client, text(b"MARK\xff"))]
    codes = [run.code for run, _ in runs]
    cell = "; ".join("hangs" if code is None else str(code) for code in codes)
    return Seen(cell, codes=codes, close=runs[0][0].said, reset=runs[1][0].said, utf8=runs[2][0].said, utf8_ending=runs[2][1])


def peer_never_closes(client):
    def behave(guest):
        guest.accept()
        guest.read_over(PATIENCE["seconds"] + 5)
    with Hostile(behave) as server:
        run = client.run(server.url, seconds=PATIENCE["seconds"], input=b"", closes_input=True, arguments=client.patient_arguments())
    cell = f"hangs (> {PATIENCE['seconds']} s)" if run.code is None else f"{run.seconds:.1f} s, exit {run.code}"
    return Seen(cell, code=run.code, seconds=run.seconds, said=run.said)


def redirect(client):
    reached = []

    def elsewhere(guest):
        reached.append(guest.read_request())
        guest.send(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
    with Hostile(elsewhere) as target:
        def behave(guest):
            guest.read_request()
            guest.send(f"HTTP/1.1 302 Found\r\nLocation: {target.url}there\r\nContent-Length: 0\r\n\r\n".encode())
            guest.read_over(2)
        with Hostile(behave) as server:
            run = client.run(server.url, seconds=8)
        location = f"{target.url}there"
    told = location in run.said + run.output.decode("utf-8", "replace")
    cell = "FOLLOWS" if reached else f"{'prints Location, ' if told else ''}exit {run.code}"
    return Seen(cell, followed=bool(reached), told=told, code=run.code)


def line_breaks(client):
    asked = {"header": "X-A: a\r\nX-Injected: 1", "origin": "http://a\r\nX-Injected: 1", "protocol": "a\r\nX-Injected: 1"}
    results, codes, said, connections = {}, [], [], 0
    for name, value in asked.items():
        heads = []

        def behave(guest):
            heads.append(guest.read_request())
            guest.send(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        with Hostile(behave) as server:
            run = client.run(server.url, seconds=5, **{name: value})
            connections += server.connections
        if run is None:
            results[name] = "n/a"
            continue
        codes.append(run.code)
        said.append(run.said)
        results[name] = "INJECTED" if any("\r\nX-Injected" in head for head in heads) else "rejected"
    values = set(results.values())
    cell = values.pop() if len(values) == 1 else ", ".join(f"{name} {result}" for name, result in results.items())
    return Seen(cell, results=results, codes=codes, connections=connections, said="\n".join(said))


def messages_for_a_reader(guest):
    guest.accept()
    lines = b"".join(text(b"message %d" % i) for i in range(10_000))
    guest.send(lines)
    guest.send(CLOSE_1000)
    guest.ending(3)


def head_and_full(client):
    with Hostile(messages_for_a_reader) as server:
        head = subprocess.Popen(["head", "-1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        run = client.run(server.url, seconds=10, stdout=head.stdin)
        head.stdin.close()
        first = head.stdout.read()
        head.wait(5)
        head.stdout.close()
    with Hostile(messages_for_a_reader) as server, open("/dev/full", "wb") as full:
        onto_full = client.run(server.url, seconds=10, stdout=full)
    noise = ["traceback" if "Traceback" in each.said else "message" if each.said.strip() else "silent" for each in (run, onto_full)]
    codes = ["hangs" if each.code is None else f"exit {each.code}" for each in (run, onto_full)]
    return Seen(f"{codes[0]}, {noise[0]}; {codes[1]}, {noise[1]}", first=first, head_code=run.code, head_said=run.said, head_seconds=run.seconds,
                full_code=onto_full.code, full_said=onto_full.said, full_seconds=onto_full.seconds)


ROWS = [
    Row("ESC[2J, OSC 0, OSC 52, C1 CSI in text", terminal_text, dict(shown="ESCAPED `\\x1b`", last=True)),
    Row("ESC in a 403 body", terminal_body, dict(shown="ESCAPED `\\x1b`", reason="safe", code=22)),
    Row("TCP accepted, no reply", no_reply,
        dict(code=28, seconds=Between(9.5, 10.8), said=Has("timed out after 10 s waiting for the upgrade reply (TCP is up)")), waits=True),
    Row("Endless response headers", endless_headers,
        dict(took=False, code=8, grown=Between(-99, 1.5),
             said=Has("the head of the reply is too large (over 8 KiB a line, 100 fields or 32 KiB)"))),
    Row("Wrong Accept", wrong_accept, dict(
        judged="rejects", code=8, said=Has("Sec-WebSocket-Accept does not match the key", "got: AAAAAAAAAAAAAAAAAAAAAAAAAAA=", "expected: "))),
    Row("Subprotocol / extension never asked", never_asked, dict(
        judged=["rejects", "rejects"], codes=[8, 8], subprotocol=Has("the server chose a subprotocol that was not offered", "got: chat"),
        extension=Has("the server chose an extension that was not offered", "got: x-unknown"))),
    Row("Masked server frame", masked_frame, dict(
        judged="rejects", code=110, ending="Close 1002 a frame from a server must not be masked",
        said=Has("protocol violation by the peer: a frame from a server must not be masked (closed with 1002)"))),
    Row("Close 1011; RST; bad UTF-8: exit code", exit_codes, dict(
        codes=[111, 56, 110], close=Has('closed 1011 internal error "oops" (by the peer)'),
        reset=Has("connection lost: 1006", "TCP reset by the peer"),
        utf8=Has("protocol violation by the peer: invalid UTF-8 in a text message: byte ", "(closed with 1007)"), utf8_ending="Close 1007 text is not valid UTF-8")),
    Row("stdin closed, peer never closes", peer_never_closes, dict(code=56, seconds=Between(4.5, 6.6), said=Has("no Close from the peer in time")),
        waits=True),
    Row("302", redirect, dict(followed=False, told=True, code=22)),
    Row("CRLF in header value / origin / subprotocol option", line_breaks, dict(
        results={"header": "rejected", "origin": "rejected", "protocol": "rejected"}, codes=[2, 2, 2], connections=0)),
    Row("`| head -1`; `> /dev/full`", head_and_full, dict(
        first=b"message 0\n", head_code=0, head_said="", head_seconds=Between(0, 2), full_code=23, full_said=Has("No space left on device"),
        full_seconds=Between(0, 2))),
]
