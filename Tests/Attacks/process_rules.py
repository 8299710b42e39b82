"""What SECURITY's rules R19 and R20 ask of the process: its streams, its idle cost, and what it does when the system refuses."""
import os
import re
import signal
import socket
import subprocess
import time

from client_rules import NORMAL, bare
from hostile import Hostile
from processes import Child, WSCOPE, listen, scratch
from rows import Between, Has
from server_rules import side_by_side
from wire import TEXT, connect, cpu_seconds, frame, serves


def shell(command, seconds=15, **environment):
    """Runs a line of bash in which $WSCOPE is the program: exit code, stdout, stderr, seconds."""
    began = time.monotonic()
    try:
        done = subprocess.run(["bash", "-c", command], capture_output=True, timeout=seconds, stdin=subprocess.DEVNULL,
                              env={**os.environ, "WSCOPE": WSCOPE, **environment})
    except subprocess.TimeoutExpired:
        return None, b"", "still running", time.monotonic() - began
    return done.returncode, done.stdout, done.stderr.decode("utf-8", "replace"), time.monotonic() - began


def talkative(count):
    def behave(guest):
        guest.accept(behind=b"".join(bare(b"message %d" % i) for i in range(count)))
        time.sleep(0.2)
        guest.send(NORMAL)
        guest.ending(5)
    return behave


def r19_streams(checks):
    for command in ("send", "connect"):
        message = "hello" if command == "send" else ""
        feed = "" if command == "send" else "echo hello |"
        with Hostile(talkative(10_000)) as server:
            line = f"({feed} $WSCOPE {command} {server.url} {message}; echo $? $(date +%s%N) >&2) | (head -1; echo head $(date +%s%N) >&2)"
            _, out, said, _ = shell(line)
            ends = dict(re.findall(r"^(head|\d+) (\d+)$", said, re.MULTILINE))
            checks.equal("R19", f"{command} | head -1", (out, len(said.splitlines()), "0" in ends), (b"message 0\n", 2, True))
            checks.equal("R19", f"{command} | head -1: seconds it outlives head",
                         (int(ends.get("0", 0)) - int(ends.get("head", 0))) / 1e9, Between(-1, 1))
        with Hostile(talkative(3)) as server:
            code, out, said, seconds = shell(f"{feed} $WSCOPE {command} {server.url} {message} >/dev/full")
            checks.equal("R19", f"{command} >/dev/full", (code, said), (23, "wscope: cannot write standard output: No space left on device\n"))
            code, out, said, seconds = shell(f"{feed} $WSCOPE {command} {server.url} {message} >&-")
            checks.equal("R19", f"{command} >&-", (code, said), (23, "wscope: cannot write standard output: Bad file descriptor\n"))
            code, out, said, seconds = shell(f"{feed} $WSCOPE {command} {server.url} {message} 2>&-")
            checks.equal("R19", f"{command} 2>&-", (code, out), (0, b"message 0\nmessage 1\nmessage 2\n"))
            code, out, said, seconds = shell(f"$WSCOPE {command} {server.url} {message} <&-")
            checks.equal("R19", f"{command} <&-", (code, out), (0, b"message 0\nmessage 1\nmessage 2\n"))
            code, out, said, seconds = shell(f"$WSCOPE {command} {server.url} {message} <&- >&- 2>&-")
            checks.equal("R19", f"{command} <&- >&- 2>&-", code, 23)
            code, out, said, seconds = shell(f"{feed} $WSCOPE {command} {server.url} {message} --format jsonl >/dev/full")
            checks.equal("R19", f"{command} --format jsonl >/dev/full", code, 23)
    with Hostile(lambda guest: (guest.accept(), guest.reset())) as server:  # the error itself cannot be said
        checks.equal("R19", "an error onto 2>/dev/full", shell(f"$WSCOPE send {server.url} hello 2>/dev/full")[0], 56)
    for redirection in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-", "2>/dev/full", ">/dev/full"):
        file = os.path.join(scratch(), f"port-{time.monotonic_ns()}")
        child = Child("listen with closed streams",
                      ["bash", "-c", f"exec {WSCOPE} listen 0 --port-file {file} {redirection}"])
        try:
            port = int(child.wait_for("port file", lambda: os.path.exists(file) and open(file).read().strip()))
            checks.equal("R19", f"listen {redirection} serves", serves(port), True)
            # a descriptor that is closed must not become a socket that a log line is then written into
            with connect(port) as client:
                client.send(frame(TEXT, b"x"))
                checks.equal("R19", f"listen {redirection}: only the echo comes", (client.next(), client.next(0.3)), ((0x81, b"x"), None))
            checks.equal("R19", f"listen {redirection} ends", child.stop(signal.SIGINT), 0)
        except Exception as error:
            checks.record("R19", f"listen {redirection}", repr(error))
    for arguments, wanted in (("--help", 23), ("--version", 23)):
        code, _, said, _ = shell(f"$WSCOPE {arguments} >/dev/full")
        checks.equal("R19", f"{arguments} >/dev/full", (code, said), (wanted, Has("No space left on device")))


def r19_idle(checks):
    """CPU with standard input at its end, all three side by side."""
    def share(pid):
        time.sleep(1)
        before = cpu_seconds(pid)
        time.sleep(3)
        return (cpu_seconds(pid) - before) / 3 * 100

    def server():
        child, _ = listen()
        checks.equal("R19", "listen </dev/null: CPU in %", share(child.pid), Between(0, 1))
        child.stop()

    def clients():
        with Hostile(lambda guest: (guest.accept(), guest.read_over(15))) as peer:
            for name, arguments in (("connect", ["--wait", "20"]), ("send", ["hello", "--wait", "20"])):
                child = Child(f"idle {name}", [WSCOPE, name, peer.url, *arguments])
                checks.equal("R19", f"{name} </dev/null, waiting: CPU in %", share(child.pid), Between(0, 1))
                child.stop(signal.SIGKILL)
    side_by_side(checks, "R19", server, clients)


def r20_address_in_use(checks):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, _, said, seconds = shell(f"$WSCOPE listen {port}")
        checks.equal("R20", "EADDRINUSE", (code, said), (45, f"wscope: port {port} is in use\n  try: wscope listen 0\n"))
    code, _, said, _ = shell("$WSCOPE listen 192.0.2.1:0")
    checks.equal("R20", "an address of another machine", (code, said), (45, Has("is not an address of this machine")))


def r20_few_files(checks):
    """64 files, 200 clients, then 10: it goes on, and says what is the matter in few lines."""
    file = os.path.join(scratch(), f"port-{time.monotonic_ns()}")
    child = Child("listen with 64 files", ["prlimit", "--nofile=64:64", WSCOPE, "listen", "0", "--port-file", file, "--max-clients", "1000"])
    port = int(child.wait_for("port file", lambda: os.path.exists(file) and open(file).read().strip()))
    crowd = []
    for _ in range(200):
        each = socket.socket()
        each.setblocking(False)
        each.connect_ex(("127.0.0.1", port))
        crowd.append(each)
    time.sleep(1.5)
    before = cpu_seconds(child.pid)
    time.sleep(2)
    checks.equal("R20", "64 files, 200 clients: CPU in % while there is no file left", (cpu_seconds(child.pid) - before) / 2 * 100, Between(0, 5))
    checks.equal("R20", "64 files, 200 clients: alive", child.process.poll(), None)
    said = [line for line in child.said().splitlines() if re.search("file|EMFILE|accept", line)]
    checks.equal("R20", "64 files, 200 clients: lines about it", len(said), Between(1, 3))
    for each in crowd:
        each.close()
    deadline, served = time.monotonic() + 15, 0
    while served < 10 and time.monotonic() < deadline:
        served += serves(port)
    checks.equal("R20", "64 files: then 10 clients are served", served, 10)
    checks.equal("R20", "64 files: ends", child.stop(signal.SIGINT), 0)


def traced(inject, command):
    return ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={inject.split(':')[0]}", "-e", f"inject={inject}", *command]


def r20_injected(checks):
    """System calls that fail, by strace."""
    for error in ("EMFILE", "ENFILE", "ENOMEM", "ECONNABORTED"):
        file = os.path.join(scratch(), f"port-{time.monotonic_ns()}")
        command = traced(f"accept4:error={error}:when=2..6", [WSCOPE, "listen", "0", "--port-file", file])
        child = Child("listen under strace", command, group=True)
        port = int(child.wait_for("port file", lambda: os.path.exists(file) and open(file).read().strip()))
        deadline, served = time.monotonic() + 20, 0
        while served < 10 and time.monotonic() < deadline:
            served += serves(port)
        checks.equal("R20", f"accept4={error} five times: 10 clients are served", served, 10)
        child.stop(signal.SIGKILL)

    with Hostile(talkative(1)) as server:
        for inject, code, words in (("socket:error=EADDRNOTAVAIL", 7, "Cannot assign requested address"),
                                    ("connect:error=ETIMEDOUT", 7, "Connection timed out"),
                                    ("connect:error=EADDRNOTAVAIL", 7, "Cannot assign requested address"),
                                    ("socket:error=EMFILE", 7, "Too many open files")):
            command = traced(inject, ["$WSCOPE", "send", server.url, "x", "--open-timeout", "3s"])
            got, _, said, seconds = shell(" ".join(command))
            checks.equal("R20", f"send, {inject}", (got, said, seconds), (code, Has("cannot connect to 127.0.0.1", words), Between(0, 4)))
    child, port = listen("--quiet")
    bench = traced("connect:error=EADDRNOTAVAIL", ["$WSCOPE", "bench", f"ws://127.0.0.1:{port}/", "-c", "4", "-n", "10", "--format", "json"])
    code, out, said, _ = shell(" ".join(bench), seconds=30)
    checks.equal("R20", "bench, connect=EADDRNOTAVAIL: no failure of the server", (code, said),
                 (7, Has("connections found no free source port on this machine, which is not the server's doing", "connect from more addresses")))
    checks.equal("R20", "bench, connect=EADDRNOTAVAIL: JSON", out.decode("utf-8", "replace"), Has('"verdict"'))
    child.stop()


def r20_many_connections(checks):
    child, port = listen("--quiet")
    code, _, said, seconds = shell(f"prlimit --nofile=256:256 $WSCOPE bench ws://127.0.0.1:{port}/ -c 1000 -d 1s")
    checks.equal("R20", "bench -c 1000 with 256 files: refused up front", (code, said, seconds), (2, Has("256", "ulimit -n"), Between(0, 3)))
    checks.equal("R20", "bench -c 1000 with 256 files: nothing is left behind", serves(port), True)
    code, _, said, _ = shell(f"prlimit --nofile=64:4096 $WSCOPE bench ws://127.0.0.1:{port}/ -c 200 -n 400 -q --no-progress", seconds=30)
    checks.equal("R20", "bench -c 200 with a soft limit of 64 files: raised", (code, "files" in said), (0, False))
    child.stop()
    child, port = listen("--max-clients", "2")
    with connect(port), connect(port):
        try:
            connect(port).socket.close()
            status = "101"
        except OSError as error:
            status = re.search(r"\d\d\d", str(error).partition("HTTP/1.1")[2]).group()
        checks.equal("R20", "--max-clients 2, the third", status, "503")
    time.sleep(0.2)
    checks.equal("R20", "--max-clients 2, when they are gone", serves(port), True)
    child.stop()


RULES = [("R19", r19_streams), ("R19", r19_idle), ("R20", r20_address_in_use), ("R20", r20_few_files), ("R20", r20_injected),
         ("R20", r20_many_connections)]
