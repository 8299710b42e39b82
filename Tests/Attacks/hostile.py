"""A server that does to its clients what it pleases, on a free port of 127.0.0.1."""
import re
import select
import socket
import struct
import threading
import time

from wire import Ending, accept_of, read_frame


class Guest:
    """One client of the hostile server."""

    def __init__(self, connection):
        self.socket, self.head, self.buffer = connection, "", b""
        connection.settimeout(15)

    def read_request(self):
        while b"\r\n\r\n" not in self.buffer:
            data = self.socket.recv(65536)
            if not data:
                break
            self.buffer += data
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        self.head = head.decode("latin-1")
        return self.head

    @property
    def key(self):
        found = re.search(r"^sec-websocket-key:\s*(\S+)", self.head, re.IGNORECASE | re.MULTILINE)
        return found.group(1) if found else ""

    def reply_101(self, *fields, accept=None):
        """The 101 that this client waits for, as bytes."""
        lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
                 f"Sec-WebSocket-Accept: {accept or accept_of(self.key)}", *fields]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def accept(self, *fields, behind=b""):
        self.read_request()
        self.send(self.reply_101(*fields) + behind)

    def send(self, data):
        try:
            self.socket.sendall(data)
            return True
        except OSError:
            return False

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def frames(self, seconds):
        """What the client sends, unmasked, as (opcode, payload), until its end or the time."""
        deadline = time.monotonic() + seconds
        while True:
            found = self._frame()
            if found:
                yield found
            elif not self._more(deadline):
                return

    def read_over(self, seconds):
        """Reads without keeping anything until the end: whether it came within the time."""
        deadline = time.monotonic() + seconds
        while self._more(deadline):
            self.buffer = b""
        return time.monotonic() < deadline

    def ending(self, seconds=5):
        """The Close that the client sends."""
        for opcode, payload in self.frames(seconds):
            if opcode == 8:
                return Ending("Close", int.from_bytes(payload[:2], "big") if payload else None, payload[2:].decode("utf-8", "replace"))
        return Ending("no Close")

    def _more(self, deadline):
        try:
            if not select.select([self.socket], [], [], max(deadline - time.monotonic(), 0))[0]:
                return False
            data = self.socket.recv(1 << 18)
        except (OSError, ValueError):
            return False
        self.buffer += data
        return bool(data)

    def _frame(self):
        found = read_frame(self.buffer)
        if not found:
            return None
        first, payload, size = found
        self.buffer = self.buffer[size:]
        return first & 15, payload


class Hostile:
    """Runs `behave(guest)` for each client, each in a thread; what it answers is kept in `answers`. `with` stops it."""

    def __init__(self, behave):
        self.behave, self.answers, self.guests = behave, [], []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.url = f"ws://127.0.0.1:{self.port}/"
        self.threads = [threading.Thread(target=self._accept, daemon=True)]
        self.threads[0].start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            guest = Guest(connection)
            self.guests.append(guest)
            thread = threading.Thread(target=self._serve, args=(guest,), daemon=True)
            self.threads.append(thread)
            thread.start()

    def _serve(self, guest):
        try:
            self.answers.append(self.behave(guest))
        except (OSError, ValueError) as error:
            self.answers.append(error)
        finally:
            guest.socket.close()

    def answer(self, seconds=6):
        """What became of the first client; its thread is waited for."""
        deadline = time.monotonic() + seconds
        while not self.answers and time.monotonic() < deadline:
            time.sleep(0.01)
        return self.answers[0] if self.answers else None

    @property
    def connections(self):
        return len(self.guests)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        for guest in self.guests:
            try:
                guest.socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
