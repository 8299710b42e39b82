#!/usr/bin/env python3
"""echo_latency.py [--quick] [--rounds N]: how long a key takes to appear while messages arrive, and what is left of the line.

`wscope connect`, wscat and websocat, each on a pseudo terminal of 80 by 24, against the same server, which sends 1, 100 and 10 000
messages a second. Keys are typed 45 ms apart; a key has appeared when its character, which no message has, is first written to the
terminal. Rounds are interleaved; the figures are over all keys of all rounds. `line` says whether a person sees the whole line where
the cursor is, by a model of the screen (pyte); `memory` is what the program had in use 1 s after the start and at the end of the round.
The program is $WSCOPE, default .build/release/wscope; wscat and websocat where they are found. Needs pyte from PyPI.
"""
import argparse
import base64
import hashlib
import multiprocessing
import os
import pty
import random
import select
import shutil
import signal
import socket
import statistics
import struct
import sys
import tempfile
import termios
import time
import fcntl

import pyte

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WSCOPE = os.path.abspath(os.environ.get("WSCOPE", os.path.join(ROOT, ".build/release/wscope")))
PEERS = os.environ.get("WSCOPE_PEERS", os.path.expanduser("~/.cache/wscope-peers"))
RATES = [1, 100, 10_000]
KEYS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ@#%&*=+?"  # in no message, and of no meaning to any of the programs
COLUMNS, ROWS = 80, 24


def serve(listener):
    """Sends `message N xxx...` at the rate that the path names, to one client at a time."""
    while True:
        connection, _ = listener.accept()
        try:
            head = b""
            while b"\r\n\r\n" not in head:
                head += connection.recv(4096)
            rate = int(head.split(b" ")[1].strip(b"/"))
            key = next(line.split(b":", 1)[1].strip() for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key:"))
            accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
            connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n")
            connection.settimeout(5)
            began, sent = time.monotonic(), 0
            while True:
                due = int((time.monotonic() - began) * rate)
                out = bytearray()
                for number in range(sent, due):
                    text = b"message %d xxxxxxxxxxxxxxxxxxxxxxxx" % number
                    out += bytes([0x81, len(text)]) + text
                sent = due
                if out:
                    connection.sendall(out)
                if select.select([connection], [], [], 0.002)[0] and not connection.recv(65536):
                    break
        except (OSError, StopIteration):
            pass
        connection.close()


def programs(home):
    """(name, argv without the URL, environment)."""
    found = [("wscope", [WSCOPE, "connect"], {})]
    wscat = shutil.which("wscat")
    if wscat:
        # Debian's node-ws finds its modules there, another node than Debian's does not.
        found.append(("wscat", [wscat, "-c"], {"NODE_PATH": "/usr/share/nodejs"}))
    websocat = os.path.join(PEERS, "venv/bin/websocat")
    websocat = websocat if os.path.exists(websocat) else shutil.which("websocat")
    if websocat:
        found.append(("websocat", [websocat], {}))
    base = {"PATH": "/usr/bin:/bin", "HOME": home, "TERM": "xterm-256color", "LANG": "C.UTF-8", "INPUTRC": "/dev/null"}
    return [(name, argv, base | extra) for name, argv, extra in found]


def memory(pid):
    """MiB in use by the process and its children."""
    total = 0
    try:
        with open(f"/proc/{pid}/statm") as file:
            total += int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            children = file.read().split()
    except OSError:
        return 0
    return total / 2**20 + sum(memory(int(child)) for child in children)


class Terminal:
    def __init__(self, argv, environment):
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
            os.execve(argv[0], argv, environment)
        self.log = bytearray()

    def read(self, until):
        """Reads until that time, or until something came; whether something came."""
        ready = select.select([self.descriptor], [], [], max(0, until - time.monotonic()))[0]
        if not ready:
            return False
        try:
            data = os.read(self.descriptor, 1 << 20)
        except OSError:
            data = b""
        if not data:
            sys.exit(f"the program is gone: {bytes(self.log[-500:])!r}")
        self.log += data
        return True

    def read_for(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.read(end)

    def key(self, character, patience=3.0):
        """Types it; ms until it appears, inf if it does not."""
        position = len(self.log)
        began = time.monotonic()
        os.write(self.descriptor, character.encode())
        while time.monotonic() < began + patience:
            self.read(began + patience)
            if self.log.find(character.encode(), position) >= 0:
                return (time.monotonic() - began) * 1000
            position = len(self.log)
        return float("inf")

    def cursor_line(self):
        screen = pyte.Screen(COLUMNS, ROWS)
        pyte.ByteStream(screen).feed(bytes(self.log[-60_000:]))
        return screen.display[screen.cursor.y].rstrip()

    def end(self):
        try:
            os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        os.close(self.descriptor)
        os.waitpid(self.pid, 0)


def one_round(argv, environment, port, rate):
    terminal = Terminal(argv + [f"ws://127.0.0.1:{port}/{rate}"], environment)
    try:
        deadline = time.monotonic() + 10
        while b"message 1 " not in terminal.log:
            if time.monotonic() > deadline:
                sys.exit(f"{argv[0]}: no message; {bytes(terminal.log[-300:])!r}")
            terminal.read(deadline)
        terminal.read_for(1)
        before = memory(terminal.pid)
        times = []
        for character in KEYS:
            times.append(terminal.key(character))
            terminal.read_for(0.03 + random.random() * 0.03)
        # The model of the screen wants the end of a draw.
        terminal.read_for(0.05)
        return times, terminal.cursor_line().endswith(KEYS), before, memory(terminal.pid)
    finally:
        terminal.end()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    rounds = 1 if options.quick else options.rounds
    listener = socket.create_server(("127.0.0.1", 0))
    server = multiprocessing.Process(target=serve, args=(listener,), daemon=True)
    server.start()
    failed = False
    with tempfile.TemporaryDirectory() as home:
        names = programs(home)
        results = {}
        for _ in range(rounds):
            for rate in RATES:
                for name, argv, environment in names:
                    results.setdefault((rate, name), []).append(one_round(argv, environment, listener.getsockname()[1], rate))
    server.kill()
    print(f"{'messages/s':>10}  {'program':10}{'median ms':>10}{'p95 ms':>9}{'worst ms':>9}  {'line':14}memory MiB")
    for rate in RATES:
        for name, _, _ in names:
            all_rounds = results[rate, name]
            times = sorted(t for r in all_rounds for t in r[0])
            whole = sum(r[1] for r in all_rounds)
            p95 = times[min(len(times) - 1, int(len(times) * 0.95))]
            memories = f"{statistics.median(r[2] for r in all_rounds):.1f} -> {statistics.median(r[3] for r in all_rounds):.1f}"
            print(f"{rate:10}  {name:10}{statistics.median(times):10.2f}{p95:9.2f}{times[-1]:9.2f}  {f'whole {whole}/{rounds}':14}{memories}")
            if name == "wscope" and (p95 > 20 or whole < rounds):
                failed = True
    print(f"{len(KEYS) * rounds} keys each; inf: the key did not appear within 3 s")
    sys.exit("wscope: over 20 ms, or the line is not whole" if failed else 0)


main()
