"""A proxy between an echo client and Autobahn's fuzzing server that waits, after each whole message, until its echo has gone by.

The bytes are the same; only when they arrive differs, as on a slow line. In the cases that need it the server sends a message and
right behind it something forbidden. A client that echoes inside its own process has sent the echo before it reads on; one whose echo
goes through two pipes cannot, when both lie in the socket already: it must fail the connection at once.
"""
import select
import socket
import threading
import time

PATIENCE = 5  # seconds for one echo


class Frames:
    """Follows the frames in one direction; of the payload it only counts the bytes."""

    def __init__(self):
        self.head, self.left = bytearray(), 0
        self.messages, self.closed = 0, False

    def next_stop(self, data, start):
        """Reads on from start to just behind the end of the next message or Close, or of the data: where it stands then."""
        at = start
        while at < len(data):
            if self.left:
                step = min(self.left, len(data) - at)
                self.left -= step
                at += step
            else:
                self.head.append(data[at])
                at += 1
                length = self._payload_length()
                if length is None:
                    continue
                self.left = length
            if self.left == 0 and self._payload_length() is not None:
                opcode, final = self.head[0] & 15, self.head[0] & 128
                self.head.clear()
                if opcode == 8:
                    self.closed = True
                    return at
                if final and opcode <= 2:
                    self.messages += 1
                    return at
        return at

    def _payload_length(self):
        """As soon as the head of a frame is whole: how long its payload is."""
        head = self.head
        if len(head) < 2:
            return None
        short = head[1] & 127
        extra = {126: 2, 127: 8}.get(short, 0)
        if len(head) < 2 + extra + (4 if head[1] & 128 else 0):
            return None
        return int.from_bytes(head[2:2 + extra], "big") if extra else short


class SlowLine:
    """Serves one connection to 127.0.0.1:port; `with` gives the port to connect to instead."""

    def __init__(self, port):
        self.target = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self.port

    def __exit__(self, *_):
        self.listener.close()
        self.thread.join(PATIENCE)

    def _serve(self):
        try:
            client, _ = self.listener.accept()
        except OSError:
            return
        with client, socket.create_connection(("127.0.0.1", self.target)) as server:
            try:
                self._heads(client, server)
                self._frames(client, server)
            except OSError:
                pass  # a reset by either side ends the line

    def _heads(self, client, server):
        request, reply = b"", b""
        while b"\r\n\r\n" not in request:
            request += client.recv(65536) or self._ended()
        server.sendall(request.replace(b":%d\r\n" % self.port, b":%d\r\n" % self.target))
        while b"\r\n\r\n" not in reply:
            reply += server.recv(65536) or self._ended()
        end = reply.index(b"\r\n\r\n") + 4
        client.sendall(reply[:end])
        self.rest = reply[end:]

    def _ended(self):
        raise ConnectionResetError

    def _frames(self, client, server):
        sent, echoed, waiting = Frames(), Frames(), self.rest
        open_ends, deadline = {client, server}, 0

        def held():
            return sent.messages > echoed.messages and not echoed.closed and client in open_ends and time.monotonic() < deadline
        while True:
            while waiting and not held():
                messages, end = sent.messages, sent.next_stop(waiting, 0)
                client.sendall(waiting[:end])
                waiting = waiting[end:]
                if sent.messages > messages:
                    deadline = time.monotonic() + PATIENCE
            if not waiting and server not in open_ends:
                client.shutdown(socket.SHUT_WR)
                if client not in open_ends:
                    return
                server = None
            watched = [end for end in open_ends if end is client or not waiting]
            if not watched and not waiting:
                return
            ready, _, _ = select.select(watched, [], [], max(0, deadline - time.monotonic()) if waiting else None)
            for end in ready:
                data = end.recv(65536)
                if not data:
                    open_ends.discard(end)
                    if end is client and server:
                        server.shutdown(socket.SHUT_WR)
                elif end is client:
                    if server:
                        server.sendall(data)
                    at = 0
                    while at < len(data):
                        at = echoed.next_stop(data, at)
                else:
                    waiting += data
