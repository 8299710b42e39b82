"""What SECURITY's rules ask of rooms, publishing by HTTP, event streams and programs of `wscope listen`."""
import os
import random
import socket
import struct
import subprocess
import threading
import time

from rows import Between
from server_targets import Server
from wire import Memory, connect, frame, request

POST = "POST /room/x HTTP/1.1\r\nHost: localhost\r\n"
CLOSE = "Connection: close\r\n"
BODIES = [  # what is sent after the head of a POST, and the status of the reply
    ("Content-Length", f"Content-Length: 2\r\n{CLOSE}\r\nhi", 200),
    ("chunks", f"Transfer-Encoding: chunked\r\n{CLOSE}\r\n2\r\nhi\r\n0\r\n\r\n", 200),
    ("a chunk extension", f"Transfer-Encoding: chunked\r\n{CLOSE}\r\n2;a=b\r\nhi\r\n0\r\n\r\n", 200),
    ("Content-Length twice", "Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi", 400),
    ("two lengths", "Content-Length: 2\r\nContent-Length: 3\r\n\r\nhix", 400),
    ("a list of lengths", "Content-Length: 2, 2\r\n\r\nhi", 400),
    ("a negative length", "Content-Length: -1\r\n\r\nhi", 400),
    ("a length with a sign", "Content-Length: +2\r\n\r\nhi", 400),
    ("a length beyond 64 bits", "Content-Length: 99999999999999999999\r\n\r\nhi", 400),
    ("both framings", "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n", 400),
    ("an unknown coding", "Transfer-Encoding: gzip\r\n\r\nhi", 501),
    ("a chunk size that is none", "Transfer-Encoding: chunked\r\n\r\nzz\r\nhi\r\n0\r\n\r\n", 400),
    ("a chunk size beyond 64 bits", "Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\nhi", 400),
    ("a body over the limit", "Content-Length: 2000000\r\n\r\n", 413),
    ("another Origin", "Origin: http://evil.example\r\nContent-Length: 2\r\n\r\nhi", 403),
]


def status(port, text):
    with socket.create_connection(("127.0.0.1", port), 20) as client:
        client.sendall(text.encode())
        line = client.makefile("rb").readline().split()
    return int(line[1]) if len(line) > 1 else None


def r4_bodies(checks):
    server = Server("wscope listen", "--max-message", "1MiB")
    for name, rest, wanted in BODIES:
        checks.equal("R4", f"publishing, {name}", status(server.port, POST + rest), wanted)
    checks.equal("R12", "publishing, another Host",
                 status(server.port, POST.replace("localhost", "evil.example") + "Content-Length: 2\r\n\r\nhi"), 403)
    checks.equal("R4", "listen serves on after bodies", server.serves_on(), "yes")
    server.stop()


def r6_event_streams(checks):
    """A hundred event streams that nobody reads, and messages of a megabyte."""
    server = Server("wscope listen", "--max-message", "1MiB", "--max-queue", "1MiB")
    memory, streams = Memory(server.pid), []
    for _ in range(100):
        stream = socket.socket()
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stream.connect(("127.0.0.1", server.port))
        stream.sendall(b"GET /room/x/sse HTTP/1.1\r\nHost: localhost\r\n\r\n")
        streams.append(stream)
    body = "x" * 1_000_000
    for number in range(10):
        checks.equal("R6", f"publishing to streams that are not read, {number}",
                     status(server.port, f"{POST}Content-Length: {len(body)}\r\n{CLOSE}\r\n{body}"), 200)
    # The queue of each stream, one message beyond it at most, and what the kernel takes is not the server's.
    checks.equal("R6", "100 event streams that are not read: memory", memory.growth(), Between(-99, 250))
    for stream in streams:
        stream.close()
    checks.equal("R6", "listen serves on after event streams", server.serves_on(), "yes")
    server.stop()


def cut(port, seed, count):
    """Connections that end at a random moment of their life."""
    chance = random.Random(seed)
    for _ in range(count):
        try:
            with socket.create_connection(("127.0.0.1", port), 20) as client:
                client.sendall(request(port))
                moment = chance.random()
                if moment > 0.2:
                    client.recv(4096)
                if moment > 0.4:
                    client.sendall(frame(1, b"hi"))
                if moment > 0.6:
                    client.recv(100)
                if moment > 0.8:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except OSError:
            pass


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def marked(mark):
    """The processes whose environment has the mark, but not the server."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                if f"MARK={mark}".encode() in file.read().split(b"\0"):
                    found.append(int(pid))
        except OSError:
            pass
    return found


def r17_programs(checks):
    """A program that survives the end of its input, and what it leaves in the background, end with their clients."""
    program = 'sleep 120 & while read -r line; do echo "$line"; done; exec sleep 120'
    for terminal in [[], ["--exec-pty"]]:
        place = " ".join(["exec", *terminal])
        os.environ["MARK"] = f"{os.getpid()}{len(terminal)}"
        server = Server("wscope listen", "--exec", *terminal, "--exec-grace", "100ms", "--pass-env", "MARK", "--", "/bin/sh", "-c", program)
        with connect(server.port) as client:
            client.send(frame(1, b"one"))
            checks.equal("R17", f"{place}: a line comes back", client.next(20), (0x81, b"one"))
        before = descriptors(server.pid)
        threads = [threading.Thread(target=cut, args=(server.port, seed, 125)) for seed in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        mark, limit = os.environ.pop("MARK"), time.monotonic() + 60
        while len(left := marked(mark)) > 1 and time.monotonic() < limit:
            time.sleep(0.2)
        checks.equal("R17", f"{place}: processes that outlive 1000 clients", len([pid for pid in left if pid != server.pid]), 0)
        zombies = subprocess.run(["ps", "--ppid", str(server.pid), "-o", "stat="], capture_output=True, text=True).stdout.split()
        checks.equal("R17", f"{place}: zombies", zombies, [])
        checks.equal("R17", f"{place}: descriptors", descriptors(server.pid) - before, Between(-99, 8))
        server.stop()


RULES = [("R4", r4_bodies), ("R6", r6_event_streams), ("R17", r17_programs)]
