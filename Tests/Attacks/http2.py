#!/usr/bin/env python3
"""http2.py: what a hostile client can do to `wscope listen --http2` by HTTP/2 alone, below the WebSocket frames that attacks.py aims at.

Each attack has a connection of its own and is bounded in time and bytes; afterwards the memory of the server must have grown by less than
the limit, and the next client, over HTTP/2 and over HTTP/1.1, be served. The frames are those of h2 (PyPI), which peers.sh sets up.
The program is $WSCOPE, default .build/release/wscope.
"""
import os
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "Peers"))
sys.dont_write_bytecode = True
from checks import Checks, print_table  # noqa: E402
from processes import WSCOPE, Failure, listen, peer, require_wscope, set_up_peers  # noqa: E402

if __name__ == "__main__" and not os.environ.get("WSCOPE_IN_VENV"):
    require_wscope()
    set_up_peers()
    os.execve(peer("python"), [peer("python"), os.path.abspath(__file__)], {**os.environ, "WSCOPE_IN_VENV": "1"})

import h2.config  # noqa: E402
import h2.connection  # noqa: E402
import h2.events  # noqa: E402
import h2.exceptions  # noqa: E402

LIMIT = 16 << 20  # bytes that an attack may cost for good
ASK = [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":path", "/"), (":authority", "localhost"),
       ("sec-websocket-version", "13")]
checks = Checks()


class Attacker:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), 5)
        config = h2.config.H2Configuration(client_side=True, header_encoding="utf-8", validate_outbound_headers=False)
        self.h2 = h2.connection.H2Connection(config)
        self.h2.initiate_connection()
        self.flush()
        while not any(isinstance(event, h2.events.RemoteSettingsChanged) for event in self.read()):
            pass

    def flush(self):
        self.socket.sendall(self.h2.data_to_send())

    def read(self, seconds=5):
        """What comes next; an ended connection is a ConnectionError."""
        self.socket.settimeout(seconds)
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionResetError("ended")
        events = self.h2.receive_data(data)
        self.socket.sendall(self.h2.data_to_send())
        if any(isinstance(event, h2.events.ConnectionTerminated) for event in events):
            raise ConnectionResetError("GOAWAY")
        return events

    def ask(self, fields=()):
        stream = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream, ASK + list(fields))
        return stream


def ends(attack):
    """The server has to end the connection; the answer is what is wrong if it does not."""
    def run(port):
        try:
            attack(port)
        except (ConnectionError, h2.exceptions.ProtocolError):
            return None
        except TimeoutError:
            return "neither ended nor answered"
        return "was let go on"
    return run


@ends
def rapid_reset(port):
    attacker = Attacker(port)  # CVE-2023-44487
    for _ in range(20_000):
        attacker.h2.reset_stream(attacker.ask(), 8)
        attacker.flush()


@ends
def settings_flood(port):
    attacker = Attacker(port)
    for _ in range(20_000):
        attacker.socket.sendall(b"\0\0\0\4\0\0\0\0\0" * 50)


@ends
def ping_flood(port):
    attacker = Attacker(port)
    for _ in range(20_000):
        attacker.socket.sendall((b"\0\0\x08\6\0\0\0\0\0" + bytes(8)) * 50)


@ends
def continuation_flood(port):
    attacker = Attacker(port)  # CVE-2024-27316
    attacker.socket.sendall(b"\0\0\1\1\0\0\0\0\1\x82")
    for _ in range(20_000):
        attacker.socket.sendall(b"\0\x40\0\x09\0\0\0\0\1" + bytes(0x4000))


@ends
def empty_data(port):
    attacker = Attacker(port)
    stream = attacker.ask()
    attacker.flush()
    for _ in range(20_000):
        attacker.socket.sendall(b"\0\0\0\0\0" + stream.to_bytes(4, "big"))


@ends
def large_head(port):
    attacker = Attacker(port)
    attacker.ask([(f"x-{number}", "y" * 1000) for number in range(100)])
    attacker.flush()
    while True:
        attacker.read()


@ends
def idle(port):
    attacker = Attacker(port)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        attacker.read(deadline - time.monotonic())


def no_window(port):
    """Echoes that are not taken: the server must stop reading, not keep them."""
    attacker = Attacker(port)
    stream = attacker.ask()
    attacker.flush()
    frame = bytes([0x82, 0xFE, 0x20, 0, 0, 0, 0, 0]) + bytes(0x2000)
    sent = 0
    try:
        while sent < 200_000_000:
            while attacker.h2.local_flow_control_window(stream) >= len(frame):
                attacker.h2.send_data(stream, frame)
                sent += len(frame)
            attacker.flush()
            attacker.read(1)  # and nothing is acknowledged
    except TimeoutError:
        return None if sent < 8 << 20 else f"{sent} bytes were taken"
    except ConnectionError:
        return None
    return f"{sent} bytes were taken"


def streams_without_end(port):
    """A hundred share a connection; the next is refused and the others live."""
    attacker = Attacker(port)
    attacker.h2.remote_settings.max_concurrent_streams = 1000  # what it was told is of no concern to it
    attacker.h2.remote_settings.acknowledge()
    opened = refused = 0
    for _ in range(150):
        attacker.ask()
    attacker.flush()
    try:
        while opened + refused < 150:
            for event in attacker.read(1):
                opened += isinstance(event, h2.events.ResponseReceived)
                refused += isinstance(event, h2.events.StreamReset)
    except (TimeoutError, ConnectionError):
        pass
    return None if opened <= 100 else f"{opened} streams were opened"


def half_open(port):
    """Requests that are answered and never end: they must not hold the connection."""
    attacker = Attacker(port)
    for _ in range(50):
        stream = attacker.h2.get_next_available_stream_id()
        attacker.h2.send_headers(stream, [(":method", "POST"), (":scheme", "http"), (":path", "/x"), (":authority", "localhost")])
    attacker.flush()
    answered = reset = 0
    deadline = time.monotonic() + 10
    while reset < 50 and time.monotonic() < deadline:
        for event in attacker.read(5):
            answered += isinstance(event, h2.events.ResponseReceived)
            reset += isinstance(event, h2.events.StreamReset)
    return None if (answered, reset) == (50, 50) else f"{answered} answered, {reset} ended"


ATTACKS = [("rapid reset", rapid_reset), ("SETTINGS flood", settings_flood), ("PING flood", ping_flood),
           ("CONTINUATION flood", continuation_flood), ("empty DATA flood", empty_data), ("head of 100 KiB", large_head),
           ("no window for echoes", no_window), ("150 streams", streams_without_end), ("requests without end", half_open),
           ("a connection without a stream", idle)]


def memory(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmRSS:"))


def main():
    child, port = listen("--http2", "-q")
    rows = []
    for name, attack in ATTACKS:
        before, began = memory(child.pid), time.monotonic()
        try:
            problem = attack(port)
        except (OSError, Failure, h2.exceptions.H2Error) as error:
            problem = repr(error)
        grown, took = memory(child.pid) - before, time.monotonic() - began
        checks.record(name, "is stopped", problem)
        checks.record(name, "memory", None if grown < LIMIT else f"grew by {grown} bytes")
        for options in ([], ["--http2"]):
            done = subprocess.run([WSCOPE, "send", "-N", "1", *options, f"ws://127.0.0.1:{port}/", "next"], capture_output=True, timeout=30)
            checks.equal(name, f"the next client {options}", (done.returncode, done.stdout), (0, b"next\n"))
        rows.append([name, checks.cell(name), f"{grown >> 10} KiB", f"{took:.1f} s"])
    checks.equal("listen", "ends 0", child.stop(), 0)
    print_table(["attack", "checks", "memory", "took"], rows)
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
