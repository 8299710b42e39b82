#!/usr/bin/env python3
"""smoke_table.py: one smoke test, "say hello and see what comes", as it is written for wscat, websocat and wscope, against servers that
fail in the ways that servers fail. Prints the exit code and the output of each; only wscope's are checked, in every row.

The program is $WSCOPE, default .build/release/wscope; peers.sh sets websocat up. wscat is Debian's (in node-ws, with node-https-proxy-agent);
without it its column says so. Each run may take 8 s.
"""
import base64
import hashlib
import os
import pty
import re
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../Peers"))
from certificates import Certificates  # noqa: E402
from checks import Checks, print_table  # noqa: E402
from processes import WSCOPE, free_port, peer, require_wscope, set_up_peers  # noqa: E402

SECONDS = 8


def frame(opcode, payload=b""):
    return bytes([0x80 | opcode, len(payload)]) + payload


class Server:
    """Answers every connection on a port of its own by one function of the socket and the request."""

    def __init__(self, answer, context=None):
        self.answer, self.context = answer, context
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        connection.settimeout(SECONDS)
        try:
            if self.context:
                connection = self.secured(connection)
            elif connection.recv(1, socket.MSG_PEEK) == b"\x16":  # TLS, to which a server of HTTP says what it says to any nonsense
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
                return self.drain(connection)
            request = b""
            while b"\r\n\r\n" not in request:
                more = connection.recv(4096)
                if not more:
                    return
                request += more
            self.answer(connection, request)
            connection.close()
        except OSError:
            connection.close()
        return None

    def secured(self, connection):
        """TLS, in memory: an alert of ours then reaches a peer that does not speak it."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        secured = self.context.wrap_bio(incoming, outgoing, server_side=True)
        incoming.write(connection.recv(4096))
        try:
            secured.do_handshake()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            connection.sendall(outgoing.read() or b"\x15\x03\x03\x00\x02\x02\x46")
            self.drain(connection)
        raise OSError("no row needs more than the alert")

    @staticmethod
    def drain(connection):
        """A socket closed over unread bytes would reset the connection."""
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(4096):
            pass
        connection.close()


def accept(connection, request, key=None):
    key = key or next(line.split(b":")[1].strip() for line in request.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key"))
    token = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
                       + token + b"\r\n\r\n")


def message(connection):
    """Waits for one frame, whatever it is; the answer is its opcode, None at the end."""
    def take(count):
        data = b""
        while len(data) < count:
            more = connection.recv(count - len(data))
            if not more:
                raise OSError("ended")
            data += more
        return data
    head = take(2)
    take(4 + (head[1] & 0x7F))
    return head[0] & 0x0F


def says(*frames, after=0.0, reset=False):
    """Takes one message, says something, and closes well: when it is told to, or after a second."""
    def answer(connection, request):
        accept(connection, request)
        if message(connection) == 8:
            return connection.sendall(frame(8, struct.pack(">H", 1000)))
        time.sleep(after)
        for each in frames:
            connection.sendall(each)
        if reset:
            time.sleep(0.2)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return None
        while message(connection) != 8:
            pass
        return connection.sendall(frame(8, struct.pack(">H", 1000)))
    return answer


def refuses(head, body=b""):
    def answer(connection, _):
        connection.sendall(f"HTTP/1.1 {head}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
    return answer


def wrong_accept(connection, request):
    accept(connection, request, key=b"another key")
    time.sleep(1)


def rows():
    """Name, port, scheme, what wscope must end with, print, and say; on a terminal or in a pipe."""
    certificates = Certificates()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.cert, certificates.key)
    echo = says(frame(1, b"hello"))
    escapes = frame(1, b"\x1b]0;title\x07\x1b[2J")
    return [
        ("it works", Server(echo).port, "ws", 0, b"hello\n", ""),
        ("refused port", free_port(), "ws", 7, b"", "Connection refused"),
        ("HTTP 404", Server(refuses("404 Not Found", b"no such page")).port, "ws", 22, b"", "404 Not Found (expected 101)|no such page"),
        ("HTTP 401", Server(refuses("401 Unauthorized\r\nWWW-Authenticate: Bearer", b"token expired")).port, "ws", 22, b"",
         "401 Unauthorized (expected 101)|token expired"),
        ("HTTP 301", Server(refuses("301 Moved Permanently\r\nLocation: ws://127.0.0.1:9/new")).port, "ws", 22, b"", "ws://127.0.0.1:9/new"),
        ("wrong Sec-WebSocket-Accept", Server(wrong_accept).port, "ws", 8, b"", "Sec-WebSocket-Accept"),
        ("message, then RST", Server(says(frame(1, b"hello"), reset=True)).port, "ws", 56, b"hello\n", "1006|reset"),
        ("Close 1008 \"nope\"", Server(says(frame(8, struct.pack(">H", 1008) + b"nope"))).port, "ws", 111, b"",
         "1008 policy violation|nope"),
        ("reply 1 s later", Server(says(frame(1, b"hello"), after=1)).port, "ws", 0, b"hello\n", ""),
        ("escapes, in a pipe", Server(says(escapes)).port, "ws", 0, b"\x1b]0;title\x07\x1b[2J\n", ""),
        ("escapes, on a terminal", Server(says(escapes)).port, "ws", 0, None, ""),
        ("binary 00 ff 01 0a 80", Server(says(frame(2, b"\x00\xff\x01\x0a\x80"))).port, "ws", 0, b"\x00\xff\x01\x0a\x80", ""),
        ("text a, b, c on 3 lines", Server(says(frame(1, b"a\nb\nc"))).port, "ws", 0, b"a\nb\nc\0", ""),
        ("wss:// to a plain port", Server(echo).port, "wss", 35, b"", "plain HTTP|try: wscope send ws://"),
        ("ws:// to a TLS port", Server(echo, context).port, "ws", 8, b"", "try: wscope send wss://"),
    ]


def run(command, on_terminal, environment=None, holds_input=False):
    """`echo hello |` the command, or the command with an input that stays open: exit code (None: it did not end), output, errors."""
    reader, writer = pty.openpty() if on_terminal else os.pipe()
    output = []

    def collect():
        try:
            while more := os.read(reader, 4096):
                output.append(more)
        except OSError:  # so a terminal tells its end
            pass
    collector = threading.Thread(target=collect)
    # Colours may stand on a terminal: they are ours, not the server's.
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=writer, stderr=subprocess.PIPE,
                               env={**os.environ, **(environment or {})})
    os.close(writer)
    collector.start()
    try:
        if holds_input:
            process.wait(SECONDS)
        _, errors = process.communicate(None if holds_input else b"hello\n", SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        _, errors = process.communicate()
        process.returncode = None
    collector.join()
    os.close(reader)
    return process.returncode, b"".join(output), errors


def shown(result):
    code, output, errors = result
    lines = errors.decode(errors="replace").strip().splitlines()
    return f"{'hangs' if code is None else code}", repr(output)[1:][:34], (lines[0] if lines else "")[:60]


def main():
    require_wscope()
    set_up_peers()
    tools = {}
    wscat_environment = {"NODE_PATH": "/usr/share/nodejs"}
    wscat = shutil.which("wscat")
    if wscat and subprocess.run([wscat, "--version"], env={**os.environ, **wscat_environment}, capture_output=True).returncode == 0:
        tools["wscat"] = lambda url, _: ([wscat, "-c", url], wscat_environment)
        tools["wscat -x"] = lambda url, _: ([wscat, "-c", url, "-x", "hello", "-w", "2"], wscat_environment)
    else:
        print("wscat: not there, or Debian's without node-https-proxy-agent: no rows of it\n")
    tools["websocat"] = lambda url, _: ([peer("websocat"), "-n", "-1", url], None)
    tools["wscope"] = lambda url, null: ([WSCOPE, "send", url, "--linger", "1s", *(["-0", "--", "hello"] if null else [])], None)

    checks, table = Checks(), []
    for name, port, scheme, code, output, words in rows():
        on_terminal, null = "on a terminal" in name, "3 lines" in name
        for tool, written in tools.items():
            command, environment = written(f"{scheme}://127.0.0.1:{port}/", null)
            result = run(command, on_terminal, environment, tool == "wscat -x")
            table.append([name if tool == next(iter(tools)) else "", tool, *shown(result)])
            if tool != "wscope":
                continue
            errors = result[2].decode(errors="replace")
            checks.equal(name, "exit code", result[0], code)
            if output is None:
                checks.equal(name, "no escape on the terminal", b"\x1b" in re.sub(rb"\x1b\[\d*m", b"", result[1]), False)
                checks.equal(name, "what came is shown", b"title" in result[1], True)
            else:
                checks.equal(name, "output", result[1], output)
            for word in words.split("|") if words else []:
                checks.record(name, f"says {word}", None if word.lower() in errors.lower() else repr(errors[:400]))
    print_table(["the server", "tool", "exit", "output", "first line of the errors"], table)
    print()
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
