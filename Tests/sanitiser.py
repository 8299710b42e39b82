#!/usr/bin/env python3
"""sanitiser.py [--quick]: a hostile server fires control sequences at every place where `wscope connect` shows text of the peer.

SECURITY.md R14 in practice: each attack string goes to each sink, on a real pseudo terminal, and no ESC, DEL, C1 control or lone byte
(1b, 7f, 9b) of the peer may reach it. On a dumb terminal, where wscope itself writes no escapes, none may appear at all; on an xterm only its own few.
The program is $WSCOPE, default .build/release/wscope. Prints a table; exit code 1 if anything came through.
"""
import base64
import concurrent.futures
import hashlib
import os
import pty
import re
import select
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WSCOPE = os.path.abspath(os.environ.get("WSCOPE", os.path.join(ROOT, ".build/release/wscope")))
QUICK = "--quick" in sys.argv

SEQUENCES = [
    b"\x1b[2J\x1b[H", b"\x1b]0;owned\x07", b"\x1b]52;c;b3duZWQ=\x07", b"\x1b]52;c;b3duZWQ=\x1b\\", b"\x1b]8;;http://evil.example\x1b\\x\x1b]8;;\x1b\\",
    b"\x1bP$qm\x1b\\", b"\x1b_apc\x1b\\", b"\x1b^pm\x1b\\", b"\x1bXsos\x1b\\", b"\x1b[6n", b"\x1b[c", b"\x1b[5n", b"\x1b[21t", b"\x1b[?1049h", b"\x1bc",
    b"\x1b[38;5;99mcolor", b"\x1b(0", b"\x1b#8", b"\x1b[1000D* closed", b"\r* fake line", b"\x08\x08\x08over", b"a\x0bb\x0cc\x07\x05", b"\x7f\x7f",
    "\u009b2J\u009d0;owned\u009c\u0090\u0098\u009e\u009f".encode(), "\u202egpj.exe\u202c \u2066\u2067\u2068\u2069 \u200e\u200f\u061c".encode(),
    "\u2028\u2029".encode(), "".join(chr(0xE0000 + ord(c)) for c in "tag").encode() + "\U000e007f".encode(), b"\x1b", b"ends with \x1b[", b"\x1b]0;never ends",
]
BYTES = [bytes([b]) for b in range(256)]
TEXTS = SEQUENCES + [chr(b).encode() for b in range(256)] + [b"in" + chr(b).encode() + b"side" for b in range(256)]
RAW = SEQUENCES + BYTES + [b"in" + b + b"side" for b in BYTES]
if QUICK:
    TEXTS, RAW = SEQUENCES + TEXTS[30:286:5], SEQUENCES + RAW[30:286:5]

# What wscope and readline write of their own on an xterm. \x1b[38;5;99m of the attacks is not among them.
OWN = re.compile(rb"\x1b\[(?:0|1|2|7|27|31|32|33|36)?m|\x1b\[\?2004[hl]|\x1b\[[0-9]*[ABCDJKP@]|\x1b\[[0-9;]*H|\x1b\[C")


def accept_key(head):
    key = re.search(rb"(?i)sec-websocket-key: *(\S+)", head).group(1)
    return base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())


def frame(opcode, payload):
    size = bytes([len(payload)]) if len(payload) < 126 else b"\x7e" + len(payload).to_bytes(2, "big")
    return bytes([0x80 | opcode]) + size + payload


def upgrade(head, extra=b"", reason=b"Switching Protocols"):
    return (b"HTTP/1.1 101 " + reason + b"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + accept_key(head)
            + b"\r\n" + extra + b"\r\n")


class Server:
    """Answers every connection with what `answer(head)` returns, and with a Close when it is asked to close."""

    def __init__(self, answer, context=None):
        self.answer, self.context = answer, context
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        try:
            connection.settimeout(20)
            if self.context:
                connection = self.context.wrap_socket(connection, server_side=True)
            head = b""
            while b"\r\n\r\n" not in head:
                more = connection.recv(4096)
                if not more:
                    return
                head += more
            answer = self.answer(head)
            connection.sendall(answer)
            if not answer.startswith(b"HTTP/1.1 101"):
                connection.shutdown(socket.SHUT_WR)
            while True:
                data = connection.recv(4096)
                if not data:
                    return
                if data[0] == 0x88:
                    connection.sendall(frame(8, b"\x03\xe8"))
        except (OSError, ssl.SSLError):
            pass
        finally:
            connection.close()

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self.socket.close()


class Failure(Exception):
    pass


def on_a_terminal(arguments, kind, home, keys=(), until=None, cwd=None):
    """Everything that `wscope ARGUMENTS` writes to a terminal; the keys are typed when `until` is there."""
    rows = {"dumb": "set enable-bracketed-paste off\n", "xterm-256color": ""}[kind]
    inputrc = os.path.join(home, "inputrc-" + kind)
    if not os.path.exists(inputrc):
        with open(inputrc, "w") as file:
            file.write(rows + "set bell-style none\n")
    environment = {"PATH": "/usr/bin:/bin", "HOME": home, "TERM": kind, "INPUTRC": inputrc, "LANG": "C.UTF-8", "SWIFT_BACKTRACE": "enable=no"}
    pid, terminal = pty.fork()
    if pid == 0:
        if cwd:
            os.chdir(cwd)
        os.execve(WSCOPE, ["wscope"] + arguments, environment)
    log, typed, deadline = b"", False, time.monotonic() + 25
    try:
        while time.monotonic() < deadline:
            if select.select([terminal], [], [], 0.05)[0]:
                try:
                    data = os.read(terminal, 65536)
                except OSError:
                    break
                if not data:
                    break
                log += data
            if not typed and until and until in log:
                typed = True
                for key in keys:
                    os.write(terminal, key)
                    time.sleep(0.15)
        else:
            raise Failure(f"{arguments}: no end; wrote {log[-400:]!r}")
    finally:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        os.close(terminal)
        os.waitpid(pid, 0)
    return log


def stranger_bytes(log, kind):
    """What a terminal would obey, with what stands around it."""
    rest = log if kind == "dumb" else OWN.sub(b"", log)
    # 9b is CSI alone and as U+009B, and a harmless half of a letter in U+00DB and others: so it is read as the terminal reads it.
    text = rest.decode("utf-8", "surrogateescape")
    return [text[max(0, m.start() - 20):m.end() + 20] for m in re.finditer("[\x1b\x7f\x80-\x9f\udc80-\udcff]", text)]


def check_the_check():
    for bad in (b"\x1b[31m", b"a\x7fb", b"\xc2\x9b31m", b"\x9b31m", b"\xc2\x9d0;x", b"\xff"):
        assert stranger_bytes(b"text " + bad, "dumb"), bad
    assert stranger_bytes(b"\x1b]0;x\x07", "xterm-256color") and stranger_bytes(b"\x1b[38;5;99m", "xterm-256color")
    assert not stranger_bytes("\u00db \u4f60 \u201c".encode(), "dumb") and not stranger_bytes(b"\x1b[31mx\x1b[0m\x1b[K", "xterm-256color")


def messages(attacks):
    frames = b"".join(frame(1, attack) for attack in attacks)
    # Cut in two between ESC and what it would begin.
    frames += frame(1, b"split \x1b") + frame(1, b"[2J") + frame(1, b"\xc2\x9b"[:2]) + frame(1, b"31m")
    frames += frame(2, bytes(range(256)))
    return frames + frame(1, b"the-end")


def rounds(attacks, size):
    """Attacks put together, so that not each of them needs a connection: at most `size` bytes each."""
    group = b""
    for attack in attacks:
        if group and len(group) + len(attack) > size:
            yield group
            group = b""
        group += attack
    yield group


def http(status, reason=b"No", fields=b"", body=b""):
    return b"HTTP/1.1 %d %s\r\n%sContent-Length: %d\r\n\r\n%s" % (status, reason, fields, len(body), body)


def certificate(directory, number, name):
    """A certificate whose only name is `name`; made of DER by hand, because no tool writes such names."""
    key, path = os.path.join(directory, "key.pem"), os.path.join(directory, f"cert-{number}.pem")
    if not os.path.exists(key):
        subprocess.run(["openssl", "ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", key], check=True, capture_output=True)
    names = b"\x82" + bytes([len(name)]) + name
    der = b"\x30" + bytes([len(names)]) + names
    subprocess.run(["openssl", "req", "-x509", "-new", "-key", key, "-subj", "/CN=x", "-days", "2", "-out", path,
                    "-addext", "subjectAltName=DER:" + der.hex(":")], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, key)
    return context


def sinks(scratch):
    """(name, jobs): each job is (answer of the server, arguments, keys, what is waited for, TLS context, directory)."""
    ends = (b"\x04",)
    def simple(answer, arguments=(), until=None, keys=ends, context=None, cwd=None):
        return answer, list(arguments), keys, until, context, cwd

    texts = list(rounds(TEXTS, 100))
    raws = [a for a in RAW if a not in (b"\n", b"\r")]
    yield "message", [simple(lambda h, m=messages(TEXTS): upgrade(h) + m, until=b"the-end"),
                      simple(lambda h, m=messages(TEXTS): upgrade(h) + m, ["--json", "--timestamps"], until=b"the-end"),
                      simple(lambda h: upgrade(h) + b"".join(frame(1, b'{"k":"' + t.replace(b'"', b"").replace(b"\\", b"") + b'"}') for t in TEXTS) + frame(1, b"the-end"), ["--json"], until=b"the-end")]
    yield "ping and pong with -P", [simple(lambda h, t=t: upgrade(h) + frame(9, t) + frame(10, t) + frame(1, b"the-end"), ["-P", "-vv"], until=b"the-end") for t in texts]
    yield "close reason", [simple(lambda h, t=t: upgrade(h) + frame(8, b"\x03\xf0" + t)) for t in texts]
    yield "header value, -v and /headers", [simple(lambda h, a=a: upgrade(h, b"X-Evil: " + a + b"\r\nX-End: yes\r\n"), ["-v"], b"connected to ws", (b"/headers\r", b"/info\r", b"\x04")) for a in raws]
    yield "header name", [simple(lambda h, a=a: upgrade(h, b"X-" + a + b": v\r\n"), ["-v"], b"connected to ws") for a in raws]
    yield "reason phrase", [simple(lambda h, a=a: http(403, a)) for a in raws] + [simple(lambda h, a=a: upgrade(h, reason=a), ["-v"], b"connected to ws") for a in raws]
    yield "refusal body", [simple(lambda h, a=a: http(404, body=a)) for a in rounds(RAW, 60)] + [simple(lambda h, a=a: http(404, body=a)) for a in SEQUENCES]
    yield "subprotocol", [simple(lambda h, a=a: upgrade(h, b"Sec-WebSocket-Protocol: " + a + b"\r\n"), ["-s", "chat"]) for a in raws]
    yield "extension", [simple(lambda h, a=a: upgrade(h, b"Sec-WebSocket-Extensions: " + a + b"\r\n"), ["-v"]) for a in SEQUENCES]
    yield "Location", [simple(lambda h, a=a: http(302, b"Found", b"Location: ws://evil.example/" + a + b"\r\n")) for a in raws]
    yield "not HTTP at all", [simple(lambda h, a=a: a + b"\r\n" + a) for a in RAW]
    names = [t for t in rounds([a for a in RAW if a != b"\0"], 90)] + SEQUENCES
    yield "certificate names", [simple(lambda h: upgrade(h), ["-k", "-v"], b"connected to ws", (b"/info\r", b"\x04"), certificate(scratch, n, t)) for n, t in enumerate(names)]
    yield "--format jsonl on a terminal", [simple(lambda h: upgrade(h) + messages(TEXTS), ["--format", "jsonl"], b"the-end")]
    directory = os.path.join(scratch, "names")
    os.mkdir(directory)
    for attack in TEXTS + RAW:
        if b"/" not in attack and b"\0" not in attack and len(attack) < 200:
            open(os.path.join(directory.encode(), b"n" + attack), "w").close()
    keys = (b"/file n\t\t", b"\x15", b"/file \t\t", b"\x15", b"/save n\x16\x1b[2J\r", b"/record /nonexistent/\x16\x1b]0;x\x16\x07\r", b"\x04")
    yield "names of files", [simple(lambda h: upgrade(h) + frame(1, b"the-end"), until=b"the-end", keys=keys, cwd=directory)]


def run(job, kind, home):
    answer, arguments, keys, until, context, cwd = job
    server = Server(answer, context)
    try:
        scheme = "wss" if context else "ws"
        return stranger_bytes(on_a_terminal(["connect", f"{scheme}://127.0.0.1:{server.port}/"] + arguments, kind, home, keys, until or b"connected to ws", cwd), kind)
    finally:
        server.close()


def recorded_file(home, scratch):
    """A recording is text that a person will look at with `cat`."""
    path = os.path.join(scratch, "session.jsonl")
    server = Server(lambda h: upgrade(h) + messages(TEXTS) + frame(9, b"\x1b]0;x\x07") + frame(8, b"\x03\xe8\x1b[2J"))
    try:
        on_a_terminal(["connect", f"ws://127.0.0.1:{server.port}/?q=1", "--record", path], "dumb", home)
    finally:
        server.close()
    with open(path, "rb") as file:
        recorded = file.read()
    if recorded.count(b"\n") < len(TEXTS):
        raise Failure(f"only {recorded.count(10)} lines recorded")
    return [m.group() for m in re.finditer(rb"[\x1b\x7f]|\xc2[\x80-\x9f]", recorded)]


def main():
    failed = False
    check_the_check()
    with tempfile.TemporaryDirectory() as scratch, concurrent.futures.ThreadPoolExecutor(4) as pool:
        home = os.path.join(scratch, "home")
        os.mkdir(home)
        print(f"{'sink':32}{'dumb':>12}{'xterm':>12}")
        for name, jobs in sinks(scratch):
            cells = []
            for kind in ("dumb", "xterm-256color"):
                results = list(pool.map(lambda job: run(job, kind, home), jobs))
                found = [place for result in results for place in result]
                # What the person types shows as it is typed, Ctrl-V ESC as ^[; none of it is the peer's.
                cells.append(f"{len(jobs)} runs" if not found else f"{len(found)} BYTES")
                failed = failed or bool(found)
                for place in found[:3]:
                    print(f"  {name}, {kind}: ...{place!r}...")
            print(f"{name:32}{cells[0]:>12}{cells[1]:>12}")
        found = recorded_file(home, scratch)
        failed = failed or bool(found)
        print(f"{'recorded file':32}{'clean' if not found else repr(found[:3]):>12}")
    print("FAILED" if failed else f"no byte of the peer came through: {len(set(TEXTS + RAW))} attack strings")
    sys.exit(failed)


main()
