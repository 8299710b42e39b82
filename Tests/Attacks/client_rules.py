"""What SECURITY's rules R1, R3 to R7, R9 and R10 ask of `wscope connect` and `wscope send` beyond the table."""
import collections
import os
import ssl
import subprocess
import threading
import time

from certificates import Certificates
from client_targets import ClientTarget, Run
from hostile import Hostile
from processes import WSCOPE
from rows import Between, Has
from server_rules import LENGTHS, MIB, TOP_BIT, side_by_side, too_big
from server_rows import VIOLATIONS
from wire import BINARY, CLOSE, CONTINUATION, PING, TEXT, cpu_seconds, frame, read_frame

CLIENTS = [ClientTarget("wscope connect"), ClientTarget("wscope send")]
SEND = CLIENTS[1]


def behind_the_handshake(client, data, *, wait=3, **options):
    """`data` right behind the 101, in its segment; the run, and the Close that the client sent."""
    def behave(guest):
        guest.accept(behind=data)
        return guest.ending(wait)
    with Hostile(behave) as server:
        run = client.run(server.url, seconds=10, **options)
        return run, str(server.answer())


def bare(data, opcode=TEXT, **options):
    return frame(opcode, data, key=None, **options)


NORMAL = bare(b"\x03\xe8", CLOSE)


def r1_lengths(checks):
    for length in LENGTHS:
        small = length <= MIB
        payload = bytes(length) if small else b""
        for name, key in (("unmasked", None), ("masked", b"abcd")):
            if key and small:
                payload = payload[:1]  # the header decides
            data = frame(BINARY, payload, length=length, key=key) + (NORMAL if small and not key else b"")
            run, ending = behind_the_handshake(SEND, data, arguments=["--max-message", "1MiB"])
            place = f"send, {name}, length {length}"
            if key or not small:
                words = "a frame from a server must not be masked" if key else TOP_BIT if length >> 63 else too_big(length)
                code = 1009 if not key and not length >> 63 else 1002
                exit_code, lead = (63, "") if code == 1009 else (110, "protocol violation by the peer: ")
                checks.equal("R1", place, (run.code, ending), (exit_code, f"Close {code} {words}"))
                checks.equal("R1", f"{place}: text", run.said, Has(f"{lead}{words} (closed with {code})"))
                checks.equal("R1", f"{place}: memory", run.peak - SEND.plain_peak(), Between(-99, 1))
            else:
                checks.equal("R1", place, (run.code, len(run.output)), (0, length))
    for asked in ("0", "2GiB"):
        run = SEND.run("ws://127.0.0.1:1/", arguments=["--max-message", asked], seconds=5)
        checks.equal("R1", f"--max-message {asked}", (run.code, run.said), (2, Has("--max-message must be from 1 byte to 1 GiB")))


def r3_timers(checks):
    head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"

    def drip():
        def behave(guest):
            guest.read_request()
            for byte in head:
                if not guest.send(bytes([byte])):
                    return
                time.sleep(0.5)
        with Hostile(behave) as server:
            run = SEND.run(server.url, seconds=14)
        checks.equal("R3", "half a byte a second of a good reply", (run.code, run.seconds, run.said),
                     (28, Between(9.5, 10.8), Has("timed out after 10 s waiting for the upgrade reply (TCP is up)")))

    def silent_tls():
        with Hostile(lambda guest: guest.read_over(15)) as server:
            run = SEND.run(server.url.replace("ws://", "wss://"), seconds=14)
        checks.equal("R3", "TCP up, TLS silent", (run.code, run.seconds, run.said),
                     (28, Between(9.5, 10.8), Has("timed out after 10 s waiting for TLS (TCP is up)")))

    def silent_behind_tls():
        certificates = Certificates()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates.cert, certificates.key)

        def behave(guest):
            with context.wrap_socket(guest.socket, server_side=True) as tls:
                while tls.recv(4096):
                    pass
        with Hostile(behave) as server:
            run = SEND.run(server.url.replace("ws://", "wss://"), seconds=5,
                           arguments=["--cacert", certificates.ca, "--open-timeout", "1s"])
        checks.equal("R3", "TLS up, no reply", (run.code, run.seconds, run.said),
                     (28, Between(0.9, 1.8), Has("timed out after 1 s waiting for the upgrade reply (TCP and TLS are up)")))

    def close_timeout():
        def behave(guest):
            guest.accept(behind=bare(b"hi"))
            guest.read_over(10)
        with Hostile(behave) as server:
            run = SEND.run(server.url, seconds=10, arguments=["-N", "1", "--close-timeout", "1s"])
        checks.equal("R3", "--close-timeout 1s, Close ignored", (run.code, run.seconds, run.said),
                     (56, Between(0.9, 1.9), Has("connection lost: 1006, no Close frame (no Close from the peer in time; idle for ")))
    side_by_side(checks, "R3", drip, silent_tls, silent_behind_tls, close_timeout)


def r4_endless_replies(checks):
    """Replies that do not end, 64 MiB each if they are taken: they cost no memory and end with an exit code."""
    plain = SEND.plain_peak()
    for name, begin, again, code, words in [
            ("the reason", b"HTTP/1.1 101 ", b"x" * 65536, 8, "too large"),
            ("white space before a value", b"HTTP/1.1 101 OK\r\nX-A: ", b" " * 65536, 8, "too large"),
            ("a name", b"HTTP/1.1 101 OK\r\n", b"x" * 65536, 8, "too large"),
            ("empty lines before", b"", b"\r\n" * 32768, 8, ""),
            ("interim replies", b"", b"HTTP/1.1 102 Processing\r\n\r\n" * 2048, 8, "more than 5 interim (1xx) replies"),
            ("the body of a refusal", b"HTTP/1.1 403 Forbidden\r\n\r\n", b"x" * 65536, 22, "403 Forbidden"),
            ("chunks of a refusal", b"HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n", b"8000\r\n" + b"x" * 0x8000 + b"\r\n", 22,
             "403 Forbidden")]:
        sent = []

        def behave(guest):
            guest.read_request()
            guest.send(begin)
            while sum(sent) < 64 * MIB and guest.send(again):
                sent.append(len(again))
            guest.read_over(12)
        with Hostile(behave) as server:
            run = SEND.run(server.url, seconds=12)
        checks.equal("R4", f"{name} without an end", (run.code, run.said), (code, Has(words)))
        checks.equal("R4", f"{name} without an end: MiB taken", sum(sent) / MIB, Between(0, 8))
        checks.equal("R4", f"{name} without an end: memory", run.peak - plain, Between(-99, 2))


def r5_parameters(checks):
    for value, accepted in (("1000", False), ("7", False), ("08", False), ("", False), ("16", False), ("-8", False), ("15", True), ('"15"', True),
                            ("8", True)):
        def behave(guest):
            guest.read_request()
            guest.send(guest.reply_101(f"Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits={value}") + NORMAL)
            guest.ending(2)
        with Hostile(behave) as server:
            run = SEND.run(server.url, seconds=5)
        wanted = (0, "") if accepted else (8, Has("invalid response to the permessage-deflate offer", f"server_max_window_bits={value}"))
        checks.equal("R5", f"server_max_window_bits={value}", (run.code, run.said), wanted)


def r6_input(checks):
    """`yes | connect` against a server that reads nothing: once the buffers of the kernel are full, nothing grows."""
    over = threading.Event()

    def behave(guest):
        guest.accept()
        over.wait(40)
    with Hostile(behave) as server:
        yes = subprocess.Popen(["yes"], stdout=subprocess.PIPE)
        process = subprocess.Popen([WSCOPE, "connect", server.url], stdin=yes.stdout, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        yes.stdout.close()
        deadline, before = time.monotonic() + 20, -1.0
        while time.monotonic() < deadline and cpu_seconds(process.pid) > before:
            before = cpu_seconds(process.pid)
            time.sleep(0.5)
        first = resident(process.pid)
        time.sleep(5)
        checks.equal("R6", "yes | connect, stalled: MiB grown in 5 s", resident(process.pid) - first, Between(-20, 0.5))
        checks.equal("R6", "yes | connect, stalled: MiB in all", resident(process.pid), Between(0, 80))
        process.kill()
        process.wait()
        yes.wait()
        over.set()


def resident(pid):
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE") / MIB


def r7_validity(checks):
    def unmasked(data):  # the violations of the table are those of a client: the same frames without a key
        out = b""
        while data:
            first, payload, size = read_frame(data)
            out += frame(first & 15, payload, fin=bool(first & 128), rsv=first >> 4 & 7, key=None)
            data = data[size:]
        return out
    cases = [(name, unmasked(data), ending) for name, (data, ending) in VIOLATIONS.items() if name != "bad mask"] + [
        ("a Close of one byte", bare(b"\x03", CLOSE), "Close 1002 close frame with a body of one byte"),
        ("Close 1005", bare(b"\x03\xed", CLOSE), "Close 1002 close code 1005 is not allowed on the wire"),
        ("Close 1015", bare(b"\x03\xf7", CLOSE), "Close 1002 close code 1015 is not allowed on the wire"),
        ("Close 5000", bare(b"\x13\x88", CLOSE), "Close 1002 close code 5000 is not allowed on the wire"),
        ("a Close whose reason is not UTF-8", bare(b"\x03\xe8\xff", CLOSE), "Close 1007 close reason is not valid UTF-8"),
        ("bad UTF-8 in the first fragment", bare(b"\xce\xba\xf4\x90", fin=False), "Close 1007 text is not valid UTF-8"),
        ("too many fragments", bare(b"", fin=False) + bare(b"", CONTINUATION, fin=False) * 131_072, "Close 1009 too many fragments"),
    ]
    for name, data, wanted in cases:
        for client in CLIENTS:
            run, ending = behind_the_handshake(client, data)
            code, reason = wanted.split(" ", 2)[1:]
            exit_code, lead = (63, "") if code == "1009" else (110, "protocol violation by the peer: ")
            # For text that is not UTF-8 the words at the edge name the byte; the Close keeps its reason.
            known = {"close reason is not valid UTF-8": "invalid UTF-8 in a Close reason: byte FF at offset 0",
                     "text is not valid UTF-8": 'invalid UTF-8 in a text message: byte F4 at offset 2, after "κ"'}
            said = known.get(reason, reason)
            tail = f"{said} (closed" if exit_code == 110 else said
            checks.equal("R7", f"{client.name}: {name}", (run.code, ending, run.output, run.said),
                         (exit_code, wanted, b"", Has(f"{lead}{tail}")))
    ends = [
        ("Close 1000", NORMAL, 0, "Close 1000", ""), ("Close 1001", bare(b"\x03\xe9", CLOSE), 0, "Close 1001", ""),
        ("a Close without a code", bare(b"", CLOSE), 0, "Close None", ""),
        ("Close 1002", bare(b"\x03\xea", CLOSE), 111, "Close 1002", Has("closed 1002 protocol error (by the peer)")),
        ("Close 4000", bare(b"\x0f\xa0why", CLOSE), 111, "Close 4000", Has('closed 4000 private to the application "why" (by the peer)')),
        ("a Close inside a fragmented message", bare(b"half", fin=False) + NORMAL, 0, "Close 1000", ""),
        ("data behind a Close", NORMAL + bare(b"late") + bare(b"late", PING), 0, "Close 1000", ""),
        ("a violation behind a Close", NORMAL + frame(TEXT, b"late", rsv=7), 0, "Close 1000", ""),
    ]
    for name, data, code, ending, said in ends:
        for client in CLIENTS:
            run, sent = behind_the_handshake(client, data)
            checks.equal("R7", f"{client.name}: {name}", (run.code, sent, run.output, run.said), (code, ending, b"", said))
    for client in CLIENTS:
        def fin(guest):
            guest.accept(behind=bare(b"last words"))
            for _ in guest.frames(0.3):
                pass
        with Hostile(fin) as server:
            run = client.run(server.url, seconds=10)
        checks.equal("R7", f"{client.name}: FIN without a Close", (run.code, run.output, run.said),
                     (56, b"last words\n", Has("connection lost: 1006, no Close frame (the peer ended the TCP connection; idle for ")))

        def simultaneous(guest):
            guest.accept(behind=bare(b"hi"))
            for opcode, _ in guest.frames(5):
                if opcode == CLOSE:  # it sent its Close: ours is no answer, but crosses it
                    guest.send(bare(b"\x0f\xa1", CLOSE))
                    return "crossed"
        with Hostile(simultaneous) as server:
            run = client.run(server.url, seconds=10, arguments=["-N", "1"])
            crossed = server.answer()
        checks.equal("R7", f"{client.name}: Closes that cross", (run.code, run.output, crossed), (111, b"hi\n", "crossed"))


def r9_injection(checks):
    breaks = {"CR LF": "\r\n", "LF": "\n", "CR": "\r", "DEL": "\x7f", "U+0085": "\x85", "ESC": "\x1b",
              "a lone byte 85": "\udc85"}  # the last as the command line carries bytes that are no UTF-8
    options = {"header value": ("-H", "X-A: a{}b"), "header name": ("-H", "X{}A: b"), "origin": ("--origin", "http://a{}b"),
               "protocol": ("--protocol", "a{}b")}
    with Hostile(lambda guest: guest.read_request()) as server:
        for command in ("connect", "send", "bench"):
            for name, (option, value) in options.items():
                for kind, character in breaks.items():
                    run = Run([WSCOPE, command, server.url, option, value.format(character)], 5, False, b"", True, None)
                    checks.equal("R9", f"{command}, {kind} in {name}", (run.code, run.output), (2, b""))
            for kind, character in breaks.items():
                for where, url in (("path", server.url + f"a{character}b"), ("query", server.url + f"?a{character}b"),
                                   ("host", server.url.replace("127", f"127{character}"))):
                    run = Run([WSCOPE, command, url], 5, False, b"", True, None)
                    # an argument that is no text is a mistake of the command line, whatever it was meant for
                    wanted = 2 if kind == "a lone byte 85" else 3
                    checks.equal("R9", f"{command}, {kind} in the URL's {where}", (run.code, run.output), (wanted, b""))
        for kind, character in breaks.items():
            for option in ("--host", "--protocol", "--unix-socket"):
                run = Run([WSCOPE, "listen", *(["0"] if option != "--unix-socket" else []), option, f"a{character}b"], 3, False, b"", True, None)
                if option != "--unix-socket" or kind == "a lone byte 85":  # any other byte may stand in the name of a file
                    checks.equal("R9", f"listen, {kind} in {option}", run.code, 2)
        run = Run([WSCOPE, "send", server.url, "-H", "X-A: a\nb"], 5, False, b"", True, None)
        checks.equal("R9", "the words", run.said, Has("X-A", "line break", "byte 1"))
        for field in ("Upgrade: x", "Connection: close", "Sec-WebSocket-Key: x", "Sec-WebSocket-Version: 8"):
            run = Run([WSCOPE, "send", server.url, "-H", field], 5, False, b"", True, None)
            checks.equal("R9", f"the handshake's own field {field!r}", run.code, 2)
        time.sleep(0.1)
        checks.equal("R9", "connections made by all of these", server.connections, 0)


def chi_square(counts, total, cells):
    expected = total / cells
    return sum((counts.get(cell, 0) - expected) ** 2 for cell in range(cells)) / expected


def r10_masking(checks, count=1_000_000):
    """A million frames of `send`, all of one size, so that the keys stand at a fixed stride."""
    size, seen = 13, bytearray()

    def behave(guest):
        guest.accept()
        seen.extend(guest.buffer)
        deadline = time.monotonic() + 60
        guest.buffer = b""
        while len(seen) < count * size and guest._more(deadline):
            seen.extend(guest.buffer)
            guest.buffer = b""
        guest.send(NORMAL)
        guest.read_over(3)
    lines = b"".join(b"%07d\n" % i for i in range(count))
    with Hostile(behave) as server:
        process = subprocess.Popen([WSCOPE, "send", server.url, "--wait", "0", "--no-compress", "-"], stdin=subprocess.PIPE,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        writer = threading.Thread(target=lambda: (process.stdin.write(lines), process.stdin.close()))
        writer.start()
        checks.equal("R10", "send ends", process.wait(90), 0)
        writer.join()
        process.stderr.close()
    data = bytes(seen[:count * size])
    checks.equal("R10", "a million frames, each text of 7 bytes, masked", (len(data) // size, set(data[0::size]), set(data[1::size])),
                 (count, {0x81}, {0x87}))
    columns = [data[2 + i::size] for i in range(4)]
    text = b"".join(b"%07d" % i for i in range(count))
    for i in range(7):
        plain = (int.from_bytes(data[6 + i::size], "big") ^ int.from_bytes(columns[i % 4], "big")).to_bytes(count, "big")
        checks.equal("R10", f"byte {i} of every payload unmasks", plain == text[i::7], True)
    # 255 degrees of freedom: beyond 99.999 % is 364
    for i, column in enumerate(columns):
        checks.equal("R10", f"chi-square of byte {i} of the keys", chi_square(collections.Counter(column), count, 256), Between(160, 364))
    keys = [int.from_bytes(key, "big") for key in map(bytes, zip(*columns))]
    steps = [b - a & 0xFFFFFFFF for a, b in zip(keys, keys[1:])]
    changes = [a ^ b for a, b in zip(keys, keys[1:])]
    checks.equal("R10", "frames whose key is that of the frame before", sum(change == 0 for change in changes), Between(0, 1))
    # a million of 2^32 at random: 999 883.6 distinct ones, with a deviation of 10.8
    checks.equal("R10", "distinct keys", len(set(keys)), Between(999_810, 999_960))
    for name, values in (("difference", steps), ("exclusive or", changes)):
        for shift in (0, 8, 16, 24):
            counts = collections.Counter(value >> shift & 255 for value in values)
            checks.equal("R10", f"chi-square of the {name} of neighbours, bits {shift} to {shift + 7}",
                         chi_square(counts, len(values), 256), Between(160, 364))
        checks.equal("R10", f"the most frequent {name} of neighbours", collections.Counter(values).most_common(1)[0][1], Between(1, 6))


RULES = [("R1", r1_lengths), ("R3", r3_timers), ("R4", r4_endless_replies), ("R5", r5_parameters), ("R6", r6_input), ("R7", r7_validity),
         ("R9", r9_injection), ("R10", r10_masking)]
