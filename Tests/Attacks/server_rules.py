"""What SECURITY's rules R1 to R7 ask of `wscope listen` beyond the table."""
import signal
import socket
import statistics
import threading
import time
import zlib

from rows import Between, Has
from server_rows import VIOLATIONS, deflated_zeros, offer
from server_targets import Server
from wire import BINARY, CLOSE, CONTINUATION, NO_MASK, PING, TEXT, Client, Memory, connect, cpu_milliseconds, frame, request

LENGTHS = [125, 126, 65535, 65536, 1 << 20, (1 << 20) + 1, 1 << 31, 1 << 32, 1 << 53, (1 << 63) - 1, 1 << 63, (1 << 64) - 1]
MIB = 1 << 20
TOP_BIT = "the top bit of a 64-bit length must be 0"


def too_big(size, limit=MIB):
    return f"message of {size} bytes is over the limit of {limit} (--max-message)"


def r1_lengths(checks):
    server = Server("wscope listen", "--max-message", "1MiB")
    for length in [each for each in LENGTHS if each <= MIB]:
        with connect(server.port) as client:
            client.send(frame(BINARY, bytes(length)))
            got = client.next(10)
        checks.equal("R1", f"listen, masked, {length} bytes: echoed", got and len(got[1]), length)
    memory = Memory(server.pid)
    for length in LENGTHS:
        cases = [("unmasked", NO_MASK, "Close 1002 a frame from a client must be masked")]
        if length > MIB:
            cases.append(("masked", b"abcd", f"Close 1002 {TOP_BIT}" if length >> 63 else f"Close 1009 {too_big(length)}"))
        for name, key, wanted in cases:
            with connect(server.port) as client:
                client.send(frame(BINARY, length=length, key=key))
                checks.equal("R1", f"listen, {name}, length {length}", str(client.ending()), wanted)
    with connect(server.port) as client:  # a declared length is no allocation
        client.send(frame(BINARY, length=MIB) + b"x")
        time.sleep(0.1)
    checks.equal("R1", "listen: memory", memory.growth(), Between(-99, 1))
    with connect(server.port) as client:  # the sum of fragments is judged like one length
        client.send(frame(BINARY, bytes(MIB), fin=False) + frame(CONTINUATION, b"x"))
        checks.equal("R1", "listen, a fragment beyond the limit", str(client.ending()), f"Close 1009 {too_big(MIB + 1)}")
    checks.equal("R1", "listen serves on", server.serves_on(), "yes")
    server.stop()


def r2_fragments(checks):
    server = Server("wscope listen")
    with connect(server.port) as client:
        client.send(frame(TEXT, b"x", fin=False) + frame(CONTINUATION, b"x", fin=False) * 131_070 + frame(CONTINUATION, b"x"))
        got = client.next(20)
        checks.equal("R2", "131 072 fragments are a message", got and len(got[1]), 131_072)
    with connect(server.port) as client:
        client.send(frame(TEXT, fin=False) + frame(CONTINUATION, fin=False) * 131_072)
        checks.equal("R2", "131 073 are too many", str(client.ending(20)), "Close 1009 too many fragments")
    with connect(server.port) as client:
        client.send(frame(TEXT, b"a", fin=False) + frame(PING, b"now") + frame(CONTINUATION, b"b"))
        checks.equal("R2", "a ping in between is answered at once", [client.next(), client.next()], [(0x8A, b"now"), (0x81, b"ab")])
    memory, held = Memory(server.pid), []
    data = frame(TEXT, b"x", fin=False) + frame(CONTINUATION, b"x", fin=False) * 131_070 + frame(PING)
    for _ in range(100):
        client = connect(server.port)
        client.send(data)
        held.append(client)
    checks.equal("R2", "100 clients, 131 071 fragments each: all taken", {(client.next(20) or (0,))[0] for client in held}, {0x8A})
    checks.equal("R2", "100 clients, 131 071 fragments each: memory", memory.growth(), Between(-99, 30))
    for client in held:
        client.socket.close()
    checks.equal("R2", "listen serves on", server.serves_on(), "yes")
    server.stop()


def r3_timers(checks):
    """The timers of `listen` that the table does not have; they wait side by side."""
    def drip():
        server = Server("wscope listen")
        with Client(server.port) as client:
            began = time.monotonic()
            for byte in request(server.port)[:60]:
                try:
                    client.send(bytes([byte]))
                except OSError:
                    break
                if client.head(0.5):
                    break
            checks.equal("R3", "half a byte a second: absolute deadline", time.monotonic() - began, Between(9.5, 10.7))
        server.stop()

    def second_request():
        server = Server("wscope listen")
        with Client(server.port) as client:
            client.send(f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n".encode())
            checks.equal("R3", "a page, kept alive", client.head()[9:12], "200")
            time.sleep(0.5)
            client.buffer = b""
            began = time.monotonic()
            while client._more(began + 15):
                pass
            checks.equal("R3", "no second request: the end", (client.ended, client.buffer[9:12]), ("EOF", b"408"))
            checks.equal("R3", "no second request: when", time.monotonic() - began, Between(8.9, 10.5))
        server.stop()

    def ignored_close():
        server = Server("wscope listen")
        with connect(server.port) as client:
            server.child.process.send_signal(signal.SIGINT)
            began = time.monotonic()
            checks.equal("R3", "SIGINT: Close 1001", client.ending().code, 1001)
            code = server.child.process.wait(12)
            checks.equal("R3", "SIGINT, a client ignores Close: when", time.monotonic() - began, Between(4.5, 5.6))
            checks.equal("R3", "SIGINT, a client ignores Close: exit code", code, 0)
    side_by_side(checks, "R3", drip, second_request, ignored_close)


def side_by_side(checks, place, *parts):
    def guarded(part):
        try:
            part()
        except Exception as error:  # a part that breaks is a failed check, not a lost one
            checks.record(place, part.__name__, repr(error))
    threads = [threading.Thread(target=guarded, args=(part,)) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def r4_long_fields(checks):
    """Fields that are made to be slow: at most 50 ms of CPU each, and no memory."""
    server = Server("wscope listen")
    memory = Memory(server.pid)
    for name, field, status in [("1 MB of spaces in Sec-WebSocket-Protocol", "Sec-WebSocket-Protocol: a" + " " * 1_000_000 + "b", "431"),
                                ("8 KB of spaces in Sec-WebSocket-Protocol", "Sec-WebSocket-Protocol: a" + " " * 8000 + "b", "400"),
                                ("4 000 subprotocols", "Sec-WebSocket-Protocol: " + ",".join("a" for _ in range(4000)), "400"),
                                ("8 KB of quotes in Sec-WebSocket-Extensions", 'Sec-WebSocket-Extensions: a; b="' + '\\"' * 4000, "400"),
                                ("2 700 parameters in Sec-WebSocket-Extensions", "Sec-WebSocket-Extensions: permessage-deflate" + ";a=" * 2700, "400"),
                                ("8 MiB in one line", "X-A: " + "b" * 8 * MIB, "431"),
                                ("8 MiB of spaces before a value", "X-A: " + " " * 8 * MIB + "b", "431")]:
        with Client(server.port) as client:
            head = request(server.port, fields=[field])
            before = cpu_milliseconds(server.pid)
            client.flood(head, len(head), reads=True)
            checks.equal("R4", f"{name}: status", client.head()[9:12], status)
            checks.equal("R4", f"{name}: CPU in ms", cpu_milliseconds(server.pid) - before, Between(0, 50))
    checks.equal("R4", "long fields: memory", memory.growth(), Between(-99, 2))
    checks.equal("R4", "listen serves on", server.serves_on(), "yes")
    server.stop()


def compressed(data, *, end=zlib.Z_SYNC_FLUSH):
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (deflater.compress(data) + deflater.flush(end))[:-4 if end == zlib.Z_SYNC_FLUSH else None]


def r5_compression(checks):
    server, limit = Server("wscope listen"), 16 * MIB
    over = f"Close 1009 message inflates beyond the limit of {limit} (--max-message)"
    memory, bomb = Memory(server.pid), deflated_zeros(512)
    pieces = [bomb[i * len(bomb) // 1000:(i + 1) * len(bomb) // 1000] for i in range(1000)]
    split = b"".join(frame(BINARY if i == 0 else CONTINUATION, piece, fin=i == 999, rsv=4 if i == 0 else 0) for i, piece in enumerate(pieces))
    small = frame(BINARY, deflated_zeros(17), rsv=4)
    for name, data in [("a bomb in 1000 fragments", split)] + [("small bomb", small)] * 100:
        with connect(server.port, **offer()) as client:
            before = cpu_milliseconds(server.pid)
            try:
                client.send(data)
            except OSError:
                pass
            ending, took = str(client.ending(5)), cpu_milliseconds(server.pid) - before
        if name != "small bomb" or ending != over:
            checks.equal("R5", name, ending, over)
        if name != "small bomb" or took > 500:
            checks.equal("R5", f"{name}: CPU in ms", took, Between(0, 500))
    checks.equal("R5", "bombs: memory", memory.growth(), Between(-99, limit / MIB + 8))
    good = compressed(b"Hello, Hello, Hello, Hello")
    corrupt = "Close 1007 compressed message is corrupt"
    cases = [
        ("a stream that is no deflate", frame(TEXT, b"\xff\xff\xff\xff", rsv=4), corrupt),
        ("trailing garbage behind the final block", frame(TEXT, compressed(b"Hello", end=zlib.Z_FINISH) + b"garbage", rsv=4), corrupt),
        ("a stream that ends inside a block", frame(BINARY, compressed(bytes(range(256)) * 4)[:-20], rsv=4), corrupt),
        ("inflated text that is not UTF-8", frame(TEXT, compressed(b"a\xff"), rsv=4), "Close 1007 text is not valid UTF-8"),
        ("RSV1 on a continuation", frame(TEXT, good[:3], fin=False, rsv=4) + frame(CONTINUATION, good[3:], rsv=4),
         "Close 1002 RSV1 on a continuation: only the first frame of a message may have it"),
        ("RSV1 on a ping", frame(PING, b"x", rsv=4), "Close 1002 RSV1 on a ping: control frames are never compressed"),
        ("RSV2 beside RSV1", frame(TEXT, good, rsv=6), "Close 1002 reserved bits set without an extension: RSV2"),
    ]
    for name, data, wanted in cases:
        with connect(server.port, **offer()) as client:
            client.send(data)
            checks.equal("R5", name, str(client.ending()), wanted)
    with connect(server.port) as client:
        client.send(frame(TEXT, good, rsv=4))
        checks.equal("R5", "RSV1 although nothing was agreed on", str(client.ending()), "Close 1002 reserved bits set without an extension: RSV1")
    for asked, wanted in [("server_max_window_bits=8", ""), ("server_max_window_bits=9", "server_max_window_bits=9"),
                          ("server_max_window_bits=16", ""), ("client_no_context_takeover", "client_no_context_takeover"),
                          ("server_no_context_takeover", "server_no_context_takeover"), ("unknown", ""), ("client_max_window_bits=08", "")]:
        with Client(server.port) as client:
            head = client.handshake(fields=[f"Sec-WebSocket-Extensions: permessage-deflate; {asked}"])
        answer = head.partition("Sec-WebSocket-Extensions: ")[2].partition("\r\n")[0]
        checks.equal("R5", f"offer of {asked}", answer, f"permessage-deflate; {wanted}" if wanted else "")
    checks.equal("R5", "listen serves on", server.serves_on(), "yes")
    server.stop()


def p99(client, count=400):
    """Of the round trips of a client that reads, in ms."""
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        client.send(frame(TEXT, b"ping"))
        client.next(10)
        taken.append((time.perf_counter() - began) * 1000)
    return statistics.quantiles(taken, n=100)[98]


def r6_outbound_memory(checks):
    for kind, data in (("echo", frame(BINARY, b"x" * 65536)), ("pings", frame(PING, b"x" * 125) * 500)):
        server = Server("wscope listen")
        with connect(server.port) as other, connect(server.port, receive_buffer=65536) as slow:
            ratios = []
            for attempt in range(3):  # the best of three: the machine has other things to do
                quiet = p99(other)
                if attempt == 0:
                    slow.flood(data, 400 * MIB, reads=False, stalled=1, seconds=10)
                ratios.append(p99(other) / quiet)
            checks.equal("R6", f"{kind}: p99 of the others beside a client that never reads, times what it was before",
                         min(ratios), Between(0, 2))
        server.stop()
    server = Server("wscope listen", "--mode", "broadcast")
    memory = Memory(server.pid)
    with connect(server.port, receive_buffer=65536) as slow, connect(server.port) as reader, connect(server.port) as sender:
        got = [0]

        def read():
            deadline = time.monotonic() + 40
            while got[0] < 399.9 * MIB and reader._more(deadline):  # what is passed on is not masked, and the last frame is not whole
                got[0] += len(reader.buffer)
                reader.buffer = b""
        thread = threading.Thread(target=read)
        thread.start()
        sent, how = sender.flood(frame(BINARY, b"x" * 65536), 400 * MIB, reads=False, stalled=5, seconds=40)
        thread.join()
        grown = memory.growth()
        checks.equal("R6", "broadcast of 400 MiB: all sent", (how, sent), ("all", 400 * MIB))
        checks.equal("R6", "broadcast of 400 MiB: the client that reads got all of it", got[0] / MIB, Between(399.9, 400))
        checks.equal("R6", "broadcast of 400 MiB: memory", grown, Between(-99, 20))
        ending = slow.ending(20)
        checks.equal("R6", "broadcast: the client that never reads is closed", ending.kind in ("Close", "EOF", "RST"), True)
    with connect(server.port, receive_buffer=65536) as slow, connect(server.port) as sender:
        sender.flood(frame(BINARY, b"x" * 65536), 48 * MIB, reads=False, stalled=5, seconds=20)
        time.sleep(0.5)
        checks.equal("R6", "broadcast: one that reads again in time hears why", str(slow.ending(10)), "Close 1008 slow consumer")
    checks.equal("R6", "listen serves on", server.child.process.poll(), None)
    server.stop()


def r7_validity(checks):
    server = Server("wscope listen")
    for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999):
        with connect(server.port) as client:
            client.send(frame(CLOSE, code.to_bytes(2, "big") + b"bye"))
            checks.equal("R7", f"Close {code} is answered by itself", (str(client.ending()), client.ending().kind), (f"Close {code}", "EOF"))
    for code in (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535):
        with connect(server.port) as client:
            client.send(frame(CLOSE, code.to_bytes(2, "big")))
            checks.equal("R7", f"Close {code} is refused", str(client.ending()), f"Close 1002 close code {code} is not allowed on the wire")
    normal = b"\x03\xe8"
    cases = [
        ("a Close of one byte", frame(CLOSE, b"\x03"), "Close 1002 close frame with a body of one byte"),
        ("a Close without a code", frame(CLOSE), "Close None"),
        ("a Close whose reason is not UTF-8", frame(CLOSE, normal + b"\xff"), "Close 1007 close reason is not valid UTF-8"),
        ("a Close in the middle of a fragmented message", frame(TEXT, b"a", fin=False) + frame(CLOSE, normal), "Close 1000"),
        ("text that ends inside a character", frame(TEXT, b"\xce"), "Close 1007 text is not valid UTF-8"),
        ("a character split over frames", frame(TEXT, b"\xce", fin=False) + frame(CONTINUATION, b"\xba") + frame(CLOSE, normal), "Close 1000"),
        ("a surrogate", frame(TEXT, b"\xed\xa0\x80"), "Close 1007 text is not valid UTF-8"),
        ("a long form of a character", frame(TEXT, b"\xc0\xaf"), "Close 1007 text is not valid UTF-8"),
        ("binary inside a fragmented text", frame(TEXT, b"a", fin=False) + frame(BINARY, b"b"),
         "Close 1002 new message (opcode 2) inside a fragmented one"),
    ] + [(f"opcode {code}", frame(code, b""), f"Close 1002 reserved opcode {code}") for code in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)] \
      + [(f"RSV {bits}", frame(TEXT, b"x", rsv=bits), Has("Close 1002 reserved bits set without an extension: RSV")) for bits in range(1, 8)]
    for name, data, wanted in cases:
        with connect(server.port) as client:
            client.send(data)
            checks.equal("R7", name, str(client.ending()), wanted)
    with connect(server.port) as client:
        client.send(frame(CLOSE, normal) + frame(TEXT, b"late") + frame(PING, b"late"))
        frames = [client.next(2), client.next(2)]
        checks.equal("R7", "behind a Close nothing is answered", (frames, client.ended), ([(0x88, normal), None], "EOF"))
    with connect(server.port) as client:
        client.send(VIOLATIONS["RSV"][0] + frame(TEXT, b"late") * 1000)
        checks.equal("R7", "behind a violation nothing is answered",
                     (str(client.ending()), client.next(2), client.ended), (VIOLATIONS["RSV"][1], None, "EOF"))
    with connect(server.port) as client:
        client.send(frame(TEXT, b"last"))
        client.socket.shutdown(socket.SHUT_WR)
        checks.equal("R7", "half-close: what came before it is answered",
                     (client.next(), client.next(2), client.ended), ((0x81, b"last"), None, "EOF"))
    checks.equal("R7", "listen serves on", server.serves_on(), "yes")
    server.stop()


RULES = [("R1", r1_lengths), ("R2", r2_fragments), ("R3", r3_timers), ("R4", r4_long_fields), ("R5", r5_compression), ("R6", r6_outbound_memory),
         ("R7", r7_validity)]
