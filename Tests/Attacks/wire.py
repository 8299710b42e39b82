"""Raw WebSocket bytes over a socket: a client that keeps no rule, what a server made of it, and what that cost the server's memory."""
import base64
import hashlib
import os
import re
import select
import socket
import struct
import time

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
NO_MASK = None
ZERO = b"\0\0\0\0"  # a legal masking key under which the payload stays as it is
TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10


def accept_of(key):
    return base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()


def frame(opcode, payload=b"", *, fin=True, rsv=0, key=ZERO, length=None, form=None):
    """One frame. `length` is what the header declares, whatever the payload has; `form` the bytes of the length field: 1, 2 or 8."""
    length = len(payload) if length is None else length
    form = form or (1 if length < 126 else 2 if length < 65536 else 8)
    masked = 0x80 if key is not None else 0
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    head += (bytes([masked | length]) if form == 1 else bytes([masked | 126]) + struct.pack(">H", length) if form == 2
             else bytes([masked | 127]) + struct.pack(">Q", length))
    if key is None:
        return head + payload
    if key != ZERO:
        payload = bytes(byte ^ key[i % 4] for i, byte in enumerate(payload))
    return head + key + payload


def read_frame(data):
    """The frame at the start of the bytes, as (first byte, payload without its mask, size on the wire), or None while it is not whole."""
    if len(data) < 2:
        return None
    length, at = data[1] & 127, 2
    if length == 126:
        length, at = int.from_bytes(data[2:4], "big"), 4
    elif length == 127:
        length, at = int.from_bytes(data[2:10], "big"), 10
    key = data[at:at + 4] if data[1] & 128 else b""
    at += 4 if data[1] & 128 else 0
    if len(data) < at + length:
        return None
    payload = data[at:at + length]
    return data[0], bytes(byte ^ key[i % 4] for i, byte in enumerate(payload)) if key else payload, at + length


def request(port, *, path="/", host=None, fields=(), key=KEY):
    lines = [f"GET {path} HTTP/1.1", f"Host: {host or f'127.0.0.1:{port}'}", "Upgrade: websocket", "Connection: Upgrade",
             f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", *fields]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


class Ending:
    """How a conversation ended: `Close 1002`, `EOF`, `RST`, or `open` when it did not."""

    def __init__(self, kind, code=None, reason=""):
        self.kind, self.code, self.reason = kind, code, reason

    @property
    def brief(self):
        return f"Close {self.code}" if self.kind == "Close" else self.kind

    def __str__(self):
        return self.brief + (f" {self.reason}" if self.reason else "")


class Client:
    """A connection to a server under attack. Nothing is read but by asking for it."""

    def __init__(self, port, *, receive_buffer=None):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(15)
        self.socket.connect(("127.0.0.1", port))
        self.port, self.buffer, self.ended = port, b"", None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def handshake(self, **options):
        """Upgrades, and answers the reply's head."""
        self.socket.sendall(request(self.port, **options))
        return self.head()

    def head(self, seconds=15):
        """The head of a reply as far as it came within the time; empty when nothing did."""
        deadline = time.monotonic() + seconds
        while b"\r\n\r\n" not in self.buffer and self._more(deadline):
            pass
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        return head.decode("latin-1")

    def send(self, data):
        self.socket.sendall(data)

    def _more(self, deadline):
        """Reads once; False at the end, and at the deadline."""
        wait = deadline - time.monotonic()
        if self.ended or not select.select([self.socket], [], [], max(wait, 0))[0]:
            return False
        try:
            data = self.socket.recv(1 << 18)
        except OSError:
            self.ended = "RST"
            return False
        if not data:
            self.ended = "EOF"
        self.buffer += data
        return bool(data)

    def next(self, seconds=5):
        """The next frame as (first byte, payload), or None."""
        deadline = time.monotonic() + seconds
        while True:
            found = self._frame()
            if found is not None:
                return found
            if not self._more(deadline):
                return None

    def _frame(self):
        found = read_frame(self.buffer)
        if not found:
            return None
        first, payload, size = found
        self.buffer = self.buffer[size:]
        return first, payload

    def ending(self, seconds=5):
        """Reads over everything until a Close, the end, or the time."""
        deadline = time.monotonic() + seconds
        while True:
            found = self.next(max(deadline - time.monotonic(), 0))
            if found is None:
                return Ending(self.ended or "open")
            if found[0] & 15 == CLOSE:
                body = found[1]
                return Ending("Close", int.from_bytes(body[:2], "big") if body else None, body[2:].decode("utf-8", "replace"))

    def flood(self, chunk, total, *, reads, stalled=3, seconds=60):
        """Sends `chunk` over and over: the bytes sent, and how it stopped: `all`, `cut` (closed on us), `blocked` (nothing was taken for
        `stalled` seconds) or `late`."""
        self.socket.setblocking(False)
        sent, view, at = 0, memoryview(chunk), 0
        deadline, progress = time.monotonic() + seconds, time.monotonic()
        try:
            while sent < total:
                now = time.monotonic()
                if now > deadline:
                    return sent, "late"
                if now - progress > stalled:
                    return sent, "blocked"
                readable, writable, _ = select.select([self.socket] if reads else [], [self.socket], [], 0.2)
                if readable:
                    data = self.socket.recv(1 << 18)
                    if not data:
                        self.ended = "EOF"
                        return sent, "cut"
                    self.buffer += data
                    if _has_close(self.buffer):
                        return sent, "cut"
                if writable:
                    try:
                        count = self.socket.send(view[at:at + min(len(view) - at, total - sent)])
                    except BlockingIOError:
                        continue
                    sent, at, progress = sent + count, (at + count) % len(view), time.monotonic()
            return sent, "all"
        except OSError:
            self._drain()
            return sent, "cut"
        finally:
            self.socket.settimeout(15)

    def _drain(self):
        """What had come before the connection broke."""
        try:
            while data := self.socket.recv(1 << 18):
                self.buffer += data
        except OSError:
            self.ended = self.ended or "RST"


def _has_close(buffer):
    return buffer[:1] == b"\x88" or buffer.startswith(b"HTTP/1.1 4")


def connect(port, **options):
    """An upgraded connection."""
    receive_buffer = options.pop("receive_buffer", None)
    client = Client(port, receive_buffer=receive_buffer)
    head = client.handshake(**options)
    if " 101 " not in head.partition("\r\n")[0] + " ":
        client.socket.close()
        raise OSError(f"no 101 but {head[:80]!r}")
    return client


def serves(port):
    """Whether a new client is served: its message comes back."""
    try:
        with connect(port) as client:
            client.send(frame(TEXT, b"still there?\n"))
            return (client.next(10) or (0, b""))[1].strip() == b"still there?"
    except OSError:
        return False


class Memory:
    """What the resident memory of a process grows by, its peak counted, from the moment this is made."""

    def __init__(self, pid):
        self.pid = pid
        with open(f"/proc/{pid}/clear_refs", "w") as file:
            file.write("5")  # the peak begins anew
        self.before = self._status("VmRSS")

    def _status(self, name):
        with open(f"/proc/{self.pid}/status") as file:
            found = re.search(rf"{name}:\s+(\d+) kB", file.read())
        return int(found.group(1)) * 1024 if found else 0

    def growth(self):
        """In MiB; None when the process is gone."""
        try:
            return (self._status("VmHWM") - self.before) / 2**20
        except OSError:
            return None


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cpu_milliseconds(pid):
    """As cpu_seconds, by the scheduler's own account: for what takes less than a clock tick."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat") as file:
            total += int(file.read().split()[0])
    return total / 1e6


def listeners(pid):
    """The addresses on which a process listens for TCP."""
    inodes = set()
    for descriptor in os.listdir(f"/proc/{pid}/fd"):
        try:
            found = re.match(r"socket:\[(\d+)\]", os.readlink(f"/proc/{pid}/fd/{descriptor}"))
        except OSError:
            continue
        if found:
            inodes.add(found.group(1))
    addresses = set()
    for table, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        with open(f"/proc/{pid}/net/{table}") as file:
            for line in list(file)[1:]:
                fields = line.split()
                if fields[3] == "0A" and fields[9] in inodes:  # 0A: LISTEN
                    words = bytes.fromhex(fields[1].split(":")[0])
                    packed = b"".join(words[i:i + 4][::-1] for i in range(0, len(words), 4))
                    addresses.add(socket.inet_ntop(family, packed))
    return sorted(addresses)
